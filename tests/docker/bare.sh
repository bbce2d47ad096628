#!/bin/sh
# bare.sh [--tree] COMMAND…: runs COMMAND, as root, in a fresh debian:bookworm-slim container that
# holds nothing but a clone of this repository's HEAD (with --tree: of the files as they are now,
# committed or not, without ignored ones).  COMMAND goes to `sh -c`, standard input is empty.
#
#   tests/docker/bare.sh ./check
#   tests/docker/bare.sh './demo </dev/null'
#
# Prints how long it took and leaves with COMMAND's exit status; 77 where no engine can be had.
# The container is removed at the end; an engine that was started for this is stopped again.
# BARE_NETWORK: the container's network (host).  BARE_OPTIONS: more options for `docker create`.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(git -C "$here" rev-parse --show-toplevel)
tree=false
if [ "${1:-}" = --tree ]; then
    tree=true
    shift
fi
if [ $# = 0 ]; then
    echo "usage: bare.sh [--tree] COMMAND…" >&2
    exit 2
fi

scratch=$(mktemp -d)
container=
ENGINE_STARTED=false

clean_up() {
    [ -z "$container" ] || "$DOCKER" rm -f -v "$container" >/dev/null || true
    rm -rf "$scratch"
    if $ENGINE_STARTED; then sh "$here/engine.sh" stop; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Not in `eval "$(…)"`: that would lose the exit status.
sh "$here/engine.sh" start >"$scratch/engine"
# shellcheck source=/dev/null
. "$scratch/engine"
sh "$here/engine.sh" base

git clone -q --no-hardlinks "$root" "$scratch/reparto"
# A clone's origin is a path of this machine; there it leads nowhere.
git -C "$scratch/reparto" remote remove origin
if $tree; then
    git -C "$scratch/reparto" rm -q -r .
    git -C "$root" ls-files -z --cached --others --exclude-standard |
        (cd "$root" && tar --null --ignore-failed-read -T - -c) | tar -C "$scratch/reparto" -x
elif [ -n "$(git -C "$root" status --porcelain)" ]; then
    echo "bare: the work tree has changes that HEAD has not; --tree takes them along" >&2
fi

# The host's network by default, so that apt reaches what this machine reaches.
# shellcheck disable=SC2086 # BARE_OPTIONS is a list of words
container=$("$DOCKER" create --network "${BARE_NETWORK:-host}" --workdir /root/reparto ${BARE_OPTIONS:-} \
    debian:bookworm-slim sh -c "$*")
tar -C "$scratch" --owner=0 --group=0 -c reparto | "$DOCKER" cp - "$container:/root"
echo "bare: $(git -C "$scratch/reparto" describe --always --dirty): $*" >&2

# Its status is the script's: the last command, and not under `||`.
run_and_tell() {
    begin=$(date +%s)
    status=0
    "$DOCKER" start -a "$container" || status=$?
    echo "bare: exit status $status after $(($(date +%s) - begin)) s" >&2
    return "$status"
}
run_and_tell
