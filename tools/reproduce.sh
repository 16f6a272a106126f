#!/usr/bin/env bash
# Shows that the same sources give the same bytes: builds this tree twice, in
# two folders, with nothing cached, and compares all that came out.
#
#   tools/reproduce.sh            what ./build.sh makes
#   tools/reproduce.sh targets    besides, the library for every target
#
# Prints the sum of all files and exits with 0, or says which ones differ and
# exits with 1. Node packages are shared with this tree.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
[ -e node_modules/.memhook-stamp ] || { echo "reproduce.sh: run ./build.sh first" >&2 && exit 2; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for place in one another; do
  mkdir -p "$folder/$place"
  # With their times, so that the packages are known to be newer.
  git ls-files -z | tar --null -T - -c | tar -x -C "$folder/$place"
  ln -s "$PWD/node_modules" "$folder/$place/node_modules"
  (
    cd "$folder/$place"
    unset ZIG_GLOBAL_CACHE_DIR ZIG_LOCAL_CACHE_DIR
    ./build.sh "$@" >&2
    find build dist -type f -print0 | sort -z | xargs -0 sha256sum
  ) >"$folder/$place.sums"
  rm -rf "$folder/${place:?}"
done
if ! diff "$folder/one.sums" "$folder/another.sums" >"$folder/differ"; then
  sed -n 's/^> [0-9a-f]*  /differs: /p; s/^< [0-9a-f]*  /differs: /p' "$folder/differ" | sort -u
  exit 1
fi
echo "$(wc -l <"$folder/one.sums") files, the same twice: $(sha256sum <"$folder/one.sums" | cut -c 1-16)"
