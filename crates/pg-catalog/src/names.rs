//! Names of objects as oids and back: `regclass`, `regtype` and their like.

use super::Catalog;
use super::cast::failure;
use super::functions::text::quote_ident;
use super::interpret::names;
use super::relations::{self, namespace_name, namespace_oid};
use super::types::{self, oid};
use crate::error::{Error, Result};

/// A name of one or two parts, each as PostgreSQL keeps it.
fn split(text: &str) -> Option<(Option<String>, String)> {
    let mut parts = Vec::new();
    let (mut part, mut quoted, mut was_quoted) = (String::new(), false, false);
    let mut letters = text.chars().peekable();
    let finish = |part: &mut String, was_quoted: &mut bool| {
        let text = std::mem::take(part);
        match std::mem::take(was_quoted) {
            true => text,
            false => text.trim().to_lowercase(),
        }
    };
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.next_if_eq(&'"').is_some() => part.push('"'),
            '"' => {
                quoted = !quoted;
                was_quoted = true;
            }
            '.' if !quoted => parts.push(finish(&mut part, &mut was_quoted)),
            letter => part.push(letter),
        }
    }
    parts.push(finish(&mut part, &mut was_quoted));
    let name = parts.pop().filter(|name| !name.is_empty() && !quoted)?;
    // A database in front says nothing here.
    Some((parts.pop(), name))
}

impl Catalog {
    /// The oid that a text means as a type such as `regclass`.
    pub fn parse_name(&self, text: &str, of: u32) -> Result<i64> {
        if text == "-" {
            return Ok(0);
        }
        if let Ok(number) = text.parse::<u32>() {
            return Ok(i64::from(number));
        }
        let missing = |state, kind: &str| -> Error {
            failure(state, format!("{kind} \"{text}\" does not exist"))
        };
        if of == oid::REGTYPE {
            let known = names::named(&text.to_lowercase());
            let known = known.map(|known| i64::from(known.oid));
            return known.ok_or_else(|| missing("42704", "type"));
        }
        if of == oid::REGPROCEDURE {
            let known = self.functions.by_signature(text);
            return known.ok_or_else(|| missing("42883", "function"));
        }
        let Some((schema, name)) = split(text) else {
            return Err(failure("42602", format!("invalid name syntax: \"{text}\"")));
        };
        match of {
            oid::REGNAMESPACE => namespace_oid(&name).ok_or_else(|| missing("3F000", "schema")),
            oid::REGROLE => self.role_oid(&name).ok_or_else(|| missing("42704", "role")),
            oid::REGPROC => {
                let known = self.functions.by_name(schema.as_deref(), &name);
                known.ok_or_else(|| missing("42883", "function"))
            }
            oid::REGCLASS => {
                let known = self.find_relation(schema.as_deref(), &name);
                known.ok_or_else(|| missing("42P01", "relation"))
            }
            _ => Err(missing("42704", "object")),
        }
    }

    /// The name of what an oid is, in quotes and with its schema where they are needed.
    pub fn name_text(&self, of: i64, kind: u32) -> String {
        if of == 0 {
            return "-".into();
        }
        let qualified = |namespace: i64, name: &str| match self.is_on_path(namespace) {
            true => quote_ident(name),
            false => {
                let schema = namespace_name(namespace).unwrap_or("pg_temp");
                format!("{}.{}", quote_ident(schema), quote_ident(name))
            }
        };
        let known = match kind {
            oid::REGTYPE => u32::try_from(of).ok().and_then(|of| types::format(of, -1)),
            oid::REGNAMESPACE => namespace_name(of).map(quote_ident),
            oid::REGROLE => self.role_name(of).map(quote_ident),
            oid::REGPROC => self
                .functions
                .get(of)
                .map(|function| qualified(function.namespace, &function.name)),
            oid::REGPROCEDURE => self.functions.get(of).map(|function| {
                let name = qualified(function.namespace, &function.name);
                format!("{name}({})", function.argument_types())
            }),
            oid::REGCLASS => self
                .any_relation(of)
                .map(|relation| qualified(relation.namespace, &relation.name)),
            _ => None,
        };
        known.unwrap_or_else(|| of.to_string())
    }

    /// A relation by its name, looked for as PostgreSQL does.
    fn find_relation(&self, schema: Option<&str>, name: &str) -> Option<i64> {
        let of_user = |is_wanted: &dyn Fn(i64) -> bool| {
            let mut relations = self.tables.iter().flat_map(|table| table.relations());
            let found = relations.find(|known| known.name == name && is_wanted(known.namespace));
            found.map(|found| found.oid)
        };
        let of_system = |schema: Option<&str>| {
            let known = relations::find(schema, name)?;
            Some(i64::from(relations::facts(known).oid))
        };
        match schema {
            Some(schema @ ("pg_catalog" | "information_schema")) => of_system(Some(schema)),
            Some(schema) => {
                let namespace = namespace_oid(schema)?;
                of_user(&|known| known == namespace)
            }
            None => {
                let temporary = self.temporary_oid();
                of_user(&|known| known == temporary && temporary != 0)
                    .or_else(|| of_system(None))
                    .or_else(|| of_user(&|known| self.is_on_path(known)))
            }
        }
    }

    /// Whether names of this schema need no schema in front.
    pub fn is_on_path(&self, namespace: i64) -> bool {
        let name = match namespace {
            11 => return true,
            other => namespace_name(other),
        };
        let is_temporary = namespace == self.temporary_oid() && namespace != 0;
        is_temporary || name.is_some_and(|name| self.search_path().iter().any(|on| on == name))
    }

    pub fn role_name(&self, of: i64) -> Option<&str> {
        if of == relations::OWNER {
            return Some(relations::OWNER_NAME);
        }
        let mut roles = self.roles.iter();
        let role = roles.find(|role| relations::role_oid(&role.name) == of)?;
        Some(&role.name)
    }

    pub fn role_oid(&self, name: &str) -> Option<i64> {
        if name == relations::OWNER_NAME {
            return Some(relations::OWNER);
        }
        let mut roles = self.roles.iter();
        let role = roles.find(|role| role.name == name)?;
        Some(relations::role_oid(&role.name))
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_split_at_their_dots() {
        let of = |text: &str| split(text).map(|(schema, name)| (schema.unwrap_or_default(), name));
        assert_eq!(of("Signals"), Some((String::new(), "signals".into())));
        assert_eq!(of("public.\"A.b\""), Some(("public".into(), "A.b".into())));
        assert_eq!(of("\"a\"\"b\""), Some((String::new(), "a\"b".into())));
        assert_eq!(of(""), None);
        assert_eq!(of("\"a"), None);
    }
}
