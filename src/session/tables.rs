//! The tables a session sees: those of the dataset, and before them its own temporary ones.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result, exec_err};
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemTable;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::parser::Parser;
use sql_visit::visit_relations;

use crate::caller::bounds::plan_reads;
use crate::error::Error;
use crate::state_sql::scenarios_table::ScenariosTable;

/// How many tables and views a session may have of its own.
const OWN_LIMIT: usize = 1_000;

tokio::task_local! {
    /// Set while a write to scenarios is planned.
    pub static PLANNING_WRITE: ();
}

/// Tables of the dataset with the session's own before them.
pub struct SessionTables {
    base: RwLock<Arc<dyn SchemaProvider>>,
    own: RwLock<Own>,
    /// What to return to: at the begin of a transaction, and at its savepoints by their names.
    saved: Mutex<Vec<(Option<String>, Saved)>>,
}

type Own = BTreeMap<String, Arc<dyn TableProvider>>;

/// The session's own tables and their rows, at some moment.
type Saved = Vec<(String, Arc<dyn TableProvider>, Vec<Vec<RecordBatch>>)>;

impl SessionTables {
    pub fn new(base: Arc<dyn SchemaProvider>) -> Self {
        Self {
            base: RwLock::new(base),
            own: RwLock::default(),
            saved: Mutex::default(),
        }
    }

    /// Puts the tables of another generation in place.
    pub fn set_base(&self, base: Arc<dyn SchemaProvider>) {
        *self.base.write().unwrap_or_else(PoisonError::into_inner) = base;
    }

    /// The session's own views, each behind those that it reads: name and definition.
    pub fn views(&self) -> Vec<(String, String)> {
        let mut left: Vec<(String, String)> = {
            let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
            let views = own.iter().filter_map(|(name, table)| {
                let definition = table.get_table_definition()?;
                (table.table_type() == TableType::View)
                    .then(|| (name.clone(), definition.to_owned()))
            });
            views.collect()
        };
        let mut ordered = Vec::with_capacity(left.len());
        while !left.is_empty() {
            let is_ready = |(name, definition): &(String, String)| {
                let read = relations_of(definition);
                let mut others = left.iter().filter(|(other, _)| other != name);
                !others.any(|(other, _)| read.contains(other))
            };
            // Views that read each other, which cannot be, would stay as they are.
            let at = left.iter().position(is_ready).unwrap_or_default();
            ordered.push(left.remove(at));
        }
        ordered
    }

    /// A view of the session's own that reads this table or view.
    pub fn reader_of(&self, name: &str) -> Option<String> {
        let mut views = self.views().into_iter();
        let reads = |(view, definition): &(String, String)| {
            view != name && relations_of(definition).iter().any(|read| read == name)
        };
        views.find(reads).map(|(view, _)| view)
    }

    /// How often the session's own view of this name reads tables.
    pub fn view_reads(&self, name: &str) -> Option<u64> {
        let view = self.own(name)?;
        view.get_logical_plan().map(|plan| plan_reads(&plan))
    }

    /// Whether the session has made it.
    pub fn is_own(&self, name: &str) -> bool {
        self.own(name).is_some()
    }

    /// The columns of a temporary table of the session.
    pub fn own_schema(&self, name: &str) -> Option<SchemaRef> {
        let table = self.own(name)?;
        (table.table_type() != TableType::View).then(|| table.schema())
    }

    /// Puts rows in the place of those that a temporary table has.
    pub async fn replace_rows(&self, name: &str, mut rows: Vec<RecordBatch>) {
        if let Some(table) = self.own(name) {
            for partition in partitions(&table) {
                *partition.write().await = std::mem::take(&mut rows);
            }
        }
    }

    /// Drops everything that the session has made.
    pub fn drop_own(&self) {
        self.own
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Notes the session's own tables, to return to by this name, or to the begin of the transaction.
    pub fn save(&self, name: Option<&str>) {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let saved = own.iter().map(|(name, table)| {
            let batches = partitions(table).iter().map(|partition| {
                // No statement writes while another is begun.
                let rows = partition.try_read();
                rows.map_or_else(|_| Vec::new(), |rows| rows.clone())
            });
            (name.clone(), Arc::clone(table), batches.collect())
        });
        let saved = (name.map(str::to_owned), saved.collect());
        self.saved().push(saved);
    }

    /// Forgets a savepoint and those behind it.
    pub fn release(&self, name: &str) {
        let mut saved = self.saved();
        if let Some(place) = place_of(&saved, name) {
            saved.truncate(place);
        }
    }

    /// Makes the session's own tables what they were at a savepoint.
    pub fn return_to(&self, name: &str) {
        let mut saved = self.saved();
        if let Some(place) = place_of(&saved, name) {
            saved.truncate(place + 1);
            if let Some((_, last)) = saved.last() {
                self.restore(last);
            }
        }
    }

    /// Ends a transaction: the session's own tables stay as they are, or become what they were.
    pub fn end(&self, is_kept: bool) {
        let saved = std::mem::take(&mut *self.saved());
        if let (false, Some((_, first))) = (is_kept, saved.first()) {
            self.restore(first);
        }
    }

    fn restore(&self, saved: &Saved) {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        own.clear();
        for (name, table, batches) in saved {
            for (partition, batches) in partitions(table).iter().zip(batches) {
                if let Ok(mut rows) = partition.try_write() {
                    rows.clone_from(batches);
                }
            }
            own.insert(name.clone(), Arc::clone(table));
        }
    }

    fn saved(&self) -> MutexGuard<'_, Vec<(Option<String>, Saved)>> {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn base(&self) -> Arc<dyn SchemaProvider> {
        Arc::clone(&self.base.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn own(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.get(name).cloned()
    }
}

/// The names of the relations that a definition reads.
fn relations_of(definition: &str) -> Vec<String> {
    let mut names = Vec::new();
    let parsed = Parser::parse_sql(&PostgreSqlDialect {}, definition).unwrap_or_default();
    let _ = visit_relations(&parsed, |relation| {
        let name = relation.0.last().and_then(|part| part.as_ident());
        names.extend(name.map(|name| match name.quote_style {
            Some(_) => name.value.clone(),
            None => name.value.to_lowercase(),
        }));
        ControlFlow::<()>::Continue(())
    });
    names
}

/// Where the rows of a temporary table are.
fn partitions(table: &Arc<dyn TableProvider>) -> &[Arc<tokio::sync::RwLock<Vec<RecordBatch>>>] {
    let table = table.downcast_ref::<MemTable>();
    table.map_or(&[], |table| table.batches.as_slice())
}

/// Where the last savepoint of this name is.
fn place_of(saved: &[(Option<String>, Saved)], name: &str) -> Option<usize> {
    saved
        .iter()
        .rposition(|(known, _)| known.as_deref() == Some(name))
}

impl fmt::Debug for SessionTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.table_names()).finish()
    }
}

#[async_trait]
impl SchemaProvider for SessionTables {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.base().table_names();
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        names.extend(own.keys().cloned());
        names.sort();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.own(name) {
            Some(table) => Ok(Some(table)),
            None if name == "scenarios" && PLANNING_WRITE.try_get().is_ok() => {
                Ok(Some(Arc::new(ScenariosTable::for_writing())))
            }
            None => self.base().table(name).await,
        }
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        if own.contains_key(&name) {
            return exec_err!("The table {name} already exists");
        }
        if own.len() >= OWN_LIMIT {
            let message = format!("a session has at most {OWN_LIMIT} temporary tables and views");
            return Err(Error::session("54000", message).into());
        }
        own.insert(name, table);
        Ok(None)
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        Ok(own.remove(name))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.own(name).is_some() || self.base().table_exist(name)
    }
}
