# redis-server under redis-benchmark and a script, with a fork that saves, an append-only file that is rewritten, and a
# restart. Compared: what the database says of its contents. Left out: redis-benchmark's figures.
needs redis-server redis-benchmark redis-cli
socket=$PWD/socket
ask() { redis-cli -s "$socket" "$@"; }
start() {
  redis-server --port 0 --unixsocket "$socket" --dir "$PWD" --save "" \
    --appendonly yes --auto-aof-rewrite-percentage 0 --io-threads 2 --io-threads-do-reads yes >>log 2>&1 &
  server=$!
  until ask ping 2>/dev/null | grep -q PONG; do kill -0 $server; pause; done
}
trap 'kill -9 $server 2>/dev/null || true' EXIT

idle() {
  while ask info persistence | grep -qE '(rdb_bgsave|aof_rewrite)_(in_progress|scheduled):1'; do pause; done
}

start
idle
redis-benchmark -s "$socket" -n 20000 -c 20 -d 200 -q -P 8 \
  -t set,get,incr,lpush,rpop,sadd,hset,zadd,mset >benchmark 2>&1
ask eval "for i = 1, 50000 do redis.call('set', 'key' .. i, string.rep('x', i % 300))
  redis.call('hset', 'hash' .. i % 100, i, i) end" 0
for _ in 1 2 3; do
  idle
  ask bgsave
  idle
  ask bgrewriteaof
done
idle
ask info persistence | grep -aE 'last_(bgsave|bgrewrite|write)_status'
ask dbsize
ask debug digest || true
ask shutdown
wait $server
start
ask dbsize
ask eval "local n = 0; for i = 1, 50000 do n = n + redis.call('strlen', 'key' .. i) end; return n" 0
ask flushall
ask shutdown nosave
wait $server
