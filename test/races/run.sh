#!/usr/bin/env bash
# Compiles races.c with the library's sources for ThreadSanitizer, and runs it.
#
#   test/races/run.sh [ROUNDS=2000]
#   test/races/run.sh --able         only says whether it can
#
# With MEMHOOK_NET_HOST (and _PORT) set, against that memdb; else with a store at MEMHOOK_FILE, or none that is kept. Exit code 0: the
# tables are right and there was no race; 77: no compiler here can do it, and a line says so.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The library is written for clang of Zig's age. A system's clang that is young enough has its ThreadSanitizer ready; Zig makes it when
# it is first asked, which takes two minutes.
cat >"$folder/able.c" <<'CODE'
typedef _Bool bits __attribute__((ext_vector_type(16)));
int main(void) { return 0; }
CODE
zig=${ZIG:-$(ls -d "$PWD"/.zig/*/ziglang/zig 2>/dev/null | tail -n 1)}
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-$PWD/.zig/cache}" ZIG_LOCAL_CACHE_DIR="${ZIG_LOCAL_CACHE_DIR:-$PWD/.zig/cache}"
compiler=
for candidate in clang "${zig:-zig} cc"; do
  if $candidate -fsanitize=thread -o "$folder/able" "$folder/able.c" 2>/dev/null && "$folder/able" 2>/dev/null; then
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
for source in preload/*.c; do
  case $source in
    preload/hooks_*.c | preload/capture_libunwind.c | preload/lock.c) ;; # see seams.c
    preload/records.c | preload/sender.c | preload/sender_difference.c) ;; # in races.c, sender.c
    *) sources+=("$source") ;;
  esac
done
$compiler -std=gnu11 -O1 -g -pthread -fno-sanitize=undefined -fsanitize=thread -fno-omit-frame-pointer -fno-optimize-sibling-calls -ftls-model=initial-exec \
  -Wall -Wextra -Werror -Wno-unknown-pragmas -Ibuild -include test/races/tsan.h -o "$folder/races" \
  test/races/{races,sender,seams}.c "${sources[@]}" -ldl
MEMHOOK_FILE=${MEMHOOK_FILE:-$folder/store} TSAN_OPTIONS="halt_on_error=0 exitcode=66 ${TSAN_OPTIONS:-}" "$folder/races" "${1:-2000}"
