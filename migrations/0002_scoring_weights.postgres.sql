-- The weights that the trading system reads: those of the row that is active. Runs only where the
-- table is missing and applying settings is told to make it; one that is there is used as it is.

create table scoring_weights (
    id bigint generated always as identity primary key,
    wallet_score_weight numeric(5, 4) not null,
    token_metrics_weight numeric(5, 4) not null,
    liquidity_weight numeric(5, 4) not null,
    holder_distribution_weight numeric(5, 4) not null,
    momentum_weight numeric(5, 4) not null,
    is_active boolean not null default false,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

insert into scoring_weights (
    wallet_score_weight,
    token_metrics_weight,
    liquidity_weight,
    holder_distribution_weight,
    momentum_weight,
    is_active
) values (0.30, 0.25, 0.20, 0.15, 0.10, true);
