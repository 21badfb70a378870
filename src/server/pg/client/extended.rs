//! The extended protocol: statements that are parsed, bound, described and executed one by one.

use std::sync::Arc;

use bytes::Bytes;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    BindComplete, CloseComplete, ParseComplete, PortalSuspended,
};
use pgwire::messages::response::EmptyQueryResponse;

use super::Client;
use super::statement::Driven;
use crate::dialect::output::types::{self, PgType};
use crate::error::{Error, Result};
use crate::server::pg::encode::Columns;
use crate::server::pg::run::{Portal, Progress};
use crate::server::pg::values;
use crate::server::pg::wire::{Body, Broken, malformed};
use crate::session::Prepared;

/// How many portals a client may have open.
const PORTAL_LIMIT: usize = 1_000;

impl Client {
    pub(super) async fn parse(&mut self, mut body: Body) -> Result<Result<()>, Broken> {
        let read = (|| {
            let (name, text) = (body.text()?, body.text()?);
            let count = body.count()?;
            let mut types = Vec::with_capacity(count.min(1_000));
            for _ in 0..count {
                types.push(body.number()? as u32);
            }
            body.end()?;
            let zone = self.session.show("timezone")?;
            let oids: Arc<[u32]> = types.into();
            let types = oids.iter().map(|oid| values::data_type(*oid, &zone));
            Ok((name, text, types.collect::<Result<Vec<_>>>()?, oids))
        })();
        let (name, text, types, declared) = match read {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        self.empty.remove(&name);
        let session = Arc::clone(&self.session);
        let prepare = move |_| async move {
            let mut statements = session.parse(&text)?;
            let Some(statement) = statements.pop() else {
                return Ok(None);
            };
            if !statements.is_empty() {
                let message = "cannot insert multiple commands into a prepared statement";
                return Err(Error::session("42601", message));
            }
            let start = statement.start;
            let prepared = session.prepare(statement, &types).await;
            let mut prepared = prepared.map_err(|error| error.moved(start))?;
            prepared.declared = declared;
            Ok(Some(prepared))
        };
        Ok(match self.drive(None, prepare).await? {
            Driven::Done(Some(prepared)) => self
                .session
                .name_statement(&name, Arc::new(prepared))
                .map(|()| self.channel.put(&ParseComplete::new())),
            Driven::Done(None) => {
                self.session.forget_statement(&name);
                self.add_empty(name)
                    .map(|()| self.channel.put(&ParseComplete::new()))
            }
            Driven::Failed(error) => Err(error),
        })
    }

    pub(super) async fn bind(&mut self, mut body: Body) -> Result<Result<()>, Broken> {
        let bound = (|| {
            let length = body.length();
            let (portal, name) = (body.text()?, body.text()?);
            let formats = formats(&mut body)?;
            let count = body.count()?;
            let mut given = Vec::with_capacity(count.min(1_000));
            for _ in 0..count {
                given.push(body.value()?);
            }
            let results = self::formats(&mut body)?;
            body.end()?;
            if self.empty.contains_key(&name) {
                self.portals.remove(&portal);
                return self.add_empty(format!("\0{portal}"));
            }
            self.empty.remove(&format!("\0{portal}"));
            let prepared = self.session.named_statement(&name)?;
            // The message, and the values that are made of it.
            let memory = self.session.reserve("portal", 3 * length)?;
            let values = bound_values(&prepared, &name, &formats, &given)?;
            if self.portals.contains_key(&portal) && !portal.is_empty() {
                let message = format!("cursor \"{portal}\" already exists");
                return Err(Error::session("42P03", message));
            }
            if self.portals.len() >= PORTAL_LIMIT {
                let message = format!("more than {PORTAL_LIMIT} portals are open");
                return Err(Error::session("54000", message));
            }
            let bound = Portal::new(prepared, values, &results, memory)?;
            self.portals.insert(portal, bound);
            Ok(())
        })();
        if bound.is_ok() {
            self.channel.put(&BindComplete::new());
        }
        Ok(bound)
    }

    /// Notes that there is no statement under this name.
    fn add_empty(&mut self, name: String) -> Result<()> {
        if self.empty.len() >= PORTAL_LIMIT {
            let message = format!("more than {PORTAL_LIMIT} empty statements and portals are kept");
            return Err(Error::session("54000", message));
        }
        self.empty.insert(name, ());
        Ok(())
    }

    pub(super) fn describe(&mut self, mut body: Body) -> Result<()> {
        let (kind, name) = (body.byte()?, body.text()?);
        body.end()?;
        match kind {
            b'S' if self.empty.contains_key(&name) => {
                self.channel.put(&ParameterDescription::new(Vec::new()));
                self.channel.put(&NoData::new());
            }
            b'S' => {
                let prepared = self.session.named_statement(&name)?;
                let types: Vec<u32> = match &prepared.parameter_fields {
                    Some(fields) => fields.iter().map(|field| PgType::of(field).oid).collect(),
                    None => {
                        let types = prepared.parameters.iter();
                        types
                            .map(|data_type| values::oid(data_type.as_ref()))
                            .collect()
                    }
                };
                // Some clients insist on what they have said.
                let types = types.into_iter().enumerate().map(|(position, oid)| {
                    let declared = prepared.declared.get(position).copied();
                    declared
                        .filter(|oid| !matches!(*oid, 0 | types::UNKNOWN))
                        .unwrap_or(oid)
                });
                self.channel
                    .put(&ParameterDescription::new(types.collect()));
                match (&prepared.schema, &prepared.copy) {
                    (Some(schema), None) => {
                        let columns = Columns::new(Arc::clone(schema), &[])?;
                        self.channel.put(&columns.description());
                    }
                    _ => self.channel.put(&NoData::new()),
                }
            }
            b'P' if self.empty.contains_key(&format!("\0{name}")) => {
                self.channel.put(&NoData::new());
            }
            b'P' => {
                let Some(portal) = self.portals.get(&name) else {
                    // A cursor that was declared in SQL is a portal too.
                    let schema = self.session.cursor_schema(&name);
                    let schema = schema.ok_or_else(|| no_portal(&name))?;
                    self.channel.put(&Columns::new(schema, &[])?.description());
                    return Ok(());
                };
                match (&portal.columns, &portal.prepared.copy) {
                    (Some(columns), None) => self.channel.put(&columns.description()),
                    _ => self.channel.put(&NoData::new()),
                }
            }
            _ => return Err(malformed("invalid DESCRIBE message subtype")),
        }
        Ok(())
    }

    pub(super) async fn execute(&mut self, mut body: Body) -> Result<Result<()>, Broken> {
        let read = (|| {
            let (name, most) = (body.text()?, body.number()?);
            body.end()?;
            Ok((name, u64::try_from(most).unwrap_or_default()))
        })();
        let (name, most) = match read {
            Ok(read) => read,
            Err(error) => return Ok(Err(error)),
        };
        if self.empty.contains_key(&format!("\0{name}")) {
            self.channel.put(&EmptyQueryResponse::new());
            return Ok(Ok(()));
        }
        let Some(portal) = self.portals.remove(&name) else {
            return Ok(Err(no_portal(&name)));
        };
        let text = portal.prepared.text();
        let session = Arc::clone(&self.session);
        let run = move |sink| async move {
            let (portal, result) = portal.execute(session, most, sink).await;
            result.map(|progress| (portal, progress))
        };
        Ok(match self.drive(Some(&text), run).await? {
            Driven::Done((portal, progress)) => {
                self.portals.insert(name, portal);
                if progress == Progress::Suspended {
                    self.channel.put(&PortalSuspended::new());
                }
                self.report_settings();
                Ok(())
            }
            Driven::Failed(error) => Err(error),
        })
    }

    pub(super) fn close(&mut self, mut body: Body) -> Result<()> {
        let (kind, name) = (body.byte()?, body.text()?);
        body.end()?;
        match kind {
            b'S' => {
                self.empty.remove(&name);
                self.session.forget_statement(&name);
            }
            b'P' => {
                self.empty.remove(&format!("\0{name}"));
                self.portals.remove(&name);
                self.session.close_cursor(&name);
            }
            _ => return Err(malformed("invalid CLOSE message subtype")),
        }
        self.channel.put(&CloseComplete::new());
        Ok(())
    }
}

fn no_portal(name: &str) -> Error {
    Error::session("34000", format!("portal \"{name}\" does not exist"))
}

fn formats(body: &mut Body) -> Result<Vec<i16>> {
    let count = body.count()?;
    let mut formats = Vec::with_capacity(count.min(1_000));
    for _ in 0..count {
        formats.push(body.format()?);
    }
    Ok(formats)
}

/// The values of a statement's parameters.
fn bound_values(
    prepared: &Prepared,
    name: &str,
    formats: &[i16],
    given: &[Option<Bytes>],
) -> Result<Vec<datafusion::common::ScalarValue>> {
    let expected = prepared.parameters.len();
    if given.len() != expected {
        let message = format!(
            "bind message supplies {} parameters, but prepared statement \"{name}\" requires \
             {expected}",
            given.len()
        );
        return Err(Error::session("08P01", message));
    }
    if formats.len() > 1 && formats.len() != expected {
        let message = format!(
            "bind message has {} parameter formats but {expected} parameters",
            formats.len()
        );
        return Err(Error::session("08P01", message));
    }
    let text = datafusion::arrow::datatypes::DataType::Utf8;
    let values = given.iter().zip(&prepared.parameters).enumerate();
    let values = values.map(|(position, (bytes, data_type))| {
        let format = formats.get(position).or_else(|| formats.first());
        let data_type = data_type.as_ref().unwrap_or(&text);
        let field = prepared
            .parameter_fields
            .as_ref()
            .and_then(|fields| fields.get(position));
        let is_binary = format == Some(&1);
        match field.map(|field| PgType::of(field).oid) {
            Some(oid) => values::value_of(bytes.as_ref(), is_binary, data_type, oid),
            None => values::value(bytes.as_ref(), is_binary, data_type),
        }
    });
    values.collect()
}
