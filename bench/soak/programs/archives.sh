# tar, gzip, bzip2, xz and zstd with threads; rsync between two folders. What they make is compared.
needs tar gzip xz
mkdir data
for i in $(seq 300); do seq "$i" $((i * 20)) >"data/$i"; done
pack() { tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -cf - data; }
for tool in "gzip -n" "bzip2" "xz -T2 --block-size=1MiB" "zstd -q -T2 -12 --long"; do
  command -v "${tool%% *}" >/dev/null || continue
  pack | $tool -c >packed
  sha256sum <packed
  ${tool%% *} -dc <packed | tar tf - | tail -n 1
done
if command -v rsync >/dev/null; then
  rsync -a data/ copy/
  for i in $(seq 1 7 300); do seq "$i" >"data/$i"; done
  rm data/5
  rsync -a --delete --checksum data/ copy/
  diff -r data copy && echo "the same"
fi
