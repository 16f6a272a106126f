# bash scripts with many forks: pipelines, command substitution, background jobs, co-processes, traps, xargs.
# Compared: all output; process ids are not printed.
for i in $(seq 150); do
  x=$(echo "$i" | cat | tr 0-9 a-j)
  y=$( (echo "$x"; (exit $((i % 5))) || echo "$?") | sort | tail -n 1)
  printf '%s%s ' "$x" "$y"
done
echo
jobs=()
for i in $(seq 20); do
  (sleep 0; exit "$i") &
  jobs+=($!)
done
for job in "${jobs[@]}"; do wait "$job" || printf '%s ' $?; done
echo
seq 200 | xargs -P 4 -n 5 echo | wc -lc
coproc cat
# bash forgets it as soon as it has seen the end.
process=$COPROC_PID
echo "through a co-process" >&"${COPROC[1]}"
read -r line <&"${COPROC[0]}"
echo "$line"
exec {COPROC[1]}>&-
wait "$process"
declare -A table
for i in $(seq 3000); do table[$i]="value $i"; done
echo "${#table[@]} ${table[77]}"
find /usr/include -maxdepth 2 2>/dev/null | sort | sed -n 1,500p | sha256sum
env -i /bin/sh -c 'echo without environment'
# What bash says of these two has their process ids.
{
  (kill -TERM $BASHPID) || echo "exit $?"
  bash -c 'ulimit -c 0; kill -SEGV $$' || echo "exit $?"
} 2>/dev/null
