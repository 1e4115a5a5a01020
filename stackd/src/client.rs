//! The control plane's clients: each word after `stackd` is a file here.
//!
//! ```text
//!    ss.rs nstat.rs net.rs sysctl.rs ...   what a word means: asks (http.rs), shows (table.rs)
//! ```

pub(crate) mod capture;
pub(crate) mod http;
pub(crate) mod ls;
pub(crate) mod monitor;
pub(crate) mod net;
pub(crate) mod nstat;
pub(crate) mod ping;
pub(crate) mod ss;
pub(crate) mod sysctl;
mod table;
pub(crate) mod top;
mod units;

use std::path::PathBuf;

use clap::Args;
use stackd::paths::{self, Name};

/// Which daemon is asked, and how its answer is shown.
#[derive(Args, Debug, Clone)]
pub(crate) struct Whom {
    /// Ask the daemon of this name [default: stackd]
    #[arg(long, value_name = "NAME", env = "STACKD_NAME", help_heading = "Daemon")]
    name: Option<Name>,

    /// Ask at this control socket
    #[arg(long, value_name = "PATH", env = "STACKD_CONTROL", help_heading = "Daemon")]
    control: Option<PathBuf>,

    /// JSON, as the daemon says it
    #[arg(long)]
    pub(crate) json: bool,
}

impl Whom {
    /// The control socket to ask at.
    fn path(&self) -> PathBuf {
        let by_name = || paths::control(&self.name.clone().unwrap_or_default());
        self.control.clone().unwrap_or_else(by_name)
    }

    /// A connection to the daemon.
    pub(crate) fn connect(&self) -> anyhow::Result<http::Client> {
        http::Client::connect(&self.path())
    }
}
