-- actual_trades: what really happened on the signals in the range.
-- Grain: one row for each combination of parameters and closed trade outcome; one signal has
--   several where it was closed in parts. Outcomes not closed yet are left out.
-- Reads: scored_signals, trade_outcomes.

with

signals_in_range as (
    select combination, signal_id from scored_signals
),

closed_outcomes as (
    select signal_id, entry_timestamp, exit_timestamp, realized_pnl_sol
    from trade_outcomes
    where exit_timestamp is not null
        and realized_pnl_sol is not null
)

select
    signals_in_range.combination,
    signals_in_range.signal_id,
    closed_outcomes.entry_timestamp,
    closed_outcomes.exit_timestamp,
    closed_outcomes.realized_pnl_sol
from signals_in_range
inner join closed_outcomes on signals_in_range.signal_id = closed_outcomes.signal_id
