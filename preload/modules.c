/* Modules; see modules.h.
 *
 * What is mapped is read from /proc/self/maps, and what a module is from its own ELF header in memory: the loader, with
 * its locks and its constructors that run under them, is not asked. The list that lookups use is an array sorted by address, published
 * by one pointer. The list before it is kept and the next refresh writes into that one: a reader that is still in it sees by the
 * number of the newest list that what it found does not count.
 */
#include "modules.h"

#include <elf.h>
#include <link.h>

#include "capture.h"
#include "clock.h"
#include "lock.h"
#include "peek.h"
#include "process.h"
#include "sections.h"
#include "stand_in.h"
#include "store.h"
#include "sys.h"
#include "text.h"
#include "thread.h"

#define MODULES_MAX 16384
#define HEADERS_MAX 64
#define PATH_BYTES 4096
#define BUDGET_MOST 50000000u
#define BUDGET_SHARE 50 /* one part of the time that passes */

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

/* One line of /proc/self/maps. */
struct mapping {
  uintptr_t start, end;
  uint64_t offset, inode, device;
  bool executable;
  char path[PATH_BYTES];
};

struct maps {
  int fd;
  size_t used, length;
  char buffer[8192];
};

/* Working memory of a refresh, too large for the stacks of other people's threads. Guarded by the lock. */
static struct maps maps;
static struct mapping mapping, first;
static char line[PATH_BYTES + 128];
static ElfW(Phdr) segments[HEADERS_MAX];
static uint8_t notes_buffer[1024];
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

/* "start-end perms offset major:minor inode   path" */
static bool next_mapping(void) {
  size_t length = 0;
  int byte;
  while ((byte = next_byte()) >= 0 && byte != '\n')
    if (length + 1 < sizeof(line)) line[length++] = (char)byte;
  if (length == 0) return false;
  line[length] = 0;
  const char *at = line;
  uint64_t start, end, major, minor;
  if (!mh_parse_hex(&at, &start) || *at++ != '-' || !mh_parse_hex(&at, &end) || *at++ != ' ') return false;
  mapping.executable = at[2] == 'x';
  at += 5;
  if (!mh_parse_hex(&at, &mapping.offset) || *at++ != ' ' || !mh_parse_hex(&at, &major) || *at++ != ':' ||
      !mh_parse_hex(&at, &minor) || *at++ != ' ' || !mh_parse_number(&at, &mapping.inode))
    return false;
  mapping.start = start;
  mapping.end = end;
  mapping.device = major << 32 | minor;
  while (*at == ' ') at++;
  size_t path_length = mh_length(at);
  static const char deleted[] = " (deleted)";
  if (path_length > sizeof(deleted) && mh_equal(at + path_length - (sizeof(deleted) - 1), deleted))
    path_length -= sizeof(deleted) - 1;
  if (path_length >= PATH_BYTES) path_length = PATH_BYTES - 1;
  __builtin_memcpy(mapping.path, at, path_length);
  mapping.path[path_length] = 0;
  return true;
}

struct image {
  uintptr_t bias, start, end, text_start, text_end;
  uintptr_t eh_frame_hdr, eh_frame;
  size_t eh_frame_hdr_bytes, eh_frame_bytes;
  uintptr_t eh_segment_start, eh_segment_end;
  uint8_t build_id[64];
  uint32_t build_id_bytes;
};

static void read_build_id(struct image *image, uintptr_t notes, size_t bytes) {
  uint8_t *buffer = notes_buffer;
  if (bytes > sizeof(notes_buffer)) bytes = sizeof(notes_buffer);
  if (!mh_peek(buffer, notes, bytes)) return;
  for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= bytes;) {
    ElfW(Nhdr) note;
    __builtin_memcpy(&note, buffer + at, sizeof(note));
    size_t name = at + sizeof(note), data = name + ((note.n_namesz + 3u) & ~3u);
    if (note.n_namesz > bytes || note.n_descsz > bytes || data + note.n_descsz > bytes) return;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && __builtin_memcmp(buffer + name, "GNU", 4) == 0 &&
        note.n_descsz <= sizeof(image->build_id)) {
      __builtin_memcpy(image->build_id, buffer + data, note.n_descsz);
      image->build_id_bytes = note.n_descsz;
      return;
    }
    at = data + ((note.n_descsz + 3u) & ~3u);
  }
}

/* Where frame information may be read without meeting a hole between segments. */
static void find_segment(struct image *image, unsigned count, uintptr_t address) {
  for (unsigned i = 0; i < count; i++) {
    uintptr_t low = image->bias + segments[i].p_vaddr, high = low + segments[i].p_filesz;
    if (segments[i].p_type != PT_LOAD || address < low || address >= high) continue;
    image->eh_segment_start = low;
    image->eh_segment_end = high;
  }
}

/* Reads the ELF file that is mapped at `base`. */
static bool read_image(uintptr_t base, struct image *image) {
  ElfW(Ehdr) file;
  if (!mh_peek(&file, base, sizeof(file)) || __builtin_memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 ||
      file.e_phentsize != sizeof(segments[0]) || file.e_phnum == 0 || file.e_phnum > HEADERS_MAX ||
      file.e_phoff > MH_BLOCK_BYTES || !mh_peek(segments, base + file.e_phoff, file.e_phnum * sizeof(segments[0])))
    return false;
  *image = (struct image){.text_start = UINTPTR_MAX};
  bool found = false;
  uintptr_t page = mh_header()->page_bytes - 1;
  for (unsigned i = 0; i < file.e_phnum; i++) {
    if (segments[i].p_type != PT_LOAD) continue;
    if (!found) image->bias = base - (segments[i].p_vaddr & ~page) + (segments[i].p_offset & ~page);
    found = true;
    uintptr_t start = image->bias + segments[i].p_vaddr, end = start + segments[i].p_memsz;
    if (end > image->end) image->end = end;
    if (!(segments[i].p_flags & PF_X)) continue;
    if (start < image->text_start) image->text_start = start;
    if (end > image->text_end) image->text_end = end;
  }
  image->start = base;
  if (!found || image->text_end == 0) return false;
  for (unsigned i = 0; i < file.e_phnum; i++) {
    uintptr_t start = image->bias + segments[i].p_vaddr;
    if (segments[i].p_type == PT_GNU_EH_FRAME) {
      image->eh_frame_hdr = start;
      image->eh_frame_hdr_bytes = segments[i].p_memsz;
      find_segment(image, file.e_phnum, start);
    }
    if (segments[i].p_type == PT_NOTE && !image->build_id_bytes) read_build_id(image, start, segments[i].p_filesz);
  }
  return true;
}

static struct mh_module *module_at(uint32_t index) {
  return &modules[index / 64][index % 64];
}

/* What the store says of a module, compared with what is mapped now. */
static bool same_module(const struct mh_module *module, const struct image *image, const char *path) {
  if (!module->id || module->bias != image->bias || module->start != image->start || module->end != image->end) return false;
  const struct mh_stored_module *stored = mh_stored_module(module->id);
  const uint8_t *strings = mh_table_blocks[MH_KIND_STRINGS][stored->path_offset / MH_BLOCK_BYTES];
  const uint8_t *ids = mh_table_blocks[MH_KIND_STRINGS][stored->build_id_offset / MH_BLOCK_BYTES];
  return stored->path_length == mh_length(path) && stored->build_id_length == image->build_id_bytes &&
         __builtin_memcmp(strings + stored->path_offset % MH_BLOCK_BYTES, path, stored->path_length) == 0 &&
         __builtin_memcmp(ids + stored->build_id_offset % MH_BLOCK_BYTES, image->build_id, image->build_id_bytes) == 0;
}

/* Publishes a module that was not there before. */
static struct mh_module *new_module(const struct image *image, const char *path) {
  struct mh_array *array = &mh_header()->arrays[MH_KIND_MODULES];
  uint32_t id = array->count;
  if (module_count == MODULES_MAX || !mh_store_reserve(MH_KIND_MODULES, id + 1)) return NULL;
  if (!modules[module_count / 64] && !(modules[module_count / 64] = mh_map_private(64 * sizeof(struct mh_module)))) return NULL;
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
      .eh_frame_hdr = (const uint8_t *)image->eh_frame_hdr,
      .eh_frame_hdr_bytes = image->eh_frame_hdr_bytes,
      .eh_frame = (const uint8_t *)image->eh_frame,
      .eh_frame_bytes = image->eh_frame_bytes,
      .eh_segment_start = image->eh_segment_start,
      .eh_segment_end = image->eh_segment_end,
      .id = id,
      .generation = MH_GET(mh_generation),
      .loaded = true,
  };
  uint32_t flags = mh_equal(path, "[vdso]") ? MH_MODULE_FLAG_VDSO : 0;
  if (mh_equal(path, mh_process.exe)) flags |= MH_MODULE_FLAG_EXECUTABLE;
  *mh_stored_module(id) = (struct mh_stored_module){
      .bias = image->bias,
      .start = image->start,
      .end = image->end,
      .path_offset = path_offset,
      .path_length = path_length,
      .build_id_offset = mh_store_add_string(image->build_id, image->build_id_bytes),
      .build_id_length = image->build_id_bytes,
      .loaded = mh_clock_now(),
      .generation = MH_GET(mh_generation),
      .flags = flags,
  };
  if (!mh_stored_module(id)->build_id_offset) mh_stored_module(id)->build_id_length = 0;
  mh_store_publish(MH_KIND_MODULES, id + 1);
  return module;
}

static bool add_range(uintptr_t start, uintptr_t end, struct mh_module *module) {
  if (building->count == building->capacity) return false;
  MH_ASSERT(start < end && (!building->count || building->ranges[building->count - 1].end <= start));
  /* Whoever reads a list that is the spare one by now sees that afterwards. */
  struct range *range = &building->ranges[building->count];
  MH_SET(range->start, start);
  MH_SET(range->end, end);
  MH_SET(range->module, module);
  MH_SET(building->count, building->count + 1);
  return true;
}

/* A linker that was not told to makes no search table, and then only the file's sections tell where the frame information is: so it is
 * with Debian's musl-gcc. `segments` are the image's. */
static void find_eh_frame(struct image *image) {
  ElfW(Ehdr) file;
  uintptr_t address;
  size_t bytes;
  if (image->eh_frame_hdr || !mh_peek(&file, first.start, sizeof(file)) ||
      !mh_section_find(first.path, first.inode, &file, ".eh_frame", &address, &bytes))
    return;
  find_segment(image, file.e_phnum, image->bias + address);
  if (!image->eh_segment_end || bytes > image->eh_segment_end - (image->bias + address)) return;
  image->eh_frame = image->bias + address;
  image->eh_frame_bytes = bytes;
}

/* The module mapped at `first`, known or new; NULL if that is no module. */
static struct mh_module *identify(bool *changed) {
  struct image image;
  if (!read_image(first.start, &image)) return NULL;
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
  find_eh_frame(&image);
  return new_module(&image, first.path);
}

static bool in_list(const struct list *ranges, const struct mh_module *module) {
  for (uint32_t i = 0; i < ranges->count; i++)
    if (ranges->ranges[i].module == module) return true;
  return false;
}

static size_t list_bytes(uint32_t capacity) {
  return sizeof(struct list) + capacity * sizeof(struct range);
}

/* Whether the file mapped at `first` reaches over `mapping`. A linker may put headers and code in one page of the file, which
 * is then mapped twice from its beginning. */
static bool same_image(void) {
  struct image image;
  return mapping.inode == first.inode && mapping.device == first.device && read_image(first.start, &image) &&
         mapping.start < image.end;
}

/* Reads the maps into `building`. Modules are taken at the mapping of their file's beginning. */
static bool read_maps(bool *changed) {
  maps = (struct maps){.fd = mh_open("/proc/self/maps", O_RDONLY | O_CLOEXEC, 0)};
  if (maps.fd < 0) return false;
  struct mh_module *module = NULL;
  bool identified = true; /* whether the module at `first` was looked at */
  bool complete = true;
  first.inode = 0;
  while (complete && next_mapping()) {
    bool vdso = mh_equal(mapping.path, "[vdso]");
    bool of_file = mapping.inode != 0 || vdso;
    bool begins = mapping.offset == 0 ? !same_image() : mapping.inode != first.inode || mapping.device != first.device;
    if (of_file && (vdso || begins)) {
      first = mapping;
      module = NULL;
      identified = false;
    }
    if (!mapping.executable) continue;
    if (of_file && !identified) {
      /* Only files with code are modules; one that is mapped to be read is not. */
      module = identify(changed);
      identified = true;
    }
    complete = add_range(mapping.start, mapping.end, of_file ? module : NULL);
  }
  mh_close(maps.fd);
  return complete;
}

/* Takes what a refresh has cost from the budget, which grows with time. The lock is held. */
static void pay_refresh(uint64_t began, uint64_t ended) {
  uint64_t budget = refresh_budget + (began - last_refresh) / BUDGET_SHARE, cost = ended - began;
  if (budget > BUDGET_MOST) budget = BUDGET_MOST;
  refresh_budget = budget - (cost < budget ? cost : budget);
  last_refresh = ended;
  uint64_t lacking = cost > refresh_budget ? cost - refresh_budget : 0;
  MH_SET(next_refresh, ended + lacking * BUDGET_SHARE);
}

/* An empty list to write to: the spare one, if it is large enough. One that was too small may still be read, and stays mapped; as does
 * one that is the newest already, where a signal handler jumped out of publish_list. */
static struct list *empty_list(uint32_t capacity) {
  if (spare == list) spare = NULL;
  struct list *empty = spare && spare->capacity >= capacity ? spare : mh_map_private(list_bytes(capacity));
  if (!empty) return NULL;
  if (empty != spare) empty->capacity = capacity;
  spare = empty;
  __atomic_store_n(&empty->count, 0, __ATOMIC_RELAXED);
  return empty;
}

/* Makes what was built the newest list, and the newest the spare one. */
static void publish_list(void) {
  struct list *old = list;
  __atomic_store_n(&list, building, __ATOMIC_RELEASE);
  __atomic_store_n(&list_number, list_number + 1, __ATOMIC_RELEASE);
  spare = old;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* True if there is a module more, or less. */
static bool refresh(void) {
  if (mh_stands_in() || !mh_lock_take_again(&lock, mh_thread_id(mh_tls.thread))) return false;
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

void mh_modules_refresh(void) {
  uint64_t signals = mh_signals_hold();
  bool changed = refresh();
  mh_signals_release(signals);
  if (changed) {
    __atomic_fetch_add(&mh_generation, 1, __ATOMIC_ACQ_REL);
    mh_capture_modules_changed();
  }
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
    /* A list that was replaced meanwhile may have been written to. Look only when all of it has been read. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (__atomic_load_n(&list_number, __ATOMIC_RELAXED) == number) return found;
  }
}

/* Programs that generate code would ask for a refresh at every turn; so those for unknown addresses have a budget. Not so
 * after a dlopen: then there is something to find. */
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

void mh_modules_inherit(uint32_t stored) {
  lock = (struct mh_lock){0};
  if (spare == list) spare = NULL; /* forked in the middle of publishing */
  /* Forked when another thread had made a module, but not stored it yet. */
  while (module_count && module_at(module_count - 1)->id >= stored) module_count--;
}

void mh_modules_reset(void) {
  mh_modules_inherit(0);
  list = NULL;
  last_refresh = next_refresh = 0; /* the store's clock starts anew */
  mh_generation++;
  mh_capture_modules_changed();
}
