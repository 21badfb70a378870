//! Writes to temporary tables as PostgreSQL takes them: columns that may not be null or are JSON, ids that
//! count themselves, `UPDATE … FROM` and `DELETE … USING`.
//!
//! To Arrow every column of a temporary table may be null: what is not is said by [`NOT_NULL`] and
//! checked by what is written, so that the error names the column. A write that reads other tables is a
//! query of all rows of its table with a mark on those that it means; its result takes their place.

use std::sync::Arc;

use datafusion::arrow::array::Array;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Constraint, Constraints, Result as PlanResult};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, WriteOp, cast, ident,
};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, ColumnOption, ColumnOptionDef, DataType as SqlType, FromTable, Ident,
    Statement as SqlStatement, TableFactor, TableWithJoins, UpdateTableFromKind,
};

use super::PG_TYPE;
use super::tables::SessionTables;
use crate::catalog::NOT_NULL;
use crate::dialect::functions::{json, routine};
use crate::dialect::numbers;
use crate::error::{Error, Result};
use crate::session::parsed;

/// The column of a rewritten table that marks the rows that are meant.
const MARK: &str = "#meant";

/// The schema of a temporary table: of declared columns, or of those of a query, which may all be null.
pub fn schema(given: &Schema, constraints: &Constraints, is_of_query: bool) -> SchemaRef {
    let is_key = |position: usize| {
        constraints.iter().any(|constraint| {
            matches!(constraint, Constraint::PrimaryKey(key) if key.contains(&position))
        })
    };
    let fields = given.fields().iter().enumerate().map(|(position, field)| {
        let mut metadata = field.metadata().clone();
        metadata.remove(NOT_NULL);
        if !is_of_query && (!field.is_nullable() || is_key(position)) {
            metadata.insert(NOT_NULL.into(), "true".into());
        }
        let field = Field::clone(field).with_nullable(true);
        field.with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Whether a column may be null.
pub fn is_nullable(field: &Field) -> bool {
    field.is_nullable() && !field.metadata().contains_key(NOT_NULL)
}

/// A write whose values are checked before they are there.
pub fn checked(plan: LogicalPlan) -> Result<LogicalPlan> {
    let LogicalPlan::Dml(mut write) = plan else {
        return Ok(plan);
    };
    write.input = Arc::new(rounded(Arc::unwrap_or_clone(write.input))?);
    let schema = write.target.schema();
    let relation = write.table_name.table().to_owned();
    let is_checked = |field: &Arc<Field>| !is_nullable(field) || json_type(field).is_some();
    if !schema.fields().iter().any(is_checked) {
        return Ok(LogicalPlan::Dml(write));
    }
    let input = Arc::unwrap_or_clone(write.input);
    let input = match (&write.op, input) {
        (WriteOp::Insert(_), input) => {
            let columns = input.schema().columns();
            let values = columns.into_iter().zip(schema.fields());
            let values = values.map(|(column, field)| {
                let name = column.name.clone();
                value_for(Expr::Column(column), field, &relation).alias(name)
            });
            let values: Vec<Expr> = values.collect();
            LogicalPlanBuilder::from(input).project(values)?.build()?
        }
        (WriteOp::Update, LogicalPlan::Projection(mut projection)) => {
            for (expr, field) in projection.expr.iter_mut().zip(schema.fields()) {
                if let Expr::Alias(alias) = expr
                    && !matches!(&*alias.expr, Expr::Column(column) if column.name == alias.name)
                {
                    let value = std::mem::take(&mut *alias.expr);
                    *alias.expr = value_for(value, field, &relation);
                }
            }
            LogicalPlan::Projection(projection)
        }
        (_, input) => input,
    };
    write.input = Arc::new(input);
    Ok(LogicalPlan::Dml(write))
}

/// A plan in which casts to integers round, where DataFusion's cut.
fn rounded(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = plan.transform_up(|plan| {
        let schema = merge_schema(&plan.inputs());
        plan.map_expressions(|expr| {
            expr.transform_up(|expr| {
                let Expr::Cast(cast) = &expr else {
                    return Ok(Transformed::no(expr));
                };
                let from = cast.expr.get_type(&schema).unwrap_or(DataType::Null);
                let to = match cast.field.data_type() {
                    DataType::Int16 => "int2",
                    DataType::Int32 => "int4",
                    DataType::Int64 => "int8",
                    _ => return Ok(Transformed::no(expr)),
                };
                match numbers::conversion(to) {
                    Some(round) if from.is_decimal() || from.is_floating() => {
                        Ok(Transformed::yes(round.call(vec![(*cast.expr).clone()])))
                    }
                    _ => Ok(Transformed::no(expr)),
                }
            })
        })
    })?;
    Ok(plan.data)
}

/// A value on its way into a column.
fn value_for(value: Expr, field: &Field, relation: &str) -> Expr {
    let value = match json_type(field).and_then(json::function) {
        Some(json) => json.call(vec![value]),
        None => value,
    };
    if is_nullable(field) {
        return value;
    }
    let required = Required {
        column: field.name().clone(),
        relation: relation.to_owned(),
        signature: Signature::any(1, Volatility::Stable),
    };
    ScalarUDF::new_from_impl(required).call(vec![value])
}

/// The kind of JSON that a column is, which is also the function that reads it.
fn json_type(field: &Field) -> Option<&str> {
    let of = field.metadata().get(PG_TYPE)?;
    ["json", "jsonb"].into_iter().find(|name| name == of)
}

/// A value that may not be null.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Required {
    column: String,
    relation: String,
    signature: Signature,
}

impl ScalarUDFImpl for Required {
    fn name(&self) -> &str {
        "required"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, given: &[DataType]) -> PlanResult<DataType> {
        let [of] = take_function_args(self.name(), given)?;
        Ok(of.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> PlanResult<ColumnarValue> {
        let [value] = take_function_args(self.name(), args.args)?;
        let is_null = match &value {
            ColumnarValue::Array(array) => array.null_count() > 0,
            ColumnarValue::Scalar(value) => value.is_null() && args.number_rows > 0,
        };
        match is_null {
            false => Ok(value),
            true => Err(routine::failed(
                "23502",
                format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    self.column, self.relation
                ),
            )),
        }
    }
}

/// Writes declared columns as DataFusion declares them: `serial` and identities are integers with a
/// default that counts.
pub fn declare(statement: &mut DfStatement) {
    let DfStatement::Statement(statement) = statement else {
        return;
    };
    let SqlStatement::CreateTable(table) = &mut **statement else {
        return;
    };
    for column in &mut table.columns {
        let name = column.data_type.to_string().to_ascii_lowercase();
        let of = match name.as_str() {
            "serial" | "serial4" => Some(SqlType::Int(None)),
            "bigserial" | "serial8" => Some(SqlType::BigInt(None)),
            "smallserial" | "serial2" => Some(SqlType::SmallInt(None)),
            _ => None,
        };
        let is_identity = |def: &ColumnOptionDef| {
            matches!(
                &def.option,
                ColumnOption::Generated {
                    generation_expr: None,
                    ..
                }
            )
        };
        let counts = of.is_some() || column.options.iter().any(is_identity);
        if let Some(of) = of {
            column.data_type = of;
        }
        if counts {
            column.options.retain(|def| !is_identity(def));
            let default = parsed("next_value()", |parser| parser.parse_expr());
            let options = default.into_iter().map(ColumnOption::Default);
            let options = options.chain([ColumnOption::NotNull]);
            column
                .options
                .extend(options.map(|option| ColumnOptionDef { name: None, option }));
        }
    }
}

/// A write whose rows take the place of a table's.
#[derive(Debug, Clone)]
pub struct Rewrite {
    pub table: String,
    pub is_delete: bool,
}

impl Rewrite {
    /// What an `UPDATE … FROM` or `DELETE … USING` of a temporary table is, and the query of its rows.
    pub fn of(
        statement: &DfStatement,
        tables: &SessionTables,
    ) -> Result<Option<(Self, DfStatement)>> {
        let DfStatement::Statement(statement) = statement else {
            return Ok(None);
        };
        let (target, others, condition, set, is_delete) = match &**statement {
            SqlStatement::Update(update) => {
                let Some(
                    UpdateTableFromKind::AfterSet(from) | UpdateTableFromKind::BeforeSet(from),
                ) = &update.from
                else {
                    return Ok(None);
                };
                let set = update.assignments.as_slice();
                (&update.table, from, &update.selection, set, false)
            }
            SqlStatement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) =
                    &delete.from;
                let (Some(using), [target]) = (&delete.using, from.as_slice()) else {
                    return Ok(None);
                };
                (target, using, &delete.selection, [].as_slice(), true)
            }
            _ => return Ok(None),
        };
        let Some((name, alias)) = named(target) else {
            return Ok(None);
        };
        let Some(schema) = tables.own_schema(&name) else {
            return Ok(None);
        };
        let mut values = Vec::new();
        for assignment in set {
            let AssignmentTarget::ColumnName(column) = &assignment.target else {
                return Err(Error::session_hint(
                    "0A000",
                    "UPDATE of several columns at once is not supported",
                    "write column = value for each",
                ));
            };
            let column = column.0.last().and_then(|part| part.as_ident());
            let column = column.map(folded).unwrap_or_default();
            if schema.column_with_name(&column).is_none() {
                let message = format!("column \"{column}\" of relation \"{name}\" does not exist");
                return Err(Error::session("42703", message));
            }
            values.push((column, assignment.value.to_string()));
        }
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let all = format!(
            "(select row_number() over () as \"#row\", * from {})",
            quoted(&name)
        );
        let made = values.iter().enumerate();
        let made = made.map(|(place, (_, value))| format!(", ({value}) as \"#{place}\""));
        let others: Vec<String> = others.iter().map(ToString::to_string).collect();
        let condition = condition
            .as_ref()
            .map_or("true".into(), ToString::to_string);
        let columns = schema.fields().iter().map(|field| {
            let old = format!("\"#old\".{}", quoted(field.name()));
            let place = values.iter().position(|(column, _)| column == field.name());
            place.map_or_else(
                || format!("{old}, "),
                |place| {
                    let column = quoted(field.name());
                    format!(
                        "case when \"#new\".\"#row\" is null then {old} \
                         else \"#new\".\"#{place}\" end as {column}, "
                    )
                },
            )
        });
        let query = format!(
            "select {}\"#new\".\"#row\" is not null as \"{MARK}\" from {all} as \"#old\" \
             left join (select distinct on ({alias}.\"#row\") {alias}.\"#row\"{} \
             from {all} as {alias}, {} where {condition}) as \"#new\" \
             on \"#old\".\"#row\" = \"#new\".\"#row\" order by \"#old\".\"#row\"",
            columns.collect::<String>(),
            made.collect::<String>(),
            others.join(", "),
        );
        let query = parsed(&query, |parser| parser.parse_statement())?;
        let rewrite = Self {
            table: name,
            is_delete,
        };
        Ok(Some((rewrite, DfStatement::Statement(Box::new(query)))))
    }

    /// The rows with the table's types, checked, and the mark behind them.
    pub fn typed(&self, rows: LogicalPlan, schema: &SchemaRef) -> Result<LogicalPlan> {
        let columns = rows.schema().columns();
        let mut values = Vec::with_capacity(columns.len());
        for (column, field) in columns.iter().zip(schema.fields()) {
            // Types are not settled yet, so that the same may become others.
            let value = cast(Expr::Column(column.clone()), field.data_type().clone());
            values.push(value_for(value, field, &self.table).alias(field.name()));
        }
        values.push(ident(MARK));
        Ok(LogicalPlanBuilder::from(rows).project(values)?.build()?)
    }
}

/// The name of a table, and what it is called in its statement.
fn named(table: &TableWithJoins) -> Option<(String, String)> {
    let TableFactor::Table { name, alias, .. } = &table.relation else {
        return None;
    };
    let name = name.0.last()?.as_ident()?;
    let called = alias.as_ref().map_or(name, |alias| &alias.name);
    table
        .joins
        .is_empty()
        .then(|| (folded(name), called.to_string()))
}

/// A name as it is kept.
fn folded(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}
