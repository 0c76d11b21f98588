#!/bin/bash
# The part of the official image's contract that is used here: POSTGRES_PASSWORD(_FILE), POSTGRES_USER, POSTGRES_DB,
# POSTGRES_INITDB_ARGS, /docker-entrypoint-initdb.d, a server by socket alone while it is initialised.
set -euo pipefail
[ "${1:-postgres}" = postgres ] || [ "${1#-}" != "$1" ] || exec "$@"
[ "${1#-}" = "$1" ] || set -- postgres "$@"

if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    POSTGRES_PASSWORD="$(cat "$POSTGRES_PASSWORD_FILE")"
    unset POSTGRES_PASSWORD_FILE
    export POSTGRES_PASSWORD
fi
if [ "$(id -u)" = 0 ]; then
    install -d -o postgres -g postgres -m 0700 "$PGDATA"
    install -d -o postgres -g postgres -m 3777 /var/run/postgresql
    exec setpriv --reuid=postgres --regid=postgres --clear-groups bash "$0" "$@"
fi

user="${POSTGRES_USER:-postgres}"
database="${POSTGRES_DB:-$user}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    [ -n "${POSTGRES_PASSWORD:-}" ] || { echo "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE" >&2; exit 1; }
    eval "initdb --pgdata=\"$PGDATA\" --username=\"$user\" --pwfile=<(printf '%s\n' \"\$POSTGRES_PASSWORD\") \
        --auth-local=trust --auth-host=scram-sha-256 --no-instructions ${POSTGRES_INITDB_ARGS:-}"
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -c unix_socket_directories=/var/run/postgresql" -w start
    run=(psql -v ON_ERROR_STOP=1 --no-psqlrc -h /var/run/postgresql -U "$user" --quiet)
    [ "$database" = postgres ] || "${run[@]}" -d postgres -c "CREATE DATABASE \"$database\""
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sh) . "$file" ;;
            *.sql) "${run[@]}" -d "$database" -f "$file" ;;
        esac
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
    echo "PostgreSQL init process complete; ready for start up."
fi
shift
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
