//! Ready-made questions: `queries/reports/*.sql`, each run over the settings that are given.
//!
//! A report reads `:settings` as the named arguments of a table function, `:and_settings` as the same
//! behind others, and `:without_limits` as the same without portfolio limits.

use hindsight::parameters::PARAMETERS;

use super::failure::Failure;
use super::settings::Setting;
use super::variables::Variables;

/// A question, and the statement that answers it.
pub struct Report {
    pub name: &'static str,
    pub sql: &'static str,
}

/// Every report, in the order in which they are listed.
pub const REPORTS: [Report; 8] = [
    Report {
        name: "wallets",
        sql: include_str!("../../queries/reports/wallets.sql"),
    },
    Report {
        name: "thresholds",
        sql: include_str!("../../queries/reports/thresholds.sql"),
    },
    Report {
        name: "exit_rules",
        sql: include_str!("../../queries/reports/exit_rules.sql"),
    },
    Report {
        name: "gaps",
        sql: include_str!("../../queries/reports/gaps.sql"),
    },
    Report {
        name: "deepest_hole",
        sql: include_str!("../../queries/reports/deepest_hole.sql"),
    },
    Report {
        name: "hours",
        sql: include_str!("../../queries/reports/hours.sql"),
    },
    Report {
        name: "capital",
        sql: include_str!("../../queries/reports/capital.sql"),
    },
    Report {
        name: "limits",
        sql: include_str!("../../queries/reports/limits.sql"),
    },
];

impl Report {
    /// The report of this name.
    pub fn named(name: &str) -> Result<&'static Self, Failure> {
        REPORTS
            .iter()
            .find(|report| report.name == name)
            .ok_or_else(|| {
                let names: Vec<&str> = REPORTS.iter().map(|report| report.name).collect();
                Failure::usage(
                    format!("there is no report {name}"),
                    format!("the reports are {}", names.join(", ")),
                )
            })
    }

    /// The question, which the statement begins with.
    pub fn question(&self) -> &'static str {
        let first = self.sql.lines().next().unwrap_or_default();
        first.trim_start_matches("-- ")
    }
}

/// The statement that lists them.
pub fn list() -> String {
    let rows: Vec<String> = REPORTS
        .iter()
        .map(|report| {
            format!(
                "('{}', '{}')",
                report.name,
                report.question().replace('\'', "''")
            )
        })
        .collect();
    format!(
        "select * from (values {}) as reports (report, question)",
        rows.join(", ")
    )
}

/// The variables of a report over these settings.
pub fn variables(settings: &[Setting]) -> Variables {
    let arguments =
        |settings: &mut dyn Iterator<Item = String>| settings.collect::<Vec<String>>().join(", ");
    let given = arguments(&mut settings.iter().map(Setting::argument));
    let limits = PARAMETERS
        .iter()
        .filter(|parameter| parameter.group == "limits");
    let limits: Vec<&str> = limits.map(|parameter| parameter.name).collect();
    let others = settings
        .iter()
        .filter(|setting| !limits.contains(&setting.name.as_str()));
    let none = limits.iter().map(|limit| format!("{limit} => null"));
    let unlimited = arguments(&mut others.map(Setting::argument).chain(none));
    let and_given = match given.is_empty() {
        true => String::new(),
        false => format!(", {given}"),
    };
    let variables = [
        ("settings", given),
        ("and_settings", and_given),
        ("without_limits", unlimited),
    ];
    variables
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn every_report_begins_with_its_question() {
        for report in &REPORTS {
            let question = report.question();
            assert!(
                question.ends_with('?') && question.len() < 80,
                "{}",
                report.name
            );
            assert!(report.sql.contains("settings"), "{}", report.name);
        }
    }

    #[test]
    fn settings_become_arguments_wherever_they_stand() {
        let settings = ["stop_loss_percent=8", "scenario=wide"];
        let settings = settings.map(|text| super::super::settings::parse(text).unwrap());
        let put = |sql: &str| variables(&settings).put_into(sql).0;
        let given = "\"stop_loss_percent\" => 8, \"scenario\" => 'wide'";
        assert_eq!(put("f(:settings)"), format!("f({given})"));
        assert_eq!(put("f(a => 1:and_settings)"), format!("f(a => 1, {given})"));
        let none = variables(&[]);
        assert_eq!(
            none.put_into("f(:settings) g(a => 1:and_settings)").0,
            "f() g(a => 1)"
        );
    }
}
