//! What asks for too much costs its own statement only, over the wire and on the command line.

mod functions;
mod grammar;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::cli::hindsight;
use crate::files;
use crate::wire::{Wire, bind, errors, execute, parse, query, sync};

/// How long a statement may take that is refused, on a machine that does much else.
const SOON: Duration = Duration::from_secs(10);

/// How long another session waits for an answer meanwhile.
const AT_ONCE: Duration = Duration::from_millis(100);

/// A server of its own process.
struct ServerProcess {
    process: Child,
    address: std::net::SocketAddr,
}

impl ServerProcess {
    fn start(workspace: &std::path::Path) -> Self {
        let mut process = hindsight(workspace)
            .args(["serve", "--trust", "--listen", "127.0.0.1:0"])
            .args(["--memory-limit", "512MiB", "--statement-timeout", "5s"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, rest) = line.split_once("listening on ")?;
            rest.split(',').next()?.parse().ok()
        });
        // The log must be read for the server to go on.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            process,
            address: address.unwrap(),
        }
    }

    /// From now on the peak is that of what comes: what came before has been given back, but for what
    /// the allocator keeps, in MiB.
    fn forget_peak(&self) -> u64 {
        let mut before = u64::MAX;
        loop {
            match self.memory("VmRSS:") {
                now if now < before => before = now,
                _ => break,
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let peaks = format!("/proc/{}/clear_refs", self.process.id());
        std::fs::write(peaks, "5").unwrap();
        before
    }

    /// The most memory that it ever had, in MiB, or since that was forgotten.
    fn peak(&self) -> u64 {
        self.memory("VmHWM:")
    }

    /// The memory of its own that it keeps when it has nothing to do, in MiB.
    fn settled(&self) -> u64 {
        let mut least = u64::MAX;
        loop {
            std::thread::sleep(Duration::from_millis(2_500));
            match self.memory("RssAnon:") {
                now if now + 1 < least => least = now,
                _ => return least,
            }
        }
    }

    fn memory(&self, what: &str) -> u64 {
        memory(self.process.id(), what).unwrap_or_default()
    }
}

/// Memory of a process that runs, in MiB.
fn memory(process: u32, what: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(what))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes >> 10)
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn around(count: usize, open: &str, middle: &str, close: &str) -> String {
    format!(
        "select {}{middle}{}",
        open.repeat(count),
        close.repeat(count)
    )
}

/// Statements that ask for too much, and what they are told; `None` is an answer.
fn attacks() -> Vec<(String, &'static [&'static str])> {
    let deep: &[&str] = &["54001", "54000", "42601", "53200"];
    let full: &[&str] = &["53200"];
    let long: &[&str] = &["53200", "57014", ""];
    let nests = [
        ("abs(", ")"),
        ("(", ")"),
        ("nullif(", ",2)"),
        ("coalesce(", ",2)"),
        ("(", " between 0 and 1)::int"),
        ("(", " in (1,2,3))::int"),
        ("case ", " when 1 then 2 else 3 end"),
        ("(select ", ")"),
        ("exists(select ", ")"),
        ("array[", "]"),
        ("row(", ")"),
        ("- ", ""),
        ("not ", ""),
        ("", "+1"),
        ("", "||'a'"),
        ("", "::int::text"),
        ("", " union select 1"),
    ];
    let mut attacks = Vec::new();
    for (open, close) in nests {
        attacks.push((around(20_000, open, "1", close), deep));
        let of_table = around(24, open, "score", close) + " from signals limit 1";
        attacks.push((
            of_table,
            &["54001", "42601", "0A000", "42703", "42804", "42883", ""],
        ));
    }
    attacks.push(("explain ".repeat(100_000) + "select 1", deep));
    attacks.push(("prepare a as ".repeat(10_000) + "select 1", deep));
    attacks.push(("declare c cursor for ".repeat(10_000) + "select 1", deep));
    attacks.push(("copy (".repeat(10_000) + "select 1", deep));
    let doubled =
        (1..40).map(|i| format!(", a{i} as (select p.x from a{} p, a{} q)", i - 1, i - 1));
    let doubled: String = doubled.collect();
    attacks.push((
        format!("with a0 as (select 1 x){doubled} select 1 from a39"),
        deep,
    ));
    for sql in [
        "select rpad(id, 2147483647, 'x') from signals",
        "select repeat(id, 100000000) from signals",
        "select array_repeat(1, 1000000000)",
        "select range(1, 1000000000)",
        "select replace(repeat(id, 100000), 'a', repeat('b', 100000)) from signals",
        "select repeat(id, 1000000) || repeat(id, 1000000) as s from signals order by s",
        "select regexp_replace(repeat(id, 100000), '.', repeat('b', 100000), 'g') from signals",
        "select length(string_agg(repeat('x', 1000000), ',')) from generate_series(1, 10000)",
        "select value % 3, length(string_agg(repeat('x', 1000000), ',')) \
         from generate_series(1, 10000) g(value) group by 1",
        "select length(string_agg(repeat('x', 1000000), ',') over (order by value)) \
         from generate_series(1, 1000) g(value)",
        "select length(array_to_string(array_agg(repeat('x', 1000000)), ',')) from generate_series(1, 10000)",
        "select length(array_to_string(array_agg(repeat('x', 1000000 + value::int)), '')) \
         from generate_series(1, 10000) g(value)",
        "create temp table t as select repeat('x', value::int) from generate_series(100000, 110000) g(value)",
        "select length(array_to_string(range(1, 1000000)::text[], repeat('x', 100000)))",
        "select length(array_to_string(array_repeat(null::text, 1000000), ',', repeat('y', 100000)))",
        "select length(concat_ws(repeat(id, 1000000), 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h')) from signals",
        "select length(format(repeat('%1$s', 100000), repeat('x', 100000)))",
        "select length(format('%2000000000s', 'x'))",
    ] {
        attacks.push((sql.into(), full));
    }
    let star = "select length(format('%*s', 2000000000, 'x'))";
    attacks.push((star.into(), &["54000"]));
    for sql in [
        "select repeat('x', 1048576), generate_series(1, 2200)",
        "select count(*) from generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) \
         where a.x + b.y < 0",
        "select count(*) from generate_series(1, 10000000000) g(value) where value < 0",
        "with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t",
        "create temp table t as select count(*) from generate_series(1, 10000000000) g(value) \
         where value < 0",
        "select count(simulate_exit(token_address, timestamp, 'hybrid', 50, 500, 50, 10080, 'level')) \
         from signals, generate_series(1, 100000000)",
        "select count(*) from backtest(stop_loss_percent => range(1, 50, 1), \
         take_profit_percent => range(5, 500, 1), score_threshold => range(0, 100, 1))",
    ] {
        attacks.push((sql.into(), long));
    }
    let members = "select length(json_object_agg(value, repeat('x', 1000000))::text) \
                   from generate_series(1, 10000) g(value)";
    attacks.push((members.into(), &["53200", "54000"]));
    let moved = "begin; declare c scroll cursor for select repeat('x', 100000) || value \
                 from generate_series(1, 100000) g(value); move all in c";
    attacks.push((moved.into(), long));
    attacks.push((
        "select levenshtein(repeat('a', 1000000), repeat(id, 1000000)) from signals".into(),
        &["22023", "53200"],
    ));
    attacks.push((
        "select distinct score from signals order by score limit 1000000000".into(),
        &[""],
    ));
    attacks.push((
        "select token_address, max(score) from signals group by 1 order by 2 desc limit 1000000000"
            .into(),
        &[""],
    ));
    attacks.push(("select -(int8 '-9223372036854775808')".into(), &["22003"]));
    attacks
}

#[test]
fn attacks_cost_the_statement_that_makes_them() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let server = ServerProcess::start(workspace.path());
    let mut other = Wire::connect(server.address);
    for (sql, expected) in attacks() {
        let started = Instant::now();
        let mut wire = Wire::connect(server.address);
        wire.send(&query(&sql));
        let of_other = (0..3).map(|_| {
            let asked = Instant::now();
            assert_eq!(other.rows("select count(*) from signals").unwrap().len(), 1);
            asked.elapsed()
        });
        let of_other = of_other.min().unwrap();
        let answer = wire.until_ready();
        let found = errors(&answer).concat();
        let start: String = sql.chars().take(80).collect();
        assert!(of_other < AT_ONCE, "{start}: another waits {of_other:?}");
        assert!(!answer.is_empty(), "the server is gone after {start}");
        assert!(
            expected.contains(&found.as_str()),
            "{start}: {found}, not {expected:?}"
        );
        assert!(started.elapsed() < SOON, "{start}: {:?}", started.elapsed());
        assert_eq!(other.rows("select count(*) from signals").unwrap().len(), 1);
        assert!(server.peak() < 1_024, "{start}: {} MiB", server.peak());
    }
}

#[test]
fn attacks_cost_the_statement_on_the_command_line_too() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let (script, log) = (
        workspace.path().join("attack.sql"),
        workspace.path().join("attack.log"),
    );
    for (sql, expected) in attacks() {
        // No timeout ends there what only takes its time.
        if expected.contains(&"57014") {
            continue;
        }
        let start: String = sql.chars().take(80).collect();
        std::fs::write(&script, &sql).unwrap();
        let started = Instant::now();
        let mut process = hindsight(workspace.path())
            .args(["query", "--memory-limit", "512MiB", "-f"])
            .arg(&script)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut peak = 0;
        let status = loop {
            peak = memory(process.id(), "VmHWM:").unwrap_or_default().max(peak);
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let said = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
        let said: String = said.chars().take(500).collect();
        let is_answered = expected.contains(&"") && status.code() == Some(0);
        let is_refused = *expected != [""] && status.code() == Some(1);
        assert!(is_answered || is_refused, "{start}: {status}: {said}");
        assert!(!said.contains("panicked"), "{start}: {said}");
        assert!(started.elapsed() < SOON, "{start}: {:?}", started.elapsed());
        assert!(peak < 1_024, "{start}: {peak} MiB");
    }
}

/// Rounds of an attack, of which the memory is given back.
const ROUNDS: usize = 1_000;

#[test]
fn memory_comes_back_after_many_rounds() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let server = ServerProcess::start(workspace.path());
    let attack = "select length(string_agg(repeat(id, 2000), '')) from signals; \
                  select replace(repeat(id, 100000), 'a', repeat('b', 1000)) from signals limit 0; \
                  select rpad(id, 2147483647, 'x') from signals";
    let round = || {
        let mut wire = Wire::connect(server.address);
        assert_eq!(errors(&wire.ask(&query(attack))).concat(), "53200");
    };
    // What is made once and kept is made by the first.
    (0..50).for_each(|_| round());
    let before = server.settled();
    (50..ROUNDS).for_each(|_| round());
    let after = server.settled();
    assert!(
        after < before + 64,
        "{before} MiB before, {after} MiB after"
    );
    assert!(server.peak() < 1_024, "{} MiB", server.peak());
}

#[test]
fn clients_that_read_nothing_hold_back_what_is_made_for_them() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let server = ServerProcess::start(workspace.path());
    let slow: Vec<Wire> = (0..8)
        .map(|_| {
            let mut wire = Wire::connect(server.address);
            wire.send(&query(
                "select repeat('x', 10000) from generate_series(1, 1000000)",
            ));
            assert_eq!(wire.next().map(|message| message.kind), Some(b'T'));
            wire
        })
        .collect();
    let mut other = Wire::connect(server.address);
    assert_eq!(other.rows("select count(*) from signals").unwrap().len(), 1);
    assert!(server.peak() < 1_024, "{} MiB", server.peak());
    // Their time is up all the same.
    for mut wire in slow {
        assert_eq!(errors(&wire.until_ready()), ["57014"]);
    }
    assert_eq!(other.rows("select count(*) from signals").unwrap().len(), 1);
}

#[test]
fn the_command_line_has_a_limit_too() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let sql = "select length(array_to_string(array_agg(repeat('x', 1000000 + value::int)), '')) \
               from generate_series(1, 10000) g(value)";
    let refused = |output: std::io::Result<std::process::Output>| {
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("memory"), "{said}");
    };
    let limit = ["--memory-limit", "64MiB"];
    refused(
        hindsight(workspace.path())
            .arg("query")
            .args(limit)
            .arg(sql)
            .output(),
    );
    let mut shell = hindsight(workspace.path())
        .arg("shell")
        .args(limit)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let script = format!("{sql};\n");
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), script.as_bytes()).unwrap();
    refused(shell.wait_with_output());
}

#[test]
fn what_a_session_keeps_is_bounded() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let server = ServerProcess::start(workspace.path());
    let mut wire = Wire::connect(server.address);
    let mut state = |sql: &str| wire.rows(sql).err().map(|error| error[..5].to_owned());
    let long = "x".repeat(8_000);
    assert_eq!(
        state(&format!("notify a, '{long}'")).as_deref(),
        Some("22023")
    );
    assert_eq!(state("listen a"), None);
    assert_eq!(state("begin"), None);
    let savepoints: String = (0..1_001).map(|i| format!("savepoint s{i};")).collect();
    assert_eq!(state(&savepoints).as_deref(), Some("54000"));
    assert_eq!(state("rollback"), None);
    assert_eq!(state("set statement_timeout = 0"), None);
    // Values that a client binds, and texts that it prepares, are counted.
    let value = vec![b'x'; 30 << 20];
    let refused = (0..20).any(|i| {
        let name = format!("p{i}");
        let bound = [
            if i == 0 { query("begin") } else { vec![] },
            parse("", "select length($1::text)", &[]),
            bind(&name, "", &[Some(&value)], 0),
            execute(&name, 1),
            sync(),
        ];
        wire.send(&bound.concat());
        let mut answer = wire.until_ready();
        if i == 0 {
            answer.extend(wire.until_ready());
        }
        errors(&answer).contains(&"53200".to_owned())
    });
    assert!(refused);
    assert!(server.peak() < 1_024, "{} MiB", server.peak());
}

#[test]
fn the_command_line_says_what_crashed() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    for (sql, told) in [
        ("select -(int8 '-9223372036854775808')", "out of range"),
        ("select array_repeat(1, 1000000000000000)", "exceeds"),
    ] {
        let output = hindsight(workspace.path())
            .args(["query", sql])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(told) || said.contains("allocat"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
    let deep = around(100_000, "(", "1", ")");
    let file = workspace.path().join("deep.sql");
    std::fs::write(&file, deep).unwrap();
    let output = hindsight(workspace.path())
        .arg("query")
        .arg("-f")
        .arg(&file)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
}
