# postgres: initdb, a start, tables, pgbench with four clients, a crash of one backend with recovery, a dump, a fast
# stop. Compared: what the database holds. Left out: pgbench's figures, the server's log.
needs initdb postgres pg_ctl pgbench psql
if [ "$(id -u)" -eq 0 ]; then
  # It refuses to be root.
  needs setpriv
  chown nobody .
  as="setpriv --reuid=$(id -u nobody) --regid=$(id -g nobody) --clear-groups"
else
  as=
fi
export HOME=$PWD TZ=UTC PGHOST=$PWD PGDATABASE=postgres PGUSER=soak
trap '$as pg_ctl -D db -s -m immediate stop 2>/dev/null || true' EXIT
$as initdb -D db -U soak -A trust -N --locale=C -E UTF8 >initdb.log 2>&1
$as pg_ctl -D db -w -s -l "$PWD/log" -o "-k $PWD -c listen_addresses= -c fsync=off -c max_connections=20" start
psql -qAt <<'SQL'
create table t as select i, md5(i::text) as h, repeat('x', i % 100) as x from generate_series(1, 40000) i;
create index on t(h);
create index on t using hash(x);
select count(*), min(h), max(h), sum(length(x)) from t;
select h, count(*) over (partition by length(x)) from t order by h limit 5;
select string_agg(h, ',') from (select h from t where i % 4001 = 0 order by i) s;
do $$ begin for i in 1..2000 loop begin insert into t values (i / (i % 3), 'new', '');
    exception when division_by_zero then null; end; end loop; end $$;
select count(*) from t where h = 'new';
set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set min_parallel_table_scan_size = 0;
select count(*) from t a join t b on a.h = b.h where a.i % 3 = 0;
select * from nothing;
SQL
pgbench -i -q -s 2 >/dev/null 2>&1
pgbench -c 4 -j 2 -t 400 >pgbench.log 2>&1
psql -qAt -c 'select sum(abalance) - sum(delta)
  from (select sum(abalance) abalance from pgbench_accounts) a, (select sum(delta) delta from pgbench_history) h' \
  -c 'select count(*) from pgbench_history'
psql -qAt -c 'select pg_terminate_backend(pg_backend_pid())' >killed 2>&1 || head -n 1 killed
pg_dump -t t | sed -E 's/^(--|.(un)?restrict ).*//' | sha256sum
psql -qAt -c 'vacuum full analyze' -c 'reindex database postgres' -c 'select count(*) from t'
$as pg_ctl -D db -s -m fast stop
