/* Images: what the headers of a mapped ELF file say.
 *
 * An offset in the file is found in memory by the segment that holds it, because no part of a file need be mapped next
 * to its beginning. What is not in memory is read from the file itself.
 */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/maps.h"

#define MH_PATH_BYTES 4096

/* A mapping of this process, and the path of its file. */
struct mh_mapped_file {
  struct mh_maps_line line;
  char path[MH_PATH_BYTES];
};

/* A part of an image that is mapped from the file, and so has no holes. */
struct mh_part {
  uintptr_t low, high;
};

struct mh_stored_file;

struct mh_image {
  ElfW(Ehdr) header;
  uintptr_t bias;       /* added by the loader to the addresses in the file */
  uintptr_t start, end; /* lowest mapped address, end of the highest segment */
  uintptr_t text_start, text_end;
  bool whole;      /* mapped from the file's beginning on, as loaders do; false: only some code is mapped once more */
  uint64_t layout; /* a hash of the program headers */
  uint8_t build_id[64];
  uint32_t build_id_bytes;
};

/* Where an image has its frame information. */
struct mh_frame_tables {
  uintptr_t header; /* .eh_frame_hdr, 0 if there is none */
  size_t header_bytes;
  struct mh_part header_part; /* that holds it */
  uintptr_t frames;           /* .eh_frame of an image without such a table, 0 if there is one */
  size_t frames_bytes;
  struct mh_part frames_part; /* that holds .eh_frame, with a table or without */
};

/* Reads the image that `code` is mapped from. `first` is a mapping of the same file, that of its beginning if there is
 * one. Called by one thread at a time. */
bool mh_image_read(const struct mh_mapped_file *first, const struct mh_mapped_file *code, struct mh_image *image);

/* More about the image that was read last. */
void mh_image_frame_tables(const struct mh_mapped_file *first, const struct mh_image *image,
                           struct mh_frame_tables *tables);
void mh_image_file(const struct mh_mapped_file *first, const struct mh_image *image, struct mh_stored_file *stored);
