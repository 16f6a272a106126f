# python3's own tests, a part of them, with its small-object allocator and then with malloc for every object.
# Compared: the verdict of every single test, sorted. Left out: times and what tests print besides.
needs python3
python=$(python3 -c 'import sys; print(sys.executable)')
"$python" -c 'import test.test_list' 2>/dev/null || skip "python3 has no test package (Debian: libpython3-testsuite)"

verdicts() {
  "$python" -m test -v --timeout 100 "$@" >output 2>&1 && echo "exit 0" || echo "exit $?"
  grep -aoE '^test_\w+ \([^)]*\)' output | sort | uniq -c
  grep -aE '^(Ran [0-9]+ tests|OK|FAILED|== Tests result)' output | sed -E 's/ in [0-9.]+m?s//' | sort | uniq -c
}
verdicts test_list test_dict test_bytes test_array test_struct test_generators test_exceptions \
  test_json test_re test_unicode \
  test_zlib test_lzma test_mmap test_ctypes test_sqlite3 test_thread test_fork1 test_posix \
  test_faulthandler test_threadsignals \
  test_context test_atexit test_threading_local test_memoryview test_popen
export PYTHONMALLOC=malloc
verdicts test_list test_dict test_deque test_itertools test_functools \
  test_json test_struct test_ctypes test_ast
