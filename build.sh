#!/usr/bin/env bash
# Builds memhook from a fresh clone, runs a program under it, runs its tests.
#
#   ./build.sh                       build everything that is missing or older than its sources
#   ./build.sh targets               build, then the library for every target: x86_64 and aarch64, glibc and musl;
#                                    and memhook-look for both processors
#   ./build.sh run PROGRAM [ARG…]    build, then run PROGRAM under memhook and print its leaks;
#                                    a C or C++ source file is compiled first
#   ./build.sh test [SUITE…]         build, then run every suite under Node, Bun and Deno
#   ./build.sh debug                 build, and besides build/lib/ARCH-gnu-debug: the library with assertions, which
#                                    traps on undefined behaviour; MEMHOOK_TEST_LIBRARY=PATH runs suites with it
#
# Needs git, Node 20 or newer, and npm with its package registry: from there everything else (Zig, Bun, Deno, the
# TypeScript and AssemblyScript compilers) is fetched into this folder.
set -euo pipefail
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

zig_version=0.16.0
targets=(x86_64-gnu x86_64-musl aarch64-gnu aarch64-musl)

fail() {
  printf 'build.sh: %s\n' "$1" >&2
  exit 2
}

# quietly WHAT COMMAND…: shows the command's output only when it fails.
quietly() {
  local what=$1 log status=0
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    cat "$log" >&2
    rm -f "$log"
    fail "$what failed"
  fi
  rm -f "$log"
}

# stale TARGET SOURCE…: true when TARGET is missing or older than any source (folders are searched).
stale() {
  local target=$1
  shift
  [ ! -e "$target" ] || [ -n "$(find "$@" -newer "$target" -type f -print -quit)" ]
}

need() {
  command -v "$1" >/dev/null 2>&1 || fail "$1 is missing: install $2"
}

packages() {
  stale node_modules/.memhook-stamp package.json package-lock.json || return 0
  need node "nodejs (20 or newer)"
  need npm npm
  [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ] ||
    fail "node $(node --version) is too old: install nodejs 20 or newer"
  # Not `npm ci`: it refuses a lock file that lacks the binaries for other systems, which not every registry has.
  quietly "npm install" npm install --no-save --no-audit --no-fund
  # Where npm does not run install scripts, these two only put their own binary in its place.
  node_modules/.bin/bun --version >/dev/null 2>&1 || quietly "placing bun" node node_modules/bun/install.js
  node_modules/.bin/deno --version >/dev/null 2>&1 || quietly "placing deno" node node_modules/deno/install.cjs
  touch node_modules/.memhook-stamp
}

# Sets zig to $ZIG, or to the one that npm fetched, and has .zig/zig lead there for tests and benches.
find_zig() {
  zig=${ZIG:-$root/node_modules/@zigc/linux-$(node -p process.arch)/bin/zig}
  if [ "$("$zig" version 2>/dev/null)" != "$zig_version" ]; then
    [ -z "${ZIG:-}" ] || fail "ZIG=$ZIG is not Zig $zig_version"
    fail "npm has no Zig for this machine: set ZIG to the path of Zig $zig_version"
  fi
  mkdir -p .zig
  ln -sfn "$(realpath "$(command -v "$zig")")" .zig/zig
  export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-$root/.zig/cache}"
  export ZIG_LOCAL_CACHE_DIR="${ZIG_LOCAL_CACHE_DIR:-$root/.zig/cache}"
}

layout_header() {
  stale build/layout.h asm/layout.ts tools/layout-header.mjs || return 0
  mkdir -p build
  quietly "layout.h" node tools/layout-header.mjs asm/layout.ts build/layout.h
}

look_header() {
  stale build/look_layout.h asm/reach/layout.ts tools/layout-header.mjs || return 0
  mkdir -p build
  quietly "look_layout.h" node tools/layout-header.mjs asm/reach/layout.ts build/look_layout.h
}

# What the library exports: made of the one list of its hooks, by the preprocessor.
version_script() {
  stale build/libmemhook.map preload/life/functions.h preload/life/libmemhook.map.in || return 0
  find_zig
  quietly "libmemhook.map" "$zig" cc -E -P -x c preload/life/libmemhook.map.in -o build/libmemhook.map
}

wasm() {
  stale build/core.wasm asm build.sh || return 0
  quietly "core.wasm" node_modules/.bin/asc asm/core/core.ts --outFile build/core.wasm \
    -O3 --noAssert --runtime stub --bindings raw --enable bulk-memory
  # The same with assertions, for tests.
  quietly "core.debug.wasm" node_modules/.bin/asc asm/core/core.ts --outFile build/core.debug.wasm \
    --debug --runtime stub
}

# Symbol lookup has a module of its own, so that programs that need no names load only core.wasm.
symbols_wasm() {
  stale build/symbols.wasm asm/symbols build.sh || return 0
  quietly "symbols.wasm" node_modules/.bin/asc asm/symbols/symbols.ts --outFile build/symbols.wasm \
    -O3 --noAssert --runtime stub --enable bulk-memory
  quietly "symbols.debug.wasm" node_modules/.bin/asc asm/symbols/symbols.ts --outFile build/symbols.debug.wasm \
    --debug --runtime stub --enable bulk-memory
}

# What memdb does with a session's bytes: one small module, because every session has an instance of its own.
memdb_wasm() {
  stale build/memdb.wasm asm/memdb asm/layout.ts build.sh || return 0
  quietly "memdb.wasm" node_modules/.bin/asc asm/memdb/memdb.ts --outFile build/memdb.wasm \
    -O3 --noAssert --runtime stub --bindings raw --enable bulk-memory
}

# What points to what in a process that was frozen.
reach_wasm() {
  stale build/reach.wasm asm/reach asm/layout.ts build.sh || return 0
  quietly "reach.wasm" node_modules/.bin/asc asm/reach/reach.ts --outFile build/reach.wasm \
    -O3 --noAssert --runtime stub --bindings raw --enable bulk-memory
}

# The modules as code, because a program that is bundled has no folder to look for them in.
embedded_wasm() {
  local name module
  mkdir -p build/wasm
  for name in core symbols memdb reach demangle; do
    module=build/$name.wasm
    [ $name != demangle ] || module=node_modules/gecko-profiler-demangle/index_bg.wasm
    stale build/wasm/$name.ts "$module" tools/embed-wasm.mjs || continue
    quietly "$name.ts" node tools/embed-wasm.mjs "$module" build/wasm/$name.ts
  done
}

# Sets own_target to the target of this machine's own programs.
find_own_target() {
  own_target=$(uname -m)-musl
  getconf GNU_LIBC_VERSION >/dev/null 2>&1 && own_target=$(uname -m)-gnu
  case $own_target in
    x86_64-* | aarch64-*) ;;
    *) fail "no build for $(uname -m): x86_64 and aarch64 are supported" ;;
  esac
}

# library TARGET [debug]: one of the targets, in build/lib/TARGET.
library() {
  local target=$1 kind=${2:-}
  local out=build/lib/$1${kind:+-$kind}/libmemhook.so zig_target=${1%-*}-linux-musl needed=()
  stale "$out" preload/*/*.[ch] build/layout.h build/libmemhook.map build.sh tools/drop-needed.mjs || return 0
  find_zig
  mkdir -p "$(dirname "$out")"
  case $target in
    *-gnu) zig_target=${1%-*}-linux-gnu.2.17 ;;
    *-musl) glibc_names "$zig_target" ;;
  esac
  # Sources by relative path and no debug information: the same tree gives the same bytes anywhere.
  local how=(-O2 -flto -g0 -s)
  [ "$kind" != debug ] || how=(-O1 -flto -g -DMH_DEBUG -fsanitize=undefined -fsanitize-trap=undefined)
  quietly "$out" "$zig" cc -target "$zig_target" -std=gnu11 "${how[@]}" -fPIC -shared \
    -Wall -Wextra -Wmissing-prototypes -Werror -fvisibility=hidden -ftls-model=initial-exec -fno-omit-frame-pointer \
    -fno-builtin-malloc -fno-plt -Wl,--version-script=build/libmemhook.map -Wl,-z,now -Wl,--build-id=sha1 \
    -Ibuild -o "$out.new" preload/*/*.c -lunwind "${needed[@]}"
  case $target in *-musl) quietly "$out" node tools/drop-needed.mjs "$out.new" libc.so ;; esac
  mv "$out.new" "$out"
}

# helper ARCHITECTURE: memhook-look, which needs nothing of the system that it runs on.
helper() {
  local out=build/lib/look-$1/memhook-look
  stale "$out" look build/look_layout.h build.sh || return 0
  find_zig
  mkdir -p "$(dirname "$out")"
  quietly "$out" "$zig" cc -target "$1-linux-musl" -std=gnu11 -O2 -g0 -s -static \
    -Wall -Wextra -Wmissing-prototypes -Werror -Ibuild -o "$out" look/*.c
}

# Sets needed to empty libraries with the names that glibc's parts had before 2.34.
# musl takes these names for itself; in a program of glibc that was started by one
# of musl, and inherits LD_PRELOAD, they are where the musl build finds dlsym.
glibc_names() {
  local name folder=build/libc-names/$1
  mkdir -p "$folder"
  needed=(-Wl,--no-as-needed)
  for name in libdl.so.2 libpthread.so.0; do
    quietly "$folder/$name" "$zig" cc -target "$1" -shared -nostdlib -Wl,-soname,"$name" \
      -x c /dev/null -o "$folder/$name"
    needed+=("$folder/$name")
  done
}

typescript() {
  stale dist/.tsbuildinfo asm/layout.ts asm/*/layout.ts build/wasm runtime api cli test bench tsconfig.json || return 0
  mkdir -p dist
  quietly "TypeScript" node_modules/.bin/tsc
  # What has no source any more would be packed.
  local file source
  while IFS= read -r file; do
    source=${file#dist/}
    [ -e "${source%js}ts" ] || rm -f "$file" "${file%js}d.ts"
  done < <(find dist -name '*.js')
  touch dist/.tsbuildinfo
}

# The programs as they are started: each with all it needs in few files, because Node takes 20 ms longer for 60 modules.
# Left out is what has files of its own to load.
bundles() {
  stale dist/bin/LICENSES dist/.tsbuildinfo node_modules/.memhook-stamp build.sh || return 0
  rm -rf dist/bin
  local program
  for program in memdb memhook memview; do
    quietly "$program" node_modules/.bin/bun build "dist/cli/$program.js" --outdir dist/bin --target node --splitting \
      --external zstddec --external xz-decompress
  done
  local package licences
  for package in citty consola gecko-profiler-demangle get-east-asian-width ms; do
    printf '%s\n\n' "$package"
    licences=(node_modules/$package/[Ll][Ii][Cc][Ee][Nn][Ss][Ee]*)
    cat "${licences[-1]}" # of Apache's and MIT's, MIT's
  done >dist/bin/LICENSES
}

# Compiles a source file as a user of memhook would, into build/run, and sets program to the result.
compile_example() {
  local source=$1 compiler=c++
  [ -f "$source" ] || fail "$source: no such file"
  case $source in *.c) compiler=cc ;; esac
  find_zig
  mkdir -p "$root/build/run"
  program=$root/build/run/$(basename "${source%.*}")
  # The folder is named because Zig's cache knows relative paths alone: another
  # checkout's program would say that it is from there.
  quietly "$source" "$zig" $compiler -g -O1 -fdebug-compilation-dir="$PWD" -fno-sanitize=all \
    -fno-optimize-sibling-calls -o "$program" "$source"
}

build() {
  packages
  layout_header
  look_header
  version_script
  wasm
  symbols_wasm
  memdb_wasm
  reach_wasm
  embedded_wasm
  find_own_target
  library "$own_target"
  helper "$(uname -m)"
  typescript
  bundles
}

all_targets() {
  local target job jobs=()
  for target in "${targets[@]}"; do
    library "$target" &
    jobs+=($!)
  done
  for target in x86_64 aarch64; do
    helper "$target" &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job"; done
}

cwd=$PWD
cd "$root"
case ${1:-} in
  "") build ;;
  run)
    shift
    [ $# -gt 0 ] || fail "run needs a program: ./build.sh run PROGRAM [ARG…]"
    build
    cd "$cwd"
    program=$1
    shift
    case $program in
      *.c | *.cc | *.cpp) compile_example "$program" ;;
    esac
    exec "$root/memhook" run -- "$program" "$@"
    ;;
  targets)
    build
    all_targets
    ;;
  debug)
    build
    library "$own_target" debug
    ;;
  test)
    shift
    build
    all_targets
    exec tools/test.sh "$@"
    ;;
  *) fail "unknown command '$1': use no argument, targets, run PROGRAM, test, or debug" ;;
esac
