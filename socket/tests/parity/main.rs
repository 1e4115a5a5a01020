//! One suite, two backends: std's sockets on the kernel and `socket::net` on this stack answer the
//! same calls in the same way. Each test runs on both, asserts what std's documentation promises,
//! and returns what else it was told: that must be equal too.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

mod backend;
mod tcp;
mod udp;

use backend::{Kernel, stack};

/// What a test was told, in order: compared between the backends.
type Told = Vec<String>;

macro_rules! both {
    ($($module:ident, $suite:ident: $($test:ident),+;)+) => {
        $(mod $module {
            $(#[test]
            fn $test() {
                let kernel = crate::$suite::$test(&crate::Kernel);
                let ours = crate::$suite::$test(&crate::stack());
                assert_eq!(ours, kernel);
            })+
        })+
    };
}

both! {
    on_tcp, tcp:
        an_address_that_is_not_ours_is_refused,
        nobody_listens,
        a_timeout_of_zero_is_refused,
        a_listener_has_its_port_to_itself,
        a_byte_comes_and_then_the_end,
        both_ends_know_both_addresses,
        writing_to_a_peer_that_is_gone_fails,
        a_reset_is_told_once,
        many_connections_one_after_the_other,
        many_connections_at_once,
        a_long_message_is_read_in_parts,
        buffers_are_gathered_and_scattered,
        clones_are_the_same_connection,
        two_clones_read_and_two_write,
        shutdown_of_writing_is_the_end_for_the_peer,
        shutdown_holds_for_every_clone,
        shutdown_of_reading_wakes_a_reader,
        shutdown_twice_and_after_the_end,
        accepting_by_clones,
        timeouts_are_kept_and_end_reading,
        a_connect_within_its_time,
        options_are_kept,
        without_blocking,
        peeking_takes_nothing,
        megabytes_both_ways_at_once,
        the_port_of_a_closed_listener_is_free,
        unread_data_resets_the_peer,
        an_empty_buffer_takes_nothing;
    on_udp, udp:
        an_address_that_is_not_ours_is_refused,
        a_socket_has_its_port_to_itself,
        a_datagram_comes_with_its_sender,
        names_of_both_ends,
        clones_are_the_same_socket,
        two_clones_read_and_two_write,
        timeouts_are_kept_and_end_receiving,
        a_timeout_of_zero_is_refused,
        connected_sockets_hear_their_peer_alone,
        peeking_takes_nothing,
        options_are_kept,
        without_blocking,
        empty_long_and_too_long,
        nobody_there,
        nowhere_to_send;
}
