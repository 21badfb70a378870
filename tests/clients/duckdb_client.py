"""DuckDB, which attaches the server as a database: several catalog queries in one message, binary COPY, and
what it reads is loaded again as the same history."""

import os
from decimal import Decimal
from pathlib import Path

import duckdb
import duckdb_extension_postgres_scanner as extension

(path,) = Path(extension.__file__).parent.rglob("*.duckdb_extension")
connection = duckdb.connect()
connection.execute(f"load '{path}'; set timezone = 'UTC'")
server = "host={PGHOST} port={PGPORT} user={PGUSER} password={PGPASSWORD} dbname={PGDATABASE}".format(**os.environ)
connection.execute(f"attach '{server}' as h (type postgres, read_only)")


def rows(sql):
    return connection.execute(sql).fetchall()


assert rows("select count(*) from h.public.signals") == [(60,)]
columns = {name: kind for name, kind, *_ in rows("describe h.public.token_prices")}
assert columns["timestamp"] == "TIMESTAMP WITH TIME ZONE" and columns["price"] == "DECIMAL(38,18)", columns
# What is computed here is what is computed there, to the last digit.
for sql in [
    "select count(*)::bigint as n, sum(price)::numeric(38,18) as total from {}token_prices",
    "select sum(score)::numeric(20,2) as score, count(source_wallet)::bigint as n from {}signals",
    "select count(*)::bigint as n, sum(realized_pnl_sol)::numeric(30,9) as pnl from {}trade_outcomes",
]:
    here = rows(sql.format("h.public."))
    there = rows("select * from postgres_query('h', '{}')".format(sql.format("")))
    assert here == there and any(isinstance(cell, Decimal) for cell in here[0]), (sql, here, there)
assert rows("select count(*) from h.public.signals where score > 70") == rows(
    "select * from postgres_query('h', 'select count(*) from signals where score > 70')"
)
joined = "from h.public.signals s join h.public.token_prices p using (token_address) where s.id = p.token_address"
assert rows(f"select count(*) {joined}") == [(0,)]
assert len(rows("from postgres_query('h', 'select simulated_total_pnl_sol from backtest()')")) == 1
assert "backtests" in {name for (name,) in rows("select table_name from duckdb_tables() where database_name = 'h'")}
# It may write, and is told that there is nothing to be written to.
connection.execute(f"attach '{server}' as w (type postgres)")
for sql, expected in [
    ("create table w.public.mine (a int)", "CREATE TABLE is not allowed"),
    ("insert into w.public.signals from w.public.signals limit 1", "is not allowed"),
]:
    try:
        connection.execute(sql)
    except duckdb.Error as error:
        assert expected in str(error), error
    else:
        raise AssertionError(sql)
assert rows("select count(*) from w.public.signals") == [(60,)]
