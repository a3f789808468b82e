# Shared by the scripts beside it; to be sourced. Installs what building needs and settles where it builds.
# Nothing here is specific to a machine: any Debian with a Rust toolchain, and any other system where the tools are there already.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# RocksDB takes a quarter of an hour to compile: its objects live outside the checkout and survive it.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/troupe-target}"

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

die() { printf '%s\n' "$*" >&2; exit 1; }

# Debian packages for the build: a C++20 compiler, libclang for RocksDB's bindings, and a cache of compiled C++.
need_packages() {
    local missing=()
    command -v g++ >/dev/null || missing+=(g++)
    command -v ccache >/dev/null || missing+=(ccache)
    command -v make >/dev/null || missing+=(make)
    compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*/libclang*.so*' >/dev/null \
        || missing+=(libclang-dev)
    # bindgen asks clang for its own headers.
    command -v clang >/dev/null || missing+=(clang)
    [ ${#missing[@]} -eq 0 ] && return
    local sudo=""
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    command -v apt-get >/dev/null || die "missing: ${missing[*]} (Debian's names). Install them and run this again."
    [ -z "$sudo" ] || command -v sudo >/dev/null || die "missing: ${missing[*]}. Run as root: apt-get install -y ${missing[*]}"
    say "installing ${missing[*]}"
    $sudo apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -qy --no-install-recommends "${missing[@]}" >&2
}

need_rust() {
    [ -x "$HOME/.cargo/bin/cargo" ] && export PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || die "missing: a Rust toolchain (1.95 or later), see https://rustup.rs"
}

# A tool of the development loop, from crates.io, once per machine.
need_cargo_tool() {
    cargo "$1" --version >/dev/null 2>&1 && return
    say "installing cargo-$1 (once)"
    cargo install --locked --quiet "cargo-$1"
}

prepare() {
    need_packages
    need_rust
    export CC="ccache gcc" CXX="ccache g++"
    if ! compgen -G "$CARGO_TARGET_DIR/release/build/librocksdb-sys-*/out/librocksdb.a" >/dev/null; then
        say "first build on this machine: RocksDB is compiled once, 15 to 25 minutes on two cores"
    fi
}

# build <cargo build arguments>: the one profile of demo, tests and benches.
build() {
    say "building $*"
    cargo build --release "$@" >&2
}

# The server, and beside it the program that it starts for its verbs demo, bench and chaos.
build_troupe() { build -p troupe -p troupe-lab; }

# Builds from here on can carry planted bugs. They share intermediate files with the other build, so that RocksDB is built once, but their
# programs have a place of their own: no program with planted bugs is ever where the README says that `troupe` is.
planted() {
    export CARGO_BUILD_BUILD_DIR="${CARGO_BUILD_BUILD_DIR:-$CARGO_TARGET_DIR}" CARGO_TARGET_DIR="$CARGO_TARGET_DIR/planted"
}
