-- What hindsight keeps: users, scenarios, runs and the history of applied settings.
-- Both databases read this file, SQLite without the schema, so columns are text and bigint: times are
-- microseconds since 1970 UTC, what has fields is JSON, and exact numbers are text.

create table hindsight.users (
    name text primary key,
    role text not null,
    -- SCRAM-SHA-256$iterations:salt$stored key:server key, as PostgreSQL writes it
    verifier text not null,
    created_at bigint not null
);

create table hindsight.scenarios (
    name text primary key,
    description text,
    -- array of text
    tags text,
    -- object of the parameters that are set, each as text
    parameters text not null,
    created_at bigint not null,
    updated_at bigint not null
);

create table hindsight.backtest_results (
    id text primary key,
    scenario text,
    label text,
    -- running, completed, failed, cancelled or interrupted
    status text not null,
    started_by text not null,
    started_at bigint not null,
    completed_at bigint,
    error_message text,
    dataset text not null,
    engine_version text not null,
    -- object of every parameter, each as text or null; null until they are checked
    parameters text,
    -- object of the columns that backtest(…) adds to the parameters; null unless completed
    results text,
    -- of a run under way: what it has done, as it last said
    phase text,
    signals_processed bigint,
    total_signals bigint,
    -- 1 once somebody has asked it to stop
    cancel_requested bigint not null default 0
);

create index backtest_results_started_at on hindsight.backtest_results (started_at);
create index backtest_results_status on hindsight.backtest_results (status);

create table hindsight.applied_settings_history (
    id text primary key,
    backtest_id text not null references hindsight.backtest_results (id),
    applied_at bigint not null,
    applied_by text not null,
    -- array of the groups
    changes_applied text not null,
    -- objects by group: every setting of it, as text
    previous_values text not null,
    new_values text not null,
    -- object by group: what was stored, to the letter, before and after
    previous_stored text not null,
    new_stored text not null,
    rolled_back_at bigint,
    rolled_back_by text
);

create index applied_settings_history_applied_at on hindsight.applied_settings_history (applied_at);
