#!/usr/bin/env bash
# psql: what is typed at its prompt, and what its scripts rely on.
set -euo pipefail

# The output of commands, each given to psql in turn, must have these words.
says() {
    local expected=$1 output argument
    shift
    local arguments=()
    for argument in "$@"; do arguments+=(-c "$argument"); done
    output=$(psql -X -v ON_ERROR_STOP=1 "${arguments[@]}" 2>&1) || true
    compare "$expected" "$output" "$*"
}

# The same for what is typed at the prompt, where a command may stand behind a statement.
says_typed() {
    local output
    output=$(psql -X <<< "$2" 2>&1) || true
    compare "$1" "$output" "$2"
}

compare() {
    if ! grep -qE -- "$1" <<< "$2"; then
        echo "psql $3: expected $1, found: $2" >&2
        exit 1
    fi
}

says 'public \| signals' '\dt'
says 'score +\| numeric\(7,2\)' '\d signals'
says 'score when it was given' '\d+ signals'
says 'backtest' '\df backtest'
says 'max_drawdown' '\da max_drawdown'
says 'hindsight' '\l'
says 'public' '\dn'
says 'analyst' '\du'
says '^ *12.0000' "select stop_loss_percent from backtest(stop_loss_percent => 12)"
says_typed 'one +\| integer' 'select 1 as one \gdesc'
says '^a,b$' "\\copy (select 'a' as a, 'b' as b) to stdout with csv"
says 'QUERY PLAN' "explain select * from simulate_trades()"
says '42P01' '\set VERBOSITY sqlstate' 'select * from nope'
says 'LINE 1: select nope' 'select nope'
says '07:00:00-05' "set time zone 'America/New_York'" "select '2024-01-02 12:00:00+00'::timestamptz"
says '57014' '\set VERBOSITY sqlstate' "set statement_timeout = '200ms'" \
    'select count(*) from generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) where x + y < 0'
says 'ROLLBACK' 'begin' "insert into scenarios (name) values ('kept')" 'rollback'
says '^ +0$' "select count(*) from scenarios where name = 'kept'"
says 'NOTICE|completed' "call run_backtest(label => 'from psql')"
says 'permission|not allowed|needs the role' "call apply_settings((select max(id) from backtests), confirm => true)"
says "signals" '\set FETCH_COUNT 2' 'select table_name from information_schema.tables order by 1'
