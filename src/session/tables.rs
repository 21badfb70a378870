//! The tables a session sees: those of the dataset, and before them its own temporary ones.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result, exec_err};
use datafusion::datasource::TableType;

use crate::scenarios::table::ScenariosTable;

tokio::task_local! {
    /// Set while a write to scenarios is planned.
    pub static PLANNING_WRITE: ();
}

/// Tables of the dataset with the session's own before them.
pub struct SessionTables {
    base: RwLock<Arc<dyn SchemaProvider>>,
    own: RwLock<BTreeMap<String, Arc<dyn TableProvider>>>,
}

impl SessionTables {
    pub fn new(base: Arc<dyn SchemaProvider>) -> Self {
        Self {
            base: RwLock::new(base),
            own: RwLock::default(),
        }
    }

    /// Puts the tables of another generation in place.
    pub fn set_base(&self, base: Arc<dyn SchemaProvider>) {
        *self.base.write().unwrap_or_else(PoisonError::into_inner) = base;
    }

    /// The session's own views: name and definition.
    pub fn views(&self) -> Vec<(String, String)> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let views = own.iter().filter_map(|(name, table)| {
            let definition = table.get_table_definition()?;
            (table.table_type() == TableType::View).then(|| (name.clone(), definition.to_owned()))
        });
        views.collect()
    }

    /// Whether the session has made it.
    pub fn is_own(&self, name: &str) -> bool {
        self.own(name).is_some()
    }

    /// Drops everything that the session has made.
    pub fn drop_own(&self) {
        self.own
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    fn base(&self) -> Arc<dyn SchemaProvider> {
        Arc::clone(&self.base.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn own(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.get(name).cloned()
    }
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
