#!/usr/bin/env bash
# What a fork costs more under memhook, with LIVE allocations in the parent: see forking.c for what is measured.
#
#   bench/hazards/forking.sh [LIVE=100000] [ROUNDS=7] [TURNS=21]
#
# Prints, in ms, the median of ROUNDS interleaved runs (lowest to highest), each the median of TURNS children.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
live=${1:-100000} rounds=${2:-7} turns=${3:-21}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cc -O2 -o "$folder/forking" bench/hazards/forking.c
library=$PWD/build/lib/$(uname -m)-gnu/libmemhook.so

# measure NAME VARIABLE…: one run more of this name.
measure() {
  local name=$1
  shift
  env "$@" "$folder/forking" "$live" "$turns" "$(type -P true)" >>"$folder/$name"
  rm -f "$folder"/*.mem
}
for ((round = 0; round < rounds; round++)); do
  measure alone
  for children in follow fresh off; do
    measure "$children" LD_PRELOAD="$library" MEMHOOK_FILE="$folder/%p.mem" MEMHOOK_CHILDREN=$children
  done
done

# middle NAME COLUMN
middle() {
  awk -v column="$2" '{ print $column / 1000 }' "$folder/$1" | sort -n |
    awk '{ at[NR] = $1 } END { printf "%.2f (%.2f–%.2f)", at[int((NR + 1) / 2)], at[1], at[NR] }'
}
echo "| $live live allocations | fork and exec, ms | fork and one malloc, ms |"
echo "|---|---|---|"
for name in alone follow fresh off; do
  echo "| $name | $(middle $name 1) | $(middle $name 2) |"
done
