/* The store: header, blocks, growth; see store.h. */
#include "store.h"

#include <elf.h>
#include <errno.h>
#include <sys/resource.h>

#include "calendar.h"
#include "claim.h"
#include "../base/clock.h"
#include "../base/lock.h"
#include "../base/log.h"
#include "../base/process.h"
#include "../base/settings.h"
#include "stand_in.h"
#include "../base/sys.h"
#include "../base/self.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define FIRST_STEP (16u << 10)
#define HEADER_STEP 4096u
#define ENTRIES_PER_STEP (HEADER_STEP / MH_BLOCK_ENTRY_BYTES) /* which divides MH_BLOCK_MAX_COUNT */
#define EINTR_TURNS 100
#define RETRY_NANOSECONDS 500000000u

/* One lock for each array: a thread that needs records never waits for another one's stack nodes. */
static struct mh_lock grow_locks[MH_KIND_COUNT];
static uint64_t retry_time[MH_KIND_COUNT]; /* after a failure to grow: when to ask the file system again */
static struct mh_lock block_lock; /* committed bytes and the block table; taken inside a grow lock */

static struct {
  int fd;
  dev_t device;
  ino_t inode;
  char path[4096];
} file = {.fd = -1};

/* The store's descriptor. The program may have closed it, and even reused its number. Then the file is opened again. A
 * store in memory cannot be: it goes on without a descriptor, and no child of fork can clone it. */
int mh_store_fd(void) {
  struct stat now;
  if (file.fd >= 0 && mh_fstat(file.fd, &now) == 0 && now.st_ino == file.inode && now.st_dev == file.device)
    return file.fd;
  file.fd = -1;
  int fd = mh_open(file.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (mh_fstat(fd, &now) < 0 || now.st_ino != file.inode || now.st_dev != file.device) {
    mh_close(fd);
    return -1;
  }
  int high = mh_fcntl(fd, F_DUPFD_CLOEXEC, 500);
  if (high >= 0) {
    mh_close(fd);
    fd = high;
  }
  return file.fd = fd;
}

/* Writing zeros reserves the space in the file system. It also brings the zeros into the page cache in large pieces,
 * which take a quarter of the time to populate (ext4). */
static bool write_zeros(int fd, uint64_t offset, uint64_t bytes) {
  static uint8_t zeros[65536]; /* not const: those would be in the library's file */
  while (bytes) {
    long written = mh_pwrite(fd, zeros, bytes < sizeof zeros ? bytes : sizeof zeros, offset);
    if (written <= 0) return false;
    offset += (uint64_t)written;
    bytes -= (uint64_t)written;
  }
  return true;
}

/* Asks the file system for the bytes. Under a filter that cannot be run (seccomp.h) as few calls as possible are made:
 * fallocate, where the file system has it. */
static bool ask_for_bytes(int fd, uint64_t offset, uint64_t bytes) {
  if (!mh_syscall_filtered) return write_zeros(fd, offset, bytes);
  int result = mh_fallocate(fd, offset, bytes);
  /* Memory file systems give up when a signal is pending; its handler has run by now. */
  for (unsigned turn = 0; result == -EINTR && turn < EINTR_TURNS; turn++) result = mh_fallocate(fd, offset, bytes);
  return result == 0 || ((result == -EOPNOTSUPP || result == -ENOSYS) && write_zeros(fd, offset, bytes));
}

/* Gets backing for a range of the file within the limits, without SIGXFSZ or SIGBUS. `mapped` is where it is mapped. */
static bool back(uint8_t *mapped, uint64_t offset, uint64_t bytes) {
  struct mh_header *header = mh_header();
  uint64_t committed = header ? header->committed_bytes : 0;
  if (committed + bytes > mh_settings.size) return false;
  struct rlimit limit;
  if (mh_syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0) < 0) return false;
  if (limit.rlim_cur != RLIM_INFINITY && offset + bytes > limit.rlim_cur)
    return false;
  int fd = mh_store_fd();
  if (fd < 0 && !mh_settings.net_host) return false;
  if (fd >= 0 && !ask_for_bytes(fd, offset, bytes)) return false;
  int populated = mh_madvise(mapped, bytes, MADV_POPULATE_WRITE);
  if (populated < 0 && populated != -EINVAL) return false;
  if (header) MH_SET(header->committed_bytes, committed + bytes);
  return true;
}

static uint8_t *map_block(uint64_t block) {
  int fd = mh_store_fd();
  if (fd < 0 && !mh_settings.net_host) return NULL;
  int flags = fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
  uint8_t *mapped = mh_stand_in_place();
  if (!mapped) return NULL;
  uint64_t offset = fd < 0 ? 0 : block * MH_BLOCK_BYTES;
  if (mh_syscall(SYS_mmap, (long)mapped, MH_BLOCK_BYTES, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, (long)offset) !=
      (long)mapped) {
    mh_stand_in_give_place(mapped);
    return NULL;
  }
  /* A child of fork must not write into its parent's store. */
  mh_madvise(mapped, MH_BLOCK_BYTES, MADV_DONTFORK);
  /* Nothing is read from the disk here: without this, populating fresh pages goes through readahead, at four times the
   * cost. */
  mh_madvise(mapped, MH_BLOCK_BYTES, MADV_RANDOM);
  return mapped;
}

uint32_t mh_store_published[MH_KIND_COUNT];

/* Never lowers it: a thread that comes late has published lower elements. */
static void raise_to(uint32_t *word, uint32_t to) {
  uint32_t now = MH_GET(*word);
  while (now < to && !__atomic_compare_exchange_n(word, &now, to, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

bool mh_store_publish(uint32_t kind, uint32_t count) {
  /* Checked after the elements are written: if it is false, they were written to the store, and not to memory that
   * stands in for it. */
  if (MH_UNLIKELY(mh_stands_in())) return false;
  raise_to(&mh_store_published[kind], count);
  raise_to(&mh_header()->arrays[kind].count, count);
  return true;
}

/* This and mh_store_reserve write to the file, and block signals: a child that a handler forks in the middle would go
 * on writing to its parent's file. */
bool mh_store_back_header(uint32_t offset, uint32_t bytes) {
  uint64_t signals = mh_signals_hold();
  bool backed = !mh_stands_in() && mh_lock_acquire_reentrant(&block_lock, mh_self_id());
  if (backed) {
    backed = back(mh_store + offset, offset, bytes);
    mh_lock_release(&block_lock);
  }
  mh_signals_release(signals);
  return backed;
}

static uint32_t *block_entries(void) {
  return (uint32_t *)(mh_store + MH_BLOCK_TABLE_OFFSET);
}

/* Gives `kind` one more block and maps it. The block lock is held. */
static bool add_block(uint32_t kind) {
  struct mh_header *header = mh_header();
  struct mh_array *array = &header->arrays[kind];
  uint32_t block = header->block_count;
  if (block == MH_BLOCK_MAX_COUNT) return false;
  if (kind != MH_KIND_RECORDS && array->blocks == MH_TABLE_BLOCKS) return false;
  uint32_t entry_offset = MH_BLOCK_TABLE_OFFSET + block * MH_BLOCK_ENTRY_BYTES;
  if (block % ENTRIES_PER_STEP == 0 && !back(mh_store + entry_offset, entry_offset, HEADER_STEP)) return false;
  uint8_t *mapped = map_block(block);
  if (!mapped) return false;
  if (kind == MH_KIND_RECORDS)
    mh_record_blocks[array->blocks] = mapped;
  else
    mh_table_blocks[kind][array->blocks] = mapped;
  block_entries()[block] = kind << MH_BLOCK_ENTRY_KIND_SHIFT | array->blocks;
  __atomic_store_n(&array->blocks, array->blocks + 1, __ATOMIC_RELEASE);
  __atomic_store_n(&header->block_count, block + 1, __ATOMIC_RELEASE);
  return true;
}

/* Completes what a signal handler jumped out of. A block that is in the table and in its array, but not counted, is
 * counted now. A block that is not in its array yet is used for the next one. The first entry of a page of the table is
 * not read: that page may have no backing yet, and on a full file system reading it would raise SIGBUS. */
static void finish_block(void) {
  struct mh_header *header = mh_header();
  uint32_t block = header->block_count;
  if (block % ENTRIES_PER_STEP == 0) return;
  uint32_t entry = block_entries()[block];
  uint32_t ordinal = entry & MH_BLOCK_ENTRY_ORDINAL_MASK;
  if (entry && header->arrays[entry >> MH_BLOCK_ENTRY_KIND_SHIFT].blocks > ordinal)
    __atomic_store_n(&header->block_count, block + 1, __ATOMIC_RELEASE);
}

/* Commits one step more: a quarter of what there is, so that small programs stay small and large ones grow rarely. */
static bool grow(uint32_t kind) {
  struct mh_header *header = mh_header();
  struct mh_array *array = &header->arrays[kind];
  finish_block();
  uint64_t bytes = (uint64_t)array->committed * mh_element_bytes[kind];
  uint64_t step = bytes / 4;
  step = step < FIRST_STEP ? FIRST_STEP : step - step % FIRST_STEP;
  uint64_t in_block = bytes % MH_BLOCK_BYTES;
  if (in_block == 0 && bytes / MH_BLOCK_BYTES == array->blocks && !add_block(kind)) return false;
  if (step > MH_BLOCK_BYTES - in_block) step = MH_BLOCK_BYTES - in_block;
  uint64_t ordinal = bytes / MH_BLOCK_BYTES;
  uint8_t *mapped = kind == MH_KIND_RECORDS ? mh_record_blocks[ordinal] : mh_table_blocks[kind][ordinal];
  /* The block's place in the file: the table has at most some thousand entries, and this is rare. */
  uint64_t block = 0;
  const uint32_t *entries = block_entries();
  for (uint32_t i = 1; i < header->block_count; i++)
    if (entries[i] == (kind << MH_BLOCK_ENTRY_KIND_SHIFT | (uint32_t)ordinal)) block = i;
  if (!back(mapped + in_block, block * MH_BLOCK_BYTES + in_block, step)) return false;
  __atomic_store_n(&array->committed, (uint32_t)((bytes + step) / mh_element_bytes[kind]), __ATOMIC_RELEASE);
  return true;
}

/* Grows the array until `count` elements are well within it. Its lock is held, and signals are held back. */
static bool grow_for(uint32_t kind, uint32_t count, uint32_t self) {
  const struct mh_array *array = &mh_header()->arrays[kind];
  while (count > array->committed - array->committed / 8) {
    if (!mh_lock_acquire_reentrant(&block_lock, self)) return false;
    bool grown = grow(kind);
    mh_lock_release(&block_lock);
    if (!grown) return false;
  }
  return true;
}

bool mh_store_reserve(uint32_t kind, uint32_t count) {
  struct mh_array *array = &mh_header()->arrays[kind];
  uint32_t committed = __atomic_load_n(&array->committed, __ATOMIC_ACQUIRE);
  /* In the last eighth, the thread that gets the lock at once grows the array; the others go on. */
  bool enough = count <= committed;
  if (MH_LIKELY(enough && (count <= committed - committed / 8))) return true;
  uint64_t retry = __atomic_load_n(&retry_time[kind], __ATOMIC_RELAXED);
  if (MH_UNLIKELY(retry && mh_clock_now() < retry)) return enough;
  uint32_t self = mh_self_id();
  struct mh_lock *lock = &grow_locks[kind];
  if (enough && MH_GET(lock->held) && MH_GET(lock->held) != self) return true;
  uint64_t signals = mh_signals_hold();
  if (!mh_stands_in() && (enough ? mh_lock_try_reentrant(lock, self) : mh_lock_acquire_reentrant(lock, self))) {
    bool grown = grow_for(kind, count, self);
    /* A full file system is asked again only after some time: otherwise each allocation would cost a system call. */
    __atomic_store_n(&retry_time[kind], grown ? 0 : mh_clock_now() + RETRY_NANOSECONDS, __ATOMIC_RELAXED);
    mh_lock_release(lock);
    enough = count <= array->committed;
  }
  mh_signals_release(signals);
  return enough;
}

uint32_t mh_store_add_string(const void *bytes, uint32_t length) {
  struct mh_array *array = &mh_header()->arrays[MH_KIND_STRINGS];
  uint32_t offset = array->count;
  if (length == 0 || length > MH_BLOCK_BYTES) return 0;
  if (offset % MH_BLOCK_BYTES + length > MH_BLOCK_BYTES) offset += MH_BLOCK_BYTES - offset % MH_BLOCK_BYTES;
  if (!mh_store_reserve(MH_KIND_STRINGS, offset + length)) return 0;
  uint8_t *target = mh_table_blocks[MH_KIND_STRINGS][offset / MH_BLOCK_BYTES] + offset % MH_BLOCK_BYTES;
  __builtin_memcpy(target, bytes, length);
  mh_store_publish(MH_KIND_STRINGS, offset + length);
  return offset;
}

static uint32_t flags; /* of the header */

void mh_store_bypassed(bool bypassed) {
  MH_SET(flags, bypassed ? MH_FLAG_BYPASSED : 0);
  MH_SET(mh_header()->flags, MH_GET(flags));
}

void mh_store_drop(uint64_t bytes) {
  if (!mh_store) return;
  __atomic_fetch_add(&mh_header()->dropped, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&mh_header()->dropped_bytes, bytes, __ATOMIC_RELAXED);
}

static void fill_header(void) {
  struct mh_header *header = mh_header();
  header->version_major = MH_STORE_VERSION_MAJOR;
  header->version_minor = MH_STORE_VERSION_MINOR;
  header->header_bytes = MH_HEADER_BYTES;
  header->block_bytes = MH_BLOCK_BYTES;
  header->pointer_bytes = sizeof(void *);
  header->pid = mh_process.pid;
  header->parent_pid = mh_process.parent_pid;
  header->process_start = mh_process.start;
  __builtin_memcpy(header->boot_id, mh_process.boot_id, sizeof(header->boot_id));
  mh_calendar_start(header);
  header->size_limit = mh_settings.size;
  header->block_count = 1;
#if defined(__x86_64__)
  header->machine = EM_X86_64;
#elif defined(__aarch64__)
  header->machine = EM_AARCH64;
#endif
  header->writer = MH_WRITER_PRELOAD;
  header->flags = flags;
  header->page_bytes = (uint32_t)mh_page_bytes();
  header->depth_limit = mh_settings.depth;
  header->sample_bytes = mh_settings.sample;
  header->pid_namespace = mh_process.pid_namespace;
  static const uint32_t unwinders[] = {
      [MH_UNWIND_DWARF] = MH_UNWINDER_DWARF,
      [MH_UNWIND_FP] = MH_UNWINDER_FRAME_POINTER,
      [MH_UNWIND_LIBUNWIND] = MH_UNWINDER_LIBUNWIND,
  };
  header->unwinder = unwinders[mh_settings.unwind];
  char *process = (char *)mh_store + MH_PROCESS_OFFSET;
  header->exe_length = (uint32_t)mh_process.exe_length;
  __builtin_memcpy(process, mh_process.exe, mh_process.exe_length);
  header->command_length = (uint32_t)mh_process_command(process + mh_process.exe_length, MH_PROCESS_BYTES - 4096);
}

/* Element 0 of every array is the unknown one: zeros. */
static bool make_first_elements(void) {
  for (uint32_t kind = MH_KIND_RECORDS; kind < MH_KIND_COUNT; kind++) {
    if (!mh_store_reserve(kind, 1)) return false;
    mh_store_publish(kind, 1);
  }
  return true;
}

/* A file in memory, for a store that memdb keeps. Everything else treats it like any store's file, and children of fork
 * can clone it. */
static int make_memory_file(void) {
  int fd = (int)mh_syscall(SYS_memfd_create, (long)"memhook", 1 /* MFD_CLOEXEC */, 0, 0, 0, 0);
  /* As in mh_claim: programs do not expect a high number. */
  int high = fd < 0 ? fd : mh_fcntl(fd, F_DUPFD_CLOEXEC, 500);
  if (high < 0) return fd;
  mh_close(fd);
  return high;
}

bool mh_store_create(void) {
  int fd = mh_settings.net_host ? make_memory_file() : mh_claim(file.path, sizeof(file.path));
  if (fd < 0) return false;
  struct stat status;
  mh_fstat(fd, &status);
  file.fd = fd;
  file.device = status.st_dev;
  file.inode = status.st_ino;
  uint8_t *mapped = map_block(0);
  /* The header page and the process region at once; the rest of the block as it is needed. */
  if (mapped && back(mapped, 0, MH_TIMELINE_OFFSET)) {
    mh_store = mapped;
    fill_header();
    mh_header()->committed_bytes = MH_TIMELINE_OFFSET;
    if (mh_store_back_header(MH_BLOCK_TABLE_OFFSET, HEADER_STEP) &&
        mh_store_back_header(MH_THREADS_OFFSET, HEADER_STEP) && make_first_elements()) {
      mh_header()->magic[0] = MH_STORE_MAGIC_LOW;
      __atomic_store_n(&mh_header()->magic[1], MH_STORE_MAGIC_HIGH, __ATOMIC_RELEASE);
      mh_claim_done(fd);
      if (mh_settings.net_host)
        mh_log("store in memory, for memdb at ", mh_settings.net_host, "");
      else
        mh_log("store ", file.path, "");
      return true;
    }
  }
  mh_log("off: no room for a store at ", file.path, "");
  if (mapped && !mh_store) mh_stand_in_give_place(mapped);
  mh_unlink(file.path);
  mh_close(fd);
  mh_store_forget();
  return false;
}

void mh_store_forget(void) {
  mh_stand_in_end();
  file.fd = -1;
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++) {
    grow_locks[kind] = (struct mh_lock){0};
    retry_time[kind] = 0;
    mh_store_published[kind] = 0;
  }
  block_lock = (struct mh_lock){0};
}
