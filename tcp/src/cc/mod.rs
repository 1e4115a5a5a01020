//! Congestion control: how many bytes may be in flight.
//!
//! One trait, one file per algorithm; loss recovery (`send/recovery.rs`) decides *that* something
//! was lost, this decides what it means for the window.

mod reno;

pub use reno::Reno;

/// An algorithm of one connection. All sizes in bytes.
pub trait Congestion: core::fmt::Debug {
    /// The congestion window.
    fn cwnd(&self) -> u32;

    /// The slow start threshold.
    fn ssthresh(&self) -> u32;

    /// `acked` new bytes were acknowledged outside recovery; `limited` says that the window was
    /// what limited the sender (RFC 7661: an unused window does not grow).
    fn acknowledged(&mut self, acked: u32, limited: bool);

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
}

/// The initial window (RFC 6928 2): min(10 MSS, max(2 MSS, 14600)); one segment after a lost SYN
/// (RFC 5681 3.1).
pub fn initial_window(mss: u32, syn_was_lost: bool) -> u32 {
    if syn_was_lost { mss } else { (10 * mss).min((2 * mss).max(14_600)) }
}

#[cfg(test)]
mod tests {
    use super::initial_window;

    // test: RFC 6928 2
    #[test]
    fn initial_window_for_small_usual_and_jumbo_segments() {
        assert_eq!(initial_window(536, false), 5360);
        assert_eq!(initial_window(1460, false), 14_600);
        assert_eq!(initial_window(8960, false), 17_920);
        assert_eq!(initial_window(1460, true), 1460);
    }
}
