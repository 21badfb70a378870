"""psycopg 3: parameters, binary results, cursors, COPY, transactions, cancelling."""

import threading
from datetime import datetime, timezone
from decimal import Decimal

import psycopg

SLOW = ("select count(*) from generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) "
        "where x + y < 0")
MOMENT = datetime(2024, 2, 29, 23, 59, 59, 123456, timezone.utc)


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


with psycopg.connect() as connection:
    for binary in (False, True):
        cursor = connection.cursor(binary=binary)
        row = cursor.execute(
            "select %s::text, %s::int, %s::bigint, %s::numeric, %s::float8, %s::bool, %s::timestamptz, %s::int",
            ("x", 1, 2**40, Decimal("1.50"), 0.1, True, MOMENT, None),
        ).fetchone()
        equal(row, ("x", 1, 2**40, Decimal("1.50"), 0.1, True, MOMENT, None))
        equal(str(row[3]), "1.50")
        rows = cursor.execute(
            "select id, timestamp, score from signals where score > %s and id = any(%s) order by id limit %s",
            (Decimal("0.5"), [row[0] for row in connection.execute("select id from signals")], 3),
        ).fetchall()
        equal(len(rows), 3)
        equal([type(value).__name__ for value in rows[0]], ["str", "datetime", "Decimal"])
        stop = cursor.execute("select stop_loss_percent from backtest(stop_loss_percent => %s)", (12,))
        equal(str(stop.fetchone()[0]), "12.0000")

    with connection.cursor("named") as cursor:
        cursor.itersize = 2
        cursor.execute("select id from signals where score > %s order by id", (0,))
        equal(sum(1 for _ in cursor), connection.execute("select count(*) from signals where score > 0").fetchone()[0])

    with connection.cursor().copy("copy (select 1::int4, 'x') to stdout (format binary)") as copy:
        copy.set_types(["int4", "text"])
        equal(list(copy.rows()), [(1, "x")])

    connection.execute("insert into scenarios (name) values ('undone')")
    connection.rollback()
    equal(connection.execute("select count(*) from scenarios").fetchone(), (0,))
    with connection.transaction():
        try:
            with connection.transaction():
                connection.execute("select 1 / 0")
        except psycopg.errors.DivisionByZero:
            pass
        equal(connection.execute("select 5").fetchone(), (5,))

with psycopg.connect(autocommit=True) as connection:
    notices = []
    connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
    connection.execute("call run_backtest(label => 'from psycopg')")
    assert notices, "run_backtest reports nothing"

    threading.Timer(0.5, connection.cancel).start()
    try:
        connection.execute(SLOW)
        raise AssertionError("not cancelled")
    except psycopg.errors.QueryCanceled:
        pass
    with connection.pipeline():
        results = [connection.execute("select %s::int + 1", (number,)) for number in range(20)]
    equal([result.fetchone()[0] for result in results], list(range(1, 21)))
