//! Binding of calls of aggregates and window functions.

use super::*;

impl Binder<'_> {
    pub(super) fn aggregate(
        &mut self,
        kind: AggregateKind,
        call: &ast::Function,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let clause = scope.clause.get();
        match clause {
            Clause::Output | Clause::Having => {}
            Clause::Rows => {
                let message = "aggregate functions are not allowed in FROM, WHERE or GROUP BY";
                return Err(failure("42803", message));
            }
            Clause::Aggregate => {
                let message = "aggregate function calls cannot be nested";
                return Err(failure("42803", message));
            }
        }
        scope.clause.set(Clause::Aggregate);
        let bound = self.aggregate_parts(kind, call, list, scope);
        scope.clause.set(clause);
        let (aggregate, data_type) = bound?;
        let mut aggregates = scope.aggregates.borrow_mut();
        aggregates.push(aggregate);
        let expr = Expr::Computed(Computed::Aggregate, aggregates.len() - 1);
        Ok((expr, data_type))
    }

    pub(super) fn aggregate_parts(
        &mut self,
        kind: AggregateKind,
        call: &ast::Function,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
    ) -> Result<(Aggregate, Type)> {
        let arguments = match kind {
            AggregateKind::CountRows => Vec::new(),
            _ => self.arguments(&list.args, scope)?,
        };
        let (arguments, data_type) = self.aggregate_types(kind, arguments)?;
        let mut order = Vec::new();
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(keys) => order = self.sorts(keys, scope)?,
                _ => return Err(unsupported("this clause of an aggregate")),
            }
        }
        let filter = match &call.filter {
            Some(filter) => Some(self.condition(filter, scope)?),
            None => None,
        };
        let is_distinct = matches!(
            list.duplicate_treatment,
            Some(ast::DuplicateTreatment::Distinct)
        );
        let aggregate = Aggregate {
            kind,
            arguments,
            is_distinct,
            order,
            filter,
            result: data_type.oid,
        };
        Ok((aggregate, data_type))
    }

    /// The arguments of an aggregate as it takes them, and the type of its result.
    pub(super) fn aggregate_types(
        &self,
        kind: AggregateKind,
        arguments: Vec<Typed>,
    ) -> Result<(Vec<Expr>, Type)> {
        let mut arguments = arguments.into_iter();
        let Some(first) = arguments.next() else {
            return match kind {
                AggregateKind::CountRows => Ok((Vec::new(), Type::of(oid::INT8))),
                _ => Err(failure("42883", "the aggregate needs an argument")),
            };
        };
        let first = match first.1.is_unknown() {
            true => (self.to_text(first)?, Type::of(oid::TEXT)),
            false => first,
        };
        let of = types::base(first.1.oid);
        let numeric = || match types::number_rank(of) {
            Some(_) => Ok(()),
            None => Err(failure(
                "42883",
                format!("the aggregate does not take type {}", shown(&first.1)),
            )),
        };
        Ok(match kind {
            AggregateKind::CountRows | AggregateKind::Count => (vec![first.0], Type::of(oid::INT8)),
            AggregateKind::Sum => {
                numeric()?;
                let result = match of {
                    oid::INT2 | oid::INT4 => oid::INT8,
                    oid::INT8 => oid::NUMERIC,
                    other => other,
                };
                (vec![first.0], Type::of(result))
            }
            AggregateKind::Average => {
                numeric()?;
                let result = match of {
                    oid::FLOAT4 | oid::FLOAT8 => oid::FLOAT8,
                    _ => oid::NUMERIC,
                };
                (
                    vec![self.coerce(first, &Type::of(result))?],
                    Type::of(result),
                )
            }
            AggregateKind::Min | AggregateKind::Max => {
                let result = Type::of(match of {
                    oid::NAME | oid::VARCHAR => oid::TEXT,
                    other => other,
                });
                (vec![first.0], result)
            }
            AggregateKind::And | AggregateKind::Or => {
                let to = Type::of(oid::BOOL);
                (vec![self.coerce(first, &to)?], to)
            }
            AggregateKind::Array => {
                let array = types::array(of).unwrap_or(1009);
                (vec![first.0], Type::of(array))
            }
            AggregateKind::String => {
                let mut exprs = vec![self.to_text(first)?];
                for argument in arguments {
                    exprs.push(self.to_text(argument)?);
                }
                (exprs, Type::of(oid::TEXT))
            }
            AggregateKind::Json | AggregateKind::JsonObject => {
                let mut exprs = Vec::new();
                for (expr, from) in std::iter::once(first).chain(arguments) {
                    let is_key = kind == AggregateKind::JsonObject && exprs.is_empty();
                    exprs.push(match is_key {
                        true => self.to_text((expr, from))?,
                        false => Expr::Json {
                            expr: Box::new(expr),
                            from,
                        },
                    });
                }
                (exprs, Type::of(oid::JSON))
            }
        })
    }

    pub(super) fn sorts(
        &mut self,
        keys: &[ast::OrderByExpr],
        scope: &Scope<'_>,
    ) -> Result<Vec<Sort>> {
        let keys = keys.iter().map(|key| {
            let (expr, _) = self.expr(&key.expr, scope)?;
            let is_descending = key.options.asc == Some(false);
            Ok(Sort {
                expr,
                is_descending,
                nulls_first: key.options.nulls_first.unwrap_or(is_descending),
            })
        });
        keys.collect()
    }

    pub(super) fn window(
        &mut self,
        name: &str,
        call: &ast::Function,
        list: &ast::FunctionArgumentList,
        over: &ast::WindowType,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        let ast::WindowType::WindowSpec(spec) = over else {
            return Err(unsupported("named windows"));
        };
        if spec.window_frame.is_some() {
            return Err(unsupported("window frames"));
        }
        let (kind, arguments, data_type) = match name {
            "row_number" => (WindowKind::RowNumber, Vec::new(), Type::of(oid::INT8)),
            "rank" => (WindowKind::Rank, Vec::new(), Type::of(oid::INT8)),
            "dense_rank" => (WindowKind::DenseRank, Vec::new(), Type::of(oid::INT8)),
            "lag" | "lead" | "first_value" | "last_value" => {
                let arguments = self.arguments(&list.args, scope)?;
                let of = arguments.first().map(|(_, of)| of.clone());
                let kind = match name {
                    "lag" => WindowKind::Lag,
                    "lead" => WindowKind::Lead,
                    "first_value" => WindowKind::FirstValue,
                    _ => WindowKind::LastValue,
                };
                let exprs = arguments.into_iter().map(|(expr, _)| expr).collect();
                (kind, exprs, of.unwrap_or(Type::of(oid::TEXT)))
            }
            _ => {
                let Some(kind) = aggregate_kind(name, list) else {
                    let message = format!("window function {name} does not exist");
                    return Err(failure("42883", message));
                };
                let arguments = match kind {
                    AggregateKind::CountRows => Vec::new(),
                    _ => self.arguments(&list.args, scope)?,
                };
                let (exprs, data_type) = self.aggregate_types(kind, arguments)?;
                (WindowKind::Aggregate(kind, data_type.oid), exprs, data_type)
            }
        };
        let filter = match &call.filter {
            Some(filter) => Some(self.condition(filter, scope)?),
            None => None,
        };
        let partition = spec
            .partition_by
            .iter()
            .map(|key| Ok(self.expr(key, scope)?.0));
        let partition = partition.collect::<Result<_>>()?;
        let window = Window {
            kind,
            arguments,
            filter,
            partition,
            order: self.sorts(&spec.order_by, scope)?,
        };
        let mut windows = scope.windows.borrow_mut();
        windows.push(window);
        let expr = Expr::Computed(Computed::Window, windows.len() - 1);
        Ok((expr, data_type))
    }
}

pub(super) fn aggregate_kind(
    name: &str,
    list: &ast::FunctionArgumentList,
) -> Option<AggregateKind> {
    Some(match name {
        "count" => match list.args.as_slice() {
            [] | [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] => AggregateKind::CountRows,
            _ => AggregateKind::Count,
        },
        "sum" => AggregateKind::Sum,
        "avg" => AggregateKind::Average,
        "min" => AggregateKind::Min,
        "max" => AggregateKind::Max,
        "bool_and" | "every" => AggregateKind::And,
        "bool_or" => AggregateKind::Or,
        "array_agg" => AggregateKind::Array,
        "string_agg" => AggregateKind::String,
        "json_agg" | "jsonb_agg" => AggregateKind::Json,
        "json_object_agg" | "jsonb_object_agg" => AggregateKind::JsonObject,
        _ => return None,
    })
}

/// Whether a name is an aggregate's.
pub(super) fn is_aggregate(name: &str) -> bool {
    let list = ast::FunctionArgumentList {
        duplicate_treatment: None,
        args: Vec::new(),
        clauses: Vec::new(),
    };
    aggregate_kind(name, &list).is_some()
}
