# What the tests need beside the repository: sourced by tests/run, tests/install, tests/clients/run and
# tests/page/run.
#
# `missing` says in one go what of it is not there, and `install_missing` installs that where it can be
# done, which is as root with apt-get; elsewhere what cannot run is skipped, and counted.

# Where tests/install puts what comes from the registries.
cache=${HINDSIGHT_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/hindsight-clients}

# pgjdbc is the distribution's, or where PGJDBC says.
jar=${PGJDBC:-/usr/share/java/postgresql.jar}

has_program() { command -v "$1" > /dev/null; }
has_postgres() { has_program initdb || compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null; }
has_pgbouncer() { has_program pgbouncer || [ -x /usr/sbin/pgbouncer ]; }
has_python() { python3 -c 'import venv, ensurepip' 2> /dev/null; }
has_node() { has_program node && has_program npm; }
has_java() { has_program java && has_program javac; }
has_pgjdbc() { [ -e "$jar" ]; }
has_psql() { has_program psql; }
has_jq() { has_program jq; }
# The browser's program, under whichever name; CHROMIUM says another.
chromium() {
    local name
    for name in ${CHROMIUM:+"$CHROMIUM"} chromium chromium-browser google-chrome; do
        # A program, not the function that this is.
        type -P "$name" && return
    done
    return 1
}
has_chromium() { chromium > /dev/null; }

# The check, the packages of Debian that bring it, and what is skipped without it.
needs="
postgres|postgresql|tests of state and sources in PostgreSQL
pgbouncer|pgbouncer|tests of a transaction pooler
jq|jq|the pages of README that use it
psql|postgresql-client|psql
python|python3-venv|statistics held to numpy and scipy; psycopg, asyncpg, ADBC, DuckDB, SQLAlchemy, Superset
node|nodejs npm|node-pg, the page in a browser
chromium|chromium fonts-dejavu-core|the page in a browser
java|default-jdk-headless|pgjdbc
pgjdbc|libpostgresql-jdbc-java|pgjdbc
"

# The lines of `needs` whose check fails.
missing() {
    local check packages without
    while IFS='|' read -r check packages without; do
        [ -z "$check" ] || "has_$check" || printf '%s|%s|%s\n' "$check" "$packages" "$without"
    done <<< "$needs"
}

# Installs what is missing, or says how that is done and what is skipped until it is.
install_missing() {
    local lines packages
    lines=$(missing)
    [ -n "$lines" ] || return 0
    packages=$(cut -d'|' -f2 <<< "$lines" | tr '\n' ' ')
    packages=${packages% }
    if [ "$(id -u)" = 0 ] && has_program apt-get; then
        printf '\n== installing %s\n' "$packages" >&2
        # Programs are wanted, not servers that run from now on.
        mkdir -p /etc/postgresql-common
        [ -e /etc/postgresql-common/createcluster.conf ] ||
            echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf
        # shellcheck disable=SC2086
        apt-get update -q >&2 && DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q \
            --no-install-recommends -o Dpkg::Options::=--force-confold $packages >&2
        lines=$(missing)
        [ -n "$lines" ] || return 0
        packages=$(cut -d'|' -f2 <<< "$lines" | tr '\n' ' ')
        packages=${packages% }
    fi
    {
        printf '\n== missing, so that these are skipped:\n'
        while IFS='|' read -r check _ without; do
            printf '   %-10s %s\n' "$check" "$without"
        done <<< "$lines"
        printf '   sudo apt-get install %s\n' "$packages"
        printf '   installs them on Debian and Ubuntu; elsewhere the packages have similar names.\n'
    } >&2
}
