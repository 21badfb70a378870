//! The functions of catalog queries: one table, each a line with its types.
//!
//! A signature is written as PostgreSQL's type names; `?` marks what may be left out, `...` the
//! last that may be repeated. `anytext`, `anytexts` and `anyjson` take any value as its text, any
//! array as its texts, any value as JSON.

pub mod arrays;
pub mod degrees;
pub mod digests;
pub mod json;
pub mod numbers;
pub mod objects;
pub mod patterns;
pub mod regexps;
pub mod sets;
pub mod system;
pub mod text;
pub mod times;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::interpret::names;
use super::interpret::run::Context;
use super::interpret::{Run, SetRun};
use super::types::oid;

/// Parameters that take any value in a form of its own.
pub const TEXT_OF_ANY: u32 = u32::MAX;
pub const TEXTS_OF_ANY: u32 = u32::MAX - 1;
pub const JSON_OF_ANY: u32 = u32::MAX - 2;

/// One overload of a function.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub parameters: Vec<u32>,
    /// How many arguments it needs.
    pub required: usize,
    pub is_variadic: bool,
    pub result: u32,
    /// Whether null in is null out.
    pub is_strict: bool,
    pub body: Body,
}

#[derive(Debug)]
pub enum Body {
    Scalar(Run),
    /// Rows, with the columns' names and types.
    Set(SetRun, Vec<(&'static str, u32)>),
}

/// Functions while the table is made.
#[derive(Default)]
pub struct Functions {
    all: HashMap<&'static str, Vec<Function>>,
}

impl Functions {
    /// A function that is null where an argument is.
    fn strict(&mut self, name: &'static str, parameters: &str, result: &str, run: Run) {
        self.add(name, parameters, type_oid(result), true, Body::Scalar(run));
    }

    /// A function that is called with nulls too.
    fn lenient(&mut self, name: &'static str, parameters: &str, result: &str, run: Run) {
        self.add(name, parameters, type_oid(result), false, Body::Scalar(run));
    }

    /// A function that returns rows of these columns.
    fn set(
        &mut self,
        name: &'static str,
        parameters: &str,
        columns: &[(&'static str, &str)],
        run: SetRun,
    ) {
        let columns = columns.iter().map(|(name, of)| (*name, type_oid(of)));
        let columns: Vec<(&str, u32)> = columns.collect();
        let result = match columns.as_slice() {
            [(_, only)] => *only,
            _ => oid::RECORD,
        };
        self.add(name, parameters, result, false, Body::Set(run, columns));
    }

    fn add(
        &mut self,
        name: &'static str,
        parameters: &str,
        result: u32,
        is_strict: bool,
        body: Body,
    ) {
        let written: Vec<&str> = parameters.split(", ").filter(|of| !of.is_empty()).collect();
        let required = written
            .iter()
            .filter(|of| !of.ends_with(['?', '.']))
            .count();
        let is_variadic = written.last().is_some_and(|of| of.ends_with("..."));
        let parameters = written
            .iter()
            .map(|of| type_oid(of.trim_end_matches(['?', '.'])));
        self.all.entry(name).or_default().push(Function {
            name,
            parameters: parameters.collect(),
            required,
            is_variadic,
            result,
            is_strict,
            body,
        });
    }
}

fn type_oid(name: &str) -> u32 {
    match name {
        "anytext" => TEXT_OF_ANY,
        "anytexts" => TEXTS_OF_ANY,
        "anyjson" => JSON_OF_ANY,
        "any" => oid::ANY,
        "\"char\"" => oid::CHAR,
        name => names::named(name).map_or(oid::TEXT, |of| of.oid),
    }
}

static FUNCTIONS: LazyLock<HashMap<&'static str, Vec<Function>>> = LazyLock::new(|| {
    let mut functions = Functions::default();
    arrays::register(&mut functions);
    digests::register(&mut functions);
    json::register(&mut functions);
    numbers::register(&mut functions);
    degrees::register(&mut functions);
    objects::register(&mut functions);
    regexps::register(&mut functions);
    sets::register(&mut functions);
    system::register(&mut functions);
    text::register(&mut functions);
    times::register(&mut functions);
    functions.all
});

/// The overloads of a name.
pub fn named(name: &str) -> &'static [Function] {
    FUNCTIONS.get(name).map_or(&[], Vec::as_slice)
}

/// Every function.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FUNCTIONS.values().flatten()
}

/// Whether a function returns rows.
pub fn is_set(name: &str) -> bool {
    let overloads = named(name);
    overloads.iter().any(|f| matches!(f.body, Body::Set(..)))
}
