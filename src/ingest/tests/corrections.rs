//! Rows that contradict others: refused, or one of the two holds, in the order of the files whatever
//! the number of threads.

use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Decimal128Type;
use rayon::ThreadPoolBuilder;

use super::*;
use crate::ingest::{OnConflict, load_within};

fn request(files: [&[&str]; 3], on_conflict: OnConflict) -> LoadRequest {
    let owned = |files: &[&str]| files.iter().map(|file| (*file).to_owned()).collect();
    LoadRequest {
        signals: owned(files[0]),
        prices: owned(files[1]),
        trades: owned(files[2]),
        on_conflict,
        ..LoadRequest::default()
    }
}

fn load_with(bench: &Bench, files: [&[&str]; 3], on_conflict: OnConflict) -> Result<LoadSummary> {
    load(
        &bench.workspace(),
        &request(files, on_conflict),
        &NoProgress,
    )
}

#[test]
fn the_last_candle_was_not_finished() {
    let bench = Bench::new();
    let header = "token_address,timestamp,price,volume_24h\n";
    let morning = bench.file(
        "morning.csv",
        format!("{header}T,2025-01-01T00:00:00Z,1.1,5\nT,2025-01-01T00:01:00Z,1.15,6\n"),
    );
    let later = bench.file(
        "later.csv",
        format!("{header}T,2025-01-01T00:01:00Z,1.27,\nT,2025-01-01T00:02:00Z,1.3,7\n"),
    );
    let first = bench.load(&[], &[&morning], &[]).unwrap();
    let refused = bench.load(&[], &[&later], &[]).unwrap_err().to_string();
    for part in [
        "later.csv: row 1 (line 2), column price: found 1.27 for token T at 2025-01-01T00:01:00Z",
        "expected 1.15, which the stored history holds",
        "--on-conflict replace",
        "--on-conflict keep",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!(bench.open().fingerprint, first.fingerprint);

    let kept = load_with(&bench, [&[], &[&later], &[]], OnConflict::Keep).unwrap();
    assert_eq!((kept.prices.added, kept.prices.contradicting), (1, 1));
    let prices = |bench: &Bench| prices_of(&bench.open(), "T");
    assert_eq!(prices(&bench), (vec![(0, 110), (60, 115), (120, 130)], 2));
    let found = finding(&kept, "kept_rows").unwrap();
    assert!(
        found.example.contains("1.27 was left out, 1.15 was kept"),
        "{}",
        found.example
    );

    let replaced = load_with(&bench, [&[], &[&later], &[]], OnConflict::Replace).unwrap();
    assert_eq!(
        (replaced.prices.added, replaced.prices.contradicting),
        (0, 1)
    );
    assert!(replaced.is_new && replaced.fingerprint != kept.fingerprint);
    assert_eq!(replaced.generation, kept.generation + 1);
    assert_eq!(prices(&bench), (vec![(0, 110), (60, 127), (120, 130)], 2));
    let found = finding(&replaced, "replaced_rows").unwrap();
    assert!(
        found.example.contains("1.27 took the place of 1.15"),
        "{}",
        found.example
    );
    // A volume that a correction does not know stays.
    let volumes = bench.open().volumes[0].clone().unwrap();
    assert_eq!(volumes.value(1), 6_000_000_000);
    let again = load_with(&bench, [&[], &[&later], &[]], OnConflict::Replace).unwrap();
    assert_eq!((again.is_new, again.prices.contradicting), (false, 0));
}

#[test]
fn the_later_file_and_row_hold_on_any_number_of_threads() {
    let bench = Bench::new();
    // Large enough for several blocks; every instant is in both files and twice in each.
    let mut texts = [String::new(), String::new()];
    for (file, text) in texts.iter_mut().enumerate() {
        text.push_str("token_address,timestamp,price\n");
        for round in 0..2 {
            for row in 0..60_000 {
                let price = 1 + row % 7 + 10 * round + 100 * file;
                text.push_str(&format!("T{},{},{price}\n", row % 5, 1_735_689_600 + row));
            }
        }
    }
    let [one, two] = ["1.csv", "2.csv"].map(|name| {
        let position = usize::from(name == "2.csv");
        bench.file(name, &texts[position])
    });
    for (on_conflict, files, expected) in [
        (OnConflict::Keep, [&*one, &*two], 1),
        (OnConflict::Replace, [&*one, &*two], 111),
        (OnConflict::Replace, [&*two, &*one], 11),
        (OnConflict::Keep, [&*two, &*one], 101),
    ] {
        let mut fingerprints = Vec::new();
        for (threads, memory) in [(1, 1 << 30), (2, 1 << 30), (5, 1 << 30), (3, 0)] {
            let pool = ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let bench = Bench::new();
            let request = request([&[], &files, &[]], on_conflict);
            let load = || load_within(&bench.workspace(), &request, &NoProgress, memory);
            let summary = pool.install(load).unwrap();
            assert_eq!(summary.prices.contradicting, 3 * 60_000);
            for (second, price) in prices_of(&bench.open(), "T3").0 {
                assert_eq!(price, second % 7 + expected, "{on_conflict:?} {threads}");
            }
            fingerprints.push((summary.fingerprint, summary.findings));
        }
        fingerprints.dedup();
        assert_eq!(fingerprints.len(), 1);
    }
}

#[test]
fn signals_and_outcomes_are_corrected() {
    let bench = Bench::new();
    let header = "id,timestamp,token_address,score\n";
    let one = bench.file(
        "1.csv",
        format!("{header}a,2025-01-01,T,10\nb,2025-01-01,T,20\n"),
    );
    let two = bench.file(
        "2.csv",
        format!("{header}b,2025-01-01,T,30\nc,2025-01-01,T,40\n"),
    );
    let header = "signal_id,entry_timestamp,exit_timestamp,realized_pnl_sol\n";
    let sold = bench.file(
        "sold.csv",
        format!("{header}a,2025-01-01,2025-01-02,0.5\na,2025-01-01,2025-01-02,0.25\n"),
    );
    let right = bench.file(
        "right.csv",
        format!("{header}a,2025-01-01,2025-01-02,0.75\n"),
    );
    let values = |bench: &Bench| {
        let dataset = bench.open();
        let of = |column: &dyn datafusion::arrow::array::Array| {
            let values = column.as_primitive::<Decimal128Type>().iter().flatten();
            values.collect::<Vec<i128>>()
        };
        (
            of(dataset.signals.column(4)),
            of(dataset.trade_outcomes.column(6)),
        )
    };
    let million = 1_000_000;
    for (on_conflict, scores, pnl) in [
        (
            OnConflict::Keep,
            [1000, 2000, 4000],
            vec![250 * million, 500 * million],
        ),
        (OnConflict::Replace, [1000, 3000, 4000], vec![750 * million]),
    ] {
        // In one load, and one after the other.
        let (together, apart) = (Bench::new(), Bench::new());
        let files: [&[&str]; 3] = [&[&one, &two], &[], &[&sold, &right]];
        let summary = load_with(&together, files, on_conflict).unwrap();
        assert_eq!(values(&together), (scores.to_vec(), pnl.clone()));
        assert_eq!(summary.signals.contradicting, 1);
        assert_eq!(summary.trade_outcomes.contradicting, 1);
        load_with(&apart, [&[&one], &[], &[&sold]], on_conflict).unwrap();
        let refused = apart.load(&[&two], &[], &[]).unwrap_err().to_string();
        assert!(
            refused.contains("column score: found 30 for signal b, expected 20, which the stored")
                && refused.contains("--on-conflict replace"),
            "{refused}"
        );
        let refused = apart.load(&[], &[], &[&right]).unwrap_err().to_string();
        assert!(
            refused.contains("found 0.75 for the exit of signal a at 2025-01-02T00:00:00Z")
                && refused.contains("--on-conflict replace"),
            "{refused}"
        );
        let second = load_with(&apart, [&[&two], &[], &[&right]], on_conflict).unwrap();
        assert_eq!(second.fingerprint, summary.fingerprint);
        assert_eq!(
            second.signals.contradicting + second.trade_outcomes.contradicting,
            2
        );
    }
}

#[test]
fn identical_fills_of_one_file_are_two() {
    let bench = Bench::new();
    let header = "signal_id,entry_timestamp,exit_timestamp,realized_pnl_sol\n";
    let fill = "a,2025-01-01,2025-01-02,0.05\n";
    let twice = bench.file("twice.csv", format!("{header}{fill}{fill}"));
    let again = bench.file("again.csv", format!("{header}{fill}"));
    for on_conflict in [OnConflict::Refuse, OnConflict::Keep, OnConflict::Replace] {
        let bench = Bench::new();
        let load = |files: &[&str]| load_with(&bench, [&[], &[], files], on_conflict).unwrap();
        let first = load(&[&twice]);
        assert_eq!(
            (first.trade_outcomes.added, first.trade_outcomes.total),
            (2, 2)
        );
        assert_eq!(finding(&first, "identical_rows").unwrap().row_count, 1);
        assert!(finding(&first, "duplicate_rows").is_none());
        assert!(!load(&[&twice]).is_new);
        assert!(!load(&[&again]).is_new);
        assert!(!load(&[&again, &twice]).is_new);
        let other = Bench::new();
        let split = load_with(&other, [&[], &[], &[&again]], on_conflict).unwrap();
        assert_eq!(split.trade_outcomes.total, 1);
        let whole = load_with(&other, [&[], &[], &[&again, &twice]], on_conflict).unwrap();
        assert_eq!(whole.fingerprint, first.fingerprint);
        assert_eq!(finding(&whole, "duplicate_rows").unwrap().row_count, 1);
    }
}
