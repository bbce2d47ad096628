#!/bin/sh
# healthcheck.sh primary|replica: exit 0 when this node does its job; else 1 and why.
#
# TCP answers, and the node is in its role; a replica also streams.  The query does not go into the
# log that pgBadger reads.
set -eu
PGAPPNAME=healthcheck
PGOPTIONS='-c log_min_duration_statement=-1 -c log_connections=off -c log_disconnections=off'
export PGAPPNAME PGOPTIONS

ask() {
    psql -X -A -t -q -d postgres -c "$1"
}

pg_isready -q -h 127.0.0.1 -p 5432 || {
    echo "not accepting connections on port 5432"
    exit 1
}
case $1 in
primary)
    [ "$(ask 'SELECT pg_is_in_recovery()')" = f ] || {
        echo "is not a primary: in recovery"
        exit 1
    }
    ;;
replica)
    [ "$(ask 'SELECT pg_is_in_recovery()')" = t ] || {
        echo "is not a replica: it was promoted"
        exit 1
    }
    [ "$(ask 'SELECT status FROM pg_stat_wal_receiver')" = streaming ] || {
        echo "is not streaming from the primary"
        exit 1
    }
    ;;
*)
    echo "usage: healthcheck.sh primary|replica"
    exit 2
    ;;
esac
