//! From a statement to a plan, and from a plan to rows.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Schema, UInt64Type};
use datafusion::common::format::ExplainFormat;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement as PlanStatement, WriteOp};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::parser::Statement as DfStatement;
use futures::TryStreamExt;

use super::command::{Command, Transaction};
use super::labels::{labelled, renamed};
use super::parse::{Request, Statement};
use super::writes::Rewrite;
use super::{
    Outcome, Prepared, Session, Work, allowed, every_column, explain, placeholders,
    returning as written, tables, writes,
};
use crate::caller::bounds;
use crate::caller::give_way;
use crate::caller::transaction::TransactionStatus;
use crate::dialect::functions::syntax;
use crate::dialect::{names, queries};
use crate::error::{Error, Result};
use crate::state_sql::scenario_writes::{is_write, plan_writes, returning};

impl Session {
    /// Plans a statement.
    pub(super) async fn plan(
        &self,
        statement: Statement,
        parameters: &[Option<DataType>],
    ) -> Result<Prepared> {
        let ends_transaction = matches!(&statement.request, Request::Command(command) if matches!(
            **command,
            Command::Transaction(
                Transaction::Commit { .. } | Transaction::Rollback { .. } | Transaction::RollbackTo(_)
            )
        ));
        if self.transaction_status() == TransactionStatus::Failed && !ends_transaction {
            return Err(Error::TransactionFailed);
        }
        let generation = self.refresh().await?;
        let request = statement.request.clone();
        let prepared = Prepared {
            work: Work::Nothing,
            generation,
            given: parameters.to_vec(),
            verb: "",
            schema: None,
            parameters: Vec::new(),
            declared: Arc::default(),
            parameter_fields: None,
            copy: None,
            statement,
        };
        match request {
            Request::Sql(sql) => {
                bounds::check_size(&sql, &|name| self.tables.view_reads(name))?;
                self.plan_sql(prepared, *sql).await
            }
            Request::Command(command) => self.plan_command(prepared, *command).await,
        }
    }

    async fn plan_sql(&self, prepared: Prepared, sql: DfStatement) -> Result<Prepared> {
        if let Some((statement, described)) = self.describe(&sql, &prepared.given).await? {
            return Ok(Self::described(prepared, statement, described));
        }
        // What is refused of a statement, the catalog would drop.
        let is_plain = || match &sql {
            DfStatement::Statement(statement) => queries::is_plain(&self.opened().state, statement),
            _ => true,
        };
        let planned = self.plan_on_engine(prepared.clone(), sql.clone()).await;
        // A function or a type that only the catalog has, of nothing that is stored.
        if let Err(error) = &planned
            && matches!(error.sqlstate(), "0A000" | "42883")
            && is_plain()
            && let Some((statement, described)) =
                self.describe_constant(&sql, &prepared.given).await
        {
            return Ok(Self::described(prepared, statement, described));
        }
        if let Err(error) = &planned
            && matches!(error.sqlstate(), "42P01" | "42883")
            && let Some(unknown) = self.unknown_function(&sql, error)
        {
            return Err(unknown);
        }
        planned
    }

    /// Has DataFusion plan a statement, up to the types of its columns.
    async fn plan_on_engine(&self, prepared: Prepared, mut sql: DfStatement) -> Result<Prepared> {
        let is_call = matches!(&sql, DfStatement::Statement(statement)
            if matches!(**statement, datafusion::sql::sqlparser::ast::Statement::Call(_)));
        let is_truncate = matches!(&sql, DfStatement::Statement(statement)
            if matches!(**statement, datafusion::sql::sqlparser::ast::Statement::Truncate(_)));
        let returned = allowed::prepare(&mut sql)?;
        writes::declare(&mut sql);
        let rewrite = Rewrite::of(&sql, &self.tables)?;
        let rewrite = rewrite.map(|(rewrite, query)| {
            sql = query;
            rewrite
        });
        if rewrite.is_some() && returned.is_some() {
            return Err(Error::session_hint(
                "0A000",
                "RETURNING of a write that reads other tables is not supported",
                "select the rows afterwards",
            ));
        }
        let writes_scenarios = allowed::is_scenario_write(&sql);
        names::rewrite(&mut sql);
        queries::rewrite(&mut sql)?;
        let state = self.context.state();
        queries::names::resolve(&state, &mut sql).await?;
        syntax::rewrite(&mut sql)?;
        let is_every_column = every_column::take(&mut sql);
        let planning = placeholders::plan(&state, sql, &prepared.given);
        let (plan, parameters) = match writes_scenarios {
            true => tables::PLANNING_WRITE.scope((), planning).await?,
            false => planning.await?,
        };
        let plan = match is_every_column {
            true => every_column::put_back(plan),
            false => plan,
        };
        bounds::check_expansion(&plan)?;
        allowed::check(&plan)?;
        self.check_readers(&plan)?;
        let verb = match (is_call, is_truncate) {
            (true, _) => "CALL",
            (_, true) => "TRUNCATE TABLE",
            _ => verb(&plan),
        };
        if let Some(rewrite) = rewrite {
            let schema = self.tables.own_schema(&rewrite.table);
            let plan = rewrite.typed(plan, &schema.unwrap_or_else(|| Arc::new(Schema::empty())))?;
            return Ok(Prepared {
                verb: if rewrite.is_delete {
                    "DELETE"
                } else {
                    "UPDATE"
                },
                work: Work::Rewrite(rewrite, Box::new(plan)),
                schema: None,
                parameters,
                ..prepared
            });
        }
        let plan = match writes_scenarios {
            true => plan,
            false => writes::checked(plan)?,
        };
        if let (Some(items), false) = (&returned, writes_scenarios) {
            let rows = written::plan(&state, items, &plan).await?;
            return Ok(Prepared {
                verb,
                schema: Some(Arc::new(rows.schema().as_arrow().clone())),
                work: Work::Returning(Box::new(plan), Box::new(rows)),
                parameters,
                ..prepared
            });
        }
        let plan = plan_writes(plan)?;
        let plan = match returned {
            None => plan,
            Some(items) => {
                let select = format!("select {items} from scenarios");
                returning(state.create_logical_plan(&select).await?, &plan)?
            }
        };
        // Before their types are settled, columns may seem to be of others than they are.
        let plan = match &plan {
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => plan,
            _ => {
                let options = state.config_options();
                state
                    .analyzer()
                    .execute_and_check(plan, options, |_, _| {})?
            }
        };
        let schema = returns_rows(&plan).then(|| match &plan {
            plan @ (LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) => explain::schema(plan),
            plan => labelled(plan, &self.tables),
        });
        Ok(Prepared {
            verb,
            work: Work::Plan(Box::new(plan)),
            schema,
            parameters,
            ..prepared
        })
    }

    /// What the plan costs that is explained as a text, unless that is not to be said.
    async fn cost(&self, plan: &LogicalPlan) -> String {
        let explained = match plan {
            LogicalPlan::Explain(explain)
                if matches!(explain.explain_format, ExplainFormat::Indent)
                    && explain.show_statistics != Some(false) =>
            {
                &explain.plan
            }
            _ => return String::new(),
        };
        let planned = self.context.state().create_physical_plan(explained).await;
        planned.map_or_else(|_| String::new(), |plan| explain::cost(plan.as_ref()))
    }

    /// Refuses to drop what a view of the session reads.
    fn check_readers(&self, plan: &LogicalPlan) -> Result<()> {
        let (kind, name) = match plan {
            LogicalPlan::Ddl(DdlStatement::DropTable(table)) => ("table", table.name.table()),
            LogicalPlan::Ddl(DdlStatement::DropView(view)) => ("view", view.name.table()),
            _ => return Ok(()),
        };
        match self.tables.reader_of(name) {
            None => Ok(()),
            Some(view) => Err(Error::session_hint(
                "2BP01",
                format!("cannot drop {kind} {name} because view {view} depends on it"),
                format!("drop view {view} first"),
            )),
        }
    }

    /// Does what a prepared statement says.
    pub(super) async fn perform(
        &self,
        prepared: &Prepared,
        values: Vec<ScalarValue>,
    ) -> Result<Outcome> {
        let types = values.iter().map(|value| Some(value.data_type()));
        let is_as_planned = types.clone().eq(prepared.parameters.iter().cloned());
        let is_current = self.refresh().await? == prepared.generation && is_as_planned
            || matches!(prepared.work, Work::Catalog(_));
        let fresh;
        let prepared = match is_current || matches!(prepared.work, Work::Command(_)) {
            true => prepared,
            false => {
                // Planned again, over another generation or for values of other digits.
                let given: Vec<_> = match values.is_empty() {
                    true => prepared.given.clone(),
                    false => types.collect(),
                };
                fresh = Box::pin(self.plan(prepared.statement.clone(), &given)).await?;
                &fresh
            }
        };
        match &prepared.work {
            Work::Nothing => Ok(Outcome::Done {
                rows: None,
                verb: prepared.verb,
            }),
            Work::Plan(plan) => self.execute_plan(prepared, (**plan).clone(), values).await,
            Work::Returning(write, rows) => {
                self.write_returning(prepared, (write, rows), values).await
            }
            Work::Rewrite(rewrite, plan) => {
                let plan = bound(LogicalPlan::clone(plan), values)?;
                Ok(Outcome::Done {
                    rows: Some(self.rewrite_table(rewrite, plan).await?),
                    verb: prepared.verb,
                })
            }
            Work::Catalog(statement) => self.ask_catalog(statement, values).await,
            Work::Command(command) => self.obey(prepared, command).await,
            Work::Inner(inner, None) => Box::pin(self.perform(inner, values)).await,
            Work::Inner(inner, Some(command)) => self.declare(inner, values, command).await,
            Work::Named(named, arguments) => {
                let values = self.arguments(named, arguments).await?;
                Box::pin(self.perform(named, values)).await
            }
        }
    }

    /// Returns rows as they are written or deleted, and then writes or deletes them.
    async fn write_returning(
        &self,
        prepared: &Prepared,
        (write, rows): (&LogicalPlan, &LogicalPlan),
        values: Vec<ScalarValue>,
    ) -> Result<Outcome> {
        let unnamed = Prepared {
            schema: None,
            ..prepared.clone()
        };
        let (write, rows, values) = match write {
            LogicalPlan::Dml(insert) if matches!(insert.op, WriteOp::Insert(_)) => {
                let made = bound(LogicalPlan::clone(&insert.input), values)?;
                let made = self.context.execute_logical_plan(made).await?;
                let made = give_way::start(made, &self.under_way).await?;
                let made: Vec<RecordBatch> = made.try_collect().await?;
                let (write, rows) = written::over_rows(write, rows, made)?;
                (write, rows, Vec::new())
            }
            write => (write.clone(), rows.clone(), values),
        };
        let returned = self.execute_plan(prepared, rows, values.clone());
        let Outcome::Rows(returned) = Box::pin(returned).await? else {
            return Err(Error::session("XX000", "RETURNING has no rows"));
        };
        let schema = returned.schema();
        let returned: Vec<RecordBatch> = returned.try_collect().await?;
        Box::pin(self.execute_plan(&unnamed, write, values)).await?;
        let rows = futures::stream::iter(returned.into_iter().map(Ok));
        let rows = RecordBatchStreamAdapter::new(schema, rows);
        Ok(Outcome::Rows(Box::pin(rows)))
    }

    async fn execute_plan(
        &self,
        prepared: &Prepared,
        plan: LogicalPlan,
        values: Vec<ScalarValue>,
    ) -> Result<Outcome> {
        let plan = bound(plan, values)?;
        let plan = match plan {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) => {
                let rows = self.create_table(table).await?;
                // PostgreSQL says of a table made of a query how many rows it has.
                let verb = if rows.is_some() {
                    "SELECT"
                } else {
                    prepared.verb
                };
                return Ok(Outcome::Done { rows, verb });
            }
            plan => plan,
        };
        let is_explained = matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_));
        let cost = self.cost(&plan).await;
        let counts_rows = matches!(plan, LogicalPlan::Dml(_)) || is_write(&plan);
        let replaces_view = matches!(&plan, LogicalPlan::Ddl(DdlStatement::CreateView(view))
            if view.or_replace && self.tables.reader_of(view.name.table()).is_some());
        let frame = self.context.execute_logical_plan(plan).await?;
        if replaces_view {
            self.plan_views().await?;
        }
        let rows = give_way::start(frame, &self.under_way).await?;
        if let Some(schema) = &prepared.schema {
            return Ok(Outcome::Rows(match is_explained {
                true => explain::lines(rows, schema, &cost).await?,
                false => renamed(rows, schema),
            }));
        }
        let batches: Vec<RecordBatch> = rows.try_collect().await?;
        let counts = batches.iter().filter(|_| counts_rows).flat_map(|batch| {
            let column = batch.columns().first()?;
            column.as_primitive_opt::<UInt64Type>()?.iter().next()?
        });
        Ok(Outcome::Done {
            rows: counts_rows.then(|| counts.sum()),
            verb: prepared.verb,
        })
    }
}

/// A plan with values in the place of its parameters.
fn bound(plan: LogicalPlan, values: Vec<ScalarValue>) -> Result<LogicalPlan> {
    if values.is_empty() {
        return Ok(plan);
    }
    let values = as_planned(&plan, values)?;
    Ok(plan.with_param_values(ParamValues::from(values))?)
}

/// Values in the types that the plan has for them, where a client's only differ in how they are kept.
fn as_planned(plan: &LogicalPlan, values: Vec<ScalarValue>) -> Result<Vec<ScalarValue>> {
    let planned = plan.get_parameter_types()?;
    let values = values.into_iter().enumerate().map(|(position, value)| {
        match planned.get(&format!("${}", position + 1)) {
            Some(Some(of))
                if *of != value.data_type()
                    && placeholders::plain(of.clone()) == value.data_type() =>
            {
                value.cast_to(of)
            }
            _ => Ok(value),
        }
    });
    Ok(values.collect::<Result<_, _>>()?)
}

/// Whether a client gets rows from it, even if none.
fn returns_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) => false,
        LogicalPlan::Extension(_) => !is_write(plan),
        LogicalPlan::Statement(statement) => matches!(statement, PlanStatement::Execute(_)),
        _ => true,
    }
}

/// What a client is told that a plan did.
fn verb(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) => "EXPLAIN",
        LogicalPlan::Dml(statement) => match statement.op {
            WriteOp::Insert(_) => "INSERT",
            WriteOp::Update => "UPDATE",
            WriteOp::Delete => "DELETE",
            WriteOp::Ctas => "CREATE TABLE AS",
            WriteOp::Truncate => "TRUNCATE TABLE",
            _ => "MERGE",
        },
        LogicalPlan::Ddl(ddl) => match ddl {
            DdlStatement::CreateMemoryTable(_) => "CREATE TABLE",
            DdlStatement::CreateView(_) => "CREATE VIEW",
            DdlStatement::DropTable(_) => "DROP TABLE",
            DdlStatement::DropView(_) => "DROP VIEW",
            _ => "DDL",
        },
        LogicalPlan::Statement(_) => "SET",
        _ => "SELECT",
    }
}
