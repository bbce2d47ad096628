# shellcheck shell=sh
# What init-primary.sh and init-replica.sh share.  Sourced, not run.
#
# A node's volume holds `pgdata`, the finished data directory, and while one is being made `new`.
# `new` gets its final name by one rename at the very end: a crash in the middle of initdb or
# pg_basebackup leaves no `pgdata`, and the next start throws `new` away and makes it again.
#
# Needs VOLUME_DIR, PGDATA and NODE_NAME from the environment.

new="$VOLUME_DIR/new"

say() {
    printf '%s: %s\n' "${NODE_NAME:?}" "$*"
}

fail() {
    printf '%s: FAILED: %s\n' "${NODE_NAME:?}" "$*" >&2
    exit 1
}

# require_password NAME VALUE: it goes into files and SQL that are read line by line.
require_password() {
    [ -n "$2" ] || fail "$1 is empty; set it in docker/postgres/.env (see .env.example)"
    case $2 in
    *'
'*) fail "$1 holds a line break; choose another in docker/postgres/.env" ;;
    esac
}

# Is there a data directory to start from?  Stops on one that cannot be ours, and clears what a
# crash has left half made.
has_data() {
    if [ -e "$new" ]; then
        say "removing a data directory that was left half made"
        rm -rf "$new" || fail "cannot remove $new"
    fi
    [ -e "$PGDATA" ] || return 1
    [ -f "$PGDATA/PG_VERSION" ] ||
        fail "$PGDATA has no PG_VERSION: not a data directory, or damaged; nothing was touched"
    version=$(cat "$PGDATA/PG_VERSION")
    [ "$version" = 15 ] ||
        fail "the data is of PostgreSQL $version, this image is 15; dump it there, load it here"
}

# The data directory is whole: give it its name, durably.
keep_new() {
    if ! { sync "$new" && mv "$new" "$PGDATA" && sync "$VOLUME_DIR"; }; then
        fail "cannot rename $new to $PGDATA"
    fi
}

# Become PostgreSQL: same PID, so signals and the exit status are the server's own.  The passwords
# have done their work and must not live on in the server's environment.
exec_postgres() {
    unset POSTGRES_PASSWORD REPLICATION_PASSWORD SHOP_PASSWORD
    exec postgres -D "$PGDATA" -c config_file=/etc/reparto/postgresql.conf \
        -c hba_file=/etc/reparto/pg_hba.conf -c "cluster_name=$NODE_NAME"
}
