//! Clauses that the parser reads and DataFusion drops: refused, since an answer without them is
//! another answer. Syntax trees are taken apart field by field, so that the compiler names what a
//! new version of the parser adds.

use datafusion::sql::sqlparser::ast::{
    Cte, DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArgumentList,
    FunctionArguments, GroupByExpr, Join, LockType, OrderBy, OrderByExpr, OrderByKind, Query,
    Select, SelectItem, TableAlias, TableFactor, TableFunctionArgs, WildcardAdditionalOptions,
    With,
};

use super::unsupported;
use crate::error::{Error, Result};

const STANDARD: &str = "leave it out: no such clause is part of PostgreSQL's SQL";

fn refuse(is_there: bool, what: &str) -> Result<()> {
    match is_there {
        true => Err(unsupported(what, STANDARD)),
        false => Ok(()),
    }
}

/// The clauses around a query.
pub fn check_query(query: &Query) -> Result<()> {
    let Query {
        with,
        body: _,
        order_by,
        limit_clause: _,
        fetch: _,
        locks,
        for_clause,
        settings,
        format_clause,
        pipe_operators: _,
    } = query;
    if let Some(lock) = locks.first() {
        let what = match lock.lock_type {
            LockType::Share => "FOR SHARE",
            LockType::Update => "FOR UPDATE",
        };
        let hint = "leave it out: nothing that is read here can change under a statement";
        return Err(unsupported(what, hint));
    }
    refuse(for_clause.is_some(), "FOR XML, FOR JSON or FOR BROWSE")?;
    refuse(settings.is_some(), "SETTINGS")?;
    refuse(format_clause.is_some(), "FORMAT")?;
    if let Some(With {
        with_token: _,
        recursive: _,
        cte_tables,
    }) = with
    {
        for Cte {
            alias,
            query: _,
            from,
            materialized: _,
            closing_paren_token: _,
        } in cte_tables
        {
            check_alias(alias)?;
            refuse(from.is_some(), "FROM after a common table expression")?;
        }
    }
    if let Some(OrderBy { kind, interpolate }) = order_by {
        refuse(interpolate.is_some(), "INTERPOLATE")?;
        match kind {
            OrderByKind::All(_) => refuse(true, "ORDER BY ALL")?,
            OrderByKind::Expressions(exprs) => check_order(exprs)?,
        }
    }
    Ok(())
}

fn check_order(exprs: &[OrderByExpr]) -> Result<()> {
    for OrderByExpr {
        expr: _,
        options: _,
        with_fill,
    } in exprs
    {
        refuse(with_fill.is_some(), "WITH FILL")?;
    }
    Ok(())
}

/// The clauses of a `SELECT`.
pub fn check_select(select: &Select) -> Result<()> {
    let Select {
        select_token: _,
        optimizer_hints: _,
        distinct: _,
        select_modifiers,
        top,
        top_before_distinct: _,
        projection,
        exclude,
        into: _,
        from,
        lateral_views,
        prewhere,
        selection: _,
        connect_by,
        group_by,
        cluster_by,
        distribute_by,
        sort_by,
        having: _,
        named_window: _,
        qualify: _,
        window_before_qualify: _,
        value_table_mode,
        flavor: _,
    } = select;
    refuse(select_modifiers.is_some(), "a modifier after SELECT")?;
    if top.is_some() {
        return Err(unsupported("TOP", "LIMIT says how many rows"));
    }
    refuse(exclude.is_some(), "EXCLUDE")?;
    refuse(!lateral_views.is_empty(), "LATERAL VIEW")?;
    refuse(prewhere.is_some(), "PREWHERE")?;
    if !connect_by.is_empty() {
        let hint = "WITH RECURSIVE follows links from row to row";
        return Err(unsupported("CONNECT BY", hint));
    }
    refuse(!cluster_by.is_empty(), "CLUSTER BY")?;
    refuse(!distribute_by.is_empty(), "DISTRIBUTE BY")?;
    refuse(!sort_by.is_empty(), "SORT BY")?;
    refuse(value_table_mode.is_some(), "AS VALUE or AS STRUCT")?;
    match group_by {
        GroupByExpr::All(modifiers) | GroupByExpr::Expressions(_, modifiers) => {
            if !modifiers.is_empty() {
                let hint = "write GROUP BY ROLLUP (…), CUBE (…) or GROUPING SETS (…)";
                return Err(unsupported("WITH behind GROUP BY", hint));
            }
        }
    }
    for item in projection {
        match item {
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => {
                check_wildcard(options)?;
            }
            SelectItem::ExprWithAliases { .. } => refuse(true, "a list of aliases of one value")?,
            SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. } => {}
        }
    }
    for table in from {
        for Join {
            relation: _,
            global,
            join_operator: _,
        } in &table.joins
        {
            refuse(*global, "a GLOBAL join")?;
        }
    }
    Ok(())
}

fn check_wildcard(options: &WildcardAdditionalOptions) -> Result<()> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude: _,
        opt_except: _,
        opt_replace: _,
        opt_rename,
        opt_alias,
    } = options;
    refuse(opt_ilike.is_some(), "ILIKE behind *")?;
    refuse(opt_rename.is_some(), "RENAME behind *")?;
    refuse(opt_alias.is_some(), "an alias behind *")
}

fn check_alias(alias: &TableAlias) -> Result<()> {
    let TableAlias {
        explicit: _,
        name: _,
        columns,
        at,
    } = alias;
    refuse(at.is_some(), "AT behind an alias")?;
    refuse(
        columns.iter().any(|column| column.data_type.is_some()),
        "a type in a list of column aliases",
    )
}

/// A relation in `FROM`.
pub fn check_table(table: &TableFactor) -> Result<()> {
    match table {
        TableFactor::Table {
            name: _,
            alias,
            args,
            with_hints,
            version,
            with_ordinality: _,
            partitions,
            json_path,
            sample: _,
            index_hints,
        } => {
            refuse(!with_hints.is_empty(), "WITH behind a table")?;
            refuse(version.is_some(), "a version of a table")?;
            refuse(!partitions.is_empty(), "PARTITION")?;
            refuse(json_path.is_some(), "a path behind a table")?;
            refuse(!index_hints.is_empty(), "an index hint")?;
            if let Some(TableFunctionArgs { args: _, settings }) = args {
                refuse(settings.is_some(), "SETTINGS")?;
            }
            alias.as_ref().map_or(Ok(()), check_alias)
        }
        TableFactor::Derived {
            lateral: _,
            subquery: _,
            alias,
            sample: _,
        }
        | TableFactor::Function {
            lateral: _,
            name: _,
            args: _,
            with_ordinality: _,
            alias,
        } => alias.as_ref().map_or(Ok(()), check_alias),
        TableFactor::UNNEST {
            alias,
            array_exprs: _,
            with_offset,
            with_offset_alias: _,
            with_ordinality: _,
        } => {
            refuse(*with_offset, "WITH OFFSET")?;
            alias.as_ref().map_or(Ok(()), check_alias)
        }
        // DataFusion says itself which of the others it does not know.
        _ => Ok(()),
    }
}

/// A call.
pub fn check_expr(expr: &Expr) -> Result<()> {
    let Expr::Function(function) = expr else {
        return Ok(());
    };
    let Function {
        name,
        uses_odbc_syntax: _,
        parameters,
        args,
        filter: _,
        null_treatment,
        over,
        within_group: _,
    } = function;
    refuse(
        !matches!(parameters, FunctionArguments::None),
        "a second list of arguments",
    )?;
    let mut ignores_nulls = null_treatment.is_some();
    if let FunctionArguments::List(FunctionArgumentList {
        duplicate_treatment,
        args: _,
        clauses,
    }) = args
    {
        if over.is_some() && *duplicate_treatment == Some(DuplicateTreatment::Distinct) {
            return Err(Error::session_hint(
                "0A000",
                "DISTINCT is not implemented for window functions",
                "count them in a subquery with GROUP BY, and join it",
            ));
        }
        for clause in clauses {
            match clause {
                FunctionArgumentClause::IgnoreOrRespectNulls(_) => ignores_nulls = true,
                FunctionArgumentClause::OrderBy(exprs) => {
                    check_order(exprs)?;
                    if over.is_some() {
                        return Err(Error::session_hint(
                            "0A000",
                            "aggregate ORDER BY is not implemented for window functions",
                            "OVER (ORDER BY …) says the order",
                        ));
                    }
                }
                // DataFusion refuses these.
                FunctionArgumentClause::Limit(_)
                | FunctionArgumentClause::OnOverflow(_)
                | FunctionArgumentClause::Having(_)
                | FunctionArgumentClause::Separator(_)
                | FunctionArgumentClause::JsonNullClause(_)
                | FunctionArgumentClause::JsonReturningClause(_) => {}
            }
        }
    }
    let name = name.to_string().to_lowercase();
    let skips = ["lag", "lead", "first_value", "last_value", "nth_value"];
    if ignores_nulls && !skips.contains(&name.as_str()) {
        return Err(Error::session_hint(
            "0A000",
            format!("IGNORE NULLS or RESPECT NULLS is not supported for {name}"),
            format!(
                "aggregates leave nulls out themselves; {} take it",
                skips.join(", ")
            ),
        ));
    }
    Ok(())
}
