-- admitted_signals: simulated_signals under portfolio limits, with why a signal is not traded.
-- Grain: one row for each combination of parameters, signal and sale; one row where there is no sale,
--   with nulls in the columns of the sale.
-- Reads: run_parameters, simulated_signals.

with

asked as (
    select
        simulated_signals.*,
        skip_reason(
            simulated_signals.signal_id,
            simulated_signals.token_address,
            simulated_signals.entry_timestamp,
            simulated_signals.exit_timestamp,
            simulated_signals.position_size_exact,
            simulated_signals.share_percent,
            simulated_signals.net_pnl_sol,
            run_parameters.max_open_positions,
            run_parameters.max_positions_per_token,
            run_parameters.token_cooldown_minutes,
            run_parameters.max_trades_per_day,
            run_parameters.max_daily_loss_sol,
            run_parameters.starting_balance_sol
        ) over (partition by simulated_signals.combination) as limited_by
    from simulated_signals
    inner join run_parameters on simulated_signals.combination = run_parameters.combination
)

select
    combination,
    signal_id,
    signal_timestamp,
    token_address,
    source_wallet,
    score,
    is_selected,
    is_traded and limited_by is null as is_traded,
    case
        when not is_selected then 'below_threshold'
        when not is_traded then 'untradable'
        else limited_by
    end as skip_reason,
    limited_by is not null as is_limited,
    case when limited_by is null then part end as part,
    case when limited_by is null then share_percent end as share_percent,
    case when limited_by is null then position_size_exact end as position_size_exact,
    case when limited_by is null then entry_timestamp end as entry_timestamp,
    case when limited_by is null then entry_price end as entry_price,
    case when limited_by is null then exit_timestamp end as exit_timestamp,
    case when limited_by is null then exit_price end as exit_price,
    case when limited_by is null then exit_price_exact end as exit_price_exact,
    case when limited_by is null then exit_reason end as exit_reason,
    case when limited_by is null then lowest_price end as lowest_price,
    case when limited_by is null then highest_price end as highest_price,
    case when limited_by is null then position_size_sol end as position_size_sol,
    case when limited_by is null then gross_pnl_sol end as gross_pnl_sol,
    case when limited_by is null then slippage_cost_sol end as slippage_cost_sol,
    case when limited_by is null then gas_cost_sol end as gas_cost_sol,
    case when limited_by is null then fees_sol end as fees_sol,
    case when limited_by is null then impact_cost_sol end as impact_cost_sol,
    case when limited_by is null then net_pnl_sol end as net_pnl_sol,
    case when limited_by is null then pnl_percent end as pnl_percent,
    case when limited_by is null then is_win end as is_win,
    case when limited_by is null then conservative_net_pnl_sol end as conservative_net_pnl_sol
from asked
-- A position that is refused is one row, whatever the parts it would have been sold in.
where limited_by is null or part = 1
