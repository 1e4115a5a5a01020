//! Congestion control: how many bytes may be in flight.
//!
//! One trait, one file per algorithm, chosen per connection by name (`TCP_CONGESTION`); loss
//! recovery (`conn/losses.rs`) decides *that* something was lost, this decides what it means for
//! the window.

mod cubic;
mod hystart;
mod reno;

use layer::{Duration, Instant};

use crate::pack::{Pack as _, Packer, Unpacker};
use crate::seq::Seq;
pub use cubic::Cubic;
pub use reno::Reno;

/// What an acknowledgement of new data tells the algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Acked {
    /// The time.
    pub now: Instant,
    /// Bytes newly acknowledged.
    pub bytes: u32,
    /// The window was what limited the sender (RFC 7661: an unused window does not grow).
    pub limited: bool,
    /// Round trip of what was acknowledged, if it left only once.
    pub rtt: Option<Duration>,
    /// Smoothed round trip.
    pub srtt: Option<Duration>,
    /// SND.UNA now.
    pub una: Seq,
    /// SND.NXT now.
    pub nxt: Seq,
}

/// An algorithm of one connection. All sizes in bytes.
pub trait Congestion: core::fmt::Debug {
    /// Its name, as in `TCP_CONGESTION`.
    fn name(&self) -> &'static str;

    /// The congestion window.
    fn cwnd(&self) -> u32;

    /// The slow start threshold.
    fn ssthresh(&self) -> u32;

    /// New data was acknowledged outside recovery.
    fn acknowledged(&mut self, acked: &Acked);

    /// Recovery begins with `flight` bytes outstanding: one cut per window.
    fn loss(&mut self, flight: u32);

    /// Recovery is over, with `flight` bytes outstanding.
    fn recovered(&mut self, flight: u32);

    /// The retransmission timer expired with `flight` bytes outstanding; `first` in a row.
    fn timeout(&mut self, flight: u32, first: bool);

    /// A reduction was for nothing (RFC 4015): back to what was before.
    fn restore(&mut self, cwnd: u32, ssthresh: u32);

    /// Nothing was sent for a retransmission timeout (RFC 5681 4.1).
    fn idle(&mut self);

    /// No more than `used` bytes of the window were in use for a while (RFC 7661 4.4.3).
    fn unused(&mut self, used: u32);

    /// Segments have another size now. A window keeps its number of segments when they shrink
    /// (see [`resized`]).
    fn resize(&mut self, mss: u32);

    /// Another algorithm had this window and this threshold until now.
    fn take_over(&mut self, cwnd: u32, ssthresh: u32);

    /// Puts its state into few bytes, for [`unpack`]; nothing is in flight.
    fn pack(&self, to: &mut Packer);
}

/// Puts an algorithm's name and state into few bytes.
pub fn pack(algorithm: &dyn Congestion, to: &mut Packer) {
    let place = NAMES.iter().position(|name| *name == algorithm.name()).unwrap_or_default();
    to.put(place as u64);
    algorithm.pack(to);
}

/// The algorithm that [`pack`] put in.
pub fn unpack(from: &mut Unpacker<'_>) -> Box<dyn Congestion + Send> {
    let place = usize::try_from(from.take()).unwrap_or_default();
    match NAMES.get(place).copied() {
        Some("reno") => Box::new(Reno::unpack(from)),
        _ => Box::new(Cubic::unpack(from)),
    }
}

/// The algorithm called `name`; CUBIC where the name says nothing to us.
pub fn by_name(name: &str, mss: u32, syn_was_lost: bool) -> Box<dyn Congestion + Send> {
    match name {
        "reno" => Box::new(Reno::new(mss, syn_was_lost)),
        _ => Box::new(Cubic::new(mss, syn_was_lost)),
    }
}

/// The window `cwnd` of segments of `before` bytes, for segments of `mss`: as many as before if
/// they are smaller; as many bytes if they are larger, but at least one segment.
fn resized(cwnd: u32, before: u32, mss: u32) -> u32 {
    let segments = u64::from(cwnd).div_ceil(u64::from(before.max(1)));
    let scaled = u32::try_from(segments * u64::from(mss)).unwrap_or(u32::MAX);
    scaled.min(cwnd).max(mss)
}

/// The window and the threshold after a while in which no more than `used` of `cwnd` was in use:
/// RFC 2861 3.1, and RFC 7661 4.4.3 does not ask for less. The threshold remembers what the window
/// was, so that it is soon there again.
fn decayed(cwnd: u32, ssthresh: u32, used: u32, initial: u32) -> (u32, u32) {
    let used = used.max(initial);
    if used >= cwnd {
        return (cwnd, ssthresh);
    }
    (used + (cwnd - used) / 2, ssthresh.max(cwnd - cwnd / 4))
}

/// The names that [`by_name`] knows, the default first.
pub const NAMES: [&str; 2] = ["cubic", "reno"];

/// No window grows beyond this: more than any buffer holds.
const LARGEST: u32 = 1 << 30;

/// The initial window (RFC 6928 2): min(10 MSS, max(2 MSS, 14600)); one segment after a lost SYN
/// (RFC 5681 3.1).
pub fn initial_window(mss: u32, syn_was_lost: bool) -> u32 {
    if syn_was_lost { mss } else { (10 * mss).min((2 * mss).max(14_600)) }
}

#[cfg(test)]
mod tests;
