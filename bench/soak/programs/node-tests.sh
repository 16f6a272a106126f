# node running a part of this project's tests, and its compiler. Compared: every
# test's verdict, sorted. Left out: durations.
needs node
cd "$SOAK_ROOT"
[ -e dist/test/asm/core/sort.test.js ] || skip "the tests are not compiled: run ./build.sh"
node --test --test-reporter=tap dist/test/asm/*/*.test.js \
  dist/test/runtime/*/{demangle,diff,growth,snapshot,suppressions,totals}.test.js \
  dist/test/cli/values.test.js >"$OLDPWD/output" && echo "exit 0" || echo "exit $?"
grep -aE '^ *(not )?ok |^# (tests|pass|fail|skipped) ' "$OLDPWD/output" | sed -E 's/ok [0-9]+ -/ok -/' | sort
node node_modules/typescript/bin/tsc --noEmit --incremental false
