//! `stackd sysctl`: TCP's settings under Linux's names.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use super::{Whom, http, units};

/// TCP's settings under Linux's names: shows them, changes them for connections to come.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(crate) struct Sysctl {
    /// All settings
    #[arg(short, long)]
    all: bool,

    /// Say only the value
    #[arg(short = 'n', long)]
    values: bool,

    /// Change settings (NAME=VALUE does so anyway; for those used to -w)
    #[arg(short, long)]
    write: bool,

    /// Show a setting, or change it
    #[arg(value_name = "NAME[=VALUE]", required_unless_present = "all")]
    settings: Vec<String>,

    #[command(flatten)]
    whom: Whom,
}

impl Sysctl {
    pub(crate) fn run(self) -> anyhow::Result<()> {
        let mut client = self.whom.connect()?;
        let mut rows = Vec::new();
        if self.all {
            rows.extend(list(client.get("/v1/sysctl")?));
        }
        for setting in &self.settings {
            let answer = match setting.split_once('=') {
                Some((name, value)) => {
                    let body = json!({ "name": name.trim(), "value": value.trim() });
                    client.ask("POST", "/v1/sysctl", Some(&body))?
                }
                None => {
                    let target = http::target("/v1/sysctl", &[("name", Some(setting.clone()))]);
                    client.get(&target)?
                }
            };
            rows.extend(list(answer));
        }
        let mut out = io::stdout().lock();
        if self.whom.json {
            writeln!(out, "{}", json!({ "settings": rows }))?;
            return Ok(());
        }
        for row in rows {
            let (name, value) = (units::cell(&row["name"]), units::cell(&row["value"]));
            if self.values {
                writeln!(out, "{value}")?;
            } else {
                writeln!(out, "{name} = {value}")?;
            }
        }
        Ok(())
    }
}

fn list(answer: Value) -> Vec<Value> {
    match answer["settings"].as_array() {
        Some(rows) => rows.clone(),
        None => Vec::new(),
    }
}
