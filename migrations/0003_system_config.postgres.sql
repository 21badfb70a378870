-- The other settings that the trading system reads, each a JSON value under its key. Runs only where
-- the table is missing and applying settings is told to make it; one that is there is used as it is.

create table system_config (
    key text primary key,
    value jsonb not null,
    updated_at timestamptz not null default now()
);

insert into system_config (key, value) values
(
    'score_threshold',
    '70'
),
(
    'position_sizing',
    '{"base_position_sol": 0.1, "max_position_sol": 0.5, "scale_with_confidence": true, "confidence_multiplier": 1.5}'
),
(
    'exit_strategy',
    '{"strategy": "trailing_stop", "stop_loss_percent": 15, "take_profit_percent": 50, "trailing_stop_percent": 10, "max_hold_minutes": 60}'
);
