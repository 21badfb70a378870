"""asyncpg: binary everywhere, prepared statements, cursors, pools, notifications."""

import asyncio
from decimal import Decimal

import asyncpg


def equal(found, expected):
    assert found == expected, f"found {found!r}, expected {expected!r}"


async def main():
    connection = await asyncpg.connect()
    prepared = await connection.prepare(
        "select id, score from signals where score > $1 and timestamp > $2 and id = any($3) order by id"
    )
    equal([kind.name for kind in prepared.get_parameters()], ["numeric", "timestamptz", "text[]"])
    equal([column.type.name for column in prepared.get_attributes()], ["text", "numeric"])
    row = await connection.fetchrow("select array[1,null,3], array['a',null,'c,d'], array[[1,2],[3,4]], row(1, 'a'::text)")
    equal((row[0], row[1], row[2], tuple(row[3])), ([1, None, 3], ["a", None, "c,d"], [[1, 2], [3, 4]], (1, "a")))
    exits = await connection.fetch(
        "select stop_loss_percent, total_signals from backtest(stop_loss_percent => [8, $1])", Decimal("12.5"))
    equal([str(row[0]) for row in exits], ["8.0000", "12.5000"])
    async with connection.transaction():
        seen = 0
        async for _ in connection.cursor("select * from signals", prefetch=2):
            seen += 1
        equal(seen, await connection.fetchval("select count(*) from signals"))
    try:
        await connection.fetch("select * from nope")
        raise AssertionError("no error")
    except asyncpg.UndefinedTableError:
        pass
    try:
        await connection.fetch("select * from backtest(stop_loss_percent => 99)")
        raise AssertionError("no error")
    except asyncpg.InvalidParameterValueError:
        pass
    heard = asyncio.Queue()
    await connection.add_listener("news", lambda *said: heard.put_nowait(said[3]))
    await connection.execute("notify news, 'hi'")
    equal(await asyncio.wait_for(heard.get(), 3), "hi")
    await connection.remove_listener("news", lambda *said: None)
    await connection.reset()
    await connection.close()
    async with asyncpg.create_pool(min_size=5, max_size=5) as pool:
        numbers = await asyncio.gather(*[pool.fetchval("select $1::int", number) for number in range(50)])
        equal(sum(numbers), 1225)


asyncio.run(main())
