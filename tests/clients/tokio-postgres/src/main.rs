//! tokio-postgres: binary results, types of parameters, portals, cancelling.

use std::env::var;
use std::error::Error;
use std::str::FromStr;
use std::time::Duration;

use futures_util::TryStreamExt;
use rust_decimal::Decimal;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = format!(
        "host={} port={} user=ann password=secret dbname=hindsight",
        var("PGHOST")?,
        var("PGPORT")?
    );
    let (mut client, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);

    let statement = client
        .prepare("select $1::int4 + 1, $2::text, $3::numeric, count(*) from signals")
        .await?;
    let types: Vec<&str> = statement.params().iter().map(|kind| kind.name()).collect();
    assert_eq!(types, ["int4", "text", "numeric"]);
    let price = Decimal::from_str("1.50")?;
    let row = client.query_one(&statement, &[&41_i32, &"x", &price]).await?;
    assert_eq!(row.try_get::<_, i32>(0)?, 42);
    assert_eq!(row.try_get::<_, Decimal>(2)?.to_string(), "1.50");
    assert!(row.try_get::<_, i64>(3)? > 0);

    let stop = "select stop_loss_percent from backtest(stop_loss_percent => $1)";
    let row = client.query_one(stop, &[&Decimal::from_str("12.5")?]).await?;
    assert_eq!(row.try_get::<_, Decimal>(0)?.to_string(), "12.5000");
    let error = client.query(stop, &[&Decimal::from(99)]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::INVALID_PARAMETER_VALUE));

    let rows = client.query("select id from signals order by id limit 2", &[]).await?;
    let ids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let found = client.query("select id from signals where id = any($1)", &[&ids]).await?;
    assert_eq!(found.len(), 2);

    let transaction = client.transaction().await?;
    let portal = transaction.bind("select id from signals order by id", &[]).await?;
    let pieces = [transaction.query_portal(&portal, 1).await?, transaction.query_portal(&portal, 1).await?];
    assert_eq!(pieces.map(|rows| rows[0].get::<_, String>(0)).to_vec(), ids);
    transaction.commit().await?;

    let copied = client.copy_out("copy (select 1, 'x') to stdout").await?;
    let copied: Vec<_> = copied.try_collect().await?;
    assert_eq!(copied.concat(), b"1\tx\n");

    let cancel = client.cancel_token();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let _ = cancel.cancel_query(NoTls).await;
    });
    let slow = "select count(*) from generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) where x + y < 0";
    let error = client.simple_query(slow).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    Ok(())
}
