//! The interpreter: a statement is bound to a plan once, then run by plain loops.
//!
//! Binding ([`bind`], [`from`], [`expressions`], [`operators`], [`calls`]) resolves names and types
//! and decides the order of joins; describing a statement needs no more. Running ([`run`],
//! [`joins`], [`evaluate`], [`aggregates`], [`windows`]) is recursion over the plan: a subquery
//! sees the rows of the queries around it as a chain of frames, so that correlation needs no
//! rewriting.

pub mod aggregates;
pub mod bind;
pub mod calls;
pub mod evaluate;
pub mod expressions;
pub mod from;
pub mod joins;
pub mod names;
pub mod once;
pub mod operators;
pub mod run;
pub mod scope;
pub mod views;
pub mod windows;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::types::Type;
use super::value::Value;
use crate::error::Result;
use run::Context;

/// How deep queries and expressions may be nested: a limit on the stack.
pub const MOST_NESTED: usize = 120;

/// A row of any relation.
pub type Row = Arc<[Value]>;

/// A column of a relation or result.
#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub data_type: Type,
}

/// Rows with a hash index for each column that a join or condition looks up, made when needed.
#[derive(Debug)]
pub struct Table {
    pub rows: Vec<Row>,
    indexes: Vec<OnceLock<HashMap<Value, Vec<u32>>>>,
}

impl Table {
    pub fn new(rows: Vec<Row>, width: usize) -> Self {
        Self {
            rows,
            indexes: std::iter::repeat_with(OnceLock::new).take(width).collect(),
        }
    }

    /// The positions of the rows that have this value in the column.
    pub fn find(&self, column: usize, value: &Value) -> &[u32] {
        let Some(index) = self.indexes.get(column) else {
            return &[];
        };
        let index = index.get_or_init(|| {
            let mut index: HashMap<Value, Vec<u32>> = HashMap::new();
            for (row, position) in self.rows.iter().zip(0..) {
                if let Some(value) = row.get(column)
                    && !value.is_null()
                {
                    index.entry(value.clone()).or_default().push(position);
                }
            }
            index
        });
        index.get(value).map_or(&[], Vec::as_slice)
    }
}

/// A bound query.
#[derive(Debug)]
pub struct Query {
    /// Unique within the statement.
    pub id: usize,
    /// Whether it reads rows of a query around it; else it runs once for the statement.
    pub is_correlated: bool,
    pub ctes: Vec<Cte>,
    pub body: Body,
    pub columns: Vec<Column>,
    /// Columns of the body by which its rows are sorted, some behind those that are shown.
    pub order: Vec<SortKey>,
    pub limit: Option<Expr>,
    pub offset: Option<Expr>,
}

#[derive(Debug)]
pub enum Body {
    Select(Box<Select>),
    Values(Vec<Vec<Expr>>),
    Set {
        operator: SetOperator,
        keeps_duplicates: bool,
        left: Box<Query>,
        right: Box<Query>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOperator {
    Union,
    Intersect,
    Except,
}

#[derive(Clone, Copy, Debug)]
pub struct SortKey {
    pub column: usize,
    pub is_descending: bool,
    pub nulls_first: bool,
}

/// `WITH name AS (query)`, whose rows are kept in a slot.
#[derive(Debug)]
pub struct Cte {
    pub slot: usize,
    pub width: usize,
    pub query: Query,
    /// The part that reads the rows found before.
    pub recursive: Option<Recursion>,
}

#[derive(Debug)]
pub struct Recursion {
    pub step: Query,
    pub keeps_duplicates: bool,
}

#[derive(Debug)]
pub struct Select {
    pub from: From,
    pub grouping: Option<Grouping>,
    pub windows: Vec<Window>,
    pub sets: Vec<SetCall>,
    pub projection: Vec<Expr>,
    pub distinct: Distinct,
}

#[derive(Debug)]
pub enum Distinct {
    No,
    /// Of the columns that are shown.
    Rows,
    /// `DISTINCT ON` these columns of the projection.
    On(Vec<usize>),
}

/// The relations of a `FROM`, in the order in which they are joined.
#[derive(Debug, Default)]
pub struct From {
    /// Columns of all relations; a row has a place for each.
    pub width: usize,
    /// Conditions that need no relation.
    pub conditions: Vec<Expr>,
    pub steps: Vec<Step>,
}

#[derive(Debug)]
pub struct Step {
    pub source: Source,
    /// Where its columns begin in the row.
    pub offset: usize,
    pub width: usize,
    /// The columns that something reads.
    pub used: Vec<usize>,
    /// Whether a row of nulls stands for no match.
    pub is_left: bool,
    /// Whether its rows depend on those before it.
    pub is_lateral: bool,
    /// One condition that is an equality with a column of this source.
    pub lookup: Option<(usize, Expr)>,
    /// What a match must fulfil.
    pub conditions: Vec<Expr>,
    /// What the row must fulfil after it.
    pub filters: Vec<Expr>,
}

#[derive(Debug)]
pub enum Source {
    /// A relation of the catalog, by its position.
    Relation(usize),
    Query(Box<Query>),
    Cte(usize),
    Function {
        calls: Vec<SetCall>,
        has_ordinality: bool,
    },
    Join(Box<From>),
    Full {
        left: Box<From>,
        left_width: usize,
        right: Box<From>,
        condition: Vec<Expr>,
    },
}

/// A call whose result is rows.
#[derive(Debug)]
pub struct SetCall {
    pub run: SetRun,
    pub arguments: Vec<Expr>,
    pub columns: Vec<Column>,
    /// Whether a row is one value of a row type.
    pub is_record: bool,
}

/// A function: arguments to value.
pub type Run = fn(&Context<'_>, &[Value]) -> Result<Value>;
/// A function that returns rows.
pub type SetRun = fn(&Context<'_>, &[Value]) -> Result<Vec<Vec<Value>>>;

#[derive(Debug)]
pub struct Grouping {
    pub keys: Vec<Expr>,
    pub aggregates: Vec<Aggregate>,
    pub having: Option<Expr>,
}

#[derive(Debug)]
pub struct Aggregate {
    pub kind: AggregateKind,
    pub arguments: Vec<Expr>,
    pub is_distinct: bool,
    pub order: Vec<Sort>,
    pub filter: Option<Expr>,
    /// The type of the result.
    pub result: u32,
}

#[derive(Debug)]
pub struct Sort {
    pub expr: Expr,
    pub is_descending: bool,
    pub nulls_first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    CountRows,
    Count,
    Sum,
    Average,
    Min,
    Max,
    And,
    Or,
    Array,
    String,
    Json,
    JsonObject,
}

#[derive(Debug)]
pub struct Window {
    pub kind: WindowKind,
    pub arguments: Vec<Expr>,
    pub filter: Option<Expr>,
    pub partition: Vec<Expr>,
    pub order: Vec<Sort>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    RowNumber,
    Rank,
    DenseRank,
    Lag,
    Lead,
    FirstValue,
    LastValue,
    Aggregate(AggregateKind, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// An operator on two values of known types.
#[derive(Clone, Copy, Debug)]
pub enum Binary {
    Compare(Comparison),
    Call(Run),
}

/// What follows the columns of a row once they are computed.
#[derive(Clone, Copy, Debug)]
pub enum Computed {
    Aggregate,
    Window,
    Set,
}

/// A bound expression.
#[derive(Debug)]
pub enum Expr {
    Value(Value),
    /// A column of the row so many queries further out.
    Column {
        depth: usize,
        index: usize,
    },
    Computed(Computed, usize),
    /// `$1` is 0.
    Parameter(usize),
    /// A value that is computed once and that parts of the body read, each as [`Expr::Bound`].
    Let {
        id: usize,
        value: Box<Expr>,
        body: Box<Expr>,
    },
    Bound(usize),
    Call {
        run: Run,
        /// Whether null in is null out.
        is_strict: bool,
        arguments: Vec<Expr>,
    },
    Binary {
        operator: Binary,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `IS [NOT] DISTINCT FROM`.
    Distinct {
        left: Box<Expr>,
        right: Box<Expr>,
        is_negated: bool,
    },
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    /// `IS TRUE`, `IS NOT FALSE` and so on: never null.
    Is {
        expr: Box<Expr>,
        value: bool,
        is_negated: bool,
    },
    /// Operator with `ANY` or `ALL` of an array.
    Quantified {
        operator: Binary,
        is_all: bool,
        left: Box<Expr>,
        array: Box<Expr>,
    },
    In {
        expr: Box<Expr>,
        list: Vec<Expr>,
    },
    /// Operator with `ANY` or `ALL` of a query's rows.
    QuantifiedQuery {
        operator: Binary,
        is_all: bool,
        left: Box<Expr>,
        query: Box<Query>,
    },
    Exists(Box<Query>),
    Scalar(Box<Query>),
    ArrayQuery(Box<Query>),
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Box<Expr>,
    },
    Coalesce(Vec<Expr>),
    Cast {
        expr: Box<Expr>,
        from: Type,
        to: Type,
    },
    /// A value as JSON.
    Json {
        expr: Box<Expr>,
        from: Type,
    },
    Array(Vec<Expr>),
    Record(Vec<Expr>),
    Field(Box<Expr>, usize),
    Subscript(Box<Expr>, Box<Expr>),
    Slice {
        array: Box<Expr>,
        lower: Option<Box<Expr>>,
        upper: Option<Box<Expr>>,
    },
}

impl Expr {
    pub fn null() -> Self {
        Self::Value(Value::Null)
    }

    pub fn text(text: &str) -> Self {
        Self::Value(Value::text(text))
    }
}
