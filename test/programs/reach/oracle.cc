/* Many ways to hold a block, and to lose one, and what must be said of each.
 *
 * Prints a line for every block, "NAME VERDICT ADDRESS", and then "ready", and waits until its input ends. The address
 * is printed as its complement, and kept as such, so that the list itself holds nothing. Verdicts: R reachable, I by a
 * pointer into it only, L lost, D only lost ones hold it; C: in a circle, of which any one is L and the others are D.
 *
 *   oracle FOLDER [LENGTH]     where libheld.so is, and files may be made; how long a long list is
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <exception>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "../oracle.h"

/* ── held ────────────────────────────────────────────────────────────────────────────────────────────────────────── */
/* Not static: then what is written to them is written. */
void *by_global, *array, *middle_of_pool, *tagged, *end_pointer, *in_arena, *large, *aligned, *page_aligned, *nothing;
void *part_of_tree;
thread_local void *by_thread_local;
FILE *stream;
void **shared, **file, **region;
std::map<int, std::string> *tree;
std::vector<void *> list;
std::exception_ptr exception;
char *line;
pthread_key_t keys[40];

APART static void by_static_local() {
  static void *volatile held;
  held = block("static local", 'R');
  if (!held) abort();
}

APART static void held() {
  by_global = block("global", 'R');
  by_thread_local = block("thread local", 'R');
  by_static_local();
  for (pthread_key_t &key : keys) pthread_key_create(&key, nullptr);
  pthread_setspecific(keys[0], block("pthread key", 'R'));
  pthread_setspecific(keys[39], block("pthread key of the second level", 'R'));
  array = realloc(malloc(100), 5000);
  expect("realloc", 'R', array);
  stream = expect("FILE", 'R', fopen("/dev/null", "w"));
  fputs("text", stream);
  char *variable = static_cast<char *>(block("putenv", 'R'));
  strcpy(variable, "ORACLE=1");
  putenv(variable);
  size_t room = 0;
  FILE *zeros = fopen("/proc/self/stat", "r");
  if (getline(&line, &room, zeros) > 0) expect("getline", 'R', line);
  fclose(zeros);
  on_exit([](int, void *) {}, block("argument of on_exit", 'R'));
  tree = expect("map", 'R', new std::map<int, std::string>);
  /* A node begins with its colour and three pointers. */
  for (int i = 0; i < 3; i++) {
    auto pair = tree->emplace(i, "a string that is too long to be in its object").first;
    expect("node of a map", 'R', reinterpret_cast<char *>(&*pair) - 32);
  }
  list.reserve(64);
  list.push_back(block("in a vector", 'R'));
  expect("vector", 'R', list.data());
  nothing = block("of no bytes", 'R', 0);
  aligned = expect("aligned", 'R', aligned_alloc(256, 512));
  page_aligned = expect("page aligned", 'R', memalign(4096, 8192));
  large = expect("mapped by itself", 'R', malloc(1 << 20));
  *static_cast<void **>(large) = block("in one mapped by itself", 'R');
}

APART static void held_by_mappings(const char *folder) {
  const int rw = PROT_READ | PROT_WRITE;
  shared = static_cast<void **>(mmap(nullptr, 4096, rw, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  shared[5] = block("shared memory", 'R');
  region = static_cast<void **>(mmap(nullptr, 1 << 16, rw, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  region[999] = block("mapping", 'R');
  char path[4096];
  snprintf(path, sizeof path, "%s/file", folder);
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (ftruncate(fd, 8192)) abort();
  file = static_cast<void **>(mmap(nullptr, 8192, rw, MAP_PRIVATE, fd, 0));
  close(fd);
  file[600] = block("private mapping of a file", 'R');
}

APART static void held_by_libraries(const char *folder) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libheld.so", folder);
  void *library = dlopen(path, RTLD_NOW);
  if (!library) abort();
  reinterpret_cast<void (*)(void *)>(dlsym(library, "hold"))(block("global of a library", 'R'));
  reinterpret_cast<void (*)(void *)>(dlsym(library, "hold_by_thread"))(block("thread local of a library", 'R'));
  snprintf(path, sizeof path, "%s/libgone.so", folder);
  void *gone = dlopen(path, RTLD_NOW);
  if (!gone) abort();
  reinterpret_cast<void (*)(void *)>(dlsym(gone, "hold"))(block("global of a library that is gone", 'L'));
  dlclose(gone);
}

/* ── held by threads ─────────────────────────────────────────────────────────────────────────────────────────────── */
static int ready;

/* Says that the thread is where it shall be, and stays there. */
#define STAY()                                              \
  do {                                                      \
    __atomic_add_fetch(&ready, 1, __ATOMIC_RELEASE);        \
    for (;;) pause();                                       \
  } while (0)

static void *on_stack(void *) {
  void *volatile here = block("living stack", 'R');
  (void)here;
  STAY();
}

static void *by_local_of_thread(void *) {
  by_thread_local = block("thread local of a thread", 'R');
  pthread_setspecific(keys[1], block("pthread key of a thread", 'R'));
  in_arena = block("in a thread's arena", 'R');
  block("lost in a thread's arena", 'L');
  scrub();
  STAY();
}

#if defined(__x86_64__)
/* The pointer is nowhere but in the register, and the thread in a system call of its own. */
static void *by_register(void *) {
  void *only = block("register", 'R');
  scrub();
  __atomic_add_fetch(&ready, 1, __ATOMIC_RELEASE);
  __asm__ volatile("movq %0, %%r12\n\txorl %k0, %k0\n1:\tmovl $34, %%eax\n\tsyscall\n\tjmp 1b"
                   : "+r"(only) : : "r12", "rax", "rcx", "r11", "memory");
  return nullptr;
}

static void *by_vector(void *) {
  void *only = block("vector register", 'R');
  scrub();
  __atomic_add_fetch(&ready, 1, __ATOMIC_RELEASE);
  __asm__ volatile("movq %0, %%xmm7\n\txorl %k0, %k0\n1:\tmovl $34, %%eax\n\tsyscall\n\tjmp 1b"
                   : "+r"(only) : : "xmm7", "rax", "rcx", "r11", "memory");
  return nullptr;
}
#endif

static void on_signal(int) {
  void *volatile here = block("alternate stack", 'R');
  (void)here;
  STAY();
}

static char alternate[65536];

static void *in_handler(void *) {
  stack_t stack = {};
  stack.ss_sp = alternate;
  stack.ss_size = sizeof alternate;
  sigaltstack(&stack, nullptr);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  void *volatile here = block("stack below the alternate one", 'R');
  raise(SIGUSR1);
  return here;
}

static ucontext_t back, on_heap, on_mapping;
void *stack_on_heap;

static void coroutine(int mapped) {
  void *volatile here = block(mapped ? "coroutine on a mapping" : "coroutine on the heap", 'R');
  swapcontext(mapped ? &on_mapping : &on_heap, &back);
  (void)here;
}

APART static void coroutines() {
  getcontext(&on_heap);
  on_heap.uc_stack.ss_sp = stack_on_heap = expect("stack of a coroutine", 'R', malloc(65536));
  on_heap.uc_stack.ss_size = 65536;
  makecontext(&on_heap, reinterpret_cast<void (*)()>(coroutine), 1, 0);
  swapcontext(&back, &on_heap);
  getcontext(&on_mapping);
  on_mapping.uc_stack.ss_sp = mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  on_mapping.uc_stack.ss_size = 65536;
  makecontext(&on_mapping, reinterpret_cast<void (*)()>(coroutine), 1, 1);
  swapcontext(&back, &on_mapping);
}

static void start(void *(*run)(void *)) {
  static int started;
  pthread_t thread;
  if (pthread_create(&thread, nullptr, run, nullptr)) abort();
  pthread_detach(thread);
  started++;
  while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < started) usleep(1000);
}

static void *ends_with_stack(void *) {
  void *volatile here = block("stack of a thread that has ended", 'L');
  (void)here;
  return nullptr;
}

static void *ends_with_local(void *) {
  by_thread_local = block("thread local of a thread that has ended", 'L');
  return nullptr;
}

APART static void threads() {
  /* Their stacks are kept for the next thread; so they go first, and others that live longer beside them. */
  pthread_t ended[2];
  start(on_stack);
  start(by_local_of_thread);
#if defined(__x86_64__)
  start(by_register);
  start(by_vector);
#endif
  start(in_handler);
  pthread_create(&ended[0], nullptr, ends_with_stack, nullptr);
  pthread_create(&ended[1], nullptr, ends_with_local, nullptr);
  pthread_join(ended[0], nullptr);
  pthread_join(ended[1], nullptr);
}

/* ── held by pointers into them ──────────────────────────────────────────────────────────────────────────────────── */
struct first {
  virtual ~first() {}
  void *held = nullptr;
};
struct second {
  virtual ~second() {}
  long number = 0;
};
struct both : first, second {};
struct base {
  virtual ~base() {}
  long number = 0;
};
struct derived : virtual base {
  void *held = nullptr;
};
struct counted {
  void *held = nullptr;
  ~counted() { free(held); }
};
second *by_second;
base *by_base;
counted *elements;

APART static void interiors() {
  both *two = expect("second base", 'I', new both);
  two->held = block("held by an object of a second base", 'I');
  by_second = two;
  derived *one = expect("virtual base", 'I', new derived);
  one->held = block("held by an object of a virtual base", 'I');
  by_base = one;
  elements = new counted[3];
  expect("array with a cookie", 'I', reinterpret_cast<char *>(elements) - sizeof(size_t));
  elements[1].held = block("held by an array with a cookie", 'I');
  middle_of_pool = static_cast<char *>(block("pool", 'I', 4000)) + 800;
  tagged = reinterpret_cast<char *>(link("low bit", 'I', link("held through a low bit", 'I'))) + 1;
  end_pointer = static_cast<char *>(block("end", 'I', 48)) + 48;
  try {
    throw std::string("a string that is too long to be in its object");
  } catch (...) {
    exception = std::current_exception();
  }
}

/* ── lost ────────────────────────────────────────────────────────────────────────────────────────────────────────── */
struct owner {
  std::shared_ptr<owner> other;
};

APART static void dead_slot() {
  void *volatile here = block("dead slot of the stack", 'L');
  (void)here;
}

APART static void lost(int length) {
  block("simply lost", 'L');
  block("lost, of no bytes", 'L', 0);
  expect("lost, aligned", 'L', aligned_alloc(64, 640));
  expect("lost, page aligned", 'L', memalign(4096, 4096));
  void **mapped = static_cast<void **>(expect("lost, mapped by itself", 'L', malloc(1 << 20)));
  mapped[77] = block("held by a lost one mapped by itself", 'D');
  dead_slot();
  expect("a short string", 'L', new std::string("short"));
  std::string *string = expect("a long string", 'L', new std::string(100, 'x'));
  expect("buffer of a lost string", 'D', string->data());
  std::unique_ptr<node>(link("released", 'L')).release();

  node *kept = link("part of a lost tree that is held", 'R', link("what it holds", 'R'));
  part_of_tree = kept;
  node *left = link("tree", 'D', link("leaf", 'D'), link("leaf", 'D'));
  node *right = link("tree", 'D', link("leaf", 'D'), kept);
  link("head of a tree", 'L', left, right);
  link("second head", 'L', link("held by two heads", 'D'));

  node *a = link("circle of three", 'C'), *b = link("circle of three", 'C', a), *c = link("circle of three", 'C', b);
  a->next = c;
  node *self = link("points to itself", 'L');
  self->next = self;
  node *x = link("list in both directions", 'C'), *y = link("list in both directions", 'C');
  x->next = y;
  y->other = x;
  node *in = link("entrance to a circle", 'L', link("behind an entrance", 'D'));
  in->next->next = in->next;

  auto one = std::allocate_shared<owner>(telling<owner>()), two = std::allocate_shared<owner>(telling<owner>());
  one->other = two;
  two->other = one;

  node *end = link("end of a long list", 'D'), *head = end;
  for (int i = 0; i < length; i++) {
    node *before = static_cast<node *>(calloc(1, sizeof(node)));
    before->next = head;
    head = before;
  }
  link("head of a long list", 'L', head);
}

/* Pointers that the allocator's own memory holds, after what held them was freed. */
APART static void lost_in_freed() {
  /* Behind the two words that free overwrites. */
  for (size_t size : {64, 400, 3000}) {
    void **freed = static_cast<void **>(malloc(size)), *guard = malloc(size);
    freed[5] = block("in a freed block", 'L');
    free(freed);
    list.push_back(guard);
  }
  /* More than a thread keeps. */
  void **many[20];
  for (void **&each : many) each = static_cast<void **>(malloc(56));
  many[0][4] = block("in a freed block of a fastbin", 'L');
  for (int i = 19; i >= 0; i--) free(many[i]);
}

/* What the program keeps in forms that no scan can know. */
uintptr_t exclusive, high_bits;
uint32_t offset_of_32;
char unaligned[24];

APART static void hidden() {
  node *next = link("xor", 'L');
  exclusive = reinterpret_cast<uintptr_t>(next) ^ 0x5555555555555555u;
  high_bits = reinterpret_cast<uintptr_t>(link("high bits", 'L')) | uintptr_t(0xabcd) << 48;
  char *far = reinterpret_cast<char *>(link("32 bits", 'L'));
  offset_of_32 = uint32_t(far - static_cast<char *>(by_global));
  void *odd = link("unaligned", 'L');
  memcpy(unaligned + 3, &odd, sizeof odd);
}

int main(int count, char **arguments) {
  mallopt(M_MMAP_THRESHOLD, 512 << 10);
  std::thread functor;
  void *argument = block("argument of std::thread", 'R');
  functor = std::thread([argument] {
    (void)argument;
    for (;;) pause();
  });
  argument = nullptr;
  held();
  held_by_mappings(arguments[1]);
  held_by_libraries(arguments[1]);
  threads();
  coroutines();
  interiors();
  lost(count > 2 ? atoi(arguments[2]) : 300000);
  hidden();
  lost_in_freed();
  setvbuf(stdout, nullptr, _IOFBF, 1 << 16);
  for (int i = 0; i < expectations; i++)
    printf("%s\t%c\t%lx\n", expected[i].name, expected[i].verdict, expected[i].hidden);
  block("just below the end of the heap", 'L', 200000);
  printf("%s\t%c\t%lx\n", expected[expectations - 1].name, 'L', expected[expectations - 1].hidden);
  scrub();
  puts("ready");
  fflush(stdout);
  char end;
  while (read(0, &end, 1) > 0) {}
  _exit(0);
}
