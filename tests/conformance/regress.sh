#!/bin/sh
# regress.sh: PostgreSQL's own regression suite, directly and through the router, and what differs between the two.
#
# usage: tests/conformance/regress.sh [--mode session|transaction] [--target reparto|direct|pgbouncer] [--keep DIR] [TEST...]
#
# The suite is in PostgreSQL's source package; it is fetched with apt-get source into build/regress, which is not
# under version control, and used in place. $REGRESS_SOURCE names an unpacked source tree to be used instead.
# TEST: only these, after test_setup and create_index, which others build on. Exit 0: no result differs.
set -eu
cd "$(dirname "$0")/../.."
. ./tools/setup.sh

place="$PWD/build/regress"
packages="postgresql-15 postgresql-client-15 openssl gcc dpkg-dev"

# As apt-get, with source packages and with lists of its own: the machine's configuration stays as it is.
private_apt() {
    apt-get -o "Dir::Etc::sourcelist=$place/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o "Dir::State::lists=$place/apt/lists" -o "Dir::Cache=$place/apt/cache" -o APT::Sandbox::User=root "$@"
}

prepare_apt() {
    mkdir -p "$place/apt/lists/partial" "$place/apt/cache/archives/partial"
    release=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
    for kind in deb deb-src; do
        echo "$kind http://deb.debian.org/debian $release main"
        echo "$kind http://deb.debian.org/debian-security $release-security main"
    done >"$place/apt/sources.list"
    private_apt update >"$place/apt/log" 2>&1 || say "  (apt-get update had trouble: $place/apt/log)"
}

# fetch PACKAGE WORD...: apt-get WORD... PACKAGE, of the release that is installed, which the headers must fit; else the newest.
fetch() {
    package=$1
    shift
    installed=$(dpkg-query -W -f '${Version}' postgresql-15)
    (cd "$place" && { private_apt "$@" "$package=$installed" || private_apt "$@" "$package"; }) >>"$place/apt/log" 2>&1 ||
        die "apt-get $* $package failed" "see $place/apt/log, or set REGRESS_SOURCE to a source tree"
}

fetch_source() {
    say "fetching the source of PostgreSQL into $place"
    fetch postgresql-15 source --download-only
    mkdir -p "$place/source"
    for archive in "$place"/postgresql-15_*.orig.tar.*; do
        tar -xf "$archive" -C "$place/source" --strip-components 1
    done
}

# The C functions that the suite calls; the server's headers are unpacked here, not installed.
build_library() {
    headers=/usr/include/postgresql/15/server
    if [ ! -d $headers ]; then
        prepare_apt
        fetch postgresql-server-dev-15 download
        dpkg -x "$place"/postgresql-server-dev-15_*.deb "$place/headers"
        headers="$place/headers$headers"
    fi
    mkdir -p "$place/library"
    gcc -shared -fPIC -O1 -Wall -Wno-error -I "$headers" -I /usr/include/postgresql \
        -o "$place/library/regress.so" "$source/src/test/regress/regress.c"
}

# shellcheck disable=SC2086  # a list of words
need_packages $packages
mkdir -p "$place"
source=${REGRESS_SOURCE:-$place/source}
[ -d "$source/src/test/regress" ] || { prepare_apt && fetch_source; }
[ -f "$place/library/regress.so" ] || build_library
exec python3 tests/conformance/regress.py --source "$source/src/test/regress" --library "$place/library" "$@"
