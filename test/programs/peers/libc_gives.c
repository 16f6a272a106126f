/* Functions of libc that return memory which the caller must free; every other block is not. After heaptrack's tests
 * of leaks by way of libc. */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <glob.h>
#include <netdb.h>
#include <regex.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

static int order(const void *one, const void *other) {
  return strcmp(one, other);
}

static void some(int leave) {
  char *text = strdup("some text"), *shorter = strndup("some text", 4), *printed = NULL;
  wchar_t *wide = wcsdup(L"wide");
  int length = asprintf(&printed, "%s and %s", text, shorter);
  char *folder = getcwd(NULL, 0), *real = realpath("/proc/self/..", NULL);
  char *memory = NULL, *line = NULL;
  size_t bytes = 0, room = 0;
  FILE *stream = open_memstream(&memory, &bytes);
  for (int row = 0; row < 500; row++) fprintf(stream, "row %d\n", row);
  fclose(stream);
  FILE *back = fmemopen(memory, bytes, "r");
  ssize_t got = getline(&line, &room, back);
  struct dirent **entries = NULL;
  int files = scandir("/proc/self/fdinfo", &entries, NULL, alphasort);
  glob_t found = {0};
  int globbed = glob("/proc/self/s*", 0, NULL, &found);
  regex_t pattern;
  int compiled = regcomp(&pattern, "(a|b)*c{3,9}[d-z]+", REG_EXTENDED);
  struct addrinfo *address = NULL;
  int resolved = getaddrinfo("127.0.0.1", "80", NULL, &address);
  void *tree = NULL;
  for (const char *word = "one\0two\0three\0four\0"; *word; word += strlen(word) + 1) tsearch(word, &tree, order);
  printf("%d %zd %d %d %d %d\n", length, got, files > 0, globbed, compiled, resolved);
  fclose(back);
  if (leave) return;
  free(text), free(shorter), free(printed), free(wide), free(folder), free(real), free(memory), free(line);
  while (files-- > 0) free(entries[files]);
  free(entries);
  globfree(&found);
  regfree(&pattern);
  freeaddrinfo(address);
  while (tree) tdelete(*(void **)tree, &tree, order);
}

int main(void) {
  some(1);
  some(0);
  if (!fopen("/dev/null", "w")) return 1;
  setvbuf(stdout, malloc(1 << 14), _IOFBF, 1 << 14);
  setenv("NAME", "a value that is long enough to be copied", 1);
  putenv(strdup("OTHER=value"));
  return 0;
}
