# ruby and php, where they are: garbage collection, fibers, threads, regular expressions.
command -v ruby >/dev/null || command -v php >/dev/null || skip "neither ruby nor php is installed"
if command -v ruby >/dev/null; then
  ruby -e '
    h = {}; 100_000.times { |i| h["key #{i % 5003}"] = "x" * (i % 60) }; GC.start
    fibers = 200.times.map { |i| Fiber.new { 5.times { |k| Fiber.yield "f" * (i + k) } } }
    sum = fibers.sum { |f| 3.times.sum { f.resume.size } }
    threads = 8.times.map { |i| Thread.new { (1..2000).map { |k| (k * i).to_s }.join.size } }
    pids = 5.times.map { |i| fork { ("a".."zz").to_a.join; exit! i } }
    p h.size, sum, threads.map(&:value), pids.map { |pid| Process.wait2(pid)[1].exitstatus }
    begin; (f = ->(n) { f.(n + 1) }).(0); rescue SystemStackError; puts "deep"; end
    exit 3' || echo "exit $?"
fi
if command -v php >/dev/null; then
  php -n -r '
    $h = []; for ($i = 0; $i < 200000; $i++) $h["key " . $i % 5003] = str_repeat("x", $i % 60);
    ksort($h); gc_collect_cycles();
    function g($n) { for ($i = 0; $i < $n; $i++) yield str_repeat("y", $i); }
    $s = 0; foreach (g(2000) as $y) $s += strlen($y);
    preg_match_all("/\w+/", str_repeat("some words here ", 5000), $m);
    echo count($h), " $s ", count($m[0]), " ", md5(serialize($h)), "\n"; exit(4);' || echo "exit $?"
fi
