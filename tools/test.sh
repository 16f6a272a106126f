#!/usr/bin/env bash
# Runs the test suites under Node, Bun and Deno, and the project's own checks. Called by `./build.sh test`,
# after everything is built.
#
#   tools/test.sh                 all suites
#   tools/test.sh cli runtime/    those whose path holds one of the words
#
# A suite that says so in a line of its own, "// Runs under Node alone: …", is
# not run by Bun and Deno: what it tests is C.
#
# A runner that crashes, or reports fewer failures than its exit code admits, counts as one failed test. The last line
# is always `N passed, N failed`, summed over the runtimes; exit code 1 when a test failed, or none was run.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

suites=()   # all
portable=() # those for every runtime
while IFS= read -r source; do
  wanted=$([ $# -eq 0 ] && echo yes)
  for word in "$@"; do
    case $source in *"$word"*) wanted=yes ;; esac
  done
  # From the sources, because dist/ may still hold the tests of a file that is gone.
  [ -n "$wanted" ] || continue
  suites+=("./dist/${source%.ts}.js")
  grep -q '^// Runs under Node alone: ' "$source" || portable+=("./dist/${source%.ts}.js")
done < <(find test -name '*.test.ts' | sort)

logs=$(mktemp -d)
# Bun and Deno are jobs of their own, which Ctrl-C does not reach.
trap 'jobs -p | sed s/^/-/ | xargs -r kill -- 2>/dev/null; rm -rf "$logs"' EXIT
passed=0
failed=0

# number LOG PATTERN: the number in front of or behind what the runner calls it; the last one it printed, 0 if none.
number() {
  local found
  found=$(grep -aoE "$2" "$1" | tail -n 1 | grep -oE '[0-9]+')
  echo "${found:-0}"
}

# runner NAME COMMAND…: runs it, its output to a log, its exit status and its seconds beside that.
runner() {
  local name=$1 start=$SECONDS status=0
  shift
  "$@" >"$logs/$name" 2>&1 || status=$?
  echo "$status $((SECONDS - start))" >"$logs/$name.ended"
}

# unpassed LOG: what a runner printed, without the tests that passed or were skipped: a failure is to be found in the
# last lines, among thousands that are well. TAP gives a test its name first and its verdict afterwards.
unpassed() {
  awk '
    /^# Subtest: / { printf "%s", held; held = ""; inside = 1 }
    inside { held = held $0 "\n" }
    inside && /^ok / { good = 1 }
    inside && /^  \.\.\.$/ { if (!good) printf "%s", held; held = ""; inside = good = 0; next }
    inside { next }
    /^\((pass|skip|todo)\) / || / \.\.\. .*(ok|ignored).* \([0-9.]+m?s\)$/ { next }
    { print }
    END { printf "%s", held }' "$1"
}

# tally NAME PASSED FAILED SKIPPED: one line for a runner, and what did not pass if something is wrong.
tally() {
  local name=$1 good=$2 bad=$3 skipped=$4 status seconds
  read -r status seconds <"$logs/$name.ended"
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  # A runner that crashed may have stopped in the middle of a line.
  if [ "$bad" -ne 0 ]; then unpassed "$logs/$name" && echo; fi
  printf '%-9s %5d passed, %d failed, %d skipped, %d s\n' "$name" "$good" "$bad" "$skipped" "$seconds"
  passed=$((passed + good))
  failed=$((failed + bad))
}

if [ $# -eq 0 ] && [ -e tools/check.mjs ]; then
  runner checks node tools/check.mjs
  tally checks "$(grep -c '^0 ' "$logs/checks.ended")" 0 0
fi

if [ ${#suites[@]} -eq 0 ]; then
  echo "no suite has '$*' in its path"
  failed=$((failed + 1))
else
  # Every core works: Node takes a file for each and one besides, because some wait (before 20.10 it cannot be told to,
  # and takes one file less than there are cores). Bun and Deno take one file after the other, beside each other.
  files_at_once=()
  if node --help | grep -q -e --test-concurrency; then files_at_once=("--test-concurrency=$(($(nproc) + 1))"); fi
  runner Node node --test --test-reporter=tap "${files_at_once[@]}" "${suites[@]}"
  log=$logs/Node
  bad=$(($(number "$log" '^# fail [0-9]+') + $(number "$log" '^# cancelled [0-9]+')))
  tally Node "$(number "$log" '^# pass [0-9]+')" "$bad" "$(number "$log" '^# skipped [0-9]+')"

  # Bun gives a test five seconds unless told otherwise; the others have no limit.
  set -m
  if [ ${#portable[@]} -gt 0 ]; then
    NO_COLOR=1 runner Bun node_modules/.bin/bun test --timeout 600000 "${portable[@]}" </dev/null &
    NO_COLOR=1 runner Deno node_modules/.bin/deno test -A --no-check "${portable[@]}" </dev/null &
    wait
    log=$logs/Bun
    tally Bun "$(number "$log" '^ *[0-9]+ pass$')" "$(number "$log" '^ *[0-9]+ fail$')" \
      "$(number "$log" '^ *[0-9]+ skip$')"
    log=$logs/Deno
    tally Deno "$(number "$log" '\| [0-9]+ passed')" "$(number "$log" '\| [0-9]+ failed')" \
      "$(number "$log" '\| [0-9]+ ignored')"
  fi
fi

# Whether tests of the library can fail: a tenth of that each day.
if [ $# -eq 0 ] && [ -e tools/mutations.mjs ]; then
  runner mutations node tools/mutations.mjs --tenth
  head -n 1 "$logs/mutations"
  tally mutations "$(number "$logs/mutations" '^[0-9]+ passed')" "$(number "$logs/mutations" '[0-9]+ failed$')" 0
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
