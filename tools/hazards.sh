#!/usr/bin/env bash
# The suites of hazards, of stores and their owners, of signals and peers, and the tables under ThreadSanitizer,
# again and again, under Node: what passes once may still be a matter of luck. For the night, not for CI.
#
#   tools/hazards.sh                 once, with the library as it is shipped
#   tools/hazards.sh --debug         with the build that asserts and traps instead (./build.sh debug)
#   tools/hazards.sh --times 20      so many rounds
#   tools/hazards.sh --full          with the long loops: 1,000 forks, 640,000 threads, 10,000,000 rounds of realloc,
#                                    100,000 of the tables
#
# Prints one line a round and, where a test failed, what it said. The last line
# is the sum; exit code 1 when a test failed.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

times=1
kind=
while [ $# -gt 0 ]; do
  case $1 in
    --times) times=${2:-} && shift ;;
    --debug) kind=-debug ;;
    --full) export MEMHOOK_TEST_FULL=1 ;;
    *) times= ;;
  esac
  shift
done
[[ $times =~ ^[1-9][0-9]*$ ]] || { echo "hazards.sh: use --times N, --debug, --full" >&2 && exit 2; }

if [ -n "$kind" ]; then ./build.sh debug; else ./build.sh; fi || exit 2
library=$PWD/build/lib/$(uname -m)-gnu$kind/libmemhook.so
# What may depend on luck: threads, signals, forks, whose a store is, who a peer is.
suites=(
  dist/test/e2e/{hazards-*,programs,limits,operators,elf-files,printable,store-path,store-family,two-users}.test.js
  dist/test/{cli/memhook-signals,memdb/{strangers,impostor},races/races}.test.js
  dist/test/runtime/{stores/liveness,memdb/{storelock,peers}}.test.js
)
for suite in "${suites[@]}"; do
  [ -e "$suite" ] || { echo "hazards.sh: there is no $suite" >&2 && exit 2; }
done

log=$(mktemp)
trap 'rm -f "$log"' EXIT
number() { grep -oE "^# $1 [0-9]+" "$log" | tail -n 1 | grep -oE '[0-9]+' || echo 0; }
passed=0 failed=0
for ((round = 1; round <= times; round++)); do
  SECONDS=0
  MEMHOOK_TEST_LIBRARY=$library node --test --test-reporter=tap "${suites[@]}" >"$log" 2>&1
  status=$?
  good=$(number pass) bad=$(($(number fail) + $(number cancelled)))
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  if [ "$bad" -ne 0 ]; then grep -A 40 '^ *not ok' "$log" || cat "$log"; fi
  echo "round $round: $good passed, $bad failed, $(number skipped) skipped, $SECONDS s"
  passed=$((passed + good)) failed=$((failed + bad))
done
echo "$times rounds with ${library#"$PWD"/}: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
