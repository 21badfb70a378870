-- scored_signals: what every signal in the range would have scored with the run's weights.
-- Grain: one row for each combination of parameters and signal.
-- Reads: run_parameters, signals.

with

parameters as (
    select * from run_parameters
),

scored as (
    select
        parameters.combination,
        parameters.score_threshold,
        signals.id as signal_id,
        signals.timestamp as signal_timestamp,
        signals.token_address,
        signals.source_wallet,
        rescore(
            signals.wallet_score,
            signals.token_metrics,
            signals.liquidity,
            signals.holder_distribution,
            signals.momentum,
            parameters.wallet_score_weight,
            parameters.token_metrics_weight,
            parameters.liquidity_weight,
            parameters.holder_distribution_weight,
            parameters.momentum_weight
        ) as score
    from signals
    cross join parameters
    where signals.timestamp >= parameters.range_start
        and signals.timestamp < parameters.range_end
)

select
    combination,
    signal_id,
    signal_timestamp,
    token_address,
    source_wallet,
    score,
    score >= score_threshold as is_selected
from scored
