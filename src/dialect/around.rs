//! What a function knows of the session that calls it: its time zone, its order of day and month,
//! its user and settings. It travels with DataFusion's options.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{Result, plan_err};

use crate::catalog::Catalog;
use crate::catalog::input::{CatalogInput, SettingInfo, Settings};
use crate::catalog::relations::functions::FunctionSet;
use crate::catalog::time::read::{Clock, Order};
use crate::catalog::time::zone::Zone;

/// What functions know of their session.
#[derive(Clone, Debug, Default)]
pub struct Around(Arc<Facts>);

#[derive(Debug, Default)]
struct Facts {
    user: String,
    database: String,
    settings: BTreeMap<String, String>,
}

impl Around {
    pub fn new(user: &str, database: &str, settings: BTreeMap<String, String>) -> Self {
        Self(Arc::new(Facts {
            user: user.to_owned(),
            database: database.to_owned(),
            settings,
        }))
    }

    /// That of the options that a function is called with.
    pub fn of(options: &ConfigOptions) -> Self {
        let known = options.extensions.get::<Self>();
        known.cloned().unwrap_or_default()
    }

    /// The session's time zone.
    pub fn zone(&self) -> Zone {
        let name = self.0.settings.get("timezone");
        name.and_then(|name| Zone::named(name)).unwrap_or(Zone::UTC)
    }

    /// Where and when texts are read.
    pub fn clock(&self) -> Clock {
        let style = self.0.settings.get("datestyle");
        Clock {
            zone: self.zone(),
            now: now(),
            order: style.map_or(Order::Mdy, |style| Order::of_style(style)),
        }
    }

    /// A setting's value.
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.0.settings.get(name).map(String::as_str)
    }

    /// A catalog of nothing but the session: what the interpreter's functions are called with.
    pub fn catalog(&self) -> Rc<Catalog> {
        thread_local! {
            static KEPT: RefCell<Option<(Arc<Facts>, Rc<Catalog>)>> = const { RefCell::new(None) };
        }
        KEPT.with_borrow_mut(|kept| match kept {
            Some((of, catalog)) if Arc::ptr_eq(of, &self.0) => {
                if let Some(catalog) = Rc::get_mut(catalog) {
                    catalog.set_now(now());
                }
                Rc::clone(catalog)
            }
            kept => {
                let catalog = Rc::new(Catalog::new(CatalogInput {
                    database: self.0.database.clone(),
                    user: self.0.user.clone(),
                    backend_pid: 0,
                    tables: Vec::new(),
                    functions: Arc::new(FunctionSet::new(Vec::new())),
                    roles: Vec::new(),
                    sessions: Vec::new(),
                    settings: self,
                    started: 0,
                    now: now(),
                    is_cancelled: None,
                    deadline: None,
                }));
                *kept = Some((Arc::clone(&self.0), Rc::clone(&catalog)));
                catalog
            }
        })
    }
}

/// Microseconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}

impl Settings for Around {
    fn show(&self, name: &str) -> Option<String> {
        self.0.settings.get(&name.to_lowercase()).cloned()
    }

    fn all(&self) -> Vec<SettingInfo> {
        let all = self.0.settings.iter().map(|(name, value)| SettingInfo {
            name: name.clone(),
            value: value.clone(),
            description: String::new(),
        });
        all.collect()
    }
}

impl ConfigExtension for Around {
    const PREFIX: &'static str = "around";
}

impl ExtensionOptions for Around {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        plan_err!("there is no option {key}")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}
