-- calibrate_trades: how far the simulation is from what really happened, trade by trade, and in what.
-- Grain: one row for each signal in the range that was really traded and is closed, in the order of
--   time.
-- Reads: admitted_signals, over closed_signals in place of signals, and trade_outcomes.

with

-- A signal may have been sold in several parts; it is closed when all of them are.
actual as (
    select
        signal_id,
        count(*) as actual_outcomes,
        sum(realized_pnl_sol) as actual_pnl_sol,
        min(entry_timestamp) as entry_timestamp,
        max(exit_timestamp) as exit_timestamp,
        min(entry_price) as entry_price,
        min(exit_price) as exit_price
    from trade_outcomes
    group by signal_id
    having count(*) filter (where exit_timestamp is null or realized_pnl_sol is null) = 0
),

simulated as (
    select
        signal_id,
        signal_timestamp,
        token_address,
        source_wallet,
        score,
        count(*) filter (where is_traded) as simulated_sales,
        sum(net_pnl_sol) as simulated_pnl_sol,
        min(entry_timestamp) as entry_timestamp,
        min(entry_price) as entry_price,
        max(exit_timestamp) as exit_timestamp,
        min(exit_price) as exit_price,
        min(exit_price_exact) as exit_price_exact,
        min(exit_reason) as exit_reason,
        min(position_size_exact) as position_size_exact,
        sum(position_size_sol) as position_size_sol
    from admitted_signals
    group by signal_id, signal_timestamp, token_address, source_wallet, score
),

compared as (
    select
        simulated.signal_id,
        simulated.signal_timestamp as timestamp,
        simulated.token_address,
        simulated.source_wallet,
        simulated.score,
        actual.actual_outcomes,
        actual.entry_timestamp as actual_entry_timestamp,
        actual.exit_timestamp as actual_exit_timestamp,
        actual.actual_pnl_sol,
        simulated.simulated_sales,
        simulated.entry_timestamp as simulated_entry_timestamp,
        simulated.entry_price as simulated_entry_price,
        simulated.exit_timestamp as simulated_exit_timestamp,
        simulated.exit_reason,
        simulated.position_size_sol,
        coalesce(simulated.simulated_pnl_sol, 0) as simulated_pnl_sol,
        case when actual.actual_outcomes = 1 then actual.entry_price end as actual_entry_price,
        case when actual.actual_outcomes = 1 then actual.exit_price end as actual_exit_price,
        case when simulated.simulated_sales = 1 then simulated.exit_price end
            as simulated_exit_price,
        coalesce(simulated.simulated_pnl_sol, 0) - actual.actual_pnl_sol as error_sol,
        -- Null unless there is one trade on each side, with its prices.
        case
            when actual.actual_outcomes = 1 and simulated.simulated_sales = 1 then
                price_errors(
                    simulated.position_size_exact,
                    simulated.entry_price,
                    simulated.exit_price_exact,
                    actual.entry_price,
                    actual.exit_price
                )
        end as price_errors
    from simulated
    inner join actual on simulated.signal_id = actual.signal_id
),

split as (
    select
        *,
        case when simulated_sales = 0 then error_sol else 0 end as decision_error_sol,
        coalesce(price_errors['entry_error_sol'], 0) as entry_error_sol,
        coalesce(price_errors['exit_error_sol'], 0) as exit_error_sol,
        case
            when simulated_sales = 0 or price_errors['entry_error_sol'] is not null then 0
            else error_sol
        end as unexplained_error_sol
    from compared
)

select
    signal_id,
    timestamp,
    token_address,
    source_wallet,
    score,
    actual_outcomes,
    actual_entry_timestamp,
    actual_entry_price,
    actual_exit_timestamp,
    actual_exit_price,
    cast(actual_pnl_sol as numeric(20, 9)) as actual_pnl_sol,
    simulated_sales,
    simulated_entry_timestamp,
    simulated_entry_price,
    simulated_exit_timestamp,
    simulated_exit_price,
    exit_reason,
    position_size_sol,
    cast(simulated_pnl_sol as numeric(20, 9)) as simulated_pnl_sol,
    cast(error_sol as numeric(20, 9)) as error_sol,
    cast(decision_error_sol as numeric(20, 9)) as decision_error_sol,
    cast(entry_error_sol as numeric(20, 9)) as entry_error_sol,
    cast(exit_error_sol as numeric(20, 9)) as exit_error_sol,
    cast(
        error_sol - decision_error_sol - entry_error_sol - exit_error_sol - unexplained_error_sol
        as numeric(20, 9)
    ) as size_and_cost_error_sol,
    cast(unexplained_error_sol as numeric(20, 9)) as unexplained_error_sol
from split
order by timestamp, signal_id
