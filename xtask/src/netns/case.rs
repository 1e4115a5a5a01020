//! What a case is: a name, a function, and what it asks of the machine and of the schedule.

use std::fmt;

use clap::ValueEnum;

use super::lab::Lab;

/// One thing that is shown against the Linux stack or a real program.
pub(super) struct Case {
    /// Group and what is shown, `group/what`.
    pub(super) name: &'static str,
    /// Shows it, in a namespace of its own; an error is a failure, [`Skip`] excepted.
    pub(super) run: fn(&mut Lab) -> anyhow::Result<()>,
    /// Programs it cannot do without.
    pub(super) needs: &'static [&'static str],
    /// Runs on every pipeline, not on the default one alone.
    pub(super) core: bool,
    /// Says something of stackd that Linux as the peer does not do.
    pub(super) stackd_only: bool,
    pub(super) lane: Lane,
}

/// What runs beside a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Uses a CPU: as many at once as there are.
    Busy,
    /// Mostly waits, for seconds: several at once, beside the busy ones.
    Idle,
    /// Says something about time: nothing beside it.
    Alone,
}

impl Case {
    pub(super) const fn new(name: &'static str, run: fn(&mut Lab) -> anyhow::Result<()>) -> Case {
        Case { name, run, needs: &[], core: false, stackd_only: false, lane: Lane::Busy }
    }

    pub(super) const fn needs(mut self, programs: &'static [&'static str]) -> Case {
        self.needs = programs;
        self
    }

    pub(super) const fn core(mut self) -> Case {
        self.core = true;
        self
    }

    pub(super) const fn stackd_only(mut self) -> Case {
        self.stackd_only = true;
        self
    }

    pub(super) const fn lane(mut self, lane: Lane) -> Case {
        self.lane = lane;
        self
    }
}

/// How stackd's layers are spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pipeline {
    /// A thread a layer: the default.
    Layers,
    /// A few stages.
    Stages,
    /// All in one thread.
    Inline,
}

impl Pipeline {
    pub(crate) const ALL: [Pipeline; 3] = [Pipeline::Layers, Pipeline::Stages, Pipeline::Inline];

    /// As stackd's flag spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Pipeline::Layers => "layers",
            Pipeline::Stages => "stages",
            Pipeline::Inline => "inline",
        }
    }
}

/// Why a case was not run. Returned as an error, it makes the case skipped, not failed.
#[derive(Debug)]
pub(super) struct Skip(pub(super) String);

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for Skip {}
