-- When whoever runs a backtest last said that it does, in microseconds since 1970 UTC by the clock of
-- the database: a lock would be lost where a pooler gives the connection to somebody else.

alter table hindsight.backtest_results add column heartbeat_at bigint;
