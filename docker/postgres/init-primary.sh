#!/bin/sh
# Start the primary; make its data first when the volume holds none.
# Environment: NODE_NAME, POSTGRES_PASSWORD, REPLICATION_PASSWORD, SHOP_PASSWORD.
#
# Passwords reach PostgreSQL through pipes and psql's \getenv, never through an argument, and the
# statements that set them run with logging off.  They are set once: later changes are ALTER ROLE's.
set -eu
# shellcheck source=node.sh
. /etc/reparto/node.sh

make_cluster() {
    say "making a new cluster, with checksums"
    printf '%s\n' "$POSTGRES_PASSWORD" |
        initdb -D "$new" --username=postgres --pwfile=/dev/stdin --data-checksums \
            --encoding=UTF8 --locale=C.UTF-8 --auth-local=peer --auth-host=scram-sha-256 \
            >/tmp/initdb.log 2>&1 ||
        { cat /tmp/initdb.log >&2; fail "initdb failed; is the volume's disk full or read-only?"; }
}

# The roles and the database are made through a socket of its own, so that neither a replica nor
# the health check takes the unfinished server for the real one.
make_roles() {
    sockets=$(mktemp -d)
    pg_ctl -D "$new" -s -w -l /tmp/bootstrap.log -o "-c config_file=/etc/reparto/postgresql.conf \
        -c hba_file=/etc/reparto/pg_hba.conf -c listen_addresses='' \
        -c unix_socket_directories=$sockets -c logging_collector=off \
        -c log_min_duration_statement=-1 -c log_min_error_statement=panic" start ||
        { cat /tmp/bootstrap.log >&2; fail "the new server does not start"; }
    psql -X -q -v ON_ERROR_STOP=1 -h "$sockets" -U postgres -d postgres <<'SQL' ||
\getenv replication_password REPLICATION_PASSWORD
\getenv shop_password SHOP_PASSWORD
CREATE ROLE replicator REPLICATION LOGIN PASSWORD :'replication_password';
CREATE ROLE shop LOGIN PASSWORD :'shop_password';
-- pg_stat_replication and others' sessions are part of what a load test reports.
GRANT pg_monitor TO shop;
CREATE DATABASE shop OWNER shop;
SQL
        { pg_ctl -D "$new" -s -m immediate stop; fail "cannot make the roles and the database"; }
    pg_ctl -D "$new" -s -w -m fast stop || fail "the new server does not stop"
    rm -rf "$sockets" /tmp/bootstrap.log
}

if has_data; then
    say "starting with the data of the volume"
else
    require_password POSTGRES_PASSWORD "${POSTGRES_PASSWORD:-}"
    require_password REPLICATION_PASSWORD "${REPLICATION_PASSWORD:-}"
    require_password SHOP_PASSWORD "${SHOP_PASSWORD:-}"
    make_cluster
    make_roles
    keep_new
    say "made database shop for user shop"
fi
exec_postgres
