//! Which of our columns a name that is none of them may mean.

use datafusion::common::utils::datafusion_strsim::levenshtein;

use super::columns::Table;
use super::names::plain;
use crate::schema::FACTORS;

/// The column, among those that are free, which a name may mean.
pub(super) fn near(
    table: &'static Table,
    name: &str,
    free: impl Fn(usize) -> bool,
) -> Option<&'static str> {
    let has_object = table.factors.is_some() && !free(table.score_factors_slot());
    let columns = table.columns.iter().enumerate();
    let columns = columns
        .filter(|(slot, column)| free(*slot) && !(has_object && FACTORS.contains(&column.name)))
        .map(|(_, column)| column.name);
    let name = plain(name);
    let distance = |column: &str| match is_synonym(column, &name) {
        true => Some(0),
        false => nearness(&plain(column), &name),
    };
    columns
        .filter_map(|column| Some((distance(column)?, column)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, column)| column)
}

/// The factor that a key may mean.
pub(super) fn near_factor(key: &str) -> Option<&'static str> {
    let key = plain(key);
    FACTORS
        .into_iter()
        .find(|factor| nearness(&plain(factor), &key).is_some())
}

/// How near two names are; `None` for names that have little in common.
fn nearness(column: &str, name: &str) -> Option<usize> {
    let allowed = if column.len() < 6 { 1 } else { 2 };
    let distance = levenshtein(column, name);
    if distance <= allowed && name.len() > allowed {
        return Some(distance);
    }
    let (short, long) = match column.len() < name.len() {
        true => (column, name),
        false => (name, column),
    };
    let part = short.len() >= 5 && (long.starts_with(short) || long.ends_with(short));
    part.then_some(distance)
}

/// What others call our columns.
fn is_synonym(column: &str, name: &str) -> bool {
    let synonyms: &[&str] = match column {
        "id" => &["signalid", "uuid", "signal", "signaluuid"],
        "signal_id" => &["id", "signal", "signaluuid", "tradeid"],
        "token_address" => &[
            "token",
            "mint",
            "address",
            "contract",
            "contractaddress",
            "tokenmint",
            "tokenmintaddress",
            "mintaddress",
            "basemint",
            "baseaddress",
            "coin",
            "ca",
            "symbol",
            "pair",
        ],
        "timestamp" => &[
            "time",
            "ts",
            "date",
            "datetime",
            "unixtime",
            "blocktime",
            "createdat",
            "opentime",
            "t",
            "epoch",
            "blocktimestamp",
            "unixtimestamp",
            "index",
            "unnamed0",
        ],
        "price" => &[
            "close",
            "value",
            "pricesol",
            "pricenative",
            "c",
            "last",
            "rate",
            "priceusd",
        ],
        "source_wallet" => &["wallet", "walletaddress", "trader", "owner", "source"],
        "realized_pnl_sol" => &[
            "pnl",
            "pnlsol",
            "realizedpnl",
            "profit",
            "profitsol",
            "realisedpnlsol",
        ],
        "entry_timestamp" => &[
            "entrytime",
            "openedat",
            "opentime",
            "enteredat",
            "boughtat",
            "buytime",
        ],
        "exit_timestamp" => &[
            "exittime",
            "closedat",
            "closetime",
            "exitedat",
            "soldat",
            "selltime",
        ],
        "entry_price" => &["buyprice", "openprice"],
        "exit_price" => &["sellprice", "closeprice"],
        _ => &[],
    };
    synonyms.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::super::columns::SIGNALS;
    use super::*;

    #[test]
    fn near_misses_are_found() {
        for (name, expected) in [
            ("holder_dist", Some("holder_distribution")),
            ("Walet_Score", Some("wallet_score")),
            ("momentum_score", Some("momentum")),
            ("wallet", Some("source_wallet")),
            ("comment", None),
            ("chain", None),
        ] {
            assert_eq!(near(&SIGNALS, name, |_| true), expected, "{name}");
        }
        assert_eq!(near(&SIGNALS, "holder_dist", |slot| slot != 8), None);
    }
}
