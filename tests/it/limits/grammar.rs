//! Statements of all kinds, nested at random: no text ends more than its statement.

use std::time::{Duration, Instant};

use hindsight::{Engine, Error, Role};

use super::SOON;
use crate::engine::block_on;
use crate::files;
use crate::random::Random;

/// Writes statements of all kinds, nested at random.
struct Grammar(Random);

impl Grammar {
    fn one(&mut self, choices: &[&str]) -> String {
        self.0.one_of(choices).to_owned()
    }

    fn list(&mut self, depth: u32) -> String {
        let count = self.0.small(1, 4);
        let items: Vec<String> = (0..count).map(|_| self.expr(depth)).collect();
        items.join(", ")
    }

    fn leaf(&mut self) -> String {
        self.one(&[
            "1",
            "-1",
            "0",
            "9223372036854775807",
            "1.5",
            "1e300",
            "0.000001",
            "null",
            "true",
            "'a'",
            "'2025-01-01'",
            "e'\\n'",
            "$$x$$",
            "id",
            "score",
            "timestamp",
            "token_address",
            "s.score",
            "now()",
            "current_date",
            "interval '1 day'",
            "date '2025-01-01'",
            "$1",
            "nope",
            "\"Odd\"",
            "*",
            "default",
        ])
    }

    fn expr(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.leaf();
        }
        let deeper = depth - 1;
        let a = self.expr(deeper);
        let other = self.0.small(0, deeper.into()) as u32;
        let b = self.expr(other);
        match self.0.below(16) {
            0 => format!("({a})"),
            1 | 2 => {
                let operator = self.one(&[
                    "+",
                    "-",
                    "*",
                    "/",
                    "%",
                    "||",
                    "=",
                    "<>",
                    "<",
                    ">=",
                    "and",
                    "or",
                    "like",
                    "is distinct from",
                    "->",
                    "~",
                    "^",
                ]);
                format!("{a} {operator} {b}")
            }
            3 | 4 => {
                let name = self.one(&[
                    "abs",
                    "coalesce",
                    "nullif",
                    "round",
                    "count",
                    "sum",
                    "max",
                    "string_agg",
                    "array_agg",
                    "repeat",
                    "concat",
                    "upper",
                    "date_trunc",
                    "to_char",
                    "greatest",
                    "price_at",
                    "length",
                    "extract",
                    "generate_series",
                    "unnest",
                    "nope",
                ]);
                format!("{name}({})", self.list(deeper))
            }
            5 => format!("case when {a} then {b} else {} end", self.leaf()),
            6 => format!("case {a} when {b} then {} end", self.leaf()),
            7 => {
                let data_type =
                    self.one(&["int", "text", "numeric(10,2)", "date", "int[]", "nope"]);
                format!("({a})::{data_type}")
            }
            8 => format!("{a} between {b} and {}", self.leaf()),
            9 => format!("{a} in ({})", self.list(deeper)),
            10 => format!("({})", self.query(deeper)),
            11 => format!("exists ({})", self.query(deeper)),
            12 => format!("array[{}]", self.list(deeper)),
            13 => format!("not {a}"),
            14 => format!("{a} is null"),
            _ => format!("sum({a}) over (partition by {b} order by {})", self.leaf()),
        }
    }

    fn from(&mut self, depth: u32) -> String {
        match (self.0.below(7), depth) {
            (0, 1..) => format!("({}) s", self.query(depth - 1)),
            (1, 1..) => {
                let (left, right) = (self.from(depth - 1), self.from(depth - 1));
                let join = self.one(&["join", "left join", "cross join", "full join"]);
                format!("{left} {join} {right} on {}", self.expr(depth - 1))
            }
            (2, _) => "backtest(stop_loss_percent => [8, 12]) s".into(),
            (3, _) => "generate_series(1, 3) s(id)".into(),
            (4, _) => "pg_class s".into(),
            _ => "signals s".into(),
        }
    }

    fn query(&mut self, depth: u32) -> String {
        let deeper = depth.saturating_sub(1);
        let mut sql = format!("select {}", self.list(deeper));
        if self.0.chance(3, 4) {
            sql += &format!(" from {}", self.from(deeper));
        }
        if self.0.chance(1, 3) {
            sql += &format!(" where {}", self.expr(deeper));
        }
        if self.0.chance(1, 4) {
            sql += &format!(" group by {}", self.list(deeper));
        }
        if self.0.chance(1, 4) {
            sql += &format!(" order by {} limit 3", self.list(deeper));
        }
        match self.0.below(12) {
            0 => format!("with s as ({sql}) select * from s"),
            1 => format!("{sql} union all {}", self.query(deeper)),
            2 => format!("values ({})", self.list(deeper)),
            _ => sql,
        }
    }

    fn statement(&mut self) -> String {
        let depth = self.0.small(0, 5) as u32;
        let query = self.query(depth);
        let mut sql = match self.0.below(24) {
            0 => format!("explain {query}"),
            1 => format!("prepare p as {query}"),
            2 => format!("declare c cursor for {query}"),
            3 => format!("copy ({query}) to stdout"),
            4 => format!("create temp table t as {query}"),
            5 => format!("create temp view v as {query}"),
            6 => format!("insert into scenarios (name, score_threshold) {query}"),
            7 => format!(
                "update scenarios set score_threshold = {}",
                self.expr(depth)
            ),
            8 => format!("delete from scenarios where {}", self.expr(depth)),
            9 => format!("execute p({})", self.list(depth)),
            10 => format!("call run_backtest(label => {})", self.expr(depth)),
            11 => self.one(&[
                "begin",
                "commit",
                "rollback",
                "savepoint a",
                "show all",
                "reset all",
                "listen a",
                "notify a, 'b'",
                "fetch 3 from c",
                "move all in c",
                "close all",
                "discard all",
                "deallocate all",
                "set timezone = 'UTC'",
                "set a.b to 1",
                "table signals",
                "vacuum",
                "lock table signals in access share mode",
                "drop table if exists t",
            ]),
            _ => query,
        };
        // Now and then a text that is cut, or in which a place is changed.
        if self.0.chance(1, 10) && !sql.is_empty() {
            let mut at = self.0.below(sql.len());
            while !sql.is_char_boundary(at) {
                at -= 1;
            }
            match self.0.chance(1, 2) {
                true => sql.truncate(at),
                false => sql.insert_str(
                    at,
                    &self.one(&["(", ")", "'", "\"", ";", "$", "[", "/*", ","]),
                ),
            }
        }
        sql
    }
}

/// How many of the statements are planned; all are parsed.
const PLANNED_ONE_IN: usize = 25;

#[test]
fn no_text_ends_more_than_its_statement() {
    let workspace = files::removed_at_the_end(crate::server::workspace());
    let engine = block_on(Engine::open_limited(
        workspace.path(),
        None,
        Some(512 << 20),
    ))
    .unwrap();
    let session = block_on(engine.session("ann", Role::Analyst)).unwrap();
    let mut grammar = Grammar(Random::of_test("no_text_ends_more_than_its_statement"));
    let mut longest = (Duration::ZERO, String::new());
    for number in 0..100_000 {
        let sql = grammar.statement();
        let started = Instant::now();
        let check = |error: &Error| {
            let message = error.to_string();
            assert!(
                !message.starts_with("the statement crashed"),
                "{sql}\n{message}"
            );
        };
        match session.parse(&sql) {
            Err(error) => check(&error),
            Ok(statements) if number % PLANNED_ONE_IN == 0 => {
                for statement in statements {
                    if let Err(error) = block_on(session.prepare(statement, &[])) {
                        check(&error);
                    }
                }
            }
            Ok(_) => {}
        }
        if started.elapsed() > longest.0 {
            longest = (started.elapsed(), sql);
        }
    }
    assert!(longest.0 < SOON, "{:?}: {}", longest.0, longest.1);
    assert_eq!(
        block_on(session.run("select 1"))
            .map(|_| ())
            .map_err(|e| e.to_string()),
        Ok(())
    );
}
