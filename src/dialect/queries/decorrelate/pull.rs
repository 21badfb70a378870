//! A subquery for all values of its outer columns at a time: the same plan with these values, the
//! keys, as further columns behind its own.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, NullEquality, Result, ScalarValue};
use datafusion::functions::core::expr_fn::{get_field, named_struct};
use datafusion::functions_aggregate::first_last::first_value;
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, ExprFunctionExt, ExprSchemable, Filter, Join, JoinType,
    LogicalPlan, LogicalPlanBuilder, Projection, Sort, SortExpr, Window, WindowFrame, lit,
};

use super::limit::{FirstRow, bounds};
use super::reads::{outer_columns, subquery_of};
use super::repeated::repeated;
use super::{same, unsupported};

/// The outer columns that a subquery reads, and their values.
pub struct Outer {
    columns: Vec<Column>,
    pub(super) names: Vec<String>,
    /// Each combination of values once.
    pub(super) values: LogicalPlan,
}

impl Outer {
    /// What a subquery reads of the rows of a plan.
    pub fn new(input: &LogicalPlan, subquery: &LogicalPlan, number: usize) -> Result<Self> {
        let mut columns = outer_columns(subquery)?;
        columns.retain(|column| input.schema().has_column(column));
        let mut is_volatile = false;
        input.apply_with_subqueries(|node| {
            node.apply_expressions(|expr| {
                is_volatile |= expr.is_volatile();
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        if is_volatile {
            return Err(unsupported("a subquery beside random values"));
        }
        let names: Vec<String> = (0..columns.len())
            .map(|position| format!("__outer_{number}_{position}"))
            .collect();
        let keys = columns
            .iter()
            .zip(&names)
            .map(|(column, name)| Expr::Column(column.clone()).alias(name));
        let values = LogicalPlanBuilder::from(input.clone())
            .project(keys)?
            .distinct()?
            .build()?;
        Ok(Self {
            columns,
            names,
            values,
        })
    }

    /// The outer columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub fn key_columns(&self) -> Vec<Column> {
        self.names.iter().map(Column::from_name).collect()
    }

    pub fn keys(&self) -> Vec<Expr> {
        self.key_columns().into_iter().map(Expr::Column).collect()
    }

    /// The rows of a plan, each with its row of another that has the keys.
    pub fn join_back(&self, input: LogicalPlan, right: LogicalPlan) -> Result<LogicalPlan> {
        let on = (self.columns.clone(), self.key_columns());
        let nulls = NullEquality::NullEqualsNull;
        LogicalPlanBuilder::from(input)
            .join_detailed(right, JoinType::Left, on, None, nulls)?
            .build()
    }

    /// An expression that reads the keys in place of the outer columns.
    pub fn bind(&self, expr: Expr) -> Result<Expr> {
        let bound = expr.transform(|expr| {
            if let Expr::OuterReferenceColumn(_, column) = &expr {
                return Ok(match self.key(column) {
                    Some(key) => Transformed::yes(Expr::Column(key)),
                    None => Transformed::no(expr),
                });
            }
            match subquery_of(&expr) {
                Some(subquery) if self.is_read(&subquery.subquery)? => {
                    Err(unsupported("a subquery of a subquery"))
                }
                _ => Ok(Transformed::no(expr)),
            }
        });
        Ok(bound?.data)
    }

    fn bind_all(&self, exprs: &[Expr]) -> Result<Vec<Expr>> {
        exprs.iter().map(|expr| self.bind(expr.clone())).collect()
    }

    /// An order by the keys in place of the outer columns.
    pub fn bind_sorts(&self, sorts: &[SortExpr]) -> Result<Vec<SortExpr>> {
        let sorts = sorts
            .iter()
            .map(|sort| Ok(sort.with_expr(self.bind(sort.expr.clone())?)));
        sorts.collect()
    }

    /// Bound expressions under the names that they have in a plan's schema, from a column on.
    fn named(&self, exprs: &[Expr], plan: &LogicalPlan, from: usize) -> Result<Vec<Expr>> {
        let named = exprs.iter().enumerate().map(|(position, expr)| {
            let bound = self.bind(expr.clone())?;
            if bound == *expr {
                return Ok(bound);
            }
            let (qualifier, field) = plan.schema().qualified_field(from + position);
            Ok(bound.alias_qualified(qualifier.cloned(), field.name()))
        });
        named.collect()
    }

    fn key(&self, column: &Column) -> Option<Column> {
        let position = self.columns.iter().position(|known| known == column)?;
        Some(Column::from_name(&self.names[position]))
    }

    fn is_read(&self, plan: &LogicalPlan) -> Result<bool> {
        let columns = outer_columns(plan)?;
        Ok(columns.iter().any(|column| self.columns.contains(column)))
    }

    /// The same values under names that do not clash with the first.
    fn again(&self) -> Result<Self> {
        let names: Vec<String> = self.names.iter().map(|name| format!("{name}r")).collect();
        let renamed = self
            .keys()
            .into_iter()
            .zip(&names)
            .map(|(key, name)| key.alias(name));
        let values = LogicalPlanBuilder::from(self.values.clone())
            .project(renamed)?
            .build()?;
        Ok(Self {
            columns: self.columns.clone(),
            names,
            values,
        })
    }

    /// The columns of a plan, and behind them the keys.
    fn shaped(&self, plan: LogicalPlan, like: &LogicalPlan) -> Result<LogicalPlan> {
        let mut columns: Vec<Expr> = like
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        columns.extend(self.keys());
        LogicalPlanBuilder::from(plan).project(columns)?.build()
    }

    fn cross(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        if let LogicalPlan::EmptyRelation(empty) = plan
            && empty.produce_one_row
        {
            return Ok(self.values.clone());
        }
        LogicalPlanBuilder::from(plan.clone())
            .cross_join(self.values.clone())?
            .build()
    }

    /// The plan for all outer values.
    pub fn pull(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        if !self.is_read(plan)? {
            return self.cross(plan);
        }
        match plan {
            LogicalPlan::Filter(filter) => {
                let predicate = self.bind(filter.predicate.clone())?;
                if !self.is_read(&filter.input)? {
                    // The values meet only the rows that they find.
                    let (predicate, values) = self.computed_once(predicate)?;
                    let joined = LogicalPlanBuilder::from(filter.input.as_ref().clone())
                        .join_on(values, JoinType::Inner, [predicate])?
                        .build()?;
                    return self.shaped(joined, &filter.input);
                }
                let input = Arc::new(self.pull(&filter.input)?);
                Ok(LogicalPlan::Filter(Filter::try_new(predicate, input)?))
            }
            LogicalPlan::Projection(projection) => {
                let mut exprs = self.named(&projection.expr, plan, 0)?;
                exprs.extend(self.keys());
                let input = Arc::new(self.pull(&projection.input)?);
                Ok(LogicalPlan::Projection(Projection::try_new(exprs, input)?))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let input = LogicalPlanBuilder::from(self.pull(&alias.input)?);
                let mut columns: Vec<Expr> = plan
                    .schema()
                    .columns()
                    .into_iter()
                    .map(Expr::Column)
                    .collect();
                columns.extend(self.names.iter().map(|name| {
                    let key = Column::new(Some(alias.alias.clone()), name);
                    Expr::Column(key).alias(name)
                }));
                input.alias(alias.alias.clone())?.project(columns)?.build()
            }
            LogicalPlan::Aggregate(aggregate) => self.pull_aggregate(plan, aggregate),
            LogicalPlan::Sort(sort) => Ok(LogicalPlan::Sort(Sort {
                expr: self.bind_sorts(&sort.expr)?,
                input: Arc::new(self.pull(&sort.input)?),
                fetch: sort.fetch,
            })),
            LogicalPlan::Limit(limit) => {
                let Some((skip, fetch)) = bounds(limit) else {
                    return Err(unsupported("a LIMIT that is computed"));
                };
                let (rows, top) = match limit.input.as_ref() {
                    LogicalPlan::Projection(top) => (top.input.as_ref(), Some(top)),
                    rows => (rows, None),
                };
                let (rows, order) = match rows {
                    LogicalPlan::Sort(sort) => (sort.input.as_ref(), self.bind_sorts(&sort.expr)?),
                    rows => (rows, Vec::new()),
                };
                let cut = self.cut(rows, order, skip, fetch)?;
                match top {
                    None => Ok(cut),
                    Some(top) => {
                        let mut exprs = self.named(&top.expr, &limit.input, 0)?;
                        exprs.extend(self.keys());
                        let cut = Arc::new(cut);
                        Ok(LogicalPlan::Projection(Projection::try_new(exprs, cut)?))
                    }
                }
            }
            LogicalPlan::Distinct(Distinct::All(input)) => Ok(LogicalPlan::Distinct(
                Distinct::All(Arc::new(self.pull(input)?)),
            )),
            LogicalPlan::Distinct(Distinct::On(on)) => {
                let mut on_expr = self.keys();
                on_expr.extend(self.bind_all(&on.on_expr)?);
                let mut select = self.named(&on.select_expr, plan, 0)?;
                select.extend(self.keys());
                let sorts = match &on.sort_expr {
                    Some(sorts) => {
                        let keys = self.keys().into_iter().map(|key| key.sort(true, false));
                        Some(keys.chain(self.bind_sorts(sorts)?).collect())
                    }
                    None => None,
                };
                let input = Arc::new(self.pull(&on.input)?);
                let on = DistinctOn::try_new(on_expr, select, sorts, input)?;
                Ok(LogicalPlan::Distinct(Distinct::On(on)))
            }
            LogicalPlan::Window(window) => {
                let input = self.pull(&window.input)?;
                let from = window.input.schema().fields().len();
                let exprs = window
                    .window_expr
                    .iter()
                    .enumerate()
                    .map(|(position, expr)| {
                        let expr = self.bind(expr.clone())?.transform(|expr| match expr {
                            Expr::WindowFunction(mut function) => {
                                function.params.partition_by.extend(self.keys());
                                Ok(Transformed::yes(Expr::WindowFunction(function)))
                            }
                            expr => Ok(Transformed::no(expr)),
                        })?;
                        let (qualifier, field) = plan.schema().qualified_field(from + position);
                        Ok(expr.data.alias_qualified(qualifier.cloned(), field.name()))
                    });
                let exprs = exprs.collect::<Result<Vec<_>>>()?;
                let window = LogicalPlan::Window(Window::try_new(exprs, Arc::new(input))?);
                self.shaped(window, plan)
            }
            LogicalPlan::Join(join) => self.pull_join(plan, join),
            LogicalPlan::Union(union) => {
                let mut inputs = union.inputs.iter().map(|input| self.pull(input));
                let Some(first) = inputs.next() else {
                    return Err(unsupported("a union of nothing"));
                };
                let mut all = LogicalPlanBuilder::from(first?);
                for input in inputs {
                    all = all.union(input?)?;
                }
                let all = all.build()?;
                let names = plan.schema().iter().enumerate();
                let mut columns: Vec<Expr> = names
                    .map(|(position, (qualifier, field))| {
                        let column = Column::from(all.schema().qualified_field(position));
                        Expr::Column(column).alias_qualified(qualifier.cloned(), field.name())
                    })
                    .collect();
                columns.extend(self.keys());
                LogicalPlanBuilder::from(all).project(columns)?.build()
            }
            LogicalPlan::Values(values) => {
                let mut all: Option<LogicalPlanBuilder> = None;
                for row in &values.values {
                    let row = row.iter().zip(values.schema.fields()).map(|(expr, field)| {
                        let expr = self.bind(expr.clone())?;
                        let schema = self.values.schema();
                        Ok(expr.cast_to(field.data_type(), schema)?.alias(field.name()))
                    });
                    let mut row = row.collect::<Result<Vec<_>>>()?;
                    row.extend(self.keys());
                    let row = LogicalPlanBuilder::from(self.values.clone()).project(row)?;
                    all = Some(match all {
                        Some(all) => all.union(row.build()?)?,
                        None => row,
                    });
                }
                match all {
                    Some(all) => all.build(),
                    None => Err(unsupported("a list without values")),
                }
            }
            LogicalPlan::Unnest(unnest) => {
                let of_rows = unnest.input.schema().columns().into_iter();
                let mut exprs: Vec<Expr> = of_rows.map(Expr::Column).collect();
                let keys = self.keys().into_iter().zip(&self.names);
                exprs.extend(keys.map(|(key, name)| repeated(key).alias(name)));
                let input = LogicalPlanBuilder::from(self.pull(&unnest.input)?).project(exprs)?;
                let (columns, options) = (unnest.exec_columns.clone(), unnest.options.clone());
                input.unnest_columns_with_options(columns, options)?.build()
            }
            LogicalPlan::Subquery(subquery) => self.pull(&subquery.subquery),
            other => Err(unsupported(&format!("{} in a subquery", other.display()))),
        }
    }

    /// The first row for each of the outer values, with the columns of a subquery.
    pub fn first_of_each(&self, first: FirstRow, subquery: &LogicalPlan) -> Result<LogicalPlan> {
        let rows = LogicalPlanBuilder::from(self.pull(&first.rows)?);
        let mut fields = Vec::with_capacity(2 * first.values.len());
        for (position, value) in first.values.into_iter().enumerate() {
            fields.push(lit(format!("c{position}")));
            fields.push(self.bind(value)?);
        }
        // All columns are of one row, also where several are first.
        let row = first_value(named_struct(fields), self.bind_sorts(&first.order)?);
        let rows = rows.aggregate(self.keys(), vec![row.alias("__first_row")])?;
        let row = Expr::Column(Column::from_name("__first_row"));
        let columns = subquery.schema().iter().enumerate();
        let mut columns: Vec<Expr> = columns
            .map(|(position, (qualifier, field))| {
                get_field(row.clone(), format!("c{position}"))
                    .alias_qualified(qualifier.cloned(), field.name())
            })
            .collect();
        columns.extend(self.keys());
        rows.project(columns)?.build()
    }

    fn pull_aggregate(&self, plan: &LogicalPlan, aggregate: &Aggregate) -> Result<LogicalPlan> {
        if matches!(aggregate.group_expr.first(), Some(Expr::GroupingSet(_))) {
            return Err(unsupported("GROUPING SETS in a subquery"));
        }
        let input = Arc::new(self.pull(&aggregate.input)?);
        let count = aggregate.group_expr.len();
        let mut groups = self.named(&aggregate.group_expr, plan, 0)?;
        groups.extend(self.keys());
        let aggregates = self.named(&aggregate.aggr_expr, plan, count)?;
        let grouped = Aggregate::try_new(input, groups, aggregates)?;
        let grouped = LogicalPlan::Aggregate(grouped);
        if count > 0 {
            return self.shaped(grouped, plan);
        }
        // Without groups there is a row for no rows too, in which a count is 0.
        let values = self.again()?;
        let joined = LogicalPlanBuilder::from(values.values.clone()).join_detailed(
            grouped,
            JoinType::Left,
            (values.key_columns(), self.key_columns()),
            None,
            NullEquality::NullEqualsNull,
        )?;
        let mut columns = Vec::with_capacity(aggregate.aggr_expr.len());
        for (position, expr) in aggregate.aggr_expr.iter().enumerate() {
            let (qualifier, field) = plan.schema().qualified_field(position);
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            let of_nothing = match expr.clone().unalias() {
                Expr::AggregateFunction(function) => {
                    function.func.default_value(field.data_type())?
                }
                _ => ScalarValue::Null,
            };
            columns.push(match of_nothing.is_null() {
                true => column,
                false => {
                    let column = datafusion::functions::core::expr_fn::coalesce(vec![
                        column,
                        lit(of_nothing),
                    ]);
                    column.alias_qualified(qualifier.cloned(), field.name())
                }
            });
        }
        let keys = values.keys().into_iter().zip(&self.names);
        columns.extend(keys.map(|(key, name)| key.alias(name)));
        joined.project(columns)?.build()
    }

    /// Some rows for each of the outer values, in an order.
    fn cut(
        &self,
        rows: &LogicalPlan,
        order: Vec<SortExpr>,
        skip: usize,
        fetch: Option<usize>,
    ) -> Result<LogicalPlan> {
        let number = "__row_number";
        let numbered = row_number()
            .partition_by(self.keys())
            .order_by(order)
            .window_frame(WindowFrame::new(None))
            .build()?
            .alias(number);
        let number = Expr::Column(Column::from_name(number));
        let behind = number.clone().gt(lit(skip as u64));
        let is_kept = match fetch {
            Some(fetch) => behind.and(number.lt_eq(lit(skip.saturating_add(fetch) as u64))),
            None => behind,
        };
        let pulled = LogicalPlanBuilder::from(self.pull(rows)?)
            .window([numbered])?
            .filter(is_kept)?
            .build()?;
        self.shaped(pulled, rows)
    }

    fn pull_join(&self, plan: &LogicalPlan, join: &Join) -> Result<LogicalPlan> {
        let is_left = self.is_read(&join.left)?;
        let is_right = self.is_read(&join.right)?;
        let on = join.on.iter().map(|(l, r)| l.clone().eq(r.clone()));
        let mut conditions = Vec::new();
        for condition in on.chain(join.filter.clone()) {
            conditions.push(self.bind(condition)?);
        }
        let keeps_left = matches!(
            join.join_type,
            JoinType::Inner
                | JoinType::Left
                | JoinType::LeftSemi
                | JoinType::LeftAnti
                | JoinType::LeftMark
        );
        let (left, right) = if keeps_left && !is_right {
            (self.pull(&join.left)?, join.right.as_ref().clone())
        } else if matches!(join.join_type, JoinType::Inner | JoinType::Right) && !is_left {
            (join.left.as_ref().clone(), self.pull(&join.right)?)
        } else if keeps_left {
            let again = self.again()?;
            let right = again.pull(&join.right)?;
            let pairs = self.key_columns().into_iter().zip(again.key_columns());
            conditions.extend(pairs.map(|(key, other)| same(&key, &other)));
            (self.pull(&join.left)?, right)
        } else {
            return Err(unsupported(&format!(
                "a {} join in a subquery",
                join.join_type
            )));
        };
        let left = LogicalPlanBuilder::from(left);
        let joined = left.join_on(right, join.join_type, conditions)?.build()?;
        self.shaped(joined, plan)
    }
}
