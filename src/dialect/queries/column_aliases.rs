//! `table AS t(a, b)` names the first columns; those that follow keep their names, as in PostgreSQL.
//! How many there are is known once the relation is planned.

use datafusion::common::Result;
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::sql::sqlparser::ast::{Ident, TableAlias, TableAliasColumnDef, TableFactor};

use crate::error::Error;

/// Plans relations whose columns have aliases.
#[derive(Debug)]
pub struct ColumnAliases;

impl RelationPlanner for ColumnAliases {
    fn plan_relation(
        &self,
        mut relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let Some(mut alias) = named_in_part(&mut relation) else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let plan = context.plan(relation)?;
        let (found, named) = (plan.schema().fields().len(), alias.columns.len());
        if named > found {
            let name = &alias.name.value;
            let problem = format!(
                "table \"{name}\" has {found} columns available but {named} columns specified"
            );
            return Err(Error::session("42P10", problem).into());
        }
        let others = plan.schema().fields().iter().skip(alias.columns.len());
        let others = others.map(|field| TableAliasColumnDef {
            name: Ident::with_quote('"', field.name()),
            data_type: None,
        });
        alias.columns.extend(others.collect::<Vec<_>>());
        let planned = PlannedRelation::new(plan, Some(alias));
        Ok(RelationPlanning::Planned(Box::new(planned)))
    }
}

/// Takes the alias with columns from a relation whose columns have names of their own.
fn named_in_part(relation: &mut TableFactor) -> Option<TableAlias> {
    let alias = match relation {
        TableFactor::Table {
            alias, args: None, ..
        }
        | TableFactor::Derived { alias, .. } => alias,
        _ => return None,
    };
    let is_named = alias
        .as_ref()
        .is_some_and(|alias| !alias.columns.is_empty());
    is_named.then(|| alias.take()).flatten()
}
