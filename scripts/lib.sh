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

# unpack <folder> <the file that shows that it was done> <packages of Debian>
unpack() {
    local folder="$1" mark="$1/$2" fresh
    shift 2
    [ -e "$mark" ] && return
    say "fetching Debian's $*"
    fresh="$(mktemp -d "$folder/fresh.XXXXXX")"
    (cd "$fresh" && apt-get download -q "$@" >&2) || die "not in Debian's lists: apt-get update, or apt-get install $*"
    for package in "$fresh"/*.deb; do
        dpkg -x "$package" "$folder"
    done
    rm -r "$fresh"
}

# The servers of other systems: peer_nats is the program nats-server, peer_rabbitmq the folder that has RabbitMQ's usr/lib (/ if it is
# installed). Those that are missing are unpacked, not installed: nothing on this machine changes, and no service starts.
need_peers() {
    local folder="${XDG_CACHE_HOME:-$HOME/.cache}/troupe-controls" erlang
    mkdir -p "$folder"
    folder="$(cd "$folder" && pwd -P)"
    peer_nats="$(command -v nats-server || true)"
    if [ -z "$peer_nats" ]; then
        need_debian nats-server
        unpack "$folder" usr/sbin/nats-server nats-server
        peer_nats="$folder/usr/sbin/nats-server"
    fi
    peer_rabbitmq=/
    if [ ! -x /usr/lib/rabbitmq/bin/rabbitmq-server ]; then
        need_debian rabbitmq-server
        peer_rabbitmq="$folder"
        # Dependencies of rabbitmq-server, except those of its service and of package scripts.
        erlang=(base asn1 crypto eldap inets mnesia os-mon parsetools public-key runtime-tools ssl syntax-tools tools xmerl)
        unpack "$folder" usr/lib/rabbitmq/.ready rabbitmq-server "${erlang[@]/#/erlang-}"
        # Debian's `erl` knows one place only, whatever ERL_ROOTDIR says.
        sed -i "s|ROOTDIR=/usr/lib/erlang\$|ROOTDIR=$folder/usr/lib/erlang|" "$folder/usr/lib/erlang/bin/erl"
        touch "$folder/usr/lib/rabbitmq/.ready"
    fi
}

need_debian() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null || die "missing: $1. Install it and run this again."
}
