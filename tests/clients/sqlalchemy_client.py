"""SQLAlchemy: what it asks when it connects, reflection, and queries that it writes itself."""

from decimal import Decimal

import sqlalchemy as sa

engine = sa.create_engine("postgresql+psycopg://")
inspector = sa.inspect(engine)
assert {"signals", "token_prices", "scenarios", "backtests"} <= set(inspector.get_table_names())
columns = {column["name"]: column for column in inspector.get_columns("signals")}
assert str(columns["score"]["type"]) == "NUMERIC(7, 2)", columns["score"]
assert columns["timestamp"]["type"].timezone
assert columns["score"]["comment"], "no comment on the column score"
assert inspector.get_table_comment("signals")["text"], "no comment on the table signals"
assert inspector.get_pk_constraint("signals")["constrained_columns"] == ["id"]
assert inspector.has_table("signals") and not inspector.has_table("nope")

signals = sa.Table("signals", sa.MetaData(), autoload_with=engine)
with engine.connect() as connection:
    best = (
        sa.select(signals.c.token_address, sa.func.count().label("n"), sa.func.max(signals.c.score))
        .where(signals.c.score.between(0, 100), signals.c.id.like("%"))
        .group_by(signals.c.token_address)
        .order_by(sa.desc("n"), signals.c.token_address)
        .limit(3)
    )
    rows = connection.execute(best).fetchall()
    assert rows and all(isinstance(row[2], Decimal) for row in rows), rows
    grid = sa.text(
        "select stop_loss_percent, simulated_total_pnl_sol "
        "from backtest(stop_loss_percent => :stops, score_threshold => :threshold) order by 1"
    )
    found = connection.execute(grid, {"stops": 10, "threshold": 50}).fetchall()
    assert [str(row[0]) for row in found] == ["10.0000"], found
    assert connection.execution_options(stream_results=True, yield_per=2).execute(sa.select(signals)).first()

metadata = sa.MetaData()
metadata.reflect(engine)
assert "signals" in metadata.tables
