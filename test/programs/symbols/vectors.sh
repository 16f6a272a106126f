#!/usr/bin/env bash
# Makes test/vectors/symbols: small shared libraries with debug information of several compilers, and what
# llvm-symbolizer says about their addresses. The suite compares with these where none of the tools is there.
#
#   test/programs/symbols/vectors.sh      needs gcc, clang, objcopy, llvm-symbolizer, llvm-dwp
#
# NAME.so is the library, NAME.txt has a line for each address: 0xADDRESS FUNCTION FILE:LINE, and for an inlined call
# " < " and its caller. A compressed library has the same answers as the one it was
# made from, and so has one whose debug information is split: the code is the same.
# Run it again only to add vectors: other versions of the compilers give other files.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
out=../../vectors/symbols
mkdir -p "$out"

# make NAME COMPILER OPTION…
make() {
  local name=$1 compiler=$2
  shift 2
  "$compiler" -O2 -fPIC -shared -nostdlib -fno-asynchronous-unwind-tables -ffile-prefix-map="$PWD"=/src \
    -Wl,--build-id=sha1 "$@" -o "$out/$name.so"
  chmod -x "$out/$name.so"
  objcopy --remove-section=.comment "$out/$name.so"
}

# ask NAME: every fifth address of .text, as llvm-symbolizer has it; but where it takes a local function's FILE symbol
# for want of a file with a line, the file is unknown.
ask() {
  local name=$1 start size
  read -r start size < <(objdump -hw "$out/$name.so" | awk '$2 == ".text" { print $4, $3 }')
  local address
  for ((address = 0x$start; address < 0x$start + 0x$size; address += 5)); do printf '0x%x\n' "$address"; done |
    llvm-symbolizer --obj="$out/$name.so" --addresses --inlining --functions=linkage --no-demangle |
    sed -E 's/(:[0-9]+):[0-9]+$/\1/; s/^[^/]+:0$/??:0/' |
    awk -v RS= -F '\n' '{
      line = $1
      for (i = 2; i < NF; i += 2) line = line (i > 2 ? " <" : "") " " $i " " $(i + 1)
      print line
    }' \
      >"$out/$name.txt"
}

make gcc-5 gcc -gdwarf-5 calls.c crossing.c
make gcc-4 gcc -gdwarf-4 calls.c crossing.c
make gcc-2 gcc -gdwarf-2 -gstrict-dwarf calls.c crossing.c
make gcc-64 gcc -gdwarf-5 -gdwarf64 calls.c crossing.c
make gcc-lto gcc -gdwarf-5 -flto calls.c crossing.c
make clang-5 clang -gdwarf-5 calls.c crossing.c
make clang-4 clang -gdwarf-4 calls.c crossing.c
# This one needs no header of a 32-bit C library.
make gcc-32 gcc -gdwarf-5 -m32 -ffreestanding crossing.c
objcopy --compress-debug-sections=zlib "$out/gcc-5.so" "$out/gcc-5-zlib.so"
objcopy --compress-debug-sections=zlib-gnu "$out/gcc-4.so" "$out/gcc-4-zdebug.so"
objcopy --compress-debug-sections=zstd "$out/clang-5.so" "$out/clang-5-zstd.so"
make gcc-4-split gcc -gdwarf-4 -gsplit-dwarf calls.c crossing.c
make gcc-5-split gcc -gdwarf-5 -gsplit-dwarf calls.c crossing.c
# A section for each type, of the same name as that of the functions.
make gcc-5-types gcc -gdwarf-5 -gsplit-dwarf -fdebug-types-section calls.c crossing.c
make clang-5-split clang -gdwarf-5 -gsplit-dwarf calls.c crossing.c
llvm-dwp calls.dwo crossing.dwo -o "$out/clang-5-split.so.dwp"
rm calls.dwo crossing.dwo
for name in gcc-5 gcc-4 gcc-2 gcc-64 gcc-32 gcc-lto clang-5 clang-4; do ask "$name"; done
