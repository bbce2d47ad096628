#!/bin/sh
# setup.sh: what ./demo, ./check and ./dev share. POSIX sh, to be sourced from the root of the checkout.
# It installs missing Debian packages and sets up build directories; it knows nothing of what is built.

# shellcheck disable=SC2034  # the scripts that source this use them
{
    packages_build="build-essential git meson ninja-build pkg-config libpq-dev libidn-dev libjansson-dev nettle-dev libfyaml-dev libssl-dev libsystemd-dev"
    packages_run="postgresql-15 postgresql-client-15 pgbadger"
    packages_test="clang clang-format clang-tidy libclang-rt-14-dev libcmocka-dev libpg-query-dev libprotobuf-c-dev pmccabe shellcheck scdoc procps python3 python3-jsonschema graphviz fonts-dejavu-core"
    packages_clients="openssl python3-psycopg2 python3-psycopg python3-asyncpg libdbd-pg-perl ruby-pg default-jdk-headless libpostgresql-jdbc-java golang-go golang-github-lib-pq-dev golang-github-jackc-pgx-v4-dev"
    packages_bench="pgbouncer openssl python3 postgresql-15 strace"
}

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$0: $1"
    [ $# -lt 2 ] || say "  hint: $2"
    exit 1
}

# missing_packages NAME...: prints those that dpkg does not have installed.
missing_packages() {
    for package in "$@"; do
        case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
        installed) ;;
        *) printf '%s ' "$package" ;;
        esac
    done
}

# need_packages NAME...: installs what is missing: says what, asks once when a person can answer.
need_packages() {
    if ! command -v dpkg-query >/dev/null 2>&1; then
        say "$0: this is no Debian, so nothing is installed for you; needed are the like of: $*"
        return 0
    fi
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    as_root=
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null 2>&1 ||
            die "these packages are missing: $missing" "as root: apt-get install $missing"
        as_root=sudo
    fi
    say "These Debian packages are missing and will be installed with apt-get:"
    say "  $missing"
    case $missing in
    *postgresql-15*) say "  (Debian's PostgreSQL package may set up a server of its own on port 5432; Reparto leaves it alone.)" ;;
    esac
    if [ -t 0 ] && [ "${CI:-}" = "" ]; then
        printf 'Go on? [Y/n] ' >&2
        read -r answer
        case $answer in [nN]*) die "stopped: nothing was installed" ;; esac
    fi
    mkdir -p build
    # The lists may be old or absent; asking twice for the packages is cheaper than failing on them.
    if ! $as_root apt-get update >build/apt.log 2>&1; then
        say "  (apt-get update had trouble; going on with the lists there are)"
    fi
    # shellcheck disable=SC2086  # a list of words
    if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        $missing >>build/apt.log 2>&1; then
        tail -n 5 build/apt.log >&2
        die "apt-get could not install: $missing" "the whole output is in build/apt.log"
    fi
}

# set_up DIRECTORY COMPILER OPTION...: a Meson build directory, made once, made anew if it is broken.
set_up() {
    directory=$1 compiler=$2
    shift 2
    [ -f "$directory/build.ninja" ] && [ "$(cat "$directory/.setup" 2>/dev/null)" = "$compiler $*" ] && return 0
    rm -rf "$directory"
    mkdir -p build
    if ! CC=$compiler meson setup "$directory" "$@" >build/setup.log 2>&1; then
        tail -n 20 build/setup.log >&2
        die "meson setup $directory failed" "the whole output is in build/setup.log"
    fi
    printf '%s\n' "$compiler $*" >"$directory/.setup"
}

# compile DIRECTORY: builds all; the output is shown only when it fails.
compile() {
    if ! ninja -C "$1" >"$1/compile.log" 2>&1; then
        grep -E -A 6 'error|FAILED' "$1/compile.log" | head -n 60 >&2
        die "the build in $1 failed" "the whole output is in $1/compile.log"
    fi
}

# programs DIRECTORY: leaves build/reparto, build/load_test and build/shard_router.
programs() {
    for program in reparto load_test shard_router; do
        if [ -x "$1/tools/$program/$program" ]; then
            ln -sf "../$1/tools/$program/$program" "build/$program"
        fi
    done
}
