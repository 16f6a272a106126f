#!/usr/bin/env bash
# The proof of exactness: captures the stacks of real programs in several ways and compares them. See library.c.
#
#   test/exactness/run.sh short      a bounded run, for the test suite (about a minute)
#   test/exactness/run.sh full       at least ten million captures
#   test/exactness/run.sh aarch64    short, under user-mode emulation
#   test/exactness/run.sh mutations  leaves out one part of the verification at a time: each must be noticed; then rules
#                                    are damaged, which must crash nothing
#   test/exactness/run.sh mutations 7
#                                    only the one with this number, 6 for the damaged rules: what CI tries, another one
#                                    each day
#
# Prints one line per program and exits with 1 at any unexplained difference.
# What is not installed is left out, with a line.
set -uo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.."
mode=${1:-short}
zig=${ZIG:-$PWD/.zig/zig}
export ZIG_GLOBAL_CACHE_DIR="${ZIG_GLOBAL_CACHE_DIR:-$PWD/.zig/cache}"
export ZIG_LOCAL_CACHE_DIR="${ZIG_LOCAL_CACHE_DIR:-$PWD/.zig/cache}"
arch=$(uname -m)
emulate=()
if [ "$mode" = aarch64 ] && [ "$arch" != aarch64 ]; then
  arch=aarch64
  emulate=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
source=$PWD/test/exactness
failed=0
passed=0

# Programs are built with gcc; without it, with Zig's clang.
gcc=(gcc) gxx=(g++)
command -v g++ >/dev/null 2>&1 || { gcc=("$zig" cc) gxx=("$zig" c++); }

names="captures frames deepest referenced fallbacks signals cut lost cached-differs reference-differs corrected"
names="$names reference-failed shorter unstripped unknown"
kinds=$(wc -w <<<"$names")
total=()

# library OUTPUT OPTION…: the library that captures and compares.
library() {
  local output=$1
  shift
  "$zig" cc -target "$arch-linux-gnu.2.17" -std=gnu11 -O2 -g -fPIC -shared -Wall -Wextra -Werror -fvisibility=hidden \
    -ftls-model=initial-exec -fno-omit-frame-pointer -fno-builtin-malloc -Wl,-z,now \
    -Wl,--version-script=test/exactness/library.map \
    -Ibuild "$@" -o "$output" test/exactness/{library,report,tables,reference}.c \
    preload/unwind/{walk,stack_cache,outermost,rule_table,stack_range,cfi,cfi_program,cfi_expression}.c \
    preload/base/{peek,lock}.c -lunwind || exit 2
}

# counts FOLDER: the sums of all processes, in the order of $names.
counts() {
  local file
  for file in "$1"/*.counts; do
    [ -e "$file" ] && od -An -v -tu8 -N$((8 * kinds)) -w$((8 * kinds)) "$file"
  done | awk -v kinds="$kinds" '
    { for (i = 1; i <= NF; i++) if (i == 3) { if ($i > sum[i]) sum[i] = $i } else sum[i] += $i }
    END { for (i = 1; i <= kinds; i++) printf "%d ", sum[i] }'
}

# run TITLE COMMAND…: with the library preloaded and EXACTNESS_ variables from the environment. Sets c.
run() {
  local title=$1 status=0
  shift
  rm -rf "$folder/report"
  mkdir "$folder/report"
  local start=$SECONDS
  if [ ${#emulate[@]} -gt 0 ]; then
    local pass=(-E "EXACTNESS_DIR=$folder/report" -E "LD_PRELOAD=$folder/exactness.so") variable
    for variable in EXACTNESS_EVERY EXACTNESS_SAMPLE EXACTNESS_DEPTH EXACTNESS_FP; do
      [ -z "${!variable:-}" ] || pass+=(-E "$variable=${!variable}")
    done
    timeout 300 "${emulate[@]}" "${pass[@]}" "$@" >"$folder/output" 2>&1 || status=$?
  else
    EXACTNESS_DIR=$folder/report LD_PRELOAD=$folder/exactness.so timeout 300 "$@" >"$folder/output" 2>&1 || status=$?
  fi
  read -ra c <<<"$(counts "$folder/report")"
  seconds=$((SECONDS - start))
  ended=$status
}

# check TITLE COMMAND…: run, print, and fail on what nothing explains.
check() {
  run "$@"
  local bad=""
  [ "$ended" -eq 0 ] || bad+=" exit status $ended"
  [ "${c[0]:-0}" -gt 0 ] || bad+=" nothing captured"
  [ "${c[7]:-0}" -eq 0 ] || bad+=" ${c[7]} lost"
  [ "${c[8]:-0}" -eq 0 ] || bad+=" ${c[8]} cached differ"
  [ "${c[9]:-0}" -eq 0 ] || bad+=" ${c[9]} rules differ from the reference"
  [ "${c[11]:-0}" -eq 0 ] || bad+=" ${c[11]} times no reference"
  printf '%-52s %10d %12d %5d %10d %6d %8d %6d %6d  %3ds  %s\n' "$1" "${c[0]}" "${c[1]}" "${c[2]}" "${c[3]}" "${c[4]}" \
    "${c[5]}" "${c[6]}" "${c[10]}" "$seconds" "${bad:-ok}"
  local i
  for i in "${!c[@]}"; do total[i]=$((${total[i]:-0} + c[i])); done
  if [ -n "$bad" ]; then
    failed=$((failed + 1))
    cat "$folder"/report/*.differences 2>/dev/null | head -60
    tail -5 "$folder/output"
  else
    passed=$((passed + 1))
  fi
}

# hazards NAME COMPILER…: builds the program and its plugins.
hazards() {
  local name=$1
  shift
  "$@" -std=c++17 -pthread -o "$folder/$name" "$source/programs/hazards.cc" -ldl || exit 2
}
plugins() {
  local shape
  for shape in 0 1; do
    "$@" -O2 -fomit-frame-pointer -shared -fPIC -DSHAPE=$shape -o "$folder/plugin$shape.so" \
      "$source/programs/plugin.c" || exit 2
  done
}
# hazard NAME SECONDS: the command.
hazard() {
  echo "$folder/$1 $2 $folder/plugin0.so $folder/plugin1.so 2"
}

have() {
  command -v "$1" >/dev/null 2>&1 && return
  echo "$1 is not installed: left out"
  return 1
}

# Debian's python3-minimal has no library.
have_python() {
  have python3 || return
  python3 -c "import json, textwrap" 2>/dev/null && return
  echo "python3 has no library: left out"
  return 1
}

heading() {
  printf '%-52s %10s %12s %5s %10s %6s %8s %6s %6s\n' program captures frames deep referenced fellb. signals cut corr.
}

python_work='
import json, re, collections, textwrap
for turn in range(TURNS):
    data = [{"id": i, "name": "n%d" % i, "tags": ["a" * (i % 9)] * 3} for i in range(2000)]
    text = json.dumps(data)
    assert json.loads(text) == data
    words = re.findall(r"[a-z]+|[0-9]{2,}", text)
    count = collections.Counter(words)
    sorted(count.items(), key=lambda item: (-item[1], item[0]))
    textwrap.fill(text[:20000], 60)
'
node_work='
const zlib = require("zlib"), crypto = require("crypto");
for (let turn = 0; turn < TURNS; turn++) {
  const list = [];
  for (let i = 0; i < 20000; i++) list.push({ i, text: "n" + i, nested: [i, [i]] });
  const text = JSON.stringify(list);
  JSON.parse(text);
  zlib.gunzipSync(zlib.gzipSync(text));
  crypto.createHash("sha256").update(text).digest("hex");
  text.match(/n[0-9]+7/g);
}
'
sqlite_work='
create table t(a integer primary key, b, c);
with recursive n(i) as (select 1 union all select i + 1 from n where i < ROWS)
  insert into t select i, random(), hex(randomblob(16)) from n;
create index x on t(c);
select count(*), sum(b % 7) from t group by a % 100;
select a.c, b.c from t a join t b on a.c > b.c and a.a = b.a + 1 order by 1 desc limit 5;
update t set c = c || a where a % 3 = 0;
delete from t where a % 7 = 0;
vacuum;
'
cat >"$folder/large.cc" <<'CODE'
#include <map>
#include <regex>
#include <string>
#include <vector>
int main() {
  std::map<std::string, std::vector<int>> map;
  for (int i = 0; i < 1000; i++) map[std::to_string(i)].push_back(i);
  return std::regex_match(map.begin()->first, std::regex("a+b"));
}
CODE

# programs SCALE EVERY: the real programs.
programs() {
  local scale=$1
  export EXACTNESS_EVERY=$2
  if have_python; then
    export PYTHONMALLOC=malloc
    check "python3" python3 -c "${python_work//TURNS/$scale}"
    EXACTNESS_SAMPLE=7 check "python3, one allocation in 7" python3 -c "${python_work//TURNS/$scale}"
    EXACTNESS_DEPTH=20 check "python3, at most 20 frames" python3 -c "${python_work//TURNS/1}"
    unset PYTHONMALLOC
  fi
  if have sqlite3; then
    check "sqlite3" sqlite3 :memory: "${sqlite_work//ROWS/$((scale * 20000))}"
  fi
  if have g++; then
    if [ "$scale" -gt 1 ]; then
      check "g++ -O2 (cc1plus, as)" g++ -O2 -c "$folder/large.cc" -o "$folder/large.o"
    else
      check "gcc -O2 (cc1, as)" gcc -O2 -c "$source/damage.c" -o "$folder/large.o"
    fi
  fi
  if have git && git rev-parse --git-dir >/dev/null 2>&1; then
    check "git log -p" git log -p --stat -n $((scale * 30))
    check "git blame" git blame build.sh
  fi
  if have node; then
    check "node" node -e "${node_work//TURNS/$scale}"
  fi
}

# matrix SECONDS EVERY: the program of hazards, by compiler and options.
matrix() {
  local seconds=$1 number=0 options
  export EXACTNESS_EVERY=$2
  plugins "${gcc[@]}"
  for options in "g++ -O0" "g++ -O1 -fno-omit-frame-pointer" "g++ -O2" "g++ -O2 -fno-omit-frame-pointer" \
    "g++ -O3 -march=haswell" "g++ -Os -mstackrealign" "clang++ -O0" "clang++ -O1 -fomit-frame-pointer" \
    "clang++ -O2 -fno-omit-frame-pointer" "clang++ -O3"; do
    have "${options%% *}" || continue
    number=$((number + 1))
    # shellcheck disable=SC2086
    hazards "hazards$number" $options
    # shellcheck disable=SC2046
    check "hazards: $options" $(hazard "hazards$number" "$seconds")
    # shellcheck disable=SC2046
    EXACTNESS_SAMPLE=9 check "hazards: $options, one in 9" $(hazard "hazards$number" "$seconds")
  done
  # shellcheck disable=SC2046
  EXACTNESS_DEPTH=16 check "hazards: g++ -O0, at most 16 frames" $(hazard hazards1 "$seconds")
  # shellcheck disable=SC2046
  EXACTNESS_FP=1 check "hazards: walked by frame pointers" $(hazard hazards2 "$seconds")
}

damage() {
  "$zig" cc -target "$arch-linux-gnu.2.17" -std=gnu11 -O2 -Wall -Wextra -Werror -Ibuild -o "$folder/damage" \
    test/exactness/damage.c \
    preload/unwind/{cfi,cfi_program,cfi_expression}.c preload/base/{peek,lock}.c || exit 2
  if "${emulate[@]}" "$folder/damage" "$1"; then
    passed=$((passed + 1))
  else
    echo "damaged frame information: exit status $?"
    failed=$((failed + 1))
  fi
}

# mutation NUMBER WHAT: some program must notice. How soon is chance, and how
# busy the machine is: so there are several turns.
mutation() {
  [ "${only:-$1}" = "$1" ] || return 0
  library "$folder/exactness.so" -DMH_MUTATION="$1"
  local turn program sample noticed=""
  for turn in 1 2 3 4 5; do
    for sample in 9 1; do
      for program in hazards1 hazards2; do
        [ -z "$noticed" ] || continue
        # shellcheck disable=SC2046
        EXACTNESS_EVERY=2 EXACTNESS_SAMPLE=$sample run "$2" $(hazard $program 3)
        [ $((c[8] + c[9])) -eq 0 ] ||
          noticed=" $program, one allocation in $sample, turn $turn: $((c[8] + c[9])) of ${c[0]} captures differ"
      done
    done
  done
  printf '%-52s %s\n' "left out: $2" "${noticed:- NOT NOTICED}"
  [ -n "$noticed" ] && passed=$((passed + 1)) || failed=$((failed + 1))
}

case $mode in
  short)
    library "$folder/exactness.so"
    heading
    programs 1 20
    plugins "${gcc[@]}"
    hazards hazards1 "${gxx[@]}" -O0
    hazards hazards2 "${gxx[@]}" -O2
    # shellcheck disable=SC2046
    {
      check "hazards: g++ -O0" $(hazard hazards1 2)
      check "hazards: g++ -O2" $(hazard hazards2 2)
      EXACTNESS_SAMPLE=9 check "hazards: g++ -O2, one in 9" $(hazard hazards2 2)
    }
    damage 100
    ;;
  full)
    library "$folder/exactness.so"
    heading
    programs 6 10
    matrix 5 3
    damage 1000
    ;;
  aarch64)
    [ ${#emulate[@]} -eq 0 ] || have qemu-aarch64 || exit 0
    compiler=aarch64-linux-gnu-
    [ ${#emulate[@]} -gt 0 ] || compiler=
    have ${compiler}g++ || exit 0
    library "$folder/exactness.so"
    heading
    plugins ${compiler}gcc
    for options in -O0 -O1 "-O2 -fomit-frame-pointer" "-O2 -mbranch-protection=standard" -O3; do
      # shellcheck disable=SC2086
      hazards hazards1 ${compiler}g++ $options
      # shellcheck disable=SC2046
      {
        EXACTNESS_EVERY=2 check "hazards: ${compiler}g++ $options" $(hazard hazards1 8)
        EXACTNESS_SAMPLE=9 check "hazards: ${compiler}g++ $options, one in 9" $(hazard hazards1 8)
      }
    done
    # shellcheck disable=SC2046
    EXACTNESS_FP=1 check "hazards: walked by frame pointers" $(hazard hazards1 8)
    damage 30
    ;;
  mutations)
    only=${2:-}
    plugins "${gcc[@]}"
    hazards hazards1 "${gxx[@]}" -O0
    hazards hazards2 "${gxx[@]}" -O2
    mutation 1 "every fourth return address"
    mutation 2 "saved frame pointers"
    mutation 3 "the frame pointer where the walk meets the backtrace"
    mutation 4 "the word that ended the walk"
    mutation 5 "the module generation"
    mutation 7 "the outermost word of a cached tail"
    mutation 8 "the node that a cached tail leads to"
    mutation 9 "the frames of a cached suffix"
    mutation 10 "words on a foreign stack"
    turns=(1 2)
    [ "${only:-6}" = 6 ] || turns=()
    library "$folder/exactness.so" -DMH_MUTATION=6
    for turn in "${turns[@]}"; do
      # shellcheck disable=SC2046
      EXACTNESS_EVERY=0 run "damaged rules, turn $turn" $(hazard hazards2 2)
      printf '%-52s %s\n' "damaged rules, turn $turn" "exit status $ended after ${c[0]} captures"
      [ "$ended" -eq 0 ] && passed=$((passed + 1)) || failed=$((failed + 1))
    done
    ;;
  *)
    echo "run.sh: unknown mode '$mode': use short, full, aarch64 or mutations" >&2
    exit 2
    ;;
esac

if [ ${#total[@]} -gt 0 ]; then
  read -ra name <<<"$names"
  printf 'in all:'
  for i in "${!total[@]}"; do [ "$i" -eq 2 ] || printf ' %s %d,' "${name[i]}" "${total[i]}"; done
  printf '\n'
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
