/* Modules; see modules.h.
 *
 * The mappings are read from /proc/self/maps, and a module's properties from its ELF header in memory. The loader is
 * not asked: it runs constructors with its locks held. Lookups use a list: an array sorted by address, published by one
 * pointer. The list before it is kept, and the next refresh writes into that one. A reader that is still in it sees
 * that the newest list's number has changed, and looks again.
 */
#include "modules.h"

#include "../base/clock.h"
#include "image.h"
#include "keep.h"
#include "../base/lock.h"
#include "../base/peek.h"
#include "../base/process.h"
#include "../store/stand_in.h"
#include "../store/store.h"
#include "../base/sys.h"
#include "../base/text.h"
#include "../base/self.h"

#define MODULES_MAX 16384
#define BUDGET_MOST 50000000u
#define BUDGET_SHARE 50 /* refreshes may take this part, 1/50, of the time */

struct range {
  uintptr_t start, end;
  struct mh_module *module; /* NULL: executable memory of no file (generated code) */
};

struct list {
  uint32_t count, capacity;
  struct range ranges[];
};

uint32_t mh_generation = 1;

static struct list *list, *spare; /* the newest, and the one before */
static uint32_t list_number;      /* of the newest; advances before the spare one is written to */
static struct mh_lock lock;
static struct mh_module *modules[MODULES_MAX / 64];
static uint32_t module_count;
static uint64_t last_refresh;                 /* nanoseconds */
static uint64_t refresh_budget = BUDGET_MOST; /* nanoseconds that refreshes for unknown addresses may take */
/* Read without the lock: when the budget allows for the next one, and mh_generation at the last. */
static uint64_t next_refresh;
static uint32_t refreshed_generation;

struct maps {
  int fd;
  size_t used, length;
  char buffer[8192];
};

/* Working memory of a refresh: too large for the stack of a program's thread. Protected by the lock. */
static struct maps maps;
static struct mh_mapped_file mapping;
static struct mh_mapped_file first; /* the file of `mapping`, at its beginning where that is mapped */
static char line[MH_PATH_BYTES + 128];
static struct list *building;

static int next_byte(void) {
  if (maps.used == maps.length) {
    long got = mh_read(maps.fd, maps.buffer, sizeof(maps.buffer));
    if (got <= 0) return -1;
    maps.length = (size_t)got;
    maps.used = 0;
  }
  return (uint8_t)maps.buffer[maps.used++];
}

static bool next_mapping(void) {
  size_t length = 0;
  int byte;
  while ((byte = next_byte()) >= 0 && byte != '\n')
    if (length + 1 < sizeof(line)) line[length++] = (char)byte;
  if (length == 0) return false;
  line[length] = 0;
  const char *at = mh_maps_parse(line, &mapping.line);
  if (!at) return false;
  size_t path_length = mh_length(at);
  static const char deleted[] = " (deleted)";
  if (path_length > sizeof(deleted) && mh_equal(at + path_length - (sizeof(deleted) - 1), deleted))
    path_length -= sizeof(deleted) - 1;
  if (path_length >= MH_PATH_BYTES) path_length = MH_PATH_BYTES - 1;
  __builtin_memcpy(mapping.path, at, path_length);
  mapping.path[path_length] = 0;
  return true;
}

static struct mh_module *module_at(uint32_t index) {
  return &modules[index / 64][index % 64];
}

/* Whether a known module is the one that is mapped now. */
static bool same_module(const struct mh_module *module, const struct mh_image *image, const char *path) {
  if (!module->id || module->bias != image->bias || module->start != image->start || module->end != image->end ||
      module->layout != image->layout || __builtin_memcmp(&module->header, &image->header, sizeof(image->header)) != 0)
    return false;
  const struct mh_stored_module *stored = mh_stored_module(module->id);
  const uint8_t *strings = mh_table_blocks[MH_KIND_STRINGS][stored->path_offset / MH_BLOCK_BYTES];
  const uint8_t *ids = mh_table_blocks[MH_KIND_STRINGS][stored->build_id_offset / MH_BLOCK_BYTES];
  return stored->path_length == mh_length(path) && stored->build_id_length == image->build_id_bytes &&
         __builtin_memcmp(strings + stored->path_offset % MH_BLOCK_BYTES, path, stored->path_length) == 0 &&
         __builtin_memcmp(ids + stored->build_id_offset % MH_BLOCK_BYTES, image->build_id, image->build_id_bytes) == 0;
}

/* Stores a build id and the file's identity. It is one string, so that the two stay together. */
static uint32_t add_identity(const struct mh_image *image) {
  uint8_t identity[sizeof(image->build_id) + sizeof(struct mh_stored_file)];
  struct mh_stored_file file;
  mh_image_file(&first, image, &file);
  __builtin_memcpy(identity, image->build_id, image->build_id_bytes);
  __builtin_memcpy(identity + image->build_id_bytes, &file, sizeof(file));
  return mh_store_add_string(identity, image->build_id_bytes + (uint32_t)sizeof(file));
}

/* Publishes a module that was not there before. */
static struct mh_module *new_module(const struct mh_image *image, const char *path) {
  struct mh_array *array = &mh_header()->arrays[MH_KIND_MODULES];
  uint32_t id = array->count;
  if (module_count == MODULES_MAX || !mh_store_reserve(MH_KIND_MODULES, id + 1)) return NULL;
  if (!modules[module_count / 64] && !(modules[module_count / 64] = mh_map_private(64 * sizeof(struct mh_module))))
    return NULL;
  uint32_t path_length = (uint32_t)mh_length(path);
  uint32_t path_offset = mh_store_add_string(path, path_length);
  if (path_length && !path_offset) return NULL;
  struct mh_module *module = module_at(module_count++);
  *module = (struct mh_module){
      .bias = image->bias,
      .start = image->start,
      .end = image->end,
      .text_start = image->text_start,
      .text_end = image->text_end,
      .header = image->header,
      .layout = image->layout,
      .id = id,
      .generation = MH_GET(mh_generation),
      .loaded = true,
  };
  mh_image_frame_tables(&first, image, &module->tables);
  uint32_t flags = mh_equal(path, "[vdso]") ? MH_MODULE_FLAG_VDSO : 0;
  if (mh_equal(path, mh_process.exe)) flags |= MH_MODULE_FLAG_EXECUTABLE;
  if (MH_UNLIKELY(mh_keeps)) mh_keep_module(&first);
  uint32_t identity = add_identity(image);
  if (identity) flags |= MH_MODULE_FLAG_FILE;
  *mh_stored_module(id) = (struct mh_stored_module){
      .bias = image->bias,
      .start = image->start,
      .end = image->end,
      .path_offset = path_offset,
      .path_length = path_length,
      .build_id_offset = identity,
      .build_id_length = identity ? image->build_id_bytes : 0,
      .loaded = mh_clock_now(),
      .generation = MH_GET(mh_generation),
      .flags = flags,
  };
  mh_store_publish(MH_KIND_MODULES, id + 1);
  return module;
}

static bool add_range(uintptr_t start, uintptr_t end, struct mh_module *module) {
  if (building->count == building->capacity) return false;
  MH_ASSERT(start < end && (!building->count || building->ranges[building->count - 1].end <= start));
  /* A reader may still be in this list. It will see that the list's number has changed. */
  struct range *range = &building->ranges[building->count];
  MH_SET(range->start, start);
  MH_SET(range->end, end);
  MH_SET(range->module, module);
  MH_SET(building->count, building->count + 1);
  return true;
}

/* The module that `code` is mapped from, known or new; NULL if that is no module. */
static struct mh_module *identify(const struct mh_mapped_file *code, bool *changed) {
  struct mh_image image;
  if (!mh_image_read(&first, code, &image)) return NULL;
  for (uint32_t i = module_count; i-- > 0;) {
    struct mh_module *module = module_at(i);
    if (!same_module(module, &image, first.path)) continue;
    if (!module->loaded) {
      MH_SET(module->loaded, true);
      MH_SET(mh_stored_module(module->id)->unloaded, 0);
      *changed = true;
    }
    return module;
  }
  *changed = true;
  return new_module(&image, first.path);
}

/* The loaded module whose code was at `mapping` before anonymous memory was mapped there: some programs move their code
 * to large pages. If the module was unloaded, its header is gone, and the memory is something else. */
static struct mh_module *moved_code(void) {
  for (uint32_t i = module_count; i-- > 0;) {
    struct mh_module *module = module_at(i);
    ElfW(Ehdr) now;
    if (module->loaded && mapping.line.end > module->text_start && mapping.line.start < module->text_end &&
        mh_peek(&now, module->start, sizeof(now)) &&
        __builtin_memcmp(&now, &module->header, sizeof(now)) == 0)
      return module;
  }
  return NULL;
}

static bool in_list(const struct list *ranges, const struct mh_module *module) {
  for (uint32_t i = 0; i < ranges->count; i++)
    if (ranges->ranges[i].module == module) return true;
  return false;
}

static size_t list_bytes(uint32_t capacity) {
  return sizeof(struct list) + capacity * sizeof(struct range);
}

/* Reads the maps into `building`. Only files with executable mappings are modules. */
static bool read_maps(bool *changed) {
  maps = (struct maps){.fd = mh_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0)};
  if (maps.fd < 0) return false;
  struct mh_module *module = NULL; /* the last one met, if it is of `first` */
  bool complete = true;
  first.line.inode = 0;
  while (complete && next_mapping()) {
    bool vdso = mh_equal(mapping.path, "[vdso]"), of_file = mapping.line.inode != 0 || vdso;
    bool begins = vdso || mapping.line.inode != first.line.inode || mapping.line.device != first.line.device;
    if (of_file && begins) module = NULL;
    if (of_file && (begins || mapping.line.offset == 0)) first = mapping;
    if (!mapping.line.executable) continue;
    /* A mapping behind the module's end is of the same file, mapped a second time. */
    bool same = of_file && module && mapping.line.start < module->end;
    if (!same) module = of_file ? identify(&mapping, changed) : NULL;
    if (!module) module = moved_code();
    complete = add_range(mapping.line.start, mapping.line.end, module);
  }
  mh_close(maps.fd);
  return complete;
}

/* Subtracts a refresh's cost from the budget, which grows with time. The lock is held. */
static void pay_refresh(uint64_t began, uint64_t ended) {
  uint64_t budget = refresh_budget + (began - last_refresh) / BUDGET_SHARE, cost = ended - began;
  if (budget > BUDGET_MOST) budget = BUDGET_MOST;
  refresh_budget = budget - (cost < budget ? cost : budget);
  last_refresh = ended;
  uint64_t lacking = cost > refresh_budget ? cost - refresh_budget : 0;
  MH_SET(next_refresh, ended + lacking * BUDGET_SHARE);
}

/* An empty list to write to: the spare one, if it is large enough. A list that was too small stays mapped, because it
 * may still be read. So does one that is the newest already, if a signal handler jumped out of publish_list. */
static struct list *empty_list(uint32_t capacity) {
  if (spare == list) spare = NULL;
  struct list *empty = spare && spare->capacity >= capacity ? spare : mh_map_private(list_bytes(capacity));
  if (!empty) return NULL;
  if (empty != spare) empty->capacity = capacity;
  spare = empty;
  __atomic_store_n(&empty->count, 0, __ATOMIC_RELAXED);
  return empty;
}

/* Makes the list that was built the newest one, and the newest one the spare one. */
static void publish_list(void) {
  struct list *old = list;
  __atomic_store_n(&list, building, __ATOMIC_RELEASE);
  __atomic_store_n(&list_number, list_number + 1, __ATOMIC_RELEASE);
  spare = old;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* True: modules were added or removed. */
static bool refresh(void) {
  if (mh_stands_in() || !mh_lock_acquire_reentrant(&lock, mh_self_id())) return false;
  uint64_t began = mh_clock_now();
  MH_SET(refreshed_generation, MH_GET(mh_generation));
  bool changed = false, complete = false;
  for (uint32_t capacity = 256; !complete && capacity <= 65536; capacity *= 8) {
    building = empty_list(capacity);
    if (!building) break;
    complete = read_maps(&changed);
  }
  if (complete) {
    for (uint32_t i = 0; i < module_count; i++) {
      struct mh_module *module = module_at(i);
      if (!module->loaded || in_list(building, module)) continue;
      MH_SET(module->loaded, false);
      MH_SET(mh_stored_module(module->id)->unloaded, mh_clock_now());
      changed = true;
    }
    publish_list();
  }
  pay_refresh(began, mh_clock_now());
  mh_lock_release(&lock);
  return changed;
}

void (*mh_modules_advanced)(void);

void mh_modules_advance(void) {
  __atomic_fetch_add(&mh_generation, 1, __ATOMIC_ACQ_REL);
  void (*advanced)(void) = __atomic_load_n(&mh_modules_advanced, __ATOMIC_ACQUIRE);
  if (advanced) advanced();
}

void mh_modules_refresh(void) {
  uint64_t signals = mh_signals_hold();
  bool changed = refresh();
  mh_signals_release(signals);
  if (changed) mh_modules_advance();
}

/* What is at `pc`: false if the list does not say; a NULL module for generated code. */
static bool find(uintptr_t pc, struct mh_module **module) {
  for (;;) {
    uint32_t number = __atomic_load_n(&list_number, __ATOMIC_ACQUIRE);
    const struct list *now = __atomic_load_n(&list, __ATOMIC_ACQUIRE);
    if (!now) return false;
    bool found = false;
    uint32_t low = 0, high = __atomic_load_n(&now->count, __ATOMIC_RELAXED);
    while (low < high && !found) {
      uint32_t middle = (low + high) / 2;
      const struct range *range = &now->ranges[middle];
      if (pc < MH_GET(range->start))
        high = middle;
      else if (pc >= MH_GET(range->end))
        low = middle + 1;
      else {
        *module = MH_GET(range->module);
        found = true;
      }
    }
    /* The list may have been replaced and overwritten meanwhile. The number is read after everything else. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&list_number, __ATOMIC_RELAXED) == number) return found;
  }
}

/* Programs that generate code would cause refreshes all the time. So refreshes for unknown addresses have a budget.
 * After a dlopen the budget does not count: then there is something to find. */
static bool refresh_due(void) {
  return MH_GET(refreshed_generation) != MH_GET(mh_generation) || mh_clock_now() >= MH_GET(next_refresh);
}

const struct mh_module *mh_module_at(uintptr_t pc) {
  struct mh_module *module = NULL;
  if (MH_UNLIKELY(!find(pc, &module) && refresh_due())) {
    mh_modules_refresh();
    if (!find(pc, &module)) module = NULL;
  }
  return module && MH_GET(module->loaded) ? module : NULL;
}

bool mh_module_known(uintptr_t pc) {
  struct mh_module *module;
  return find(pc, &module);
}

void mh_modules_start(void) {
  mh_modules_refresh();
}

/* Keeps the modules with ids below `stored`, which are in the store. */
static void keep_stored(uint32_t stored) {
  lock = (struct mh_lock){0};
  if (spare == list) spare = NULL; /* the fork was in the middle of publish_list */
  /* At the fork another thread may have made a module without storing it. */
  while (module_count && module_at(module_count - 1)->id >= stored) module_count--;
}

void mh_modules_clone(void) {
  keep_stored(mh_store_published[MH_KIND_MODULES]);
}

void mh_modules_reset(void) {
  keep_stored(0);
  list = NULL;
  last_refresh = next_refresh = 0; /* the store's clock starts anew */
  mh_modules_advance();
}
