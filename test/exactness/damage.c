/* Damaged frame information must give a wrong rule or none, never a crash: takes the C library's, between two pages
 * that cannot be read, changes bytes in it at random, and asks for rules.
 *
 *   damage [ROUNDS=300]
 */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../preload/unwind/cfi.h"
#include "../../preload/stacks/modules.h"
#include "../../preload/unwind/unwind_rule.h"

uint32_t mh_generation = 1;
__thread uint64_t mh_tls[64]; /* room for the state of a thread, which cfi.c wants */
static struct mh_module module;
static uintptr_t text_start, text_end;

const struct mh_module *mh_module_at(uintptr_t pc) {
  return pc >= text_start && pc < text_end ? &module : NULL;
}

static int take(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  (void)data;
  if (!strstr(info->dlpi_name, "libc.so")) return 0;
  uintptr_t header = 0, header_bytes = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    if (p->p_type == PT_GNU_EH_FRAME) {
      header = info->dlpi_addr + p->p_vaddr;
      header_bytes = p->p_memsz;
    }
    if (p->p_type == PT_LOAD && p->p_flags & PF_X) {
      text_start = info->dlpi_addr + p->p_vaddr;
      text_end = text_start + p->p_memsz;
    }
  }
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t start = info->dlpi_addr + p->p_vaddr;
    if (p->p_type != PT_LOAD || header < start || header >= start + p->p_filesz) continue;
    /* From the header to the segment's end, copied so that it ends where a page does. */
    uintptr_t bytes = start + p->p_filesz - header, pages = (bytes + 4095) / 4096 * 4096;
    char *room = mmap(NULL, pages + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED || mprotect(room + 4096, pages, PROT_READ | PROT_WRITE)) return -1;
    uintptr_t copy = (uintptr_t)room + 4096 + pages - bytes;
    memcpy((void *)copy, (void *)header, bytes);
    module = (struct mh_module){.start = (uintptr_t)room, .end = (uintptr_t)room + pages + 8192, .loaded = true};
    module.tables.header = copy;
    module.tables.header_bytes = header_bytes;
    module.tables.header_part = module.tables.frames_part = (struct mh_part){copy, copy + bytes};
    text_start += copy - header;
    text_end += copy - header;
    return 1;
  }
  return -1;
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? atoi(argv[1]) : 300;
  if (dl_iterate_phdr(take, NULL) != 1) return 2;
  uint8_t *bytes = (uint8_t *)module.tables.frames_part.low;
  size_t count = module.tables.frames_part.high - module.tables.frames_part.low;
  uint8_t *whole = malloc(count);
  memcpy(whole, bytes, count);
  unsigned long rules = 0, kinds[8] = {0};
  srandom(7);
  for (int round = 0; round < rounds; round++) {
    memcpy(bytes, whole, count);
    /* From none to a third of all bytes; the header, the search table and the descriptions alike. */
    size_t damage = round ? (size_t)1 << (random() % 18) : 0;
    for (size_t i = 0; i < damage; i++)
      bytes[(size_t)random() % (i % 4 ? count : 64 + count / 100)] = (uint8_t)random();
    for (int i = 0; i < 3000; i++, rules++) {
      uintptr_t pc = text_start + (uintptr_t)random() % (text_end - text_start);
      kinds[mh_rule_kind(mh_cfi_rule(pc, random() & 1))]++;
    }
  }
  printf("damage: %lu rules, of each kind:", rules);
  for (int i = 0; i < 8; i++) printf(" %lu", kinds[i]);
  printf("\n");
  return kinds[0] ? 1 : 0;
}
