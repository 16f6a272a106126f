#!/usr/bin/env bash
# What one capture of a call stack costs, against other unwinders, at three depths.
#
#   bench/capture/run.sh [DEPTH]
#
# Prints medians of 15 interleaved runs in nanoseconds, and how many times faster than unw_backtrace each is.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.."
zig=${ZIG:-$PWD/.zig/zig}
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-$PWD/.zig/cache}"
export ZIG_LOCAL_CACHE_DIR="${ZIG_LOCAL_CACHE_DIR:-$PWD/.zig/cache}"
target=$(uname -m)-linux-gnu.2.17
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
common=(-target "$target" -std=gnu11 -O2 -g -Ibuild -Wall -Wextra)
for kind in omit keep; do
  option=-fno-omit-frame-pointer
  [ $kind = keep ] || option=-fomit-frame-pointer
  "$zig" cc "${common[@]}" $option -momit-leaf-frame-pointer -fno-optimize-sibling-calls -DRUN=run_$kind \
      -c -o "$folder/$kind.o" bench/capture/frames.c
done
"$zig" cc "${common[@]}" -fno-omit-frame-pointer -fvisibility=hidden -ftls-model=initial-exec -fno-builtin-malloc \
  -o "$folder/capture" bench/capture/capture.c "$folder/omit.o" "$folder/keep.o" preload/*/*.c -lunwind -ldl -lpthread
MEMHOOK_FILE=$folder/store ${PERF:-} "$folder/capture" "$@"
