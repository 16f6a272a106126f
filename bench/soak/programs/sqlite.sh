# sqlite3's shell on a script of some 40,000 statements, on a file and in memory, then a dump read in again.
needs sqlite3 awk
awk 'BEGIN {
  print "pragma journal_mode = wal; create table t(id integer primary key, name text, n real, blob blob);"
  print "create index by_name on t(name); begin;"
  for (i = 1; i <= 30000; i++)
    printf "insert into t values(%d, \x27name %d of many\x27, %d.5, zeroblob(%d));\n",
      i, (i * 7919) % 10007, i % 977, i % 90
  print "commit; begin;"
  for (i = 1; i <= 8000; i++) printf "update t set n = n + %d where id = %d;\n", i % 13, (i * 31) % 30000
  for (i = 1; i <= 2000; i++) printf "select sum(n), max(name) from t where id between %d and %d;\n", i * 3, i * 3 + 50
  print "commit; delete from t where id % 3 = 0; vacuum; analyze;"
  print "select name, count(*), sum(length(blob)) from t group by name order by 2 desc, 1 limit 20;"
  print "with recursive c(x, s) as (select 1, \x27a\x27 union all"
  print "select x + 1, substr(s || x, -20) from c where x < 20000) select max(s), count(*) from c;"
  print "select group_concat(id) from (select a.id from t a join t b on a.id = b.id + 1"
  print "where a.name > b.name order by a.n, a.id limit 200);"
  print "select json_group_array(json_object(\x27i\x27, id)) from (select id from t limit 500); pragma integrity_check;"
}' >script.sql
sqlite3 file.db <script.sql
sqlite3 :memory: <script.sql
sqlite3 file.db .dump >dump.sql
sqlite3 copy.db <dump.sql
sqlite3 copy.db 'select count(*), sum(n), total(length(blob)) from t; select * from nothing' || echo "exit $?"
sha256sum <dump.sql
