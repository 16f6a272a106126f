/* Images; see image.h. */
#include "image.h"

#include <elf.h>

#include "../base/peek.h"
#include "sections.h"
#include "../store/store.h"
#include "../base/sys.h"

#define HEADERS_MAX (65536 / sizeof(ElfW(Phdr))) /* as for the kernel */
#define NOTES_MAX 1024                           /* in a segment */
#define NOT_OPENED -1
#define NOT_THERE -2

/* Working memory: too large for the stack of a program's thread. */
static ElfW(Phdr) segments[HEADERS_MAX];
static unsigned segment_count;

/* Where an image's bytes are. */
struct source {
  const struct mh_mapped_file *first;
  uintptr_t bias;
  int file;
};

/* ── Reading a file's bytes, wherever they are ─────────────────────────────────────────────────── */

/* Opens the file that is mapped, unless another file is at its path by now. Only regular files are opened: opening
 * another kind of file may have side effects. */
static int open_file(const struct mh_mapped_file *first) {
  struct stat status;
  if (!first->line.inode || mh_stat(first->path, &status) != 0 || !S_ISREG(status.st_mode)) return NOT_THERE;
  int fd = mh_open(first->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW, 0);
  if (fd < 0) return NOT_THERE;
  if (mh_fstat(fd, &status) == 0 && status.st_ino == first->line.inode) return fd;
  mh_close(fd);
  return NOT_THERE;
}

static bool holds(const ElfW(Phdr) *segment, uint64_t offset, uint64_t bytes) {
  return segment->p_type == PT_LOAD && offset >= segment->p_offset && bytes <= segment->p_filesz &&
         offset - segment->p_offset <= segment->p_filesz - bytes;
}

static bool read_at(struct source *source, uint64_t offset, void *into, size_t bytes) {
  const struct mh_mapped_file *first = source->first;
  uintptr_t mapped = first->line.end - first->line.start;
  if (offset >= first->line.offset && bytes <= mapped && offset - first->line.offset <= mapped - bytes &&
      mh_peek(into, first->line.start + (offset - first->line.offset), bytes))
    return true;
  for (unsigned i = 0; i < segment_count; i++)
    if (holds(&segments[i], offset, bytes) &&
        mh_peek(into, source->bias + segments[i].p_vaddr + (offset - segments[i].p_offset), bytes))
      return true;
  if (source->file == NOT_OPENED) source->file = open_file(first);
  return source->file >= 0 && mh_pread(source->file, into, bytes, offset) == (long)bytes;
}

/* ── The image ─────────────────────────────────────────────────────────────────────────────────── */

static uintptr_t page_of(uintptr_t address) {
  return address & ~(uintptr_t)(mh_page_bytes() - 1);
}

/* The bias that a mapping implies if it maps this segment, or a part of it. False: it does not. */
static bool bias_by(const ElfW(Phdr) *segment, const struct mh_mapped_file *mapping, uintptr_t *bias) {
  uint64_t from = mapping->line.offset, to = from + (mapping->line.end - mapping->line.start);
  if (segment->p_type != PT_LOAD || !segment->p_filesz || from >= segment->p_offset + segment->p_filesz ||
      page_of(segment->p_offset) >= to)
    return false;
  *bias = mapping->line.start - from - (segment->p_vaddr - segment->p_offset);
  return true;
}

/* Two segments may share a page of the file. Then the one is meant that agrees with the mapping of the file's
 * beginning. */
static bool find_bias(const struct mh_mapped_file *first, const struct mh_mapped_file *code, uintptr_t *bias) {
  bool found = false;
  for (unsigned turn = 0; turn < 2 && !found; turn++) {
    for (unsigned i = 0; i < segment_count; i++) {
      uintptr_t by_code, by_first;
      if (turn == 0 && !(segments[i].p_flags & PF_X)) continue;
      if (!bias_by(&segments[i], code, &by_code)) continue;
      if (!found) *bias = by_code;
      found = true;
      for (unsigned j = 0; j < segment_count; j++)
        if (bias_by(&segments[j], first, &by_first) && by_first == by_code) {
          *bias = by_code;
          return true;
        }
    }
  }
  return found;
}

/* FNV-1a. */
static uint64_t hash_of(const void *bytes, size_t count) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
  return hash;
}

/* Reads one note after the other: there may be many, and they may be larger than any buffer. */
static void read_build_id(struct source *source, const ElfW(Phdr) *notes, struct mh_image *image) {
  uint64_t mask = notes->p_align == 8 ? 7 : 3, at = 0;
  for (unsigned turn = 0; turn < NOTES_MAX; turn++) {
    if (notes->p_filesz < at || notes->p_filesz - at < sizeof(ElfW(Nhdr))) return;
    struct {
      ElfW(Nhdr) head;
      char name[4];
    } note;
    uint64_t left = notes->p_filesz - at;
    bool named = left >= sizeof(note);
    if (!read_at(source, notes->p_offset + at, &note, named ? sizeof(note) : sizeof(note.head))) return;
    uint64_t data = (sizeof(note.head) + note.head.n_namesz + mask) & ~mask;
    if (data > left || note.head.n_descsz > left - data) return;
    if (named && note.head.n_type == NT_GNU_BUILD_ID && note.head.n_namesz == 4 &&
        __builtin_memcmp(note.name, "GNU", 4) == 0 && note.head.n_descsz &&
        note.head.n_descsz <= sizeof(image->build_id)) {
      if (read_at(source, notes->p_offset + at + data, image->build_id, note.head.n_descsz))
        image->build_id_bytes = note.head.n_descsz;
      return;
    }
    at += (data + note.head.n_descsz + mask) & ~mask;
  }
}

static bool read_image(struct source *source, const struct mh_mapped_file *code, struct mh_image *image) {
  *image = (struct mh_image){.start = UINTPTR_MAX, .text_start = UINTPTR_MAX};
  ElfW(Ehdr) *header = &image->header;
  segment_count = 0;
  if (!read_at(source, 0, header, sizeof(*header)) || __builtin_memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_phentsize != sizeof(segments[0]) || header->e_phnum == 0 || header->e_phnum > HEADERS_MAX ||
      !read_at(source, header->e_phoff, segments, header->e_phnum * sizeof(segments[0])))
    return false;
  segment_count = header->e_phnum;
  if (!find_bias(source->first, code, &image->bias)) return false;
  source->bias = image->bias;
  image->layout = hash_of(segments, segment_count * sizeof(segments[0]));
  for (unsigned i = 0; i < segment_count; i++) {
    if (segments[i].p_type != PT_LOAD) continue;
    uintptr_t start = image->bias + segments[i].p_vaddr, end = start + segments[i].p_memsz;
    if (page_of(start) < image->start) image->start = page_of(start);
    if (end > image->end) image->end = end;
    if (!(segments[i].p_flags & PF_X)) continue;
    if (start < image->text_start) image->text_start = start;
    if (end > image->text_end) image->text_end = end;
  }
  if (image->text_end == 0) return false;
  ElfW(Ehdr) now;
  image->whole = source->first->line.start == image->start ||
                 (mh_peek(&now, image->start, sizeof(now)) && __builtin_memcmp(&now, header, sizeof(now)) == 0);
  for (unsigned i = 0; i < segment_count && !image->build_id_bytes; i++)
    if (segments[i].p_type == PT_NOTE) read_build_id(source, &segments[i], image);
  return true;
}

bool mh_image_read(const struct mh_mapped_file *first, const struct mh_mapped_file *code, struct mh_image *image) {
  struct source source = {.first = first, .file = NOT_OPENED};
  bool read = read_image(&source, code, image);
  if (source.file >= 0) mh_close(source.file);
  return read;
}

/* ── Frame information ─────────────────────────────────────────────────────────────────────────── */

/* The part that holds an address; an empty one if none does. */
static struct mh_part part_with(uintptr_t bias, uintptr_t address) {
  for (unsigned i = 0; i < segment_count; i++) {
    uintptr_t low = bias + segments[i].p_vaddr, high = low + segments[i].p_filesz;
    if (segments[i].p_type == PT_LOAD && address >= low && address < high && mh_readable(low) && mh_readable(high - 1))
      return (struct mh_part){low, high};
  }
  return (struct mh_part){0, 0};
}

/* The address of .eh_frame in the search table's header: relative to that word, relative to the table, or absolute. 0:
 * in another encoding. */
static uintptr_t frames_of(uintptr_t table) {
  struct {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frame;
  } head;
  if (!mh_peek(&head, table, sizeof(head))) return 0;
  switch (head.frame_encoding) {
    case 0x1b: return table + 4 + (uintptr_t)(intptr_t)head.frame;
    case 0x3b: return table + (uintptr_t)(intptr_t)head.frame;
    case 0x03: return (uint32_t)head.frame;
    case 0x0b: return (uintptr_t)(intptr_t)head.frame;
    default: return 0;
  }
}

/* Without --eh-frame-hdr a linker makes no search table, as with Debian's musl-gcc. Then only the file's section
 * headers tell where the frame information is. */
static void find_frames(const struct mh_mapped_file *first, const struct mh_image *image,
                        struct mh_frame_tables *tables) {
  ElfW(Ehdr) now;
  uintptr_t address;
  size_t bytes;
  int file = open_file(first);
  if (file < 0) return;
  bool found = mh_pread(file, &now, sizeof(now), 0) == (long)sizeof(now) &&
               __builtin_memcmp(&now, &image->header, sizeof(now)) == 0 &&
               mh_section_find(file, &now, ".eh_frame", &address, &bytes);
  mh_close(file);
  if (!found) return;
  struct mh_part part = part_with(image->bias, image->bias + address);
  if (!part.high || bytes > part.high - (image->bias + address)) return;
  tables->frames = image->bias + address;
  tables->frames_bytes = bytes;
  tables->frames_part = part;
}

void mh_image_frame_tables(const struct mh_mapped_file *first, const struct mh_image *image,
                           struct mh_frame_tables *tables) {
  *tables = (struct mh_frame_tables){0};
  if (!image->whole) return;
  for (unsigned i = 0; i < segment_count; i++) {
    if (segments[i].p_type != PT_GNU_EH_FRAME) continue;
    tables->header = image->bias + segments[i].p_vaddr;
    tables->header_bytes = segments[i].p_memsz;
    tables->header_part = part_with(image->bias, tables->header);
    uintptr_t frames = frames_of(tables->header);
    tables->frames_part = part_with(image->bias, frames ? frames : tables->header);
  }
  if (!tables->header) find_frames(first, image, tables);
}

/* ── Which file it is ──────────────────────────────────────────────────────────────────────────── */

void mh_image_file(const struct mh_mapped_file *first, const struct mh_image *image, struct mh_stored_file *stored) {
  struct stat status;
  *stored = (struct mh_stored_file){.layout = image->layout};
  if (!first->line.inode || mh_stat(first->path, &status) != 0 || status.st_ino != first->line.inode) return;
  stored->device = status.st_dev;
  stored->inode = status.st_ino;
  stored->size = (uint64_t)status.st_size;
  stored->time = (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
}
