//! Binding of function calls: overloads, aggregates, windows and functions that return rows.

mod aggregates;

use datafusion::sql::sqlparser::ast::{
    self, Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
};

use super::bind::{Binder, unified, unsupported};
use super::expressions::Typed;
use super::from::element_or_text;
use super::names;
use super::operators::shown;
use super::scope::{Clause, Scope};
use super::{
    Aggregate, AggregateKind, Column, Comparison, Computed, Expr, SetCall, Sort, Window, WindowKind,
};
use crate::cast::failure;
use crate::error::Result;
use crate::functions::{self, Body, Function};
use crate::types::{self, Type, oid};
use crate::value::Value;
use aggregates::{aggregate_kind, is_aggregate};

/// The arrays of `cstring`.
const CSTRINGS: u32 = 1263;

impl Binder<'_> {
    pub fn arguments(&mut self, args: &[FunctionArg], scope: &Scope<'_>) -> Result<Vec<Typed>> {
        let args = args.iter().map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => self.expr(expr, scope),
            FunctionArg::Named {
                arg: FunctionArgExpr::Expr(expr),
                ..
            } => self.expr(expr, scope),
            _ => Err(unsupported("this argument")),
        });
        args.collect()
    }

    pub fn call(&mut self, call: &ast::Function, scope: &Scope<'_>) -> Result<Typed> {
        let (_, name) = names::schema_and_name(&call.name);
        let list = match &call.args {
            FunctionArguments::None => return self.call_without_list(&name),
            FunctionArguments::Subquery(query) if name == "array" => {
                return self.array_query(query, scope);
            }
            FunctionArguments::Subquery(_) => return Err(unsupported("this call")),
            FunctionArguments::List(list) => list,
        };
        if let Some(over) = &call.over {
            return self.window(&name, call, list, over, scope);
        }
        if let Some(kind) = aggregate_kind(&name, list) {
            return self.aggregate(kind, call, list, scope);
        }
        if let Some(typed) = self.special(&name, list, scope)? {
            return Ok(typed);
        }
        let arguments = self.arguments(&list.args, scope)?;
        if functions::is_set(&name) {
            return self.set_in_list(&name, arguments, scope);
        }
        self.resolve(&name, arguments)
    }

    fn call_without_list(&mut self, name: &str) -> Result<Typed> {
        match self.keyword(name)? {
            Some(call) => Ok(call),
            None => self.resolve(name, Vec::new()),
        }
    }

    fn array_query(&mut self, query: &ast::Query, scope: &Scope<'_>) -> Result<Typed> {
        let query = self.query(query, Some(scope), true)?;
        let [column] = query.columns.as_slice() else {
            return Err(failure("42601", "subquery must return only one column"));
        };
        let array = Type::of(types::array(column.data_type.oid).unwrap_or(1009));
        Ok((Expr::ArrayQuery(Box::new(query)), array))
    }

    /// What looks like a function and is not: its arguments are not all computed, or their types
    /// are its result.
    fn special(
        &mut self,
        name: &str,
        list: &ast::FunctionArgumentList,
        scope: &Scope<'_>,
    ) -> Result<Option<Typed>> {
        Ok(Some(match name {
            "coalesce" | "greatest" | "least" => {
                let arguments = self.arguments(&list.args, scope)?;
                let of: Vec<Type> = arguments.iter().map(|(_, of)| of.clone()).collect();
                let data_type = unified(&of, &name.to_uppercase())?;
                let arguments = arguments.into_iter();
                let arguments = arguments.map(|argument| self.coerce(argument, &data_type));
                let arguments = arguments.collect::<Result<Vec<_>>>()?;
                let expr = match name {
                    "coalesce" => Expr::Coalesce(arguments),
                    _ => Expr::Call {
                        run: match name {
                            "greatest" => functions::system::greatest,
                            _ => functions::system::least,
                        },
                        is_strict: false,
                        arguments,
                    },
                };
                (expr, data_type)
            }
            "nullif" => {
                let Some((value, other)) = two(self.arguments(&list.args, scope)?) else {
                    return Err(failure("42601", "NULLIF takes two arguments"));
                };
                let value = self.once(value);
                let equal = self.compare(Comparison::Equal, value.read(), other)?.0;
                let (result, data_type) = value.read();
                let case = Expr::Case {
                    branches: vec![(equal, Expr::null())],
                    otherwise: Box::new(result),
                };
                (value.within(case), data_type)
            }
            "row" => {
                let items = list.args.iter().filter_map(|arg| match arg {
                    FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                    _ => None,
                });
                let items: Vec<Ast> = items.collect();
                self.row(&items, scope)?
            }
            "pg_typeof" => {
                let arguments = self.arguments(&list.args, scope)?;
                let of = arguments.first().map_or(0, |(_, data_type)| data_type.oid);
                let of = Expr::Value(Value::Int(i64::from(of)));
                (of, Type::of(oid::REGTYPE))
            }
            _ => return Ok(None),
        }))
    }

    /// The overload that fits, with its arguments as it takes them.
    pub fn resolve(&mut self, name: &str, arguments: Vec<Typed>) -> Result<Typed> {
        let function = self.overload(name, &arguments)?;
        let Body::Scalar(run) = function.body else {
            return Err(failure(
                "0A000",
                format!("{name} returns rows: it stands in FROM or in the select list"),
            ));
        };
        let result = result_type(function, &arguments);
        let arguments = self.taken(function, arguments)?;
        let expr = Expr::Call {
            run,
            is_strict: function.is_strict,
            arguments,
        };
        Ok((expr, result))
    }

    fn overload(&self, name: &str, arguments: &[Typed]) -> Result<&'static Function> {
        let mut best: Option<(u32, &'static Function)> = None;
        for function in functions::named(name) {
            if let Some(far) = fit(function, arguments)
                && best.is_none_or(|(least, _)| far < least)
            {
                best = Some((far, function));
            }
        }
        best.map(|(_, function)| function).ok_or_else(|| {
            let types: Vec<String> = arguments.iter().map(|(_, of)| shown(of)).collect();
            failure(
                "42883",
                format!("function {name}({}) does not exist", types.join(", ")),
            )
        })
    }

    fn taken(&self, function: &Function, arguments: Vec<Typed>) -> Result<Vec<Expr>> {
        let element = common_element(function, &arguments);
        let arguments = arguments.into_iter().enumerate();
        let arguments = arguments.map(|(position, argument)| match parameter(function, position) {
            // As a client would see it: booleans are one letter.
            functions::TEXT_OF_ANY => self.shown(argument, oid::CSTRING),
            functions::TEXTS_OF_ANY => self.shown(argument, CSTRINGS),
            functions::JSON_OF_ANY => Ok(Expr::Json {
                expr: Box::new(argument.0),
                from: argument.1,
            }),
            oid::ANYELEMENT => match element {
                Some(element) => self.coerce(argument, &Type::of(element)),
                None => Ok(argument.0),
            },
            oid::ANYARRAY => {
                let array = element.and_then(types::array);
                match array {
                    Some(array) => self.coerce(argument, &Type::of(array)),
                    None => Ok(argument.0),
                }
            }
            taken => self.coerce(argument, &Type::of(taken)),
        });
        arguments.collect()
    }

    /// A value as its output, which a cast to `cstring` is here.
    fn shown(&self, (expr, from): Typed, to: u32) -> Result<Expr> {
        let to = Type::of(to);
        if from.is_unknown() {
            return self.coerce((expr, from), &to);
        }
        Ok(Expr::Cast {
            expr: Box::new(expr),
            from,
            to,
        })
    }

    pub fn set_call(&mut self, name: &str, arguments: Vec<Typed>) -> Result<SetCall> {
        let function = self.overload(name, &arguments)?;
        let result = result_type(function, &arguments);
        let element = arguments.first().map(|(_, of)| element_or_text(of));
        match &function.body {
            Body::Set(run, columns) => {
                let run = *run;
                let columns = columns.iter().map(|(column, data_type)| Column {
                    name: (*column).to_owned(),
                    data_type: match *data_type {
                        oid::ANYELEMENT => element.clone().unwrap_or(Type::of(oid::TEXT)),
                        known => Type::of(known),
                    },
                });
                let mut columns: Vec<Column> = columns.collect();
                if let [column] = columns.as_mut_slice()
                    && column.name.is_empty()
                {
                    column.name = name.to_owned();
                    if column.data_type.oid == oid::ANY {
                        column.data_type = result;
                    }
                }
                let arguments = self.taken(function, arguments)?;
                Ok(SetCall {
                    run,
                    arguments,
                    is_record: columns.len() != 1,
                    columns,
                })
            }
            // A function of one value is one row in FROM.
            Body::Scalar(run) => {
                let arguments = self.taken(function, arguments)?;
                let value = Expr::Call {
                    run: *run,
                    is_strict: function.is_strict,
                    arguments,
                };
                Ok(SetCall {
                    run: functions::system::one_row,
                    arguments: vec![value],
                    columns: vec![Column {
                        name: name.to_owned(),
                        data_type: result,
                    }],
                    is_record: false,
                })
            }
        }
    }

    /// A function that returns rows, in the select list.
    fn set_in_list(
        &mut self,
        name: &str,
        arguments: Vec<Typed>,
        scope: &Scope<'_>,
    ) -> Result<Typed> {
        if scope.clause.get() != Clause::Output {
            let message = "set-returning functions are not allowed here";
            return Err(failure("0A000", message));
        }
        let call = self.set_call(name, arguments)?;
        let data_type = match call.columns.as_slice() {
            [column] if !call.is_record => column.data_type.clone(),
            columns => {
                let fields = columns.iter();
                let fields = fields.map(|column| (column.name.clone(), column.data_type.clone()));
                Type::row(fields.collect())
            }
        };
        let mut sets = scope.sets.borrow_mut();
        sets.push(call);
        Ok((Expr::Computed(Computed::Set, sets.len() - 1), data_type))
    }
}

fn two<T>(items: Vec<T>) -> Option<(T, T)> {
    let mut items = items.into_iter();
    Some((items.next()?, items.next()?))
}

fn parameter(function: &Function, position: usize) -> u32 {
    let last = function.parameters.len().saturating_sub(1);
    let position = if function.is_variadic {
        position.min(last)
    } else {
        position
    };
    function
        .parameters
        .get(position)
        .copied()
        .unwrap_or(oid::ANY)
}

/// How far the arguments are from a function's parameters; none where they do not fit.
fn fit(function: &Function, arguments: &[Typed]) -> Option<u32> {
    let most = function.parameters.len();
    let fits = match function.is_variadic {
        true => arguments.len() + 1 >= most,
        false => (function.required..=most).contains(&arguments.len()),
    };
    fits.then_some(())?;
    let far = arguments.iter().enumerate().map(|(position, (_, of))| {
        match parameter(function, position) {
            functions::TEXT_OF_ANY | functions::JSON_OF_ANY => Some(3),
            functions::TEXTS_OF_ANY => {
                (of.is_unknown() || types::element(of.oid).is_some()).then_some(2)
            }
            taken => types::distance(of.oid, taken),
        }
    });
    far.sum()
}

/// The one element type that a function's `anyarray` and `anyelement` stand for.
fn common_element(function: &Function, arguments: &[Typed]) -> Option<u32> {
    let mut common: Option<u32> = None;
    for (position, (_, of)) in arguments.iter().enumerate() {
        let element = match parameter(function, position) {
            oid::ANYARRAY => types::element(of.oid),
            oid::ANYELEMENT => Some(types::base(of.oid)).filter(|_| !of.is_unknown()),
            _ => None,
        };
        if let Some(element) = element {
            common = match common {
                None => Some(element),
                Some(known) => types::common(known, element).or(Some(known)),
            };
        }
    }
    common
}

fn result_type(function: &Function, arguments: &[Typed]) -> Type {
    match function.result {
        oid::ANYELEMENT => {
            let element = common_element(function, arguments).unwrap_or(oid::TEXT);
            Type::of(element)
        }
        oid::ANYARRAY => {
            let array = common_element(function, arguments).and_then(types::array);
            // The vectors of the catalog stay what they are.
            Type::of(array.unwrap_or(1009))
        }
        known => Type::of(known),
    }
}

/// Whether a call is one that is bound by itself, and no function of the table.
pub fn is_special(name: &str) -> bool {
    is_aggregate(name)
        || matches!(
            name,
            "array" | "coalesce" | "greatest" | "least" | "nullif" | "row" | "pg_typeof"
        )
        || matches!(
            name,
            "row_number" | "rank" | "dense_rank" | "lag" | "lead" | "first_value" | "last_value"
        )
}
