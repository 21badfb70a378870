//! The types of `$1`, `$2` and so on: what the client says, else what the statement says.
//!
//! A cast gives its type (`$1::int`), a comparison that of the other side, `LIMIT` an integer, `= ANY`
//! an array of the other side, a named argument that of its parameter. What nothing says is text, as
//! in PostgreSQL.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, Statement as PlanStatement};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, CastKind, DataType as SqlType, ExactNumberInfo, Expr, Ident,
    LimitClause, Query, Statement, TimezoneInfo, Value, VisitorMut,
};
use sql_visit::{visit_expressions, visit_expressions_mut, visit_mut};

use crate::dialect::expressions;
use crate::error::Result;

/// How many digits a numeric has of which nothing is said.
const NUMERIC: DataType = DataType::Decimal128(38, 10);
/// More parameters than the protocol can count.
const MOST: usize = 65_535;

/// Plans a statement with the types of its parameters, which it also says.
pub async fn plan(
    state: &SessionState,
    statement: DfStatement,
    given: &[Option<DataType>],
) -> Result<(LogicalPlan, Vec<Option<DataType>>)> {
    let DfStatement::Statement(sql) = statement else {
        let mut statement = statement;
        expressions::rewrite(&mut statement);
        return Ok((state.statement_to_plan(statement).await?, Vec::new()));
    };
    let mut sql = *sql;
    let count = count(&sql).max(given.len());
    if count == 0 {
        expressions::rewrite_sql(&mut sql);
        let statement = DfStatement::Statement(Box::new(sql));
        return Ok((state.statement_to_plan(statement).await?, Vec::new()));
    }
    let mut types: Vec<Option<DataType>> = given.to_vec();
    types.resize(count, None);
    take_casts(state, &mut sql, &mut types).await?;
    take_limits(&mut sql, &mut types);
    if types.contains(&None) {
        let inferred = infer(state, sql.clone(), &types).await;
        for (known, inferred) in types.iter_mut().zip(inferred) {
            if known.is_none() {
                *known = Some(inferred.unwrap_or(DataType::Utf8));
            }
        }
    }
    expressions::rewrite_sql(&mut sql);
    // What SQL has no name for is sent as text.
    let known = types.into_iter().flatten();
    let known = known.map(|known| sql_type(&known).map_or(DataType::Utf8, |_| known));
    let known: Vec<DataType> = known.collect();
    let names = known.iter().filter_map(sql_type).collect();
    let prepare = Statement::Prepare {
        name: Ident::new("parameters"),
        data_types: names,
        statement: Box::new(sql),
    };
    let plan = state
        .statement_to_plan(DfStatement::Statement(Box::new(prepare)))
        .await?;
    let plan = match plan {
        LogicalPlan::Statement(PlanStatement::Prepare(prepare)) => (*prepare.input).clone(),
        plan => plan,
    };
    Ok((plan, known.into_iter().map(Some).collect()))
}

/// The number of a placeholder, from 0.
fn position(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Nested(expr) => position(expr),
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => {
                let number: usize = name.strip_prefix('$')?.parse().ok()?;
                number.checked_sub(1).filter(|position| *position < MOST)
            }
            _ => None,
        },
        _ => None,
    }
}

/// The highest number of a placeholder.
fn count(statement: &Statement) -> usize {
    let mut highest = 0;
    let _ = visit_expressions(statement, |expr| {
        highest = position(expr).map_or(highest, |position| highest.max(position + 1));
        ControlFlow::<()>::Continue(())
    });
    highest
}

/// Takes the types of casts. A cast to a numeric without digits is taken away: the value brings its
/// own, which a cast would round.
async fn take_casts(
    state: &SessionState,
    sql: &mut Statement,
    types: &mut [Option<DataType>],
) -> Result<()> {
    let mut casts: Vec<(usize, SqlType)> = Vec::new();
    let _ = visit_expressions_mut(sql, |expr| {
        if let Expr::Cast {
            expr: inner,
            data_type,
            array: false,
            ..
        } = expr
            && let Some(position) = position(inner)
        {
            let is_numeric = matches!(
                data_type,
                SqlType::Numeric(ExactNumberInfo::None) | SqlType::Decimal(ExactNumberInfo::None)
            );
            let is_open = matches!(
                types.get(position),
                Some(None | Some(DataType::Decimal128(_, _) | DataType::Decimal256(_, _)))
            );
            if is_numeric && is_open {
                if let Some(known @ None) = types.get_mut(position) {
                    *known = Some(NUMERIC);
                }
                *expr = (**inner).clone();
            } else {
                casts.push((position, data_type.clone()));
            }
        }
        ControlFlow::<()>::Continue(())
    });
    for (position, data_type) in casts {
        if let Some(known @ None) = types.get_mut(position) {
            *known = Some(plain(arrow_type(state, data_type).await?));
        }
    }
    Ok(())
}

/// The Arrow type that a type of SQL is.
pub async fn arrow_type(state: &SessionState, data_type: SqlType) -> Result<DataType> {
    // The numbers of what is in the catalog.
    if matches!(data_type, SqlType::Regclass) {
        return Ok(DataType::Int64);
    }
    if let SqlType::Custom(name, modifiers) = &data_type
        && modifiers.is_empty()
        && let Some(name) = name.0.last().and_then(|part| part.as_ident())
        && ["oid", "regclass", "regproc", "regtype"].contains(&name.value.to_lowercase().as_str())
    {
        return Ok(DataType::Int64);
    }
    let null = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(Value::Null.with_empty_span())),
        data_type,
        array: false,
        format: None,
    };
    let plan = state.create_logical_plan(&format!("select {null}")).await?;
    Ok(plan.schema().field(0).data_type().clone())
}

/// What `LIMIT` and `OFFSET` take is an integer.
fn take_limits(sql: &mut Statement, types: &mut [Option<DataType>]) {
    struct Limits<'a>(&'a mut [Option<DataType>]);
    impl Limits<'_> {
        fn take(&mut self, expr: Option<&Expr>) {
            if let Some(position) = expr.and_then(position)
                && let Some(known @ None) = self.0.get_mut(position)
            {
                *known = Some(DataType::Int64);
            }
        }
    }
    impl VisitorMut for Limits<'_> {
        type Break = ();
        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
                self.take(limit.as_ref());
                self.take(offset.as_ref().map(|offset| &offset.value));
            }
            self.take(
                query
                    .fetch
                    .as_ref()
                    .and_then(|fetch| fetch.quantity.as_ref()),
            );
            ControlFlow::Continue(())
        }
    }
    let _ = visit_mut(sql, &mut Limits(types));
}

/// Plans the statement once to see what DataFusion makes of its placeholders.
async fn infer(
    state: &SessionState,
    mut sql: Statement,
    types: &[Option<DataType>],
) -> Vec<Option<DataType>> {
    let mut arrays = BTreeSet::new();
    let _ = visit_expressions_mut(&mut sql, |expr| {
        if let Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } = expr
            && let Some(position) = position(right)
        {
            // Compared with one element, the placeholder gets the type of the elements.
            arrays.insert(position);
            *expr = Expr::BinaryOp {
                left: left.clone(),
                op: BinaryOperator::Eq,
                right: right.clone(),
            };
        } else if let Some(known) = position(expr).and_then(|position| types.get(position))
            && let Some(data_type) = known.as_ref().and_then(sql_type)
        {
            *expr = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(expr.clone()),
                data_type,
                array: false,
                format: None,
            };
        }
        ControlFlow::<()>::Continue(())
    });
    let statement = DfStatement::Statement(Box::new(sql));
    let inferred = match state.statement_to_plan(statement).await {
        Ok(plan) => plan.get_parameter_types().unwrap_or_default(),
        Err(_) => Default::default(),
    };
    let of = |position: usize| {
        let inferred = inferred
            .get(&format!("${}", position + 1))
            .cloned()
            .flatten();
        let inferred = inferred.filter(|data_type| *data_type != DataType::Null);
        let inferred = inferred.map(plain);
        match arrays.contains(&position) {
            true => inferred.map(|element| DataType::new_list(element, true)),
            false => inferred,
        }
    };
    (0..types.len()).map(of).collect()
}

/// The type that a client sends for values of this type.
pub fn plain(data_type: DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(*values),
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::List(field) | DataType::LargeList(field) | DataType::ListView(field) => {
            DataType::new_list(plain(field.data_type().clone()), true)
        }
        DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::Int8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone),
        data_type => data_type,
    }
}

/// A type as SQL says it; `None` where it cannot.
fn sql_type(data_type: &DataType) -> Option<SqlType> {
    let number = |precision: u8, scale: i8| {
        SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(
            u64::from(precision),
            i64::from(scale),
        ))
    };
    let digits = |unit: &TimeUnit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    };
    Some(match data_type {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int16 => SqlType::SmallInt(None),
        DataType::Int32 => SqlType::Int(None),
        DataType::Int64 => SqlType::BigInt(None),
        DataType::Float32 => SqlType::Real,
        DataType::Float64 => SqlType::DoublePrecision,
        DataType::Utf8 => SqlType::Text,
        DataType::Binary => SqlType::Bytea,
        DataType::Date32 => SqlType::Date,
        DataType::Time64(_) => SqlType::Time(None, TimezoneInfo::None),
        DataType::Timestamp(unit, zone) => SqlType::Timestamp(
            Some(digits(unit)),
            match zone {
                Some(_) => TimezoneInfo::WithTimeZone,
                None => TimezoneInfo::None,
            },
        ),
        DataType::Interval(IntervalUnit::MonthDayNano) => SqlType::Interval {
            fields: None,
            precision: None,
        },
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            number(*precision, *scale)
        }
        DataType::List(field) => {
            let element = Field::data_type(field);
            SqlType::Array(ArrayElemTypeDef::SquareBracket(
                Box::new(sql_type(element)?),
                None,
            ))
        }
        _ => return None,
    })
}
