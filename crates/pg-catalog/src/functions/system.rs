//! Functions of the session and the server: who, where, and the settings.

use super::Functions;
use super::text::str_at;
use crate::cast::failure;
use crate::error::Result;
use crate::interpret::run::Context;
use crate::value::Value;

pub fn register(f: &mut Functions) {
    f.strict("version", "", "text", |_, _| {
        Ok(Value::text(super::super::VERSION))
    });
    for name in ["current_user", "session_user", "current_role", "user"] {
        f.strict(name, "", "name", |c, _| Ok(Value::text(&c.catalog.user)));
    }
    for name in ["current_database", "current_catalog"] {
        f.strict(name, "", "name", |c, _| {
            Ok(Value::text(&c.catalog.database))
        });
    }
    f.strict("current_schema", "", "name", |c, _| {
        Ok(Value::optional(c.catalog.search_path().into_iter().next()))
    });
    f.strict("current_schemas", "bool", "name[]", |c, a| {
        let mut path = c.catalog.search_path();
        if a.first().is_some_and(Value::is_true) {
            path.insert(0, "pg_catalog".into());
            if let Some(schema) = c.catalog.temporary_schema() {
                path.insert(0, schema);
            }
        }
        Ok(Value::texts(path))
    });
    f.strict("current_setting", "text, bool?", "text", |c, a| {
        let name = str_at(a, 0);
        match c.catalog.setting(name) {
            Some(value) => Ok(Value::text(value)),
            None if a.get(1).is_some_and(Value::is_true) => Ok(Value::Null),
            None => {
                let message = format!("unrecognized configuration parameter \"{name}\"");
                Err(failure("42704", message))
            }
        }
    });
    f.lenient("set_config", "text, text, bool", "text", |c, a| {
        let value = match a.get(1) {
            Some(Value::Text(value)) => value.to_string(),
            _ => String::new(),
        };
        let is_local = a.get(2).is_some_and(Value::is_true);
        c.catalog.change_setting(str_at(a, 0), &value, is_local);
        Ok(Value::text(value))
    });
    f.strict("pg_backend_pid", "", "int4", |c, _| {
        Ok(Value::Int(i64::from(c.catalog.backend_pid)))
    });
    for name in ["pg_cancel_backend", "pg_terminate_backend"] {
        f.strict(name, "int4, int8?", "bool", |_, _| {
            let message = "must be a member of the role whose process is meant: a client cancels its \
                           own statements, as a driver does";
            Err(failure("42501", message))
        });
    }
    for name in ["pg_is_in_recovery", "pg_is_wal_replay_paused"] {
        f.strict(name, "", "bool", |_, _| Ok(Value::Bool(false)));
    }
    f.strict("pg_postmaster_start_time", "", "timestamptz", |c, _| {
        Ok(Value::Timestamp(c.catalog.started))
    });
    f.strict("pg_conf_load_time", "", "timestamptz", |c, _| {
        Ok(Value::Timestamp(c.catalog.started))
    });
    for name in ["txid_current", "pg_current_xact_id"] {
        f.strict(name, "", "int8", |_, _| Ok(Value::Int(1)));
    }
    for name in ["inet_server_addr", "inet_client_addr"] {
        f.strict(name, "", "inet", |_, _| Ok(Value::Null));
    }
    for name in ["inet_server_port", "inet_client_port"] {
        f.strict(name, "", "int4", |_, _| Ok(Value::Null));
    }
    for name in ["getdatabaseencoding", "pg_client_encoding"] {
        f.strict(name, "", "name", |_, _| Ok(Value::text("UTF8")));
    }
    f.strict("pg_encoding_to_char", "int4", "name", |_, a| {
        Ok(Value::text(match a.first() {
            Some(Value::Int(6)) => "UTF8",
            Some(Value::Int(0)) => "SQL_ASCII",
            _ => "",
        }))
    });
    f.strict("pg_char_to_encoding", "name", "int4", |_, a| {
        let is_known = matches!(
            str_at(a, 0).to_ascii_uppercase().as_str(),
            "UTF8" | "UTF-8" | "UNICODE"
        );
        Ok(Value::Int(if is_known { 6 } else { -1 }))
    });
    f.strict("pg_blocking_pids", "int4", "int4[]", |_, _| {
        Ok(Value::array(Vec::new()))
    });
    f.strict("pg_advisory_unlock_all", "", "void", |_, _| {
        Ok(Value::text(""))
    });
    f.strict("pg_notification_queue_usage", "", "float8", |_, _| {
        Ok(Value::Float(0.0))
    });
    f.strict("pg_size_pretty", "int8", "text", |_, a| {
        Ok(Value::text(pretty_size(super::text::int_at(a, 0))))
    });
    f.strict("pg_size_pretty", "numeric", "text", |_, a| {
        match a.first() {
            Some(Value::Numeric(size)) => Ok(Value::optional(size.to_integer().map(pretty_size))),
            _ => Ok(Value::Null),
        }
    });
    f.strict("uuid", "text", "uuid", |_, a| {
        let text = super::text::str_at(a, 0);
        let digits: String = text
            .trim_matches(['{', '}'])
            .chars()
            .filter(|letter| *letter != '-')
            .collect::<String>()
            .to_ascii_lowercase();
        if digits.len() != 32 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            let message = format!("invalid input syntax for type uuid: \"{text}\"");
            return Err(failure("22P02", message));
        }
        let bounds = [0, 8, 12, 16, 20, 32];
        let parts = bounds.windows(2).map(|bounds| match bounds {
            [from, to] => digits.get(*from..*to).unwrap_or(""),
            _ => "",
        });
        Ok(Value::text(parts.collect::<Vec<_>>().join("-")))
    });
    for name in ["gen_random_uuid", "uuid_generate_v4"] {
        f.strict(name, "", "uuid", |_, _| Ok(Value::text(random_uuid()?)));
    }
    // Transaction identifiers do not age here.
    f.strict("age", "xid", "int4", |_, _| Ok(Value::Int(1)));
    f.strict("mxid_age", "xid", "int4", |_, _| Ok(Value::Int(1)));
}

pub fn greatest(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let most = a
        .iter()
        .filter(|value| !value.is_null())
        .max_by(|x, y| x.order(y));
    Ok(most.cloned().unwrap_or(Value::Null))
}

pub fn least(_: &Context<'_>, a: &[Value]) -> Result<Value> {
    let least = a
        .iter()
        .filter(|value| !value.is_null())
        .min_by(|x, y| x.order(y));
    Ok(least.cloned().unwrap_or(Value::Null))
}

/// A value as the one row of a relation.
pub fn one_row(_: &Context<'_>, a: &[Value]) -> Result<Vec<Vec<Value>>> {
    Ok(vec![a.to_vec()])
}

/// A size in the largest unit that leaves at least ten of it.
pub fn pretty_size(bytes: i64) -> String {
    let mut size = i128::from(bytes);
    if size.abs() < 10_240 {
        return format!("{size} bytes");
    }
    let mut unit = "bytes";
    for next in ["kB", "MB", "GB", "TB", "PB"] {
        // Half a unit is rounded away from zero at the last.
        unit = next;
        if (size.abs() + 512) / 1024 < 10_240 {
            size = (size + 512 * size.signum()) / 1024;
            break;
        }
        size /= 1024;
    }
    format!("{size} {unit}")
}

/// A version 4 UUID.
fn random_uuid() -> Result<String> {
    use ring::rand::{SecureRandom, SystemRandom};
    let mut bytes = [0_u8; 16];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| failure("58000", "the system gives no random bytes"))?;
    let number = u128::from_be_bytes(bytes);
    let number = (number & !(0xf << 76)) | (4 << 76);
    let number = (number & !(0x3 << 62)) | (2 << 62);
    let hex = format!("{number:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
    Ok([
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_postgresql() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (8_192_000, "8000 kB"),
            (1_073_741_824, "1024 MB"),
        ] {
            assert_eq!(pretty_size(bytes), expected);
        }
    }

    #[test]
    fn uuids_say_their_version() {
        let uuid = random_uuid().unwrap_or_default();
        assert_eq!(uuid.len(), 36);
        assert_eq!(uuid.get(14..15), Some("4"));
        assert!(matches!(uuid.get(19..20), Some("8" | "9" | "a" | "b")));
    }
}
