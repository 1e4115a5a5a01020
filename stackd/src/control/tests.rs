//! The socket itself is tested in `tests/control.rs`, with stacks behind it.

use std::os::unix::net::UnixStream;

use super::is_allowed;

#[test]
fn the_daemons_own_user_may_ask() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    assert!(is_allowed(&ours));
}
