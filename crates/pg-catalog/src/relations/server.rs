//! The server itself: its database, roles, settings and sessions.

use super::{OWNER, OWNER_NAME, Shape, role_oid};
use crate::Catalog;
use crate::interpret::Row;
use crate::value::Value;

/// The oid of the one database.
const DATABASE: i64 = 16_383;

impl Catalog {
    pub fn databases(&self, shape: &Shape) -> Vec<Row> {
        vec![shape.row([
            ("oid", Value::Int(DATABASE)),
            ("datname", Value::text(&self.database)),
            ("datdba", Value::Int(OWNER)),
            ("encoding", Value::Int(6)),
            ("datlocprovider", Value::text("c")),
            ("datallowconn", Value::Bool(true)),
            ("datconnlimit", Value::Int(-1)),
            ("dattablespace", Value::Int(1663)),
            ("datcollate", Value::text("C.UTF-8")),
            ("datctype", Value::text("C.UTF-8")),
        ])]
    }

    pub fn role_rows(&self, shape: &Shape) -> Vec<Row> {
        let row = |oid: i64, name: &str, is_superuser: bool, can_login: bool| {
            shape.row([
                ("rolname", Value::text(name)),
                ("rolsuper", Value::Bool(is_superuser)),
                ("rolinherit", Value::Bool(true)),
                ("rolcreaterole", Value::Bool(is_superuser)),
                ("rolcreatedb", Value::Bool(false)),
                ("rolcanlogin", Value::Bool(can_login)),
                ("rolreplication", Value::Bool(false)),
                ("rolconnlimit", Value::Int(-1)),
                ("rolpassword", Value::text("********")),
                ("rolbypassrls", Value::Bool(is_superuser)),
                ("oid", Value::Int(oid)),
            ])
        };
        let mut rows = vec![row(OWNER, OWNER_NAME, true, false)];
        for role in self.roles.iter().filter(|role| role.name != OWNER_NAME) {
            let oid = role_oid(&role.name);
            rows.push(row(oid, &role.name, role.is_superuser, role.can_login));
        }
        rows
    }

    pub fn memberships(&self, shape: &Shape) -> Vec<Row> {
        let memberships = self.roles.iter().flat_map(|role| {
            role.member_of.iter().map(|group| {
                shape.row([
                    ("roleid", Value::Int(role_oid(group))),
                    ("member", Value::Int(role_oid(&role.name))),
                    ("grantor", Value::Int(OWNER)),
                ])
            })
        });
        memberships.collect()
    }

    pub fn setting_rows(&self, shape: &Shape) -> Vec<Row> {
        let settings = self.settings.iter().map(|setting| {
            let value = self.setting(&setting.name);
            let kind = match setting.value.as_str() {
                "on" | "off" => "bool",
                value if value.parse::<i64>().is_ok() => "integer",
                _ => "string",
            };
            shape.row([
                ("name", Value::text(&setting.name)),
                ("setting", Value::optional(value)),
                ("category", Value::text("Customized Options")),
                ("short_desc", Value::text(&setting.description)),
                ("context", Value::text("user")),
                ("vartype", Value::text(kind)),
                ("source", Value::text("default")),
                ("boot_val", Value::text(&setting.value)),
                ("reset_val", Value::text(&setting.value)),
                ("pending_restart", Value::Bool(false)),
            ])
        });
        settings.collect()
    }

    pub fn activity(&self, shape: &Shape) -> Vec<Row> {
        let sessions = self.sessions.iter().map(|session| {
            let query_started = session.query_started.map_or(Value::Null, Value::Timestamp);
            let port = session.client_port.map_or(-1, i64::from);
            shape.row([
                ("datid", Value::Int(DATABASE)),
                ("datname", Value::text(&self.database)),
                ("pid", Value::Int(i64::from(session.pid))),
                ("usesysid", Value::Int(role_oid(&session.user))),
                ("usename", Value::text(&session.user)),
                ("application_name", Value::text(&session.application)),
                (
                    "client_addr",
                    Value::optional(session.client_address.as_deref()),
                ),
                ("client_port", Value::Int(port)),
                ("backend_start", Value::Timestamp(session.started)),
                ("query_start", query_started.clone()),
                ("state_change", query_started),
                ("state", Value::text(&session.state)),
                ("query", Value::text(&session.query)),
                ("backend_type", Value::text("client backend")),
            ])
        });
        sessions.collect()
    }

    /// Nobody comes with Kerberos.
    pub fn kerberos(&self, shape: &Shape) -> Vec<Row> {
        let sessions = self.sessions.iter().map(|session| {
            shape.row([
                ("pid", Value::Int(i64::from(session.pid))),
                ("gss_authenticated", Value::Bool(false)),
                ("encrypted", Value::Bool(false)),
            ])
        });
        sessions.collect()
    }

    pub fn encryption(&self, shape: &Shape) -> Vec<Row> {
        let sessions = self.sessions.iter().map(|session| {
            shape.row([
                ("pid", Value::Int(i64::from(session.pid))),
                ("ssl", Value::Bool(session.is_encrypted)),
            ])
        });
        sessions.collect()
    }
}
