-- compare_trades: trade by trade, what would have changed, in a sentence.
-- Grain: one row for each signal in the range; outcome changes first, then PnL changes, then the
--   rest, each by time.
-- Reads: compared_signals.

with

named as (
    select
        *,
        case
            when outcome_changed and simulated_traded then 'new_trade'
            when outcome_changed then 'skipped'
            when pnl_changed then 'pnl_changed'
            else 'unchanged'
        end as change,
        simulated_pnl_sol - actual_pnl_sol as difference_sol
    from compared_signals
),

worded as (
    select
        *,
        cast(round_half_even(abs(actual_pnl_sol), 4) as varchar) as actual_text,
        cast(round_half_even(abs(simulated_pnl_sol), 4) as varchar) as simulated_text,
        cast(round_half_even(abs(difference_sol), 4) as varchar) as difference_text
    from named
)

select
    signal_id,
    signal_timestamp as timestamp,
    token_address,
    source_wallet,
    score,
    actual_traded,
    actual_pnl_sol,
    simulated_traded,
    simulated_pnl_sol,
    outcome_changed,
    pnl_changed,
    change,
    case
        when change = 'new_trade' and simulated_pnl_sol > 0
            then 'New trade: would have gained ' || simulated_text || ' SOL'
        when change = 'new_trade'
            then 'New trade: would have lost ' || simulated_text || ' SOL'
        when change = 'skipped' and actual_pnl_sol is null
            then 'Skipped: the actual trade is not closed yet'
        when change = 'skipped' and actual_pnl_sol > 0
            then 'Skipped: would have missed a gain of ' || actual_text || ' SOL'
        when change = 'skipped'
            then 'Skipped: would have avoided a loss of ' || actual_text || ' SOL'
        when change = 'pnl_changed' and actual_pnl_sol is null and simulated_pnl_sol > 0
            then 'Would have gained ' || simulated_text
                || ' SOL; the actual trade is not closed yet'
        when change = 'pnl_changed' and actual_pnl_sol is null
            then 'Would have lost ' || simulated_text
                || ' SOL; the actual trade is not closed yet'
        when change = 'pnl_changed' and difference_sol > 0
            then 'Would have earned ' || difference_text || ' SOL more'
        when change = 'pnl_changed'
            then 'Would have earned ' || difference_text || ' SOL less'
        else 'No change'
    end as change_description,
    skip_reason
from worded
order by
    case
        when outcome_changed then 0
        when pnl_changed then 1
        else 2
    end,
    signal_timestamp,
    signal_id
