#!/bin/sh
# engine.sh start | stop | base
#
#   start  make a Docker engine reachable: the one that answers already, or a dockerd of our own
#          (root, Debian's docker.io).  Prints DOCKER=…, DOCKER_HOST=… and
#          ENGINE_STARTED=true|false (whether `stop` is due) for `eval`, on stdout.
#          Exit 77 and the reason on stderr where that cannot be.
#   stop   end the dockerd that `start` started, by its pid, and take back what it changed on the
#          machine: bridge, packet filter, forwarding.  Does nothing to an engine that was there.
#   base   make sure that there is an image debian:bookworm-slim: present, pulled, or made by
#          debootstrap as a stand-in.  Exit 77 where that cannot be.
#
# Images and the stand-in stay under REPARTO_ENGINE_DIR (/var/tmp/reparto-engine) for the next run.
# REPARTO_DEBIAN_MIRROR: where debootstrap takes Debian from (default: its own default).
set -eu

directory=${REPARTO_ENGINE_DIR:-/var/tmp/reparto-engine}
socket="$directory/docker.sock"
pidfile="$directory/dockerd.pid"
base_image=debian:bookworm-slim

skip() {
    echo "skipped: $*" >&2
    exit 77
}

# The first client that talks to an engine.  A client may be in PATH without one behind it.
find_client() {
    for client in ${DOCKER:-} docker /usr/bin/docker; do
        command -v "$client" >/dev/null || continue
        timeout 10 "$client" version --format '{{.Server.Version}}' >/dev/null 2>&1 || continue
        command -v "$client"
        return
    done
    return 1
}

print_environment() {
    echo "DOCKER=$1"
    echo "ENGINE_STARTED=${2:-false}"
    echo "DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}"
    echo "export DOCKER DOCKER_HOST ENGINE_STARTED"
}

# What dockerd changes and leaves behind when it ends.
note_machine() {
    cat /proc/sys/net/ipv4/ip_forward >"$directory/ip_forward"
    rm -f "$directory/had_bridge" "$directory/forward_policy"
    [ ! -e /sys/class/net/docker0 ] || : >"$directory/had_bridge"
    command -v iptables >/dev/null || return 0
    iptables -S DOCKER >/dev/null 2>&1 ||
        iptables -S FORWARD 2>/dev/null | sed -n 's/^-P FORWARD //p' >"$directory/forward_policy"
}

restore_machine() {
    if ! cmp -s "$directory/ip_forward" /proc/sys/net/ipv4/ip_forward; then
        cat "$directory/ip_forward" >/proc/sys/net/ipv4/ip_forward
    fi
    [ -e "$directory/had_bridge" ] || ip link delete docker0 2>/dev/null || true
    policy=$(cat "$directory/forward_policy" 2>/dev/null || true)
    [ -n "$policy" ] || return 0
    iptables-save | sed -e '/DOCKER/d' -e '/docker0/d' -e '/ 172\.17\.0\.0\/16 /d' \
        -e "s/^:FORWARD [A-Z]*/:FORWARD $policy/" | iptables-restore
}

# Ours only if the pid's own command line says so: pids are used again.
our_pid() {
    pid=$(cat "$pidfile" 2>/dev/null) || return 1
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "$pidfile" || return 1
    echo "$pid"
}

start_daemon() {
    mkdir -p "$directory"
    chmod 0700 "$directory"
    rm -f "$pidfile"
    setsid dockerd --data-root "$directory/data" --exec-root "$directory/exec" \
        --pidfile "$pidfile" --host "unix://$socket" "$@" \
        >"$directory/dockerd.log" 2>&1 </dev/null &
    started=$!
    tries=0
    while [ "$tries" -lt 60 ] && kill -0 "$started" 2>/dev/null; do
        DOCKER_HOST="unix://$socket" find_client >/dev/null && return 0
        tries=$((tries + 1))
        sleep 0.5
    done
    kill "$started" 2>/dev/null || true
    wait "$started" 2>/dev/null || true
    return 1
}

start() {
    if client=$(find_client); then
        print_environment "$client"
        return
    fi
    if our_pid >/dev/null; then
        DOCKER_HOST="unix://$socket"
        export DOCKER_HOST
        client=$(find_client) || skip "our dockerd runs but does not answer; see $directory/dockerd.log"
        print_environment "$client"
        return
    fi
    command -v dockerd >/dev/null || skip "no Docker engine answers and there is no dockerd (apt install docker.io)"
    [ "$(id -u)" = 0 ] || skip "no Docker engine answers and only root can start dockerd"
    mkdir -p "$directory"
    note_machine
    start_daemon || start_daemon --iptables=false --ip6tables=false ||
        start_daemon --iptables=false --ip6tables=false --storage-driver=vfs || {
        restore_machine
        skip "dockerd does not start: $(tail -n 1 "$directory/dockerd.log")"
    }
    DOCKER_HOST="unix://$socket"
    export DOCKER_HOST
    print_environment "$(find_client)" true
}

stop() {
    pid=$(our_pid) || return 0
    kill "$pid"
    tries=0
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -ge 300 ]; then
            echo "engine.sh: dockerd ($pid) does not end; see $directory/dockerd.log" >&2
            exit 1
        fi
        sleep 0.1
    done
    # dockerd leaves the mount of the host's network namespace behind.
    umount "$directory/exec/netns/default" 2>/dev/null || true
    restore_machine
}

# Like the real image: minbase without manuals, and Debian's three suites.
make_stand_in() {
    root="$directory/rootfs"
    rm -rf "$root"
    # Without a mirror named, debootstrap takes its own default and writes it down.
    # shellcheck disable=SC2086 # no word at all when unset
    debootstrap --variant=minbase bookworm "$root" ${REPARTO_DEBIAN_MIRROR:-} \
        >"$directory/debootstrap.log" 2>&1 ||
        skip "debootstrap failed: $(tail -n 1 "$directory/debootstrap.log")"
    mirror=$(sed -n 's/^deb \([^ ]*\) bookworm .*/\1/p' "$root/etc/apt/sources.list")
    cat >"$root/etc/dpkg/dpkg.cfg.d/docker" <<'CONFIG'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/man/*
path-exclude /usr/share/locale/*
CONFIG
    rm -f "$root/etc/apt/sources.list"
    cat >"$root/etc/apt/sources.list.d/debian.sources" <<CONFIG
Types: deb
URIs: $mirror
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: $mirror-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
CONFIG
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/var/cache/apt/*.bin \
        "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*.log \
        "$root"/etc/resolv.conf "$root"/etc/hostname
    tar -C "$root" --numeric-owner -cf "$directory/base.tar.new" .
    mv "$directory/base.tar.new" "$directory/base.tar"
    rm -rf "$root"
}

base() {
    client=$(find_client) || skip "no Docker engine answers"
    "$client" image inspect "$base_image" >/dev/null 2>&1 && return
    if [ ! -f "$directory/base.tar" ]; then
        timeout 120 "$client" pull -q "$base_image" >/dev/null 2>&1 && return
        command -v debootstrap >/dev/null ||
            skip "$base_image cannot be pulled and there is no debootstrap to make a stand-in"
        [ "$(id -u)" = 0 ] || skip "$base_image cannot be pulled and only root can run debootstrap"
        mkdir -p "$directory"
        make_stand_in
    fi
    "$client" import --change 'CMD ["bash"]' --message "stand-in by debootstrap" \
        "$directory/base.tar" "$base_image" >/dev/null
}

case ${1:-} in
start | stop | base) "$1" ;;
*)
    echo "usage: engine.sh start | stop | base" >&2
    exit 2
    ;;
esac
