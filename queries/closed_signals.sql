-- closed_signals: the signals that were really traded and are closed. Calibration simulates these alone,
--   so that portfolio limits refuse none for the sake of one that was not traded.
-- Grain: one row for each such signal, as in signals.
-- Reads: signals, trade_outcomes.

with

-- A signal may have been sold in several parts; it is closed when all of them are.
closed as (
    select signal_id
    from trade_outcomes
    group by signal_id
    having count(*) filter (where exit_timestamp is null or realized_pnl_sol is null) = 0
)

select signals.*
from signals
inner join closed on signals.id = closed.signal_id
