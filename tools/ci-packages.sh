#!/usr/bin/env bash
# Installs the Debian packages that some suites want besides what build.sh fetches. .ci/run calls it first. It needs
# root and apt-get; where they are not, or a package cannot be had, the tests that want it are skipped and say so.
set -uo pipefail

# Programs of musl; allocators with names of their own besides malloc; an emulator for the other processor, with a
# compiler and a C library for its programs; the tools that read what is exported.
packages=(musl-tools qemu-user libjemalloc2 libmimalloc2.0 libtcmalloc-minimal4 libtbbmalloc2)
packages+=(heaptrack valgrind)
case $(uname -m) in
  x86_64) packages+=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross) ;;
  aarch64) packages+=(gcc-x86-64-linux-gnu libc6-dev-amd64-cross) ;;
esac

[ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null && command -v dpkg-query >/dev/null || exit 0

missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

apt() {
  DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -qq -o Acquire::Retries=1 \
    -o Acquire::http::Timeout=20 "$@" >/dev/null 2>&1
}
apt update
apt install -y --no-install-recommends "${missing[@]}" && exit 0
# Together they were refused: perhaps for one of them.
for package in "${missing[@]}"; do
  apt install -y --no-install-recommends "$package" || echo "ci-packages: $package cannot be installed" >&2
done
exit 0
