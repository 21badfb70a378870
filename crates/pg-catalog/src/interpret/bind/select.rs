//! Binding of a select list, its groups and the order of its rows.

use datafusion::sql::sqlparser::ast::{self, Expr as Ast};

use super::*;

impl Binder<'_> {
    pub(super) fn select(
        &mut self,
        select: &ast::Select,
        order: &[ast::OrderByExpr],
        parent: Option<&Scope<'_>>,
    ) -> Result<Query> {
        let mut scope = Scope::new(parent);
        let (groups, selection) =
            self.relations(&select.from, select.selection.as_ref(), &mut scope)?;
        let mut keys = self.group_keys(select, &scope)?;
        scope.clause.set(Clause::Output);
        let outputs = self.outputs(&select.projection, &scope)?;
        let columns: Vec<Column> = outputs
            .iter()
            .map(|(name, (_, data_type))| Column {
                name: name.clone(),
                data_type: data_type.clone(),
            })
            .collect();
        let mut projection: Vec<Expr> = outputs.into_iter().map(|(_, (expr, _))| expr).collect();
        let having = match &select.having {
            Some(having) => {
                scope.clause.set(Clause::Having);
                let bound = self.condition(having, &scope)?;
                scope.clause.set(Clause::Output);
                Some(bound)
            }
            None => None,
        };
        let order = self.order_of_select(order, select, &columns, &mut projection, &scope)?;
        let distinct = match &select.distinct {
            None | Some(ast::Distinct::All) => Distinct::No,
            Some(ast::Distinct::Distinct) => Distinct::Rows,
            Some(ast::Distinct::On(exprs)) => {
                let mut on = Vec::with_capacity(exprs.len());
                for expr in exprs {
                    on.push(self.output_column(expr, select, &columns, &mut projection, &scope)?);
                }
                Distinct::On(on)
            }
        };
        let aggregates = scope.aggregates.take();
        let is_grouped = keys.is_some() || !aggregates.is_empty() || having.is_some();
        let grouping = is_grouped.then(|| Grouping {
            keys: keys.take().unwrap_or_default(),
            aggregates,
            having,
        });
        let (windows, sets) = (scope.windows.take(), scope.sets.take());
        let from = crate::interpret::from::plan(groups, selection, &scope, self.catalog);
        let body = Select {
            from,
            grouping,
            windows,
            sets,
            projection,
            distinct,
        };
        Ok(self.finished(Body::Select(Box::new(body)), columns, order))
    }

    /// The keys of `GROUP BY`: expressions, positions or names of results.
    pub(super) fn group_keys(
        &mut self,
        select: &ast::Select,
        scope: &Scope<'_>,
    ) -> Result<Option<Vec<Expr>>> {
        let ast::GroupByExpr::Expressions(exprs, _) = &select.group_by else {
            return Err(unsupported("GROUP BY ALL"));
        };
        if exprs.is_empty() {
            return Ok(None);
        }
        let mut keys = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let position = position(expr);
            let named = match expr {
                Ast::Identifier(name) => {
                    let name = names::ident(name);
                    // A column of the relations comes before a name of the result.
                    let is_column = scope.columns.iter().any(|column| column.name == name);
                    (!is_column).then_some(name)
                }
                _ => None,
            };
            let mut items = select.projection.iter();
            let meant = match (position, &named) {
                (Some(position), _) => match items.nth(position - 1) {
                    Some(ast::SelectItem::UnnamedExpr(expr)) => Some(expr),
                    Some(ast::SelectItem::ExprWithAlias { expr, .. }) => Some(expr),
                    _ => return Err(no_position("GROUP BY", position)),
                },
                (None, Some(name)) => items.find_map(|item| match item {
                    ast::SelectItem::ExprWithAlias { expr, alias }
                        if names::ident(alias) == *name =>
                    {
                        Some(expr)
                    }
                    _ => None,
                }),
                _ => None,
            };
            keys.push(self.expr(meant.unwrap_or(expr), scope)?.0);
        }
        Ok(Some(keys))
    }

    pub(super) fn outputs(
        &mut self,
        items: &[ast::SelectItem],
        scope: &Scope<'_>,
    ) -> Result<Vec<(String, (Expr, Type))>> {
        let mut outputs = Vec::with_capacity(items.len());
        for item in items {
            match item {
                ast::SelectItem::UnnamedExpr(expr) => {
                    outputs.push((names::column_name(expr), self.expr(expr, scope)?));
                }
                ast::SelectItem::ExprWithAlias { expr, alias } => {
                    outputs.push((names::ident(alias), self.expr(expr, scope)?));
                }
                ast::SelectItem::Wildcard(_) => {
                    if scope.relations.is_empty() {
                        let message = "SELECT * with no tables specified is not valid";
                        return Err(failure("42601", message));
                    }
                    for index in &scope.star {
                        outputs.push(self.star_column(*index, scope));
                    }
                }
                ast::SelectItem::QualifiedWildcard(
                    ast::SelectItemQualifiedWildcardKind::ObjectName(name),
                    _,
                ) => {
                    let (schema, name) = names::schema_and_name(name);
                    let Some((depth, relation)) = scope.find_relation(schema.as_deref(), &name)?
                    else {
                        return Err(no_relation(&name));
                    };
                    let around = scope.at(depth);
                    let Some(relation) = around.relations.get(relation) else {
                        return Err(no_relation(&name));
                    };
                    for index in relation.first..relation.first + relation.width {
                        let name = around.columns.get(index).map(|column| column.name.clone());
                        outputs.push((name.unwrap_or_default(), self.column(scope, depth, index)));
                    }
                }
                ast::SelectItem::QualifiedWildcard(
                    ast::SelectItemQualifiedWildcardKind::Expr(row),
                    _,
                ) => {
                    let (_, data_type) = self.expr(row, scope)?;
                    let Some(fields) = data_type.fields else {
                        return Err(failure("42809", "row expansion of what is no row"));
                    };
                    for (position, (name, field)) in fields.iter().enumerate() {
                        let (row, _) = self.expr(row, scope)?;
                        let expr = Expr::Field(Box::new(row), position);
                        outputs.push((name.clone(), (expr, field.clone())));
                    }
                }
                ast::SelectItem::ExprWithAliases { .. } => {
                    return Err(unsupported("several aliases of one expression"));
                }
            }
        }
        Ok(outputs)
    }

    pub(super) fn star_column(&self, index: usize, scope: &Scope<'_>) -> (String, (Expr, Type)) {
        let name = scope.columns.get(index).map(|column| column.name.clone());
        (name.unwrap_or_default(), self.column(scope, 0, index))
    }

    pub(super) fn order_of_select(
        &mut self,
        order: &[ast::OrderByExpr],
        select: &ast::Select,
        columns: &[Column],
        projection: &mut Vec<Expr>,
        scope: &Scope<'_>,
    ) -> Result<Vec<SortKey>> {
        let mut keys = Vec::with_capacity(order.len());
        for item in order {
            let column = self.output_column(&item.expr, select, columns, projection, scope)?;
            keys.push(sort_key(column, &item.options));
        }
        Ok(keys)
    }

    /// The column of the projection that an expression of `ORDER BY` means: by position, by name,
    /// the same expression, else a new one behind those that are shown.
    pub(super) fn output_column(
        &mut self,
        expr: &Ast,
        select: &ast::Select,
        columns: &[Column],
        projection: &mut Vec<Expr>,
        scope: &Scope<'_>,
    ) -> Result<usize> {
        if let Some(position) = position(expr) {
            return match position <= columns.len() {
                true => Ok(position - 1),
                false => Err(no_position("ORDER BY", position)),
            };
        }
        if let Ast::Identifier(name) = expr {
            let name = names::ident(name);
            let found = columns.iter().position(|column| column.name == name);
            if let Some(found) = found {
                return Ok(found);
            }
        }
        let shows_stars = select.projection.iter().any(|item| {
            !matches!(
                item,
                ast::SelectItem::UnnamedExpr(_) | ast::SelectItem::ExprWithAlias { .. }
            )
        });
        let same = select.projection.iter().position(|item| match item {
            ast::SelectItem::UnnamedExpr(shown)
            | ast::SelectItem::ExprWithAlias { expr: shown, .. } => shown == expr,
            _ => false,
        });
        if let (Some(same), false) = (same, shows_stars) {
            return Ok(same);
        }
        let (bound, data_type) = self.expr(expr, scope)?;
        let bound = match data_type.is_unknown() {
            true => self.coerce((bound, data_type), &Type::of(oid::TEXT))?,
            false => bound,
        };
        projection.push(bound);
        Ok(projection.len() - 1)
    }

    /// The order of rows that only the names and positions of results can say.
    pub(super) fn order_of_columns(
        &self,
        order: &[ast::OrderByExpr],
        columns: &[Column],
    ) -> Result<Vec<SortKey>> {
        let keys = order.iter().map(|item| {
            let column = match (&item.expr, position(&item.expr)) {
                (_, Some(position)) => (position <= columns.len()).then(|| position - 1),
                (Ast::Identifier(name), _) => {
                    let name = names::ident(name);
                    columns.iter().position(|column| column.name == name)
                }
                _ => None,
            };
            let column = column.ok_or_else(|| {
                failure(
                    "42703",
                    format!(
                        "ORDER BY {} of a set operation names no column of its result",
                        item.expr
                    ),
                )
            })?;
            Ok(sort_key(column, &item.options))
        });
        keys.collect()
    }
}

pub(super) fn sort_key(column: usize, options: &ast::OrderByOptions) -> SortKey {
    let is_descending = options.asc == Some(false);
    SortKey {
        column,
        is_descending,
        nulls_first: options.nulls_first.unwrap_or(is_descending),
    }
}

pub(super) fn position(expr: &Ast) -> Option<usize> {
    match expr {
        Ast::Value(value) => match &value.value {
            ast::Value::Number(number, _) => number.parse().ok().filter(|position| *position > 0),
            _ => None,
        },
        _ => None,
    }
}
