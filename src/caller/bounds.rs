//! Bounds on what a statement may be: how deep, how wide, and how large once its names are replaced by
//! what they mean.
//!
//! Whatever walks a statement walks it by recursion, and some of it twice. So it is bounded here,
//! before anything walks it.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ObjectName, Query, Select, SetExpr, TableFactor, TableWithJoins, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};
use sql_visit::visit;

use crate::error::{Error, Result};

/// How deep parentheses, subqueries and the like may be nested.
pub const NESTING_LIMIT: usize = 200;
/// How many operators may stand between the root of an expression and its deepest leaf; those that
/// cost more to plan count for several.
const OPERATOR_LIMIT: usize = 1_500;
/// The tables that one `FROM` may join: each join has the columns of all before it.
const TABLE_LIMIT: usize = 100;
/// The columns of a result, as in PostgreSQL.
const COLUMN_LIMIT: usize = 1_664;
/// How deep brackets of arrays and subscripts may be nested.
const ARRAY_LIMIT: usize = 16;
/// How deep subqueries in expressions, and parentheses around a first table in parentheses, may be
/// nested: each level doubles the work of reading or planning them.
const DOUBLED_LIMIT: usize = 8;
/// How large an expression may become once what is read twice stands there twice, and how many times
/// as large as it is.
const EXPANSION_LIMIT: u64 = 20_000;
const EXPANSION_TIMES: u64 = 20;
/// How often tables are read, with the queries that names stand for in place of the names.
const READ_LIMIT: u64 = 1_000;

/// Refuses what would be nested too deep: by its brackets, and by the operators on the way to the
/// deepest leaf.
pub fn check_depth(tokens: &[TokenWithSpan]) -> Result<()> {
    // For each open bracket, how many operators stand side by side in it so far, and whether what is
    // in it may be read twice.
    let mut levels = vec![Level::default()];
    let (mut depth, mut arrays, mut doubled) = (0_usize, 0_usize, 0_usize);
    let mut before = [None, None];
    for TokenWithSpan { token, .. } in tokens {
        if begins_query(token)
            && before == [Some(&Token::LParen), Some(&Token::LParen)]
            && let Some(level) = levels.last_mut()
        {
            doubled += usize::from(!level.is_doubled);
            level.is_doubled = true;
        }
        let is_row = *token == Token::LParen && before[1].is_some_and(is_row);
        before = [before[1], Some(token)];
        let cost = cost(token);
        if let Some(level) = levels.last_mut() {
            // Another operand of a condition, or another clause, is no deeper than the one before.
            if begins_operand(token) {
                let arithmetic = std::mem::take(&mut level.arithmetic);
                depth -= arithmetic;
                level.operators -= arithmetic;
            }
            depth += cost;
            level.operators += cost;
            if is_arithmetic(token) {
                level.arithmetic += cost;
            }
        }
        match token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                let is_array = *token == Token::LBracket;
                arrays += usize::from(is_array);
                doubled += usize::from(is_row);
                levels.push(Level {
                    is_array,
                    is_doubled: is_row,
                    ..Level::default()
                });
            }
            Token::RParen | Token::RBracket | Token::RBrace if levels.len() > 1 => {
                let level = levels.pop().unwrap_or_default();
                depth -= level.operators;
                arrays -= usize::from(level.is_array);
                doubled -= usize::from(level.is_doubled);
            }
            Token::Comma => {
                if let Some(level) = levels.last_mut() {
                    depth -= std::mem::take(&mut level.operators);
                    level.arithmetic = 0;
                }
            }
            _ => {}
        }
        if arrays > ARRAY_LIMIT {
            return Err(too_complex(format!(
                "more than {ARRAY_LIMIT} brackets of arrays within each other"
            )));
        }
        if doubled > DOUBLED_LIMIT {
            return Err(too_complex(format!(
                "more than {DOUBLED_LIMIT} rows, or queries in double parentheses, within each other"
            )));
        }
        if depth > OPERATOR_LIMIT {
            return Err(too_complex(format!(
                "more than {OPERATOR_LIMIT} operators in one expression; write long lists as \
                 IN (…) or = ANY(ARRAY[…])"
            )));
        }
        if levels.len() > NESTING_LIMIT + 1 {
            return Err(too_complex(format!(
                "more than {NESTING_LIMIT} brackets within each other"
            )));
        }
    }
    Ok(())
}

/// What is in an open bracket so far.
#[derive(Default)]
struct Level {
    operators: usize,
    /// What of it is arithmetic since the last word that begins another operand.
    arithmetic: usize,
    is_array: bool,
    is_doubled: bool,
}

fn begins_query(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none()
        && ["select", "with", "values", "table"]
            .iter()
            .any(|name| word.value.eq_ignore_ascii_case(name)))
}

/// A call whose arguments are looked at twice for its type.
fn is_row(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.quote_style.is_none()
        && ["row", "struct", "named_struct"]
            .iter()
            .any(|name| word.value.eq_ignore_ascii_case(name)))
}

/// Words behind which arithmetic is not within what stands before.
fn begins_operand(token: &Token) -> bool {
    const WORDS: [&str; 8] = [
        "and", "or", "from", "where", "on", "group", "having", "order",
    ];
    matches!(token, Token::Word(word) if word.quote_style.is_none()
        && WORDS.iter().any(|name| word.value.eq_ignore_ascii_case(name)))
}

/// The error that a statement goes beyond a bound.
pub fn too_complex(problem: impl std::fmt::Display) -> Error {
    Error::session("54001", format!("the statement is too deep: {problem}"))
}

/// Words that make an expression or a statement deeper each time, with what that costs.
const DEEPENING: [(&str, usize); 24] = [
    ("and", 1),
    ("or", 1),
    ("not", 1),
    ("is", 1),
    ("isnull", 1),
    ("notnull", 1),
    ("like", 3),
    ("ilike", 3),
    ("similar", 3),
    ("rlike", 3),
    ("regexp", 3),
    ("between", 3),
    ("in", 1),
    ("at", 3),
    ("collate", 3),
    ("interval", 3),
    ("union", 10),
    ("except", 10),
    ("intersect", 10),
    ("join", 3),
    ("explain", 10),
    ("prepare", 10),
    ("declare", 10),
    ("copy", 10),
];

fn is_arithmetic(token: &Token) -> bool {
    matches!(
        token,
        Token::Plus | Token::Minus | Token::Mul | Token::Div | Token::Mod | Token::Caret
    )
}

/// What an arithmetic operator costs.
const ARITHMETIC: usize = 2;

/// By how much a word or sign makes an expression deeper.
fn cost(token: &Token) -> usize {
    match token {
        Token::Word(word) if word.quote_style.is_none() => {
            let mut words = DEEPENING.iter();
            let found = words.find(|(name, _)| word.value.eq_ignore_ascii_case(name));
            found.map_or(0, |(_, cost)| *cost)
        }
        Token::Eq | Token::Neq | Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => 1,
        _ if is_arithmetic(token) => ARITHMETIC,
        Token::Word(_)
        | Token::Number(_, _)
        | Token::SingleQuotedString(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::Whitespace(_)
        | Token::Placeholder(_)
        | Token::SemiColon
        | Token::EOF
        | Token::Char(_)
        | Token::DoubleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_) => 0,
        // Operators, and brackets of subscripts.
        _ => 3,
    }
}

/// Refuses a statement that is too wide, or that would be too large with the queries in place of
/// their names. `view` is how often the view of a name reads tables.
pub fn check_size(statement: &Statement, view: &dyn Fn(&str) -> Option<u64>) -> Result<()> {
    let mut inner = statement;
    while let Statement::Explain(explain) = inner {
        inner = &explain.statement;
    }
    let Statement::Statement(statement) = inner else {
        return Ok(());
    };
    let mut reads = Reads {
        frames: vec![Frame::default()],
        subqueries: 0,
        view,
    };
    match visit(statement, &mut reads) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(error),
    }
}

/// Counts how often tables are read.
struct Reads<'a> {
    /// The queries around what is visited.
    frames: Vec<Frame>,
    /// How many subqueries in expressions are around it.
    subqueries: usize,
    view: &'a dyn Fn(&str) -> Option<u64>,
}

#[derive(Default)]
struct Frame {
    reads: u64,
    /// The names of the queries in `WITH`, by the addresses of the queries.
    names: HashMap<usize, String>,
    /// How often those read that were visited.
    known: HashMap<String, u64>,
}

impl Reads<'_> {
    fn count(&mut self, reads: u64) -> ControlFlow<Error> {
        let Some(frame) = self.frames.last_mut() else {
            return ControlFlow::Continue(());
        };
        frame.reads = frame.reads.saturating_add(reads);
        match frame.reads > READ_LIMIT {
            true => ControlFlow::Break(too_complex(format!(
                "tables are read more than {READ_LIMIT} times, with queries and views in place of \
                 their names; keep a result in a temporary table"
            ))),
            false => ControlFlow::Continue(()),
        }
    }
}

impl Visitor for Reads<'_> {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<Error> {
        self.subqueries += usize::from(is_subquery(expr));
        match self.subqueries > DOUBLED_LIMIT {
            true => ControlFlow::Break(too_complex(format!(
                "more than {DOUBLED_LIMIT} subqueries within each other in an expression; name \
                 them with WITH"
            ))),
            false => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &SqlExpr) -> ControlFlow<Error> {
        self.subqueries -= usize::from(is_subquery(expr));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        if let Err(error) = check_width(&query.body) {
            return ControlFlow::Break(error);
        }
        let named = query.with.iter().flat_map(|with| &with.cte_tables);
        let names = named.map(|cte| (address(&cte.query), folded(&cte.alias.name)));
        self.frames.push(Frame {
            names: names.collect(),
            ..Frame::default()
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        let reads = self.frames.pop().map_or(0, |frame| frame.reads).max(1);
        let parent = self.frames.last_mut();
        if let Some(parent) = parent
            && let Some(name) = parent.names.get(&address(query)).cloned()
        {
            parent.known.insert(name, reads);
            return ControlFlow::Continue(());
        }
        self.count(reads)
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<Error> {
        let last = name.0.last().and_then(|part| part.as_ident());
        let reads = last.map_or(1, |last| {
            let last = folded(last);
            let mut frames = self.frames.iter().rev();
            let known = frames.find_map(|frame| frame.known.get(&last).copied());
            known.or_else(|| (self.view)(&last)).unwrap_or(1)
        });
        self.count(reads)
    }
}

fn is_subquery(expr: &SqlExpr) -> bool {
    matches!(
        expr,
        SqlExpr::Subquery(_) | SqlExpr::Exists { .. } | SqlExpr::InSubquery { .. }
    )
}

fn address(query: &Query) -> usize {
    std::ptr::from_ref(query).addr()
}

/// A name as it is in quotes, else in small letters.
fn folded(name: &datafusion::sql::sqlparser::ast::Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// Refuses selects with too many tables or columns; those in subqueries are not looked at.
fn check_width(body: &SetExpr) -> Result<()> {
    let mut parts = vec![body];
    while let Some(part) = parts.pop() {
        match part {
            SetExpr::SetOperation { left, right, .. } => parts.extend([&**left, &**right]),
            SetExpr::Select(select) => check_select(select)?,
            _ => {}
        }
    }
    Ok(())
}

fn check_select(select: &Select) -> Result<()> {
    if select.projection.len() > COLUMN_LIMIT {
        let message = format!("target lists can have at most {COLUMN_LIMIT} entries");
        return Err(Error::session("54011", message));
    }
    let mut tables = 0;
    let mut parts: Vec<&TableWithJoins> = select.from.iter().collect();
    while let Some(TableWithJoins { relation, joins }) = parts.pop() {
        let joined = joins.iter().map(|join| &join.relation);
        for factor in std::iter::once(relation).chain(joined) {
            tables += 1;
            if let TableFactor::NestedJoin {
                table_with_joins, ..
            } = factor
            {
                parts.push(table_with_joins);
            }
        }
    }
    match tables > TABLE_LIMIT {
        true => Err(too_complex(format!(
            "more than {TABLE_LIMIT} tables in one FROM"
        ))),
        false => Ok(()),
    }
}

/// How often a plan reads tables, with what its views read.
pub fn plan_reads(plan: &LogicalPlan) -> u64 {
    fn reads(plan: &LogicalPlan, known: &mut HashMap<usize, u64>) -> u64 {
        let address = std::ptr::from_ref(plan).addr();
        if let Some(known) = known.get(&address) {
            return *known;
        }
        let own = match plan {
            LogicalPlan::TableScan(scan) => match scan.source.get_logical_plan() {
                Some(view) => reads(&view, known),
                None => 1,
            },
            plan => u64::from(plan.inputs().is_empty()),
        };
        let inputs = plan.inputs().into_iter().map(|input| reads(input, known));
        let all = inputs.fold(own, u64::saturating_add);
        known.insert(address, all);
        all
    }
    reads(plan, &mut HashMap::new())
}

/// Refuses a plan with expressions that become too large where an operand stands twice for one: by
/// the rules that simplify a plan, or in what is asked of it to find its type.
pub fn check_expansion(plan: &LogicalPlan) -> Result<()> {
    let mut is_too_large = false;
    plan.apply_with_subqueries(|node| {
        is_too_large = node.expressions().iter().any(|expr| {
            let (size, expanded) = expanded(expr);
            expanded > EXPANSION_LIMIT && expanded / size > EXPANSION_TIMES
        });
        Ok(match is_too_large {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    match is_too_large {
        true => Err(too_complex(
            "casts, BETWEEN or COALESCE are nested so often that planning would not end; compute \
             what is inside in a query of its own",
        )),
        false => Ok(()),
    }
}

/// The size of an expression, and the size once it is expanded.
fn expanded(expr: &Expr) -> (u64, u64) {
    let (mut size, mut inner) = (1_u64, 0_u64);
    let visited = expr.apply_children(|child| {
        let (child_size, child_expanded) = expanded(child);
        size += child_size;
        inner = inner.saturating_add(child_expanded);
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(visited.is_ok());
    let is_doubled = match expr {
        Expr::Between(_) => true,
        Expr::Cast(cast) => !matches!(&*cast.expr, Expr::Cast(_) | Expr::TryCast(_)),
        Expr::TryCast(cast) => !matches!(&*cast.expr, Expr::Cast(_) | Expr::TryCast(_)),
        Expr::ScalarFunction(call) => {
            let doubled = ["coalesce", "nvl", "ifnull", "row", "struct", "named_struct"];
            doubled.contains(&call.name())
        }
        _ => false,
    };
    let times = if is_doubled { 2 } else { 1 };
    (size, inner.saturating_mul(times).saturating_add(1))
}

/// Refuses one more where there are as many as there may be.
pub fn limited(count: usize, most: usize, what: &str) -> Result<()> {
    match count < most {
        true => Ok(()),
        false => {
            let message = format!("too many {what}: at most {most} are kept");
            Err(Error::session("54000", message))
        }
    }
}
