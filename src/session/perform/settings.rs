//! Settings: given, shown, and put in force.

use datafusion::config::ConfigField;

use crate::caller::client::Severity;
use crate::caller::transaction::TransactionStatus;
use crate::dialect::around::Around;
use crate::error::{Error, Result};
use crate::session::command::Modes;
use crate::session::{DATABASE, Session};

/// What a client may change of the engine underneath, and between which bounds.
const ENGINE_SETTINGS: [(&str, u64, u64); 2] = [
    ("datafusion.execution.batch_size", 1, 65_536),
    ("datafusion.execution.target_partitions", 1, 64),
];
/// Settings of the engine that are words.
const ENGINE_WORDS: [&str; 2] = ["datafusion.explain.format", "datafusion.explain.show_sizes"];

impl Session {
    /// Sets a setting; `None` is its default.
    pub fn set(&self, name: &str, value: Option<&str>, is_local: bool) -> Result<()> {
        if name.starts_with("datafusion.") {
            return self.set_engine(name, value);
        }
        self.settings().set(name, value, is_local)?;
        self.put_in_force()?;
        if name == "transaction_read_only" {
            let is_read_only = self.settings().show(name)? == "on";
            self.client.transaction.set_read_only(is_read_only);
        }
        Ok(())
    }

    fn set_engine(&self, name: &str, value: Option<&str>) -> Result<()> {
        let bounds = ENGINE_SETTINGS.iter().find(|(known, _, _)| *known == name);
        if bounds.is_none() && !ENGINE_WORDS.contains(&name) {
            return Err(Error::NotAllowed(format!("setting {name} is not allowed")));
        }
        if let (Some((_, least, most)), Some(value)) = (bounds, value)
            && !value
                .parse::<u64>()
                .is_ok_and(|value| (*least..=*most).contains(&value))
        {
            let message = format!("{name} must be between {least} and {most}, found {value}");
            return Err(Error::session("22023", message));
        }
        let state = self.context.state_ref();
        let mut state = state.write();
        let options = state.config_mut().options_mut();
        match value {
            Some(value) => options.set(name, value)?,
            None => ConfigField::reset(options, name)?,
        }
        Ok(())
    }

    /// The value of a setting.
    pub fn show(&self, name: &str) -> Result<String> {
        if name.starts_with("datafusion.") {
            let config = self.context.copied_config();
            let entries = config.options().entries();
            let entry = entries.into_iter().find(|entry| entry.key == name);
            if let Some(entry) = entry {
                return Ok(entry.value.unwrap_or_default());
            }
        }
        // Outside of a transaction, what the next would be.
        let is_idle = self.transaction_status() == TransactionStatus::Idle;
        match name.strip_prefix("transaction_") {
            Some(mode) if is_idle => {
                let name = format!("default_transaction_{mode}");
                Ok(self.settings().show(&name)?.to_owned())
            }
            _ => Ok(self.settings().show(name)?.to_owned()),
        }
    }

    /// Has the session do what its settings say: the time zone, and whether statements only read.
    pub(in crate::session) fn put_in_force(&self) -> Result<()> {
        let is_read_only = self.settings().show("default_transaction_read_only")? == "on";
        self.client.transaction.set_read_only_alone(is_read_only);
        let distributes = self.settings().show("hindsight.distribute")? == "auto";
        self.client.distribute(distributes);
        self.apply_zone()
    }

    /// Has functions know the settings of the session, its time zone first of all.
    pub(in crate::session) fn apply_zone(&self) -> Result<()> {
        let settings = self.settings();
        let values = settings
            .all()
            .map(|(setting, value)| (setting.name.to_owned(), value.to_owned()));
        let own = settings.own();
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let around = Around::new(self.user(), DATABASE, values.chain(own).collect());
        drop(settings);
        let state = self.context.state_ref();
        let mut state = state.write();
        state.config_mut().options_mut().extensions.insert(around);
        Ok(())
    }

    pub(super) fn set_modes(&self, modes: &Modes, prefix: &str) -> Result<()> {
        let is_local = prefix == "transaction";
        if is_local && self.transaction_status() == TransactionStatus::Idle {
            let message = "SET TRANSACTION can only be used in transaction blocks";
            self.client.notice(Severity::Warning, "25P01", message);
            return Ok(());
        }
        let mut settings = self.settings();
        if let Some(isolation) = modes.isolation {
            settings.set(&format!("{prefix}_isolation"), Some(isolation), is_local)?;
        }
        let switch = |is_on: bool| Some(if is_on { "on" } else { "off" });
        if let Some(read_only) = modes.read_only {
            settings.set(&format!("{prefix}_read_only"), switch(read_only), is_local)?;
            match is_local {
                true => self.client.transaction.set_read_only(read_only),
                false => self.client.transaction.set_read_only_alone(read_only),
            }
        }
        if let Some(deferrable) = modes.deferrable {
            settings.set(
                &format!("{prefix}_deferrable"),
                switch(deferrable),
                is_local,
            )?;
        }
        Ok(())
    }
}
