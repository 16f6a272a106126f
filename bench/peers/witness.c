/* An independent log of what a program allocates, to be preloaded behind memhook, whose real malloc it then is:
 *
 *   program ──▶ libmemhook.so ──▶ witness.so ──▶ libc
 *
 *   LD_PRELOAD="libmemhook.so witness.so" WITNESS_LOG=FILE PROGRAM
 *
 * Both see the same calls at the same addresses, so what each holds for live at the end must be the same. It shares no
 * line with the library, and works in the most simple way there is: every call is one event, at a place of its own in
 * FILE, which is mapped. FILE has its full size before (see log.ts); all processes of a run write to it, and it
 * outlives them. It has nothing thread-local, which would change the sizes that the loader asks for. A thread takes the
 * next place by one atomic addition; it does so before it gives memory back and after it has got some, so of two events
 * of one address the earlier one has the lower place.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* log.ts reads these. RESTORE: what the thread's last FREE or UNMAP of that address took away is there again. REMAP:
 * MAP, if there was a mapping in what the thread's last UNMAP took away. */
enum kind { SPACE = 1, FORKED, ALLOCATE, FREE, RESTORE, MAP, UNMAP, REMAP };

struct event {
  uint64_t address; /* SPACE, FORKED: process id */
  uint64_t size;    /* SPACE: the place that was the next one when its parent called fork */
  uint32_t kind;
  uint32_t space;     /* of addresses: a process until it execs, with the children of vfork that live in it */
  uint32_t thread;    /* SPACE: the parent's space; UINT32_MAX for a program that begins, 0 if it is not known */
  uint32_t alignment; /* that was asked for, as the exponent of 2; 0 if none was */
};
_Static_assert(sizeof(struct event) == 32, "log.ts");

struct head {
  _Atomic uint64_t next;
  uint64_t places;
  _Atomic uint32_t spaces;
  uint32_t unused[3];
};
_Static_assert(sizeof(struct head) == 32, "log.ts");

static struct head *head;
static struct event *events;
static uint32_t *own_space; /* on a page that the kernel wipes in a child of fork */

static void put(uint32_t space, enum kind kind, uint64_t address, uint64_t size, uint64_t alignment, uint32_t thread) {
  uint64_t place = atomic_fetch_add(&head->next, 1);
  if (place >= head->places) return;
  struct event event = {.address = address, .size = size, .kind = kind, .space = space, .thread = thread};
  if (alignment) event.alignment = (uint32_t)__builtin_ctzll(alignment);
  events[place] = event;
}

/* The space that this is. `parent`: for one that begins. */
static uint32_t space_of(uint32_t parent) {
  if (*own_space) return *own_space;
  *own_space = atomic_fetch_add(&head->spaces, 1) + 1;
  put(*own_space, SPACE, (uint64_t)getpid(), 0, 0, parent);
  return *own_space;
}

static uint32_t space(void) {
  return space_of(0);
}

#define FUNCTIONS(F)                                                               \
  F(malloc) F(calloc) F(realloc) F(memalign) F(aligned_alloc) F(posix_memalign)    \
  F(valloc) F(pvalloc) F(free) F(mmap) F(mmap64) F(munmap) F(mremap) F(fork)

static struct {
#define F(name) __typeof__(name) *name;
  FUNCTIONS(F)
#undef F
} real;

/* At the first call, if there is one before: constructors of libraries may allocate before those of this one. The real
 * functions are the next definitions in the loader's order, all looked up now: later that would end what dlerror has
 * to tell the program. */
static __attribute__((constructor)) void begin(void) {
  static bool begun;
  if (begun) return;
  begun = true;
#define F(name) real.name = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);
  FUNCTIONS(F)
#undef F
  const char *path = getenv("WITNESS_LOG");
  int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
  if (file < 0) return;
  struct stat status;
  fstat(file, &status);
  char *log = real.mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  own_space = real.mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  close(file);
  if (log == MAP_FAILED || own_space == MAP_FAILED) return;
  madvise(own_space, 4096, MADV_WIPEONFORK);
  events = (struct event *)(log + sizeof(*head));
  head = (struct head *)log;
  space_of(UINT32_MAX);
}
#define REAL(name) (begin(), real.name)

/* errno stays what the real function left. */
static void note(enum kind kind, const void *address, uint64_t size, uint64_t alignment) {
  int saved = errno;
  if (head) put(space(), kind, (uintptr_t)address, size, alignment, (uint32_t)gettid());
  errno = saved;
}

/* ── The heap ── */

void *malloc(size_t size) {
  void *block = REAL(malloc)(size);
  if (block) note(ALLOCATE, block, size, 0);
  return block;
}

void *calloc(size_t count, size_t size) {
  void *block = REAL(calloc)(count, size);
  if (block) note(ALLOCATE, block, count * size, 0);
  return block;
}

void *memalign(size_t alignment, size_t size) {
  void *block = REAL(memalign)(alignment, size);
  if (block) note(ALLOCATE, block, size, alignment);
  return block;
}

void *aligned_alloc(size_t alignment, size_t size) {
  void *block = REAL(aligned_alloc)(alignment, size);
  if (block) note(ALLOCATE, block, size, alignment);
  return block;
}

int posix_memalign(void **block, size_t alignment, size_t size) {
  int result = REAL(posix_memalign)(block, alignment, size);
  if (result == 0 && *block) note(ALLOCATE, *block, size, alignment);
  return result;
}

void *valloc(size_t size) {
  void *block = REAL(valloc)(size);
  if (block) note(ALLOCATE, block, size, 4096);
  return block;
}

void *pvalloc(size_t size) {
  void *block = REAL(pvalloc)(size);
  if (block) note(ALLOCATE, block, size, 4096);
  return block;
}

void free(void *block) {
  if (block) note(FREE, block, 0, 0);
  REAL(free)(block);
}

static void *resized(void *old, void *block, size_t size) {
  if (block)
    note(ALLOCATE, block, size, 0);
  else if (old && size)
    note(RESTORE, old, 0, 0); /* it failed, and the old block is as it was */
  return block;
}

void *realloc(void *old, size_t size) {
  if (old) note(FREE, old, 0, 0);
  return resized(old, REAL(realloc)(old, size), size);
}

void *reallocarray(void *old, size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  return realloc(old, bytes);
}

/* ── Mappings ── */

#define MAPPER(name)                                                                         \
  void *name(void *wanted, size_t size, int protection, int flags, int file, off_t offset) { \
    if (flags & MAP_FIXED) note(UNMAP, wanted, size, 0);                                     \
    void *start = REAL(name)(wanted, size, protection, flags, file, offset);                 \
    if (start != MAP_FAILED && flags & MAP_ANONYMOUS) note(MAP, start, size, 0);             \
    if (start == MAP_FAILED && flags & MAP_FIXED) note(RESTORE, wanted, size, 0);            \
    return start;                                                                            \
  }
MAPPER(mmap)
MAPPER(mmap64)

int munmap(void *start, size_t size) {
  /* What the kernel refuses before it looks at anything. */
  if (!size || (uintptr_t)start % 4096) return REAL(munmap)(start, size);
  note(UNMAP, start, size, 0);
  int result = REAL(munmap)(start, size);
  if (result) note(RESTORE, start, size, 0);
  return result;
}

void *mremap(void *old, size_t old_size, size_t size, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  void *wanted = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
  va_end(rest);
  if (wanted) note(UNMAP, wanted, size, 0);
  /* With no size at all, shared memory gets a second place. */
  note(UNMAP, old, old_size ? old_size : 1, 0);
  void *start = REAL(mremap)(old, old_size, size, flags, wanted);
  if (start != MAP_FAILED) note(REMAP, start, size, 0);
  if (start == MAP_FAILED || flags & MREMAP_DONTUNMAP || !old_size) note(RESTORE, old, old_size, 0);
  if (start == MAP_FAILED && wanted) note(RESTORE, wanted, size, 0);
  return start;
}

/* ── Processes ── */

pid_t fork(void) {
  begin();
  if (!head) return real.fork();
  uint32_t mine = space();
  uint64_t next = atomic_load(&head->next);
  pid_t child = real.fork();
  /* Once more, now with its parent: handlers of pthread_atfork may have allocated. */
  if (child == 0) put(space(), SPACE, (uint64_t)getpid(), next, 0, mine);
  if (child > 0) put(mine, FORKED, (uint64_t)child, 0, 0, (uint32_t)gettid());
  return child;
}
