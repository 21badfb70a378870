-- The weights that the trading system reads: those of the row that is active. Numbers are text, so
-- that they stay exact.

create table scoring_weights (
    id integer primary key,
    wallet_score_weight text not null,
    token_metrics_weight text not null,
    liquidity_weight text not null,
    holder_distribution_weight text not null,
    momentum_weight text not null,
    is_active integer not null default 0,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

insert into scoring_weights (
    wallet_score_weight,
    token_metrics_weight,
    liquidity_weight,
    holder_distribution_weight,
    momentum_weight,
    is_active
) values ('0.3000', '0.2500', '0.2000', '0.1500', '0.1000', 1);
