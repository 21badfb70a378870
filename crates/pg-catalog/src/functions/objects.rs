//! Functions that name and describe the objects of the catalog.

use super::text::{int_at, str_at};
use super::{Functions, Run};
use crate::Catalog;
use crate::error::Result;
use crate::interpret::run::Context;
use crate::types::{self, oid};
use crate::value::Value;

pub fn register(f: &mut Functions) {
    f.lenient("format_type", "oid, int4", "text", |_, a| {
        let Some(Value::Int(of)) = a.first() else {
            return Ok(Value::Null);
        };
        let typmod = a.get(1).and_then(Value::as_int).unwrap_or(-1);
        let typmod = i32::try_from(typmod).unwrap_or(-1);
        let of = u32::try_from(*of).unwrap_or(0);
        Ok(Value::text(match types::format(of, typmod) {
            Some(name) => name,
            None if of == 0 => "-".into(),
            None => "???".into(),
        }))
    });
    f.strict("pg_get_userbyid", "oid", "name", |c, a| {
        let of = int_at(a, 0);
        Ok(Value::text(match c.catalog.role_name(of) {
            Some(name) => name.to_owned(),
            None => format!("unknown (OID={of})"),
        }))
    });
    visibility(f);
    names(f);
    descriptions(f);
    definitions(f);
    sizes(f);
    privileges(f);
    absent(f);
}

fn visibility(f: &mut Functions) {
    f.strict("pg_table_is_visible", "oid", "bool", |c, a| {
        let relation = c.catalog.any_relation(int_at(a, 0));
        let namespace = relation.map(|relation| relation.namespace);
        Ok(namespace.map_or(Value::Null, |of| Value::Bool(c.catalog.is_on_path(of))))
    });
    f.strict("pg_type_is_visible", "oid", "bool", |c, a| {
        let fact = u32::try_from(int_at(a, 0)).ok().and_then(types::get);
        Ok(fact.map_or(Value::Null, |of| {
            Value::Bool(c.catalog.is_on_path(i64::from(of.namespace)))
        }))
    });
    f.strict("pg_function_is_visible", "oid", "bool", |c, a| {
        let namespace = c.catalog.function_namespace(int_at(a, 0));
        Ok(namespace.map_or(Value::Null, |of| Value::Bool(c.catalog.is_on_path(of))))
    });
    for name in [
        "pg_operator_is_visible",
        "pg_opclass_is_visible",
        "pg_opfamily_is_visible",
        "pg_collation_is_visible",
        "pg_conversion_is_visible",
        "pg_statistics_obj_is_visible",
        "pg_ts_config_is_visible",
        "pg_ts_dict_is_visible",
        "pg_ts_parser_is_visible",
        "pg_ts_template_is_visible",
    ] {
        f.strict(name, "oid", "bool", |_, _| Ok(Value::Bool(true)));
    }
    f.strict("pg_my_temp_schema", "", "oid", |c, _| {
        Ok(Value::Int(c.catalog.temporary_oid()))
    });
    f.strict("pg_is_other_temp_schema", "oid", "bool", |_, _| {
        Ok(Value::Bool(false))
    });
    f.strict("pg_relation_is_publishable", "regclass", "bool", |c, a| {
        let relation = c.catalog.any_relation(int_at(a, 0));
        Ok(relation.map_or(Value::Null, |r| {
            Value::Bool(r.kind == 'r' && r.namespace == 2200)
        }))
    });
    f.strict(
        "pg_relation_is_updatable",
        "regclass, bool",
        "int4",
        |_, _| Ok(Value::Int(0)),
    );
    f.strict(
        "pg_column_is_updatable",
        "regclass, int2, bool",
        "bool",
        |_, _| Ok(Value::Bool(false)),
    );
    f.strict("row_security_active", "regclass", "bool", |_, _| {
        Ok(Value::Bool(false))
    });
}

/// `to_regclass` and its like: null where there is no such thing.
fn names(f: &mut Functions) {
    fn known(c: &Context<'_>, a: &[Value], of: u32) -> Result<Value> {
        let text = str_at(a, 0);
        // A number is no name here.
        if text.starts_with(|letter: char| letter.is_ascii_digit()) {
            return Ok(Value::Null);
        }
        Ok(c.catalog
            .parse_name(text, of)
            .map_or(Value::Null, Value::Int))
    }
    f.strict("to_regclass", "text", "regclass", |c, a| {
        known(c, a, oid::REGCLASS)
    });
    f.strict("to_regtype", "text", "regtype", |c, a| {
        known(c, a, oid::REGTYPE)
    });
    f.strict("to_regproc", "text", "regproc", |c, a| {
        known(c, a, oid::REGPROC)
    });
    f.strict("to_regprocedure", "text", "regprocedure", |c, a| {
        known(c, a, oid::REGPROCEDURE)
    });
    f.strict("to_regnamespace", "text", "regnamespace", |c, a| {
        known(c, a, oid::REGNAMESPACE)
    });
    f.strict("to_regrole", "text", "regrole", |c, a| {
        known(c, a, oid::REGROLE)
    });
    f.strict("pg_describe_object", "oid, oid, int4", "text", |c, a| {
        let relation = c.catalog.any_relation(int_at(a, 1));
        Ok(Value::optional(relation.map(|relation| {
            let kind = if relation.kind == 'v' {
                "view"
            } else {
                "table"
            };
            format!("{kind} {}", relation.name)
        })))
    });
}

fn descriptions(f: &mut Functions) {
    fn described(catalog: &Catalog, class: Option<&str>, object: i64, part: i64) -> Value {
        let class = class.and_then(|class| catalog.relation(Some("pg_catalog"), class));
        let class = class.map(|class| i64::from(catalog.relation_facts(class).oid));
        Value::optional(catalog.description(class, object, part))
    }
    f.strict("obj_description", "oid, name?", "text", |c, a| {
        Ok(described(
            c.catalog,
            a.get(1).and_then(Value::as_str),
            int_at(a, 0),
            0,
        ))
    });
    f.strict("col_description", "oid, int4", "text", |c, a| {
        Ok(described(
            c.catalog,
            Some("pg_class"),
            int_at(a, 0),
            int_at(a, 1),
        ))
    });
    f.strict("shobj_description", "oid, name", "text", |_, _| {
        Ok(Value::Null)
    });
}

fn definitions(f: &mut Functions) {
    for parameters in ["oid", "oid, bool", "oid, int4"] {
        f.strict("pg_get_viewdef", parameters, "text", |c, a| {
            Ok(Value::optional(c.catalog.view_definition(int_at(a, 0))))
        });
    }
    f.strict("pg_get_viewdef", "text, bool?", "text", |c, a| {
        let of = c.catalog.parse_name(str_at(a, 0), oid::REGCLASS)?;
        Ok(Value::optional(c.catalog.view_definition(of)))
    });
    f.strict("pg_get_expr", "pg_node_tree, oid, bool?", "text", |_, a| {
        Ok(a.first().cloned().unwrap_or(Value::Null))
    });
    f.strict("pg_get_expr", "text, oid, bool?", "text", |_, a| {
        Ok(a.first().cloned().unwrap_or(Value::Null))
    });
    f.strict("pg_get_constraintdef", "oid, bool?", "text", |c, a| {
        Ok(Value::optional(
            c.catalog.constraint_definition(int_at(a, 0)),
        ))
    });
    f.strict("pg_get_indexdef", "oid", "text", |c, a| {
        Ok(Value::optional(c.catalog.index_definition(int_at(a, 0), 0)))
    });
    f.strict("pg_get_indexdef", "oid, int4, bool", "text", |c, a| {
        Ok(Value::optional(
            c.catalog.index_definition(int_at(a, 0), int_at(a, 1)),
        ))
    });
    for (name, run) in [
        (
            "pg_get_function_arguments",
            (|c, a| Ok(Value::optional(c.catalog.function_arguments(int_at(a, 0))))) as Run,
        ),
        ("pg_get_function_identity_arguments", |c, a| {
            Ok(Value::optional(c.catalog.function_arguments(int_at(a, 0))))
        }),
        ("pg_get_function_result", |c, a| {
            Ok(Value::optional(c.catalog.function_result(int_at(a, 0))))
        }),
        ("pg_get_functiondef", |c, a| {
            Ok(Value::optional(c.catalog.function_definition(int_at(a, 0))))
        }),
    ] {
        f.strict(name, "oid", "text", run);
    }
    f.strict("function_example", "oid", "text", |c, a| {
        Ok(Value::optional(c.catalog.function_example(int_at(a, 0))))
    });
    f.strict(
        "pg_index_column_has_property",
        "regclass, int4, text",
        "bool",
        |_, a| {
            Ok(match str_at(a, 2) {
                "asc" | "nulls_last" | "orderable" | "returnable" | "search_array" => {
                    Value::Bool(true)
                }
                "desc" | "nulls_first" | "distance_orderable" => Value::Bool(false),
                "search_nulls" => Value::Bool(true),
                _ => Value::Null,
            })
        },
    );
    for name in ["pg_indexam_has_property", "pg_index_has_property"] {
        f.strict(name, "oid, text", "bool", |_, _| Ok(Value::Bool(true)));
    }
}

fn sizes(f: &mut Functions) {
    for name in [
        "pg_relation_size",
        "pg_table_size",
        "pg_total_relation_size",
    ] {
        f.strict(name, "regclass, text?", "int8", |c, a| {
            Ok(Value::Int(c.catalog.bytes_of(int_at(a, 0))))
        });
    }
    f.strict("pg_indexes_size", "regclass", "int8", |_, _| {
        Ok(Value::Int(0))
    });
    for (name, of) in [
        ("pg_database_size", "name"),
        ("pg_database_size", "oid"),
        ("pg_tablespace_size", "oid"),
        ("pg_tablespace_size", "name"),
    ] {
        f.strict(name, of, "int8", |c, _| {
            Ok(Value::Int(c.catalog.all_bytes()))
        });
    }
    f.strict("pg_tablespace_location", "oid", "text", |_, _| {
        Ok(Value::text(""))
    });
    f.strict("pg_relation_filenode", "regclass", "oid", |_, a| {
        Ok(a.first().cloned().unwrap_or(Value::Null))
    });
    for name in [
        "pg_stat_get_numscans",
        "pg_stat_get_live_tuples",
        "pg_stat_get_dead_tuples",
        "pg_stat_get_tuples_inserted",
        "pg_stat_get_tuples_updated",
        "pg_stat_get_tuples_deleted",
    ] {
        f.strict(name, "oid", "int8", |c, a| {
            Ok(Value::Int(c.catalog.rows_of(int_at(a, 0))))
        });
    }
}

/// Everybody reads everything; only what is writable can be written.
fn privileges(f: &mut Functions) {
    fn may(c: &Context<'_>, relation: i64, wanted: &str) -> Value {
        if c.catalog.any_relation(relation).is_none() {
            return Value::Null;
        }
        let is_writable = c.catalog.is_writable(relation);
        let granted = wanted
            .split(',')
            .any(|one| match one.trim().to_ascii_uppercase().as_str() {
                "SELECT" => true,
                "INSERT" | "UPDATE" | "DELETE" => is_writable,
                _ => false,
            });
        Value::Bool(granted)
    }
    let by_oid: Run = |c, a| {
        Ok(may(
            c,
            int_at(a, a.len().saturating_sub(2)),
            str_at(a, a.len().saturating_sub(1)),
        ))
    };
    let by_name: Run = |c, a| {
        let name = str_at(a, a.len().saturating_sub(2));
        let relation = c.catalog.parse_name(name, oid::REGCLASS)?;
        Ok(may(c, relation, str_at(a, a.len().saturating_sub(1))))
    };
    for (parameters, run) in [
        ("oid, text", by_oid),
        ("name, oid, text", by_oid),
        ("oid, oid, text", by_oid),
        ("text, text", by_name),
        ("name, text, text", by_name),
    ] {
        f.strict("has_table_privilege", parameters, "bool", run);
        f.strict("has_any_column_privilege", parameters, "bool", run);
    }
    let column: Run = |c, a| {
        let relation = match a.get(a.len().saturating_sub(3)) {
            Some(Value::Int(relation)) => *relation,
            Some(Value::Text(name)) => c.catalog.parse_name(name, oid::REGCLASS)?,
            _ => return Ok(Value::Null),
        };
        Ok(may(c, relation, str_at(a, a.len().saturating_sub(1))))
    };
    for parameters in [
        "oid, text, text",
        "oid, int2, text",
        "text, text, text",
        "text, int2, text",
        "name, oid, text, text",
        "name, text, text, text",
    ] {
        f.strict("has_column_privilege", parameters, "bool", column);
    }
    // USAGE, CONNECT, TEMPORARY and EXECUTE are everybody's, CREATE is nobody's.
    let other: Run = |_, a| {
        let wanted = str_at(a, a.len().saturating_sub(1)).to_ascii_uppercase();
        let granted = wanted.split(',').any(|one| one.trim() != "CREATE");
        Ok(Value::Bool(granted))
    };
    for name in [
        "has_schema_privilege",
        "has_database_privilege",
        "has_function_privilege",
        "has_language_privilege",
        "has_type_privilege",
        "has_tablespace_privilege",
        "has_server_privilege",
        "has_foreign_data_wrapper_privilege",
    ] {
        for parameters in [
            "oid, text",
            "text, text",
            "name, oid, text",
            "oid, oid, text",
            "name, text, text",
        ] {
            f.strict(name, parameters, "bool", other);
        }
    }
    f.strict("has_sequence_privilege", "oid, text", "bool", |_, _| {
        Ok(Value::Bool(false))
    });
    for parameters in [
        "name, text",
        "oid, text",
        "name, name, text",
        "name, oid, text",
        "oid, oid, text",
    ] {
        f.strict("pg_has_role", parameters, "bool", |c, a| {
            let role = match a.get(a.len().saturating_sub(2)) {
                Some(Value::Int(role)) => c.catalog.role_name(*role).map(str::to_owned),
                Some(Value::Text(role)) => Some(role.to_string()),
                _ => None,
            };
            Ok(Value::Bool(
                role.as_deref() == Some(c.catalog.user.as_str()),
            ))
        });
    }
}

/// What asks for kinds of objects that do not exist here.
fn absent(f: &mut Functions) {
    for (name, parameters, result) in [
        ("pg_get_serial_sequence", "text, text", "text"),
        ("pg_get_statisticsobjdef_columns", "oid", "text"),
        ("pg_get_statisticsobjdef", "oid", "text"),
        ("pg_get_triggerdef", "oid, bool?", "text"),
        ("pg_get_ruledef", "oid, bool?", "text"),
        ("pg_get_partkeydef", "oid", "text"),
        ("pg_get_partition_constraintdef", "oid", "text"),
        ("pg_get_function_sqlbody", "oid", "text"),
        ("pg_get_function_arg_default", "oid, int4", "text"),
        ("pg_sequence_last_value", "regclass", "int8"),
        ("pg_sequence_parameters", "oid", "text"),
        ("pg_get_replica_identity_index", "regclass", "regclass"),
        ("pg_relation_filepath", "regclass", "text"),
        ("pg_collation_actual_version", "oid", "text"),
        ("pg_stat_get_last_analyze_time", "oid", "timestamptz"),
        ("acldefault", "\"char\", oid", "aclitem[]"),
    ] {
        f.lenient(name, parameters, result, |_, _| Ok(Value::Null));
    }
}
