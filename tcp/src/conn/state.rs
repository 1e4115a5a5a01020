//! The state machine of RFC 9293 3.3.2, Figure 5, as a table.
//!
//! ```text
//!                        CLOSED -- passive OPEN --> LISTEN
//!      active OPEN: SYN    |                          |  rcv SYN: SYN,ACK
//!                          v          rcv SYN         v
//!                       SYN-SENT ---------------> SYN-RECEIVED
//!      rcv SYN,ACK: ACK    |                          |  rcv ACK of SYN
//!                          +------> ESTABLISHED <-----+
//!                    CLOSE: FIN  |             |  rcv FIN: ACK
//!                                v             v
//!                           FIN-WAIT-1     CLOSE-WAIT
//!          rcv ACK of FIN  |     | rcv FIN     |  CLOSE: FIN
//!                          v     v             v
//!                  FIN-WAIT-2  CLOSING      LAST-ACK
//!                rcv FIN   |     | ACK of FIN  |  rcv ACK of FIN
//!                          v     v             v
//!                         TIME-WAIT --2 MSL--> CLOSED
//! ```

use layer::boundary::TcpState;

/// What moves a connection from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// OPEN by the application.
    ActiveOpen,
    /// A SYN arrived (on a listener, or on an opening of ours: simultaneous open).
    Syn,
    /// Our SYN was acknowledged, and the peer's SYN is here.
    SynAcknowledged,
    /// CLOSE by the application: FIN is queued.
    Close,
    /// The peer's FIN is in order.
    Fin,
    /// Our FIN was acknowledged.
    FinAcknowledged,
    /// 2 MSL have passed.
    Expired,
}

/// The state after `event` in state `from`; `None` where the figure has no arrow.
pub fn next(from: TcpState, event: Event) -> Option<TcpState> {
    use TcpState as S;
    let to = match (from, event) {
        (S::Closed, Event::ActiveOpen) => S::SynSent,
        (S::Listen | S::SynSent, Event::Syn) => S::SynReceived,
        (S::SynSent | S::SynReceived, Event::SynAcknowledged) => S::Established,
        (S::SynReceived | S::Established, Event::Close) => S::FinWait1,
        (S::CloseWait, Event::Close) => S::LastAck,
        (S::SynReceived | S::Established, Event::Fin) => S::CloseWait,
        (S::FinWait1, Event::Fin) => S::Closing,
        (S::FinWait2, Event::Fin) => S::TimeWait,
        (S::FinWait1, Event::FinAcknowledged) => S::FinWait2,
        (S::Closing, Event::FinAcknowledged) => S::TimeWait,
        (S::LastAck, Event::FinAcknowledged) => S::Closed,
        (S::TimeWait, Event::Expired) => S::Closed,
        (
            S::Closed
            | S::Listen
            | S::SynSent
            | S::SynReceived
            | S::Established
            | S::FinWait1
            | S::FinWait2
            | S::CloseWait
            | S::Closing
            | S::LastAck
            | S::TimeWait,
            Event::ActiveOpen
            | Event::Syn
            | Event::SynAcknowledged
            | Event::Close
            | Event::Fin
            | Event::FinAcknowledged
            | Event::Expired,
        ) => return None,
    };
    Some(to)
}

/// The state after `event`, the same where the figure has no arrow.
pub fn follow(from: TcpState, event: Event) -> TcpState {
    next(from, event).unwrap_or(from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use TcpState as S;

    /// The ways through the figure, arrow by arrow, written from the RFC.
    #[test]
    fn the_paths_of_figure_5() {
        let paths: &[(S, &[(Event, S)])] = &[
            (
                S::Closed,
                &[
                    (Event::ActiveOpen, S::SynSent),
                    (Event::SynAcknowledged, S::Established),
                    (Event::Close, S::FinWait1),
                    (Event::FinAcknowledged, S::FinWait2),
                    (Event::Fin, S::TimeWait),
                    (Event::Expired, S::Closed),
                ],
            ),
            (
                S::Listen,
                &[
                    (Event::Syn, S::SynReceived),
                    (Event::SynAcknowledged, S::Established),
                    (Event::Fin, S::CloseWait),
                    (Event::Close, S::LastAck),
                    (Event::FinAcknowledged, S::Closed),
                ],
            ),
            (
                S::SynSent,
                &[
                    (Event::Syn, S::SynReceived),
                    (Event::Close, S::FinWait1),
                    (Event::Fin, S::Closing),
                    (Event::FinAcknowledged, S::TimeWait),
                ],
            ),
        ];
        for (start, path) in paths {
            let mut state = *start;
            for &(event, to) in *path {
                assert_eq!(next(state, event), Some(to), "{} {event:?}", state.name());
                state = to;
            }
        }
    }

    #[test]
    fn no_arrow_leads_out_of_closed_but_open() {
        for event in [Event::Syn, Event::Close, Event::Fin, Event::FinAcknowledged, Event::Expired]
        {
            assert_eq!(next(S::Closed, event), None);
        }
    }
}
