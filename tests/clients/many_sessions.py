"""Two hundred sessions at once, of which one sweeps and the others do what dashboards and people do:
no error, and the server's memory is afterwards what it was. Its process id is the argument; it goes on
for HINDSIGHT_LOAD_SECONDS, 5 without it."""

import asyncio
import os
import random
import sys
import time

import asyncpg

SESSIONS = 200
SECONDS = float(os.environ.get("HINDSIGHT_LOAD_SECONDS", "5"))
PID = int(sys.argv[1])
SWEEP = (
    "select count(*) from backtest(stop_loss_percent => range(1, 50, 1), "
    "take_profit_percent => range(5, 105, 5), score_threshold => range(0, 10, 1))"
)
QUERIES = [
    ("select count(*), max(score) from signals", ()),
    ("select id, timestamp, score from signals where score > $1 order by score desc limit $2", (50, 20)),
    ("select token_address, count(*), avg(price) from token_prices group by 1", ()),
    ("select * from backtest(stop_loss_percent => $1)", (12,)),
    ("select exit_reason, count(*), sum(net_pnl_sol) from simulate_trades() group by 1", ()),
    ("select change, count(*) from compare_trades() group by 1", ()),
    ("select column_name, data_type from information_schema.columns where table_name = $1", ("signals",)),
    ("select c.relname, obj_description(c.oid) from pg_class c where c.relkind = 'r'", ()),
    ("select timestamp, price from token_prices order by timestamp limit 2000", ()),
]


def resident_megabytes():
    with open(f"/proc/{PID}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


# A login costs a client more than the server, and all of these clients are one.
logins = asyncio.Semaphore(10)


async def connect():
    async with logins:
        return await asyncpg.connect(statement_cache_size=20, timeout=60)


async def session(number, connected, seconds, done):
    connection = await connect()
    # The clock starts when all have logged in.
    await connected.wait()
    end = time.monotonic() + seconds
    chance = random.Random(number)
    try:
        while time.monotonic() < end:
            sql, arguments = (SWEEP, ()) if number == 0 else chance.choice(QUERIES)
            if number % 10 == 1:
                async with connection.transaction():
                    async for _ in connection.cursor(sql, *arguments):
                        pass
            else:
                await connection.fetch(sql, *arguments)
            done[number] += 1
            if number % 10 == 2 and done[number] % 10 == 0:
                await connection.close()
                connection = await connect()
            elif number % 10 == 3:
                await connection.execute("create temp table t as select * from signals; drop table t")
    finally:
        await connection.close()


async def round_of(seconds):
    done = [0] * SESSIONS
    connected = asyncio.Barrier(SESSIONS)
    await asyncio.gather(*(session(number, connected, seconds, done) for number in range(SESSIONS)))
    return done


async def main():
    # What is kept for good, such as threads and caches, is there after a first round.
    await round_of(min(SECONDS, 10))
    await asyncio.sleep(3)
    before = resident_megabytes()
    most = before
    load = asyncio.create_task(round_of(SECONDS))
    while not load.done():
        most = max(most, resident_megabytes())
        await asyncio.sleep(0.1)
    done = load.result()
    # The allocator keeps some pages for what little is left on each.
    allowed = before + 64
    for _ in range(50):
        await asyncio.sleep(0.1)
        after = resident_megabytes()
        if after <= allowed:
            break
    print(
        f"   {SESSIONS} sessions, {SECONDS:.0f} s: {sum(done)} statements and {done[0]} sweeps, no error; "
        f"{before:.0f} MB before, at most {most:.0f}, {after:.0f} after"
    )
    assert all(done), f"sessions without an answer: {[n for n, count in enumerate(done) if not count]}"
    assert after <= allowed, f"{after:.0f} MB are held, {before:.0f} were before"
    connection = await connect()
    for _ in range(50):
        left = await connection.fetch(
            "select query from pg_stat_activity "
            "where client_addr is not null and pid <> pg_backend_pid()"
        )
        if not left:
            break
        await asyncio.sleep(0.1)
    assert not left, f"sessions are left: {left}"
    await connection.close()


asyncio.run(main())
