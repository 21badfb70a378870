//! Messages that a random change has made senseless end in errors or closed connections.

use super::{SHARED, connect};
use crate::random::Random;
use crate::wire::{Wire, bind, close, describe, execute, message, parse, query, startup, sync};

/// What a client may say, which the fuzz test changes.
fn conversations() -> Vec<Vec<u8>> {
    let login = startup(&[
        ("user", "ann"),
        ("database", "hindsight"),
        ("options", "-c datestyle=iso"),
    ]);
    let with = |messages: &[Vec<u8>]| [login.clone(), messages.concat()].concat();
    vec![
        b"\0\0\0\x08\x04\xd2\x16\x2f".to_vec(),
        login.clone(),
        with(&[query("select 1, 'x', now(); show all")]),
        with(&[
            parse("s", "select $1::int4, $2::text", &[23, 25]),
            describe(b'S', "s"),
            bind("p", "s", &[Some(b"1"), None], 1),
            describe(b'P', "p"),
            execute("p", 1),
            close(b'P', "p"),
            sync(),
        ]),
        with(&[query(
            "begin; declare c cursor for select 1; fetch 1 from c; commit",
        )]),
        with(&[
            query("copy (select 1) to stdout (format csv, header)"),
            message(b'd', b"x"),
            message(b'f', b"no\0"),
        ]),
        with(&[
            query("prepare p(int) as select $1; execute p(1); deallocate p"),
            message(b'X', b""),
        ]),
        with(&[
            parse("", "select array[1,2], $1", &[1007]),
            bind("", "", &[Some(b"{1,2}")], 0),
            execute("", 0),
            message(b'H', b""),
            sync(),
        ]),
    ]
}

#[test]
fn fuzzed_messages_end_in_errors_or_closed_connections() {
    let count: u64 =
        std::env::var("HINDSIGHT_FUZZ_MESSAGES").map_or(100_000, |count| count.parse().unwrap());
    let conversations = conversations();
    let address = SHARED.1.address;
    let threads: Vec<_> = (0..8)
        .map(|thread| {
            let conversations = conversations.clone();
            std::thread::spawn(move || {
                let mut random = Random::of_test(&format!("fuzz {thread}"));
                for _ in 0..count / 8 {
                    let mut said = random.one_of(&conversations);
                    for _ in 0..=random.below(4) {
                        let at = random.below(said.len());
                        match random.below(4) {
                            0 => said[at] = random.below(256) as u8,
                            1 => said[at] ^= 1 << random.below(8),
                            2 => said.insert(at, random.below(256) as u8),
                            _ => said.truncate(at.max(1)),
                        }
                    }
                    let mut wire = Wire::silent(address);
                    wire.send(&said);
                    let _ = wire.stream().shutdown(std::net::Shutdown::Write);
                    wire.until_closed();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(connect().rows("select 1").unwrap(), [["1"]]);
}
