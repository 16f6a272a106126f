// Stacks that are hard to walk: every way in which a frame, a stack or a module changes under a cached backtrace.
//
//   hazards SECONDS PLUGIN.so [THREADS]
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define NOINLINE __attribute__((noinline))

static std::atomic<bool> done{false};
static std::atomic<uint64_t> sink{0};

static NOINLINE void touch(size_t bytes) {
  void *p = malloc(bytes % 400 + 1);
  sink += (uintptr_t)p >> 4;
  free(p);
}

struct Random {
  uint64_t state;
  uint32_t operator()(uint32_t below) {
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(state >> 33) % below;
  }
};

static void descend(Random &random, int depth);

// A frame whose size is known only when it runs.
static NOINLINE void with_alloca(Random &random, int depth) {
  volatile char *room = (volatile char *)__builtin_alloca(16 + random(random(8) ? 3000 : 15000)); // up to several pages
  room[0] = 1;
  descend(random, depth - 1);
  touch(room[0]);
}

// A frame that realigns the stack.
static NOINLINE void with_alignment(Random &random, int depth) {
  alignas(64) volatile char room[128];
  room[5] = (char)depth;
  descend(random, depth - 1);
  touch(room[5]);
}

static NOINLINE void with_alignment_and_alloca(Random &random, int depth) {
  alignas(128) volatile char room[256];
  volatile char *more = (volatile char *)__builtin_alloca(8 + random(500));
  more[0] = room[9] = (char)depth;
  descend(random, depth - 1);
  touch(room[9] + more[0]);
}

static NOINLINE void with_large_frame(Random &random, int depth) {
  volatile char room[20000];
  room[random(20000)] = 1;
  descend(random, depth - 1);
  touch(room[7]);
}

static NOINLINE void with_many_arguments(Random &random, int depth, int c, int d, int e, int f, int g, int h, int i,
    int j) {
  descend(random, depth - 1);
  touch((size_t)(c + d + e + f + g + h + i + j));
}

// Frames that catch, between here and the nearest frame that no exception may leave.
static thread_local int catchers;
struct Catchers {
  int before;
  explicit Catchers(int now) : before(catchers) { catchers = now; }
  ~Catchers() { catchers = before; }
};

static NOINLINE void with_exception(Random &random, int depth) {
  Catchers catching(catchers + 1);
  try {
    descend(random, depth - 1);
    if (random(4) == 0) throw std::runtime_error("thrown at " + std::to_string(depth));
  } catch (const std::runtime_error &error) {
    touch(strlen(error.what()));
    if (random(8) == 0 && catching.before > 0) throw;
  }
}

static int compare(const void *a, const void *b) noexcept {
  if (*(const uint32_t *)a % 7 == 0) touch(*(const uint32_t *)a);
  return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

static NOINLINE void with_callback(Random &random, int depth) {
  uint32_t values[20];
  for (uint32_t &value : values) value = random(1000);
  qsort(values, 20, sizeof *values, compare);
  std::function<void()> call = [&] { descend(random, depth - 1); };
  call();
  touch(values[3]);
}

static NOINLINE void with_containers(Random &random, int depth) {
  std::map<std::string, std::vector<int>> map;
  for (int i = 0; i < 4; i++) map["a rather long key, number " + std::to_string(random(100))].resize(random(20));
  descend(random, depth - 1);
}

struct Base {
  virtual ~Base() { touch(3); }
  virtual void go(Random &random, int depth) = 0;
};
struct Derived : Base {
  std::string name = "a name that does not fit into the object itself";
  void go(Random &random, int depth) override { descend(random, depth - 1); }
};
static NOINLINE void with_virtual(Random &random, int depth) {
  std::unique_ptr<Base> object(new Derived);
  object->go(random, depth);
}

static NOINLINE void with_tail_call(Random &random, int depth) {
  touch(9);
  return descend(random, depth - 1);
}

static NOINLINE void descend(Random &random, int depth) {
  touch(depth);
  if (depth <= 0) return;
  unsigned times = random(10) == 0 ? 2 : 1;
  while (times--) {
    switch (random(11)) {
      case 0: with_alloca(random, depth); break;
      case 1: with_alignment(random, depth); break;
      case 2: with_alignment_and_alloca(random, depth); break;
      case 3: with_large_frame(random, depth); break;
      case 4: with_many_arguments(random, depth, 1, 2, 3, 4, 5, 6, 7, 8); break;
      case 5: with_exception(random, depth); break;
      case 6: with_callback(random, depth); break;
      case 7: with_containers(random, depth); break;
      case 8: with_virtual(random, depth); break;
      case 9: with_tail_call(random, depth); break;
      case 10: touch(random(100)); descend(random, depth - 1);
    }
  }
  touch(depth + 1);
}

static NOINLINE int recurse(int depth) {
  volatile int room = depth;
  if (depth % 16 == 0) touch(depth);
  return depth == 0 ? 1 : recurse(depth - 1) + room;
}

// Frames that differ only in a frame pointer: the innermost ones lie at the same place whatever is outside of them, and
// what was there before is still found above them.
static NOINLINE void land(int depth, uintptr_t target) {
  if (depth > 0) {
    land(depth - 1, target);
    touch(1);
    return;
  }
  uintptr_t here = (uintptr_t)__builtin_alloca(16);
  volatile char *room = (volatile char *)__builtin_alloca((here - target) & ~(uintptr_t)15);
  room[0] = 1;
  touch(2);
  touch(3);
}
static NOINLINE void lands(Random &random) {
  uintptr_t target = ((uintptr_t)__builtin_frame_address(0) - 8192) & ~(uintptr_t)15;
  for (int i = 0; i < 20; i++) land((int)random(6), target);
}

// A stack that ends here, and a moment later does not.
static NOINLINE void with_end(int times) {
  uintptr_t *volatile slot = (uintptr_t *)__builtin_frame_address(0) + 1;
  uintptr_t kept = *slot;
  for (int i = 0; i < times; i++) {
    *slot = i % 2 ? kept : 0;
    touch(5);
  }
  *slot = kept;
}

// Signals: by raise, asynchronous by timer, on the thread's stack and on an alternate one.
static volatile sig_atomic_t handling;

// One tick at a time: however slow the handler is, the interrupted code goes on.
static thread_local timer_t ticker;
static thread_local volatile bool ticking;
static void tick_again() {
  struct itimerspec next = {};
  next.it_value.tv_nsec = 100000 + (long)(sink % 400000);
  timer_settime(ticker, 0, &next, nullptr);
}

static void handler(int) {
  if (handling) {
    if (ticking) tick_again();
    return;
  }
  handling = 1;
  Random random{sink.load()};
  Catchers none(0);
  // Not allowed by the letter of POSIX while malloc itself is interrupted; main() makes sure that it is not.
  touch(77);
  descend(random, 3);
  handling = 0;
  if (ticking) tick_again();
}

static std::atomic<uint64_t> ticks{0};
static NOINLINE uint64_t mix(uint64_t a, uint64_t b, int depth) {
  volatile uint64_t room[3] = {a, b, a ^ b};
  return depth ? mix(room[2] * 31, room[0], depth - 1) + room[1] : room[2];
}
static NOINLINE uint64_t spin(uint64_t rounds) {
  uint64_t value = 1;
  for (uint64_t i = 0; i < rounds; i++) value += mix(value, i, (int)(i & 7)) + (uint64_t)strtol("12", nullptr, 10);
  return value;
}
// Interrupted anywhere while it allocates nothing itself.
static NOINLINE uint64_t spin_deep(int depth, uint64_t rounds) {
  alignas(32) volatile uint64_t room[4] = {rounds};
  return depth ? spin_deep(depth - 1, rounds) + room[0] : spin(rounds);
}

static void signals(Random &random) {
  stack_t alternate = {};
  std::vector<char> memory(256 << 10);
  bool other_stack = random(2);
  if (other_stack) {
    alternate.ss_sp = memory.data();
    alternate.ss_size = memory.size();
    sigaltstack(&alternate, nullptr);
  }
  for (int i = 0; i < 3; i++) {
    raise(SIGUSR1);
    pthread_kill(pthread_self(), SIGUSR1);
  }
  if (other_stack) {
    alternate.ss_flags = SS_DISABLE;
    sigaltstack(&alternate, nullptr);
  }
}

static void timer_signals(Random &random) {
  struct sigevent event = {};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGUSR2;
#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif
  event.sigev_notify_thread_id = gettid();
  if (timer_create(CLOCK_MONOTONIC, &event, &ticker) == 0) {
    ticking = true;
    tick_again();
    sink += spin_deep((int)random(20), 150000);
    ticking = false;
    timer_delete(ticker);
  }
}

// Coroutines, on stacks that come and go.
static thread_local ucontext_t caller, callee;
static thread_local Random *coroutine_random;
static void coroutine() {
  Catchers none(0);
  for (int i = 0; i < 4; i++) {
    descend(*coroutine_random, 6);
    swapcontext(&callee, &caller);
  }
}
static void coroutines(Random &random) {
  size_t bytes = 256 << 10;
  bool own_mapping = random(2);
  void *stack = own_mapping ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      : malloc(bytes);
  getcontext(&callee);
  callee.uc_stack.ss_sp = stack;
  callee.uc_stack.ss_size = bytes;
  callee.uc_link = &caller;
  coroutine_random = &random;
  makecontext(&callee, coroutine, 0);
  for (int i = 0; i < 5; i++) {
    swapcontext(&caller, &callee);
    touch(i);
  }
  if (own_mapping)
    munmap(stack, bytes);
  else
    free(stack);
}

// Modules: the same address range holds different code after a dlclose and a dlopen.
static const char *plugins[2];
static void modules(Random &random) {
  void *plugin = dlopen(plugins[random(2)], RTLD_NOW | RTLD_LOCAL);
  if (!plugin) {
    fprintf(stderr, "hazards: %s\n", dlerror());
    exit(2);
  }
  auto run = (void (*)(int, void (*)(void *), void *))dlsym(plugin, "plugin_run");
  Catchers none(0); // an exception would jump over what C code has to free
  auto into = [](void *data) { descend(*(Random *)data, 3); };
  run((int)random(6), into, &random);
  run((int)random(6), into, &random);
  dlclose(plugin);
  touch(1);
}

static void children(Random &random) {
  pid_t child = fork();
  if (child == 0) {
    Catchers none(0);
    descend(random, 8);
    _exit(0);
  }
  if (child > 0) waitpid(child, nullptr, 0);
}

static void work(unsigned number) {
  Random random{number * 977 + 5};
  while (!done) {
    for (int i = 0; i < 60; i++) descend(random, 4 + (int)random(12));
    lands(random);
    with_end(10);
    signals(random);
    coroutines(random);
    if (random(6) == 0) recurse(200 + (int)random(400));
    if (random(4) == 0) timer_signals(random);
    if (random(4) == 0) modules(random);
    if (random(40) == 0) std::thread([&] { descend(random, 10); }).join();
    if (number == 0 && random(40) == 0) children(random);
  }
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: hazards SECONDS PLUGIN1.so PLUGIN2.so [THREADS]\n");
    return 2;
  }
  plugins[0] = argv[2];
  plugins[1] = argv[3];
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK; // where a thread has one
  sigaction(SIGUSR1, &action, nullptr);
  sigaction(SIGUSR2, &action, nullptr); // for good: the last tick of a timer may come after its end
  unsigned threads = argc > 4 ? (unsigned)atoi(argv[4]) : 2;
  std::vector<std::thread> others;
  for (unsigned i = 1; i < threads; i++) others.emplace_back(work, i);
  std::thread stopper([&] {
    struct timespec time = {atoi(argv[1]), 0};
    nanosleep(&time, nullptr);
    done = true;
  });
  work(0);
  stopper.join();
  for (std::thread &other : others) other.join();
  return 0;
}
