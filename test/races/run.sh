#!/usr/bin/env bash
# Compiles races.c and its parts with the library's sources for ThreadSanitizer, and runs it.
#
#   test/races/run.sh [ROUNDS=2000]
#   test/races/run.sh --able         only says whether it can
#
# With MEMHOOK_NET_HOST (and _PORT) set, against that memdb; else with a store at MEMHOOK_FILE, or none that is kept.
# Exit code 0: the tables are right and there was no race; 77: no compiler here can do it, and a line says so.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The library is written for clang of Zig's age. A system's clang that is young enough has its ThreadSanitizer ready. To
# what Zig's clang compiles, gcc's ThreadSanitizer can be linked, which speaks the same language but for three names.
# Zig's own it makes when it is first asked, which takes minutes.
cat >"$folder/able.c" <<'CODE'
#include <string.h>
typedef _Bool bits __attribute__((ext_vector_type(16)));
int main(int count, char **words) {
  char text[64];
  return *(char *)memcpy(text, words[0], count) == 0;
}
CODE
zig=${ZIG:-$PWD/.zig/zig}
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-$PWD/.zig/cache}"
export ZIG_LOCAL_CACHE_DIR="${ZIG_LOCAL_CACHE_DIR:-$PWD/.zig/cache}"

with_clang() {
  clang -fsanitize=thread "$@" -ldl
}
with_zig() {
  "$zig" cc -fsanitize=thread "$@" -ldl
}
# with_zig_and_gcc OPTION… SOURCE… -o PROGRAM
with_zig_and_gcc() {
  local program=${*: -1} name names=()
  for name in memcpy memmove memset; do names+=("-Wl,--defsym=__tsan_$name=$name"); done
  "$zig" cc -fsanitize=thread -c "${@:1:$#-1}" "$folder/objects.o" &&
    gcc -fsanitize=thread -static-libtsan -pthread "${names[@]}" -o "$program" "$folder/objects.o" -ldl
}

compiler=
for candidate in with_clang with_zig_and_gcc with_zig; do
  if $candidate "$folder/able.c" -o "$folder/able" 2>/dev/null && "$folder/able" 2>/dev/null; then
    compiler=$candidate
    break
  fi
done
if [ -z "$compiler" ]; then
  echo "no compiler for ThreadSanitizer: neither clang 15 or newer with libclang-rt-dev, nor Zig"
  exit 77
fi
[ "${1:-}" != --able ] || exit 0

sources=()
for source in preload/*/*.c; do
  case $source in
    preload/hooks/hooks_*.c | preload/unwind/capture_libunwind.c | preload/base/lock.c) ;; # see seams.c
    preload/records/slots.c) ;;                                                          # in checks.c
    preload/send/sender.c | preload/send/sender_difference.c) ;;                         # in sender.c
    *) sources+=("$source") ;;
  esac
done
$compiler -std=gnu11 -D_GNU_SOURCE -O1 -g -pthread -fno-sanitize=undefined -fno-omit-frame-pointer \
  -fno-optimize-sibling-calls -ftls-model=initial-exec -Wall -Wextra -Werror -Wno-unknown-pragmas \
  -Ibuild -include test/races/tsan.h \
  test/races/{races,calls,workers,checks,sender,seams}.c "${sources[@]}" -o "$folder/races"
MEMHOOK_FILE=${MEMHOOK_FILE:-$folder/store} \
  TSAN_OPTIONS="halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}" "$folder/races" "${1:-2000}"
