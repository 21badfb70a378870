//! Every refusal says where, what was found and what was expected; nothing is loaded.

use super::*;

const SIGNAL_HEADER: &str = "id,timestamp,token_address,score,momentum\n";
const PRICE_HEADER: &str = "token_address,timestamp,price,volume_24h\n";
const OUTCOME_HEADER: &str =
    "signal_id,entry_timestamp,exit_timestamp,entry_price,realized_pnl_sol\n";

#[test]
fn wrong_values_are_named() {
    let bench = Bench::new();
    let time = "expected a timestamp such as 2025-01-31T12:00:00Z or an epoch number since 1973";
    let price = "expected a price in SOL that is not negative and has at most 18 fractional digits";
    for (table, header, row, expected) in [
        (
            "signals",
            SIGNAL_HEADER,
            ",2025-01-01,T,1,0",
            "column id: found nothing, expected a text that is not empty",
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,,T,1,0",
            &format!("column timestamp: found nothing, {time}"),
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,tomorrow,T,1,0",
            &format!("column timestamp: found tomorrow, {time}"),
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,20250101,T,1,0",
            &format!("column timestamp: found 20250101, {time}"),
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,2025-01-01,\"\",1,0",
            "column token_address: found nothing, expected a text that is not empty",
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,2025-01-01,T,100.01,0",
            "column score: found 100.01, expected a score from 0 to 100",
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,2025-01-01,T,-1,0",
            "column score: found -1, expected a score from 0 to 100",
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,2025-01-01,T,1,1.0000001",
            "column momentum: found 1.0000001, expected a factor from 0 to 1",
        ),
        (
            "signals",
            SIGNAL_HEADER,
            "a,2025-01-01,T,1,NaN",
            "column momentum: found NaN, expected a factor from 0 to 1",
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-01,,",
            &format!("column price: found nothing, {price}"),
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-01,-0.1,",
            &format!("column price: found -0.1, {price}"),
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-01,inf,",
            &format!("column price: found inf, {price}"),
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-01,0.0000000000000000001,",
            &format!("column price: found 0.0000000000000000001, {price}"),
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-01,9223372036854775807,",
            "column price: found 9223372036854775807, expected a price in SOL below 9223372036854775807",
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-01,1,-5",
            "column volume_24h: found -5, expected a volume that is not negative",
        ),
        (
            "prices",
            PRICE_HEADER,
            ",2025-01-01,1,",
            "column token_address: found nothing, expected a text that is not empty",
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-01,1",
            ": found 3 fields in T,2025-01-01,1, expected 4, as in the header",
        ),
        (
            "outcomes",
            OUTCOME_HEADER,
            "a,2025-01-02,2025-01-01,1,1",
            "column exit_timestamp: found 2025-01-01T00:00:00Z for signal a, expected an exit that is not before the entry at 2025-01-02T00:00:00Z",
        ),
        (
            "outcomes",
            OUTCOME_HEADER,
            "a,2025-01-02,2025-01-03,-1,1",
            &format!("column entry_price: found -1, {price}"),
        ),
        (
            "outcomes",
            OUTCOME_HEADER,
            "a,2025-01-02,2025-01-03,1,much",
            "column realized_pnl_sol: found much, expected an amount of SOL",
        ),
    ] {
        let good = match table {
            "signals" => "g,2025-01-01,T,1,0",
            "prices" => "G,2025-01-01,1,",
            _ => "g,2025-01-01,2025-01-02,1,1",
        };
        let found = bench.refusal(table, &format!("{header}{good}\n{row}\n"));
        assert_eq!(
            found,
            format!(
                "{table}.csv: row 2 (line 3){}{expected}",
                if expected.starts_with(':') { "" } else { ", " }
            ),
            "{row}"
        );
    }
    assert_eq!(bench.open().generation, 0);
    assert_eq!(files_below(&bench.workspace()), ["dataset/lock"]);
}

#[test]
fn prices_of_one_token_must_share_a_scale() {
    let bench = Bench::new();
    let rows = "T,2025-01-01,0.000000000000000001,\nT,2025-01-02,10,\n";
    assert_eq!(
        bench.refusal("prices", &format!("{PRICE_HEADER}{rows}")),
        "prices.csv: row 2 (line 3), column price: found prices of token T so large and others so fine \
         that no one scale of at most 18 digits holds them in 64 bits, expected a price in SOL \
         that is not negative and has at most 18 fractional digits"
    );
}

#[test]
fn wrong_files_are_named() {
    let bench = Bench::new();
    let text = "a file that ends in .parquet, .csv, .tsv, .psv, .ndjson, .jsonl or .json (text also with .gz or .zst)";
    for (name, content, expected) in [
        ("a.csv", "", "a.csv: found no header, expected the columns token_address, timestamp, price".to_owned()),
        ("b.csv", "token_address,price\n", "b.csv: found no column timestamp among token_address, price, expected the columns token_address, timestamp, price".into()),
        ("c.csv", "token_address,timestamp,price,price\n", "c.csv: found column price twice, expected every column once".into()),
        ("d.txt", "", format!("d.txt: found a file of no known format, expected {text}")),
        ("e.json", "[[1]]", "e.json: row 1: found an array, expected a JSON object for each row".into()),
        ("f.ndjson", "{\"token_address\": \"T\"}", "f.ndjson: row 1, column timestamp: found nothing, expected a timestamp such as 2025-01-31T12:00:00Z or an epoch number since 1973".into()),
        ("g.parquet", "PAR", "g.parquet: found".into()),
        ("h.csv.gz", "this is no gzip file at all", "h.csv.gz: found invalid gzip header, expected a file that can be read".into()),
        ("i.csv", "token_address,timestamp,price\n\"T,1,2\n", "i.csv: row 1 (line 2): found an unclosed quote, expected a closing quote".into()),
    ] {
        let file = bench.file(name, content);
        let found = bench.refusal_of("prices", &file);
        assert!(found.starts_with(&expected), "{found}\n{expected}");
    }
    let bytes = b"token_address,timestamp,price\nT,2025-01-01,1\n\xff,2025-01-01,1\n";
    let file = bench.file("j.csv", bytes);
    assert_eq!(
        bench.refusal_of("prices", &file),
        "j.csv: row 2 (line 3), column token_address: found bytes that are not UTF-8, expected text in UTF-8"
    );
    let missing = bench.directory.path().join("no.csv");
    assert_eq!(
        bench.refusal_of("prices", missing.to_str().unwrap()),
        "no.csv: found no such file, expected a file, a directory or a pattern"
    );
    let pattern = bench.directory.path().join("no-*.csv");
    assert_eq!(
        bench.refusal_of("prices", pattern.to_str().unwrap()),
        "no-*.csv: found no file, expected a pattern that finds files"
    );
    std::fs::create_dir(bench.directory.path().join("empty")).unwrap();
    let empty = bench.directory.path().join("empty");
    assert_eq!(
        bench.refusal_of("prices", empty.to_str().unwrap()),
        format!("empty: found a directory without data files, expected {text}")
    );
    assert_eq!(
        bench.load(&[], &[], &[]).unwrap_err().to_string(),
        "nothing to load: name files of signals, prices or trades"
    );
}

#[test]
fn a_row_that_contradicts_another_names_both() {
    let bench = Bench::new();
    assert_eq!(
        bench.refusal("signals", &format!("{SIGNAL_HEADER}a,2025-01-01,T,1,0\nb,2025-01-01,T,1,0\na,2025-01-01,T,2,0\n")),
        "signals.csv: row 3 (line 4), column score: found 2 for signal a, expected 1 as in {dir}signals.csv, row 1 (line 2): one row for each id; --on-conflict replace takes the later value, --on-conflict keep the earlier one".replace("{dir}", "")
    );
    let one = bench.file(
        "one.csv",
        format!("{PRICE_HEADER}X,2025-01-01,1,\nT,2025-01-01,0.5,\n"),
    );
    let two = bench.file(
        "two.csv",
        format!("{PRICE_HEADER}T,2025-01-02,1,\nT,2025-01-01,0.25,\n"),
    );
    let message = bench.load(&[], &[&one, &two], &[]).unwrap_err().to_string();
    assert_eq!(
        message,
        format!(
            "{two}: row 2 (line 3), column price: found 0.25 for token T at 2025-01-01T00:00:00Z, expected \
             0.5 as in {one}, row 2 (line 3): one value for each instant; --on-conflict replace takes \
             the later value, --on-conflict keep the earlier one"
        )
    );
    assert_eq!(
        bench.refusal(
            "prices",
            &format!("{PRICE_HEADER}T,2025-01-01,1,10\nT,2025-01-01,1,\nT,2025-01-01,1.0,11\n")
        ),
        "prices.csv: row 3 (line 4), column volume_24h: found 11 for token T at 2025-01-01T00:00:00Z, \
         expected 10 as in prices.csv, row 1 (line 2): one value for each instant; --on-conflict replace \
         takes the later value, --on-conflict keep the earlier one"
    );
}

#[test]
fn a_row_that_contradicts_the_stored_history_says_so() {
    let bench = Bench::new();
    let s = bench.file("s.csv", format!("{SIGNAL_HEADER}a,2025-01-01,T,1,0\n"));
    let p = bench.file(
        "p.csv",
        format!("{PRICE_HEADER}T,2025-01-01,0.5,\nT,2025-01-02,0.5,\n"),
    );
    let o = bench.file(
        "o.csv",
        format!("{OUTCOME_HEADER}a,2025-01-01,2025-01-02,1,0.5\n"),
    );
    bench.load(&[&s], &[&p], &[&o]).unwrap();
    for (table, header, row, expected) in [
        (
            "signals",
            SIGNAL_HEADER,
            "a,2025-01-01,T,1,0.5",
            "signals.csv: row 1 (line 2), column momentum: found 0.5 for signal a, expected 0, which the stored history holds",
        ),
        (
            "prices",
            PRICE_HEADER,
            "T,2025-01-02,0.75,",
            "prices.csv: row 1 (line 2), column price: found 0.75 for token T at 2025-01-02T00:00:00Z, expected 0.5, which the stored history holds for that instant",
        ),
        (
            "outcomes",
            OUTCOME_HEADER,
            "a,2025-01-01,2025-01-02,1,0.75",
            "outcomes.csv: row 1 (line 2), column realized_pnl_sol: found 0.75 for the exit of signal a at 2025-01-02T00:00:00Z, expected 0.5, which the stored history holds",
        ),
    ] {
        let ways_out =
            "; --on-conflict replace takes the later value, --on-conflict keep the earlier one";
        assert_eq!(
            bench.refusal(table, &format!("{header}{row}\n")),
            format!("{expected}{ways_out}")
        );
    }
    assert_eq!(bench.open().generation, 1);
}

#[test]
fn the_first_of_many_errors_is_reported() {
    let bench = Bench::new();
    let mut text = "token_address,timestamp,price\n".to_owned();
    for row in 0..400_000 {
        let price = if row == 123_456 || row > 200_000 {
            "bad"
        } else {
            "0.001"
        };
        text += &format!("Token{},{},{price}\n", row % 7, 1_735_689_600 + row);
    }
    for _ in 0..3 {
        assert!(
            bench
                .refusal("prices", &text)
                .starts_with("prices.csv: row 123457 (line 123458), column price: found bad,")
        );
    }
}
