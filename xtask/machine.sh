#!/bin/sh
# What must be there before xtask itself can be built: cargo, new enough, and a linker.
# Installs the linker on Debian and Ubuntu as root; says exactly what is missing otherwise.
set -eu
cd "$(dirname "$0")/.."

needed=$(sed -n 's/^rust-version = "\([0-9]*\.[0-9]*\).*/\1/p' Cargo.toml)

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing: install Rust $needed or later from https://rustup.rs" >&2
    exit 1
fi

found=$(cargo --version | sed 's/^cargo \([0-9]*\.[0-9]*\).*/\1/')
older=$(printf '%s\n%s\n' "$needed" "$found" | sort -t . -k 1,1n -k 2,2n | head -n 1)
if [ "$older" != "$needed" ]; then
    echo "cargo $found is too old: Rust $needed or later is needed, \`rustup update\` brings it" >&2
    exit 1
fi

if command -v cc >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends gcc libc6-dev
    exit 0
fi
echo "a C compiler is missing; as root: \`apt-get install gcc libc6-dev\`, or what your system calls them" >&2
exit 1
