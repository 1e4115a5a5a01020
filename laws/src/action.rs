//! The calls a driver can make, as values: lists of them are generated, shrunk and printed.

use core::fmt::{self, Debug};
use core::time::Duration;

use proptest::prelude::*;

/// One step of a driver.
#[derive(Clone, Debug)]
pub enum Action<Below, Above> {
    /// `receive` this.
    Receive(Below),
    /// `send` this.
    Send(Above),
    /// `receive` what the peer below makes of something put down lately, if anything.
    AnswerBelow(u32),
    /// `send` what the user above makes of something put up lately, if anything.
    AnswerAbove(u32),
    /// Let time pass.
    Advance(Duration),
    /// `poll`.
    Poll,
    /// Jump to `poll_at` and `poll`; just before it, `poll` once in vain.
    ToDeadline,
    /// Take everything out of the upward outlet.
    DrainUp,
    /// Take everything out of the downward outlet.
    DrainDown,
}

/// A list of steps, and how much room the outlets have.
#[derive(Clone, Debug)]
pub struct Trial<Below, Above> {
    /// Room of the upward outlet, items.
    pub room_up: usize,
    /// Room of the downward outlet, items.
    pub room_down: usize,
    /// The steps.
    pub actions: Vec<Action<Below, Above>>,
}

impl<Below: Debug, Above: Debug> fmt::Display for Trial<Below, Above> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "room up {}, room down {}", self.room_up, self.room_down)?;
        for (step, action) in self.actions.iter().enumerate() {
            writeln!(f, "{step:4}  {action:?}")?;
        }
        Ok(())
    }
}

/// Steps per list: enough for a few exchanges with timeouts, few enough to shrink fast.
const STEPS: usize = 48;

pub(crate) fn trials<Below, Above>(
    below: BoxedStrategy<Below>,
    above: BoxedStrategy<Above>,
) -> impl Strategy<Value = Trial<Below, Above>>
where
    Below: Clone + Debug + 'static,
    Above: Clone + Debug + 'static,
{
    let action = prop_oneof![
        6 => below.prop_map(Action::Receive),
        6 => above.prop_map(Action::Send),
        3 => any::<u32>().prop_map(Action::AnswerBelow),
        3 => any::<u32>().prop_map(Action::AnswerAbove),
        2 => spans().prop_map(Action::Advance),
        4 => Just(Action::Poll),
        3 => Just(Action::ToDeadline),
        2 => Just(Action::DrainUp),
        2 => Just(Action::DrainDown),
    ];
    // Room 1 is the stage's worst case, 64 is a full batch.
    let room = || prop_oneof![Just(1_usize), Just(3), Just(64)];
    (room(), room(), proptest::collection::vec(action, 1..=STEPS))
        .prop_map(|(room_up, room_down, actions)| Trial { room_up, room_down, actions })
}

/// From a nanosecond to a day, every magnitude as likely as the others.
fn spans() -> impl Strategy<Value = Duration> {
    (0_u32..14, 1_u64..10)
        .prop_map(|(magnitude, n)| Duration::from_nanos(n * 10_u64.pow(magnitude)))
}
