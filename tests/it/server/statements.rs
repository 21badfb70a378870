//! Statements and portals of the extended protocol, and values in both forms.

use super::{connect, tags};
use crate::wire::{Wire, bind, close, describe, errors, execute, kinds, parse, query, sync};

#[test]
fn an_error_in_a_pipeline_skips_to_its_end() {
    let mut wire = connect();
    let one = |sql: &str| [parse("", sql, &[]), bind("", "", &[], 0), execute("", 0)].concat();
    wire.send(
        &[
            one("select 1"),
            one("select nope"),
            one("select 3"),
            sync(),
            one("select 4"),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(kinds(&wire.until_ready()), "12DC1EZ".replace("1E", "E"));
    assert_eq!(kinds(&wire.until_ready()), "12DCZ");
}

#[test]
fn portals_are_read_in_pieces() {
    let mut wire = connect();
    let five = "select id from signals order by id limit 5";
    let answer = wire.ask(
        &[
            parse("", five, &[]),
            bind("", "", &[], 0),
            execute("", 2),
            execute("", 2),
            execute("", 2),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(kinds(&answer), "12DDsDDsDCZ");
    // Outside of a transaction a portal ends with its pipeline, in one it lasts.
    assert_eq!(
        errors(&wire.ask(&[execute("", 1), sync()].concat())),
        ["34000"]
    );
    wire.ask(&query("begin"));
    wire.ask(
        &[
            parse("", five, &[]),
            bind("p", "", &[], 0),
            execute("p", 1),
            sync(),
        ]
        .concat(),
    );
    assert_eq!(
        kinds(&wire.ask(&[execute("p", 2), sync()].concat())),
        "DDsZ"
    );
    assert_eq!(tags(&wire.ask(&query("move 1 in p"))), ["MOVE 1"]);
    assert_eq!(kinds(&wire.ask(&[close(b'P', "p"), sync()].concat())), "3Z");
    // A cursor of SQL is a portal of the protocol.
    wire.ask(&query("declare c cursor for select id from signals"));
    let described = wire.ask(&[describe(b'P', "c"), sync()].concat());
    assert_eq!(kinds(&described), "TZ");
}

#[test]
fn statements_have_names_until_they_are_closed() {
    let mut wire = connect();
    wire.ask(&[parse("s", "select 1", &[]), sync()].concat());
    wire.ask(&query("select nope"));
    assert_eq!(
        kinds(&wire.ask(&[bind("", "s", &[], 0), execute("", 0), sync()].concat())),
        "2DCZ"
    );
    assert_eq!(
        errors(&wire.ask(&[parse("s", "select 2", &[]), sync()].concat())),
        ["42P05"]
    );
    assert_eq!(
        kinds(&wire.ask(&[close(b'S', "s"), parse("s", "select 2", &[]), sync()].concat())),
        "31Z"
    );
    wire.ask(&query("deallocate all"));
    assert_eq!(
        errors(&wire.ask(&[bind("", "s", &[], 0), sync()].concat())),
        ["26000"]
    );
    let several = [parse("", "select 1; select 2", &[]), sync()].concat();
    assert_eq!(errors(&wire.ask(&several)), ["42601"]);
}

#[test]
fn parameters_are_described_and_exact() {
    let mut wire = connect();
    let described = |wire: &mut Wire, sql: &str| {
        let answer = wire.ask(&[parse("", sql, &[]), describe(b'S', ""), sync()].concat());
        let types = answer.iter().find(|message| message.kind == b't');
        let types = types.unwrap_or_else(|| panic!("{sql}: {:?}", errors(&answer)));
        let types = types.body[2..]
            .chunks(4)
            .map(|oid| u32::from_be_bytes(oid.try_into().unwrap()));
        types.collect::<Vec<_>>()
    };
    let backtest = "select * from backtest(stop_loss_percent => $1, start_date => $2)";
    assert_eq!(described(&mut wire, backtest), [1700, 1082]);
    let limited = "select id from signals where score > $1 and id = any($2) limit $3";
    assert_eq!(described(&mut wire, limited), [1700, 1009, 20]);
    assert_eq!(described(&mut wire, "select $1"), [25]);
    assert_eq!(described(&mut wire, "select $1::int4 + 1"), [23]);

    let mut value = |sql: &str, value: &str| {
        let values = [Some(value.as_bytes())];
        let asked = [
            parse("", sql, &[]),
            bind("", "", &values, 0),
            execute("", 0),
            sync(),
        ];
        let answer = wire.ask(&asked.concat());
        match answer.iter().find(|message| message.kind == b'D') {
            Some(row) => String::from_utf8(row.cells()[0].clone().unwrap()).unwrap(),
            None => errors(&answer).join(" "),
        }
    };
    for number in [
        "1.50",
        "-0.0000000001",
        "12345678901234567890.123456789",
        "0",
    ] {
        assert_eq!(value("select $1::numeric", number), number);
    }
    assert_eq!(value("select $1::int4", "zz"), "22P02");
    assert_eq!(value("select $1::text", "a\0b"), "22021");
    assert_eq!(
        value(
            "select stop_loss_percent from backtest(stop_loss_percent => $1)",
            "12.5"
        ),
        "12.5000"
    );
    assert_eq!(
        value("select * from backtest(stop_loss_percent => $1)", "99"),
        "22023"
    );
}

#[test]
fn values_are_exact_in_binary() {
    let mut wire = connect();
    let sql = "select 7::int4, 7::int8, 0.5::float8, true, 'x'::text, \
               '2024-02-29 23:59:59.123456+00'::timestamptz, '2024-02-29'::date, 1.10::numeric(10,2)";
    let asked = [
        parse("", sql, &[]),
        bind("", "", &[], 1),
        execute("", 0),
        sync(),
    ];
    let answer = wire.ask(&asked.concat());
    let row = answer
        .iter()
        .find(|message| message.kind == b'D')
        .unwrap()
        .cells();
    let expected: [Vec<u8>; 8] = [
        7_i32.to_be_bytes().into(),
        7_i64.to_be_bytes().into(),
        0.5_f64.to_be_bytes().into(),
        vec![1],
        b"x".into(),
        762_566_399_123_456_i64.to_be_bytes().into(),
        8_825_i32.to_be_bytes().into(),
        vec![0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 3, 232],
    ];
    assert_eq!(row, expected.map(Some));
}

#[test]
fn columns_have_the_names_and_types_of_postgresql() {
    let mut wire = connect();
    let sql =
        "select 1, count(*), max(score), 'a', id, score, score from signals group by id, score";
    let answer = wire.ask(&query(sql));
    let columns = answer
        .iter()
        .find(|message| message.kind == b'T')
        .unwrap()
        .columns();
    let named: Vec<(&str, u32)> = columns
        .iter()
        .map(|(name, oid, _)| (name.as_str(), *oid))
        .collect();
    assert_eq!(
        named,
        [
            ("?column?", 23),
            ("count", 20),
            ("max", 1700),
            ("?column?", 25),
            ("id", 25),
            ("score", 1700),
            ("score", 1700)
        ]
    );
}
