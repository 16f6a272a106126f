#!/usr/bin/env bash
# Runs the test suites under Node, Bun and Deno, and the project's own checks. Called by `./build.sh test`,
# after everything is built.
#
#   tools/test.sh                 all suites
#   tools/test.sh cli runtime/    those whose path holds one of the words
#
# A runner that crashes, or reports fewer failures than its exit code admits, counts as one failed test. The last line
# is always `N passed, N failed`, summed over the runtimes; exit code 1 when a test failed, or none was run.
set -uo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

suites=()
while IFS= read -r source; do
  wanted=$([ $# -eq 0 ] && echo yes)
  for word in "$@"; do
    case $source in *"$word"*) wanted=yes ;; esac
  done
  # From the sources, because dist/ may still hold the tests of a file that is gone.
  [ -n "$wanted" ] && suites+=("./dist/${source%.ts}.js")
done < <(find test -name '*.test.ts' | sort)

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

# number PATTERN: the number in front of or behind what the runner calls it; the last one it printed, 0 if none.
number() {
  local found
  found=$(grep -aoE "$1" "$log" | tail -n 1 | grep -oE '[0-9]+')
  echo "${found:-0}"
}

# tally NAME STATUS PASSED FAILED SKIPPED: one line for a runner, and its output if something is wrong.
tally() {
  local name=$1 status=$2 good=$3 bad=$4 skipped=$5
  if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
  # A runner that crashed may have stopped in the middle of a line.
  if [ "$bad" -ne 0 ]; then cat "$log" && echo; fi
  printf '%-6s %5d passed, %d failed, %d skipped, %d s\n' "$name" "$good" "$bad" "$skipped" "$SECONDS"
  passed=$((passed + good))
  failed=$((failed + bad))
}

if [ $# -eq 0 ] && [ -e tools/check.mjs ]; then
  SECONDS=0
  node tools/check.mjs >"$log" 2>&1
  status=$?
  tally checks "$status" $((status == 0)) 0 0
fi

if [ ${#suites[@]} -eq 0 ]; then
  echo "no suite has '$*' in its path"
  failed=$((failed + 1))
else
  SECONDS=0
  node --test --test-reporter=tap "${suites[@]}" >"$log" 2>&1
  tally Node $? "$(number '^# pass [0-9]+')" $(($(number '^# fail [0-9]+') + $(number '^# cancelled [0-9]+'))) "$(number '^# skipped [0-9]+')"

  # Bun gives a test five seconds unless told otherwise; the others have no limit.
  SECONDS=0
  NO_COLOR=1 node_modules/.bin/bun test --timeout 600000 "${suites[@]}" >"$log" 2>&1
  tally Bun $? "$(number '^ *[0-9]+ pass$')" "$(number '^ *[0-9]+ fail$')" "$(number '^ *[0-9]+ skip$')"

  SECONDS=0
  NO_COLOR=1 node_modules/.bin/deno test -A --no-check "${suites[@]}" >"$log" 2>&1
  tally Deno $? "$(number '\| [0-9]+ passed')" "$(number '\| [0-9]+ failed')" "$(number '\| [0-9]+ ignored')"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
