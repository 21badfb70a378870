//! A catalog with tables as those of the product.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema};
use hindsight::catalog::Catalog;
use hindsight::catalog::input::{
    COMMENT, CatalogInput, FunctionInfo, FunctionKind, RoleInfo, SessionInfo, SettingInfo,
    Settings, TableInfo, TableKind,
};
use hindsight::catalog::relations::functions::FunctionSet;

struct TestSettings;

impl Settings for TestSettings {
    fn show(&self, name: &str) -> Option<String> {
        let mut all = self.all().into_iter();
        all.find(|setting| setting.name == name)
            .map(|setting| setting.value)
    }

    fn all(&self) -> Vec<SettingInfo> {
        let settings = [
            ("search_path", "\"$user\", public"),
            ("TimeZone", "UTC"),
            ("server_version", "15.0"),
            ("server_version_num", "150000"),
            ("jit", "off"),
            ("max_index_keys", "32"),
        ];
        let settings = settings.map(|(name, value)| SettingInfo {
            name: name.into(),
            value: value.into(),
            description: String::new(),
        });
        settings.into()
    }
}

fn table(name: &str, kind: TableKind, columns: Vec<Field>, key: &[&str]) -> TableInfo {
    TableInfo {
        schema: "public".into(),
        name: name.into(),
        kind,
        columns: Arc::new(Schema::new(columns)),
        comment: None,
        definition: None,
        rows: Some(36_000),
        bytes: Some(8_192),
        key: key.iter().map(|column| (*column).into()).collect(),
        is_writable: false,
    }
}

/// A catalog with tables as those of the product.
pub fn catalog() -> Catalog {
    let score = Field::new("score", hindsight::schema::SCORE, true);
    let score = score.with_metadata([(COMMENT.into(), "Score, 0-100".into())].into());
    let columns = vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("timestamp", hindsight::schema::timestamp(), false),
        Field::new("token_address", DataType::Utf8, false),
        Field::new("source_wallet", DataType::Utf8, true),
        score,
        Field::new("wallet_score", hindsight::schema::FACTOR, true),
    ];
    let mut signals = table("signals", TableKind::Table, columns.clone(), &["id"]);
    signals.comment = Some("One row for each signal".into());
    let mut best = table("best_signals", TableKind::View, columns, &[]);
    best.definition = Some("SELECT * FROM signals WHERE score > 50".into());
    let prices = vec![
        Field::new("token_address", DataType::Utf8, false),
        Field::new("timestamp", hindsight::schema::timestamp(), false),
        Field::new("price", hindsight::schema::PRICE, false),
        Field::new("volume_24h", hindsight::schema::VOLUME, true),
    ];
    let prices = table("token_prices", TableKind::Table, prices, &[]);
    let outcomes = vec![
        Field::new("signal_id", DataType::Utf8, false),
        Field::new("exit_timestamp", hindsight::schema::timestamp(), true),
    ];
    let outcomes = table("trade_outcomes", TableKind::Table, outcomes, &["signal_id"]);
    let parameters = vec![Field::new("name", DataType::Utf8, false)];
    let parameters = table("parameters", TableKind::Table, parameters, &["name"]);
    let of_engine = ["lower", "upper"].map(|name| FunctionInfo {
        schema: "pg_catalog".into(),
        name: name.into(),
        arguments: vec![(Some("str".into()), DataType::Utf8)],
        is_variadic: false,
        result: DataType::Utf8,
        returns_rows: false,
        kind: FunctionKind::Function,
        description: Some(format!("{name} case")),
        example: Some(format!("{name}(str)")),
    });
    let role = |name: &str| RoleInfo {
        name: name.into(),
        can_login: true,
        is_superuser: false,
        member_of: Vec::new(),
    };
    Catalog::new(CatalogInput {
        database: "hindsight".into(),
        user: "analyst".into(),
        backend_pid: 42,
        tables: vec![signals, best, prices, outcomes, parameters],
        functions: Arc::new(FunctionSet::new(of_engine.into())),
        roles: vec![role("analyst")],
        sessions: vec![SessionInfo {
            pid: 42,
            user: "analyst".into(),
            application: "tests".into(),
            client_address: Some("127.0.0.1".into()),
            client_port: Some(50_000),
            started: 0,
            query_started: None,
            state: "active".into(),
            query: "select 1".into(),
            is_encrypted: false,
        }],
        settings: &TestSettings,
        started: 0,
        now: 1_709_251_199_123_456,
        is_cancelled: None,
        deadline: None,
    })
}
