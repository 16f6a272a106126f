/* Modules whose files are gone as soon as they are loaded. The arguments are pairs: how, and the plugin (plugin.c) or
 * program that is removed.
 *
 *   unlinked PLUGIN      loaded, and its file is removed
 *   memory PLUGIN        loaded from a memfd that is closed at once
 *   nameless PLUGIN      the same from a file that never had a name (O_TMPFILE)
 *   closed PLUGIN        removed and unloaded again
 *   replaced PLUGIN      another file takes its place
 *   self NAME            removes NAME, which is this very program; 44444 bytes from `main`
 *   start PROGRAM …      runs the program from a memfd, with the arguments that follow
 *
 * For each plugin 333 bytes are live, allocated by `plugin_leak`, called by `main`. Nothing waits for anything.
 */
#include "program.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>

static void copy(const char *from, int to) {
  char bytes[4096];
  int file = open(from, O_RDONLY | O_CLOEXEC);
  for (ssize_t got; (got = read(file, bytes, sizeof(bytes))) > 0;)
    CHECK(write(to, bytes, (size_t)got) == got);
  close(file);
}

/* A file for the bytes of what is loaded without a name; -1 for what has one. */
static int nameless(const char *how) {
  if (strcmp(how, "memory") == 0 || strcmp(how, "start") == 0) return memfd_create("module", MFD_CLOEXEC);
  if (strcmp(how, "nameless") == 0) return open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
  return -1;
}

static void replace(const char *file) {
  char other[4096];
  snprintf(other, sizeof(other), "%s.other", file);
  int new = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0700);
  copy("/proc/self/exe", new);
  close(new);
  CHECK(rename(other, file) == 0);
}

static void *load(const char *name) {
  void *handle = dlopen(name, RTLD_NOW);
  CHECK(handle != NULL);
  return handle;
}

int main(int count, char **arguments) {
  for (int i = 1; i + 1 < count; i += 2) {
    const char *how = arguments[i], *file = arguments[i + 1];
    if (strcmp(how, "self") == 0) {
      CHECK(unlink(file) == 0);
      keep(malloc(44444), 44444);
      continue;
    }
    char descriptor[32];
    int bytes = nameless(how);
    if (bytes >= 0) {
      copy(file, bytes);
      snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d", bytes);
    }
    if (strcmp(how, "start") == 0) execv(descriptor, arguments + i + 1);
    void *plugin = load(bytes >= 0 ? descriptor : file);
    if (bytes >= 0) close(bytes);
    if (strcmp(how, "unlinked") == 0 || strcmp(how, "closed") == 0) CHECK(unlink(file) == 0);
    if (strcmp(how, "replaced") == 0) replace(file);
    void (*leak)(int);
    *(void **)&leak = dlsym(plugin, "plugin_leak");
    leak(1);
    if (strcmp(how, "closed") == 0) dlclose(plugin);
  }
  return 0;
}
