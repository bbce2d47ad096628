#!/bin/sh
# Start a streaming replica; copy the primary first when the volume holds no data.
# Environment: NODE_NAME (also its slot and application_name), PRIMARY_HOST, REPLICATION_PASSWORD.
#
# A replica whose volume was lost is rebuilt.  One whose data is of another cluster, or whose slot
# lost WAL, is never overwritten by itself: it says so and what to do.
set -eu
# shellcheck source=node.sh
. /etc/reparto/node.sh

passfile="$VOLUME_DIR/passfile"
primary="host=$PRIMARY_HOST port=5432 user=replicator passfile=$passfile connect_timeout=5"
rebuild="to copy it anew: docker-compose rm -sf $NODE_NAME, docker volume rm its volume, up"

# Written at each start, so a changed password is picked up.  ':' and '\' are libpq's separators.
write_passfile() {
    require_password REPLICATION_PASSWORD "${REPLICATION_PASSWORD:-}"
    umask 077
    {
        printf '*:*:*:replicator:'
        printf '%s\n' "$REPLICATION_PASSWORD" | sed 's/[\\:]/\\&/g'
    } >"$passfile.new"
    mv "$passfile.new" "$passfile"
}

# replication COMMAND: runs it on the primary's replication protocol, prints the row.
replication() {
    psql -X -A -t -q -F ' ' -d "$primary dbname=postgres replication=true" -c "$1"
}

primary_answers() {
    pg_isready -q -h "$PRIMARY_HOST" -p 5432 -t 3
}

wait_for_primary() {
    tries=0
    until primary_answers; do
        tries=$((tries + 1))
        [ "$tries" -lt 60 ] ||
            fail "no primary at $PRIMARY_HOST:5432 for a minute; see: docker-compose logs p"
        sleep 1
    done
}

# Prints "physical LSN", "physical" when its WAL was given up, or nothing when there is none.
slot_status() {
    replication "READ_REPLICATION_SLOT $NODE_NAME" | cut -d ' ' -f 1,2 | sed 's/ *$//'
}

# A slot of this name that stayed behind holds WAL that nobody will fetch.  It can still be active
# for a moment while the primary notices that the old replica's connection is gone.
make_slot() {
    tries=0
    while [ "$(slot_status)" != '' ]; do
        replication "DROP_REPLICATION_SLOT $NODE_NAME" 2>/tmp/slot.log && break
        tries=$((tries + 1))
        [ "$tries" -lt 90 ] || fail "cannot drop the old slot $NODE_NAME: $(cat /tmp/slot.log)"
        sleep 1
    done
    replication "CREATE_REPLICATION_SLOT $NODE_NAME PHYSICAL RESERVE_WAL" >/dev/null ||
        fail "cannot make slot $NODE_NAME on $PRIMARY_HOST"
}

# In the background and waited for, so that a stop is obeyed at once and not after the copy.
copy_primary() {
    pg_basebackup -d "$primary application_name=$NODE_NAME" -D "$new" -S "$NODE_NAME" -X stream \
        -R -c fast &
    copy=$!
    trap 'kill "$copy" 2>/dev/null || true; fail "stopped while copying the primary"' INT TERM
    wait "$copy" || fail "pg_basebackup from $PRIMARY_HOST failed (see the line above)"
    trap - INT TERM
    # The copy brings the primary's own log along; ours starts empty.
    rm -rf "$new/log"
}

system_id() {
    pg_controldata -D "$PGDATA" | sed -n 's/^Database system identifier: *//p'
}

# With the primary away there is nothing to compare with, and old data is better than none.
check_data() {
    [ -f "$PGDATA/standby.signal" ] || {
        say "was promoted before (no standby.signal): starts as a primary of its own; $rebuild"
        return
    }
    if ! primary_answers; then
        say "no primary at $PRIMARY_HOST:5432 yet: starting with the data of the volume"
        return
    fi
    theirs=$(replication IDENTIFY_SYSTEM | cut -d ' ' -f 1)
    [ -n "$theirs" ] || fail "cannot log in to $PRIMARY_HOST as replicator; is its password right?"
    [ "$theirs" = "$(system_id)" ] ||
        fail "its data is of cluster $(system_id), the primary is $theirs; not touched; $rebuild"
    case $(slot_status) in
    '')
        say "its slot was missing on $PRIMARY_HOST: made again"
        make_slot
        ;;
    physical)
        fail "it stayed away too long, $PRIMARY_HOST gave up the WAL it needs; $rebuild"
        ;;
    esac
    say "starting with the data of the volume"
}

write_passfile
if has_data; then
    check_data
else
    say "waiting for the primary $PRIMARY_HOST"
    wait_for_primary
    say "copying the primary"
    make_slot
    copy_primary
    keep_new
    say "copied; streaming from $PRIMARY_HOST by slot $NODE_NAME"
fi
exec_postgres
