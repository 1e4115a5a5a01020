//! What goes back to C: a number, a pointer, an error; and what becomes of a panic.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use socket::Errno;

/// Something must be there and is not.
pub(crate) const FAULT: Errno = Errno::from_raw(14);
/// Our own mistake.
const IO: Errno = Errno::from_raw(5);

/// Why a call failed.
pub(crate) struct Failure {
    errno: Errno,
    text: String,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno, text: errno.to_string() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let by_kind = match error.kind() {
            io::ErrorKind::WouldBlock => Errno::AGAIN,
            io::ErrorKind::InvalidInput => Errno::INVAL,
            _ => IO,
        };
        let errno = error.raw_os_error().map_or(by_kind, Errno::from_raw);
        Self { errno, text: error.to_string() }
    }
}

impl Failure {
    /// An argument that makes no sense, and why.
    pub(crate) fn argument(text: impl ToString) -> Self {
        Self { errno: Errno::INVAL, text: text.to_string() }
    }

    /// Something outside that did not work, and why.
    pub(crate) fn outside(text: impl ToString) -> Self {
        Self { errno: IO, text: text.to_string() }
    }
}

thread_local! {
    /// The last failure of this thread.
    static LAST: RefCell<Option<Failure>> = const { RefCell::new(None) };
}

/// Runs a call; a panic is a failure.
fn run<T>(call: impl FnOnce() -> Result<T, Failure>) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(call));
    let failure = match outcome {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(failure)) => failure,
        Err(_) => Failure::outside("a panic in the stack; please report it"),
    };
    LAST.with_borrow_mut(|last| *last = Some(failure));
    None
}

/// The errno of this thread's last failure; 0 if there was none.
pub(crate) fn last_errno() -> i32 {
    LAST.with_borrow(|last| last.as_ref().map_or(0, |failure| failure.errno.raw()))
}

/// The words for it, with a zero at the end, as far as there is room; returns their whole length.
pub(crate) fn last_text(buffer: &mut [u8]) -> usize {
    LAST.with_borrow(|last| {
        let text = last.as_ref().map_or("", |failure| failure.text.as_str()).as_bytes();
        let n = text.len().min(buffer.len().saturating_sub(1));
        buffer[..n].copy_from_slice(&text[..n]);
        if let Some(end) = buffer.get_mut(n) {
            *end = 0;
        }
        text.len()
    })
}

/// A number, or a negative errno.
pub(crate) fn number(call: impl FnOnce() -> Result<i64, Failure>) -> i64 {
    run(call).unwrap_or_else(|| -i64::from(last_errno()))
}

/// Done (0), or a negative errno.
pub(crate) fn done(call: impl FnOnce() -> Result<(), Failure>) -> i64 {
    number(|| call().map(|()| 0))
}

/// A new object for C to own, or null.
pub(crate) fn object<T>(call: impl FnOnce() -> Result<T, Failure>) -> *mut T {
    run(|| call().map(Box::new)).map_or(core::ptr::null_mut(), Box::into_raw)
}

/// A length as C has it.
pub(crate) fn length(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_words() {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let answer = number(|| panic!("on purpose"));
        std::panic::set_hook(hook);
        assert_eq!((answer, last_errno()), (-5, 5));
        let mut text = [1; 8];
        assert!(last_text(&mut text) > 8);
        assert_eq!(&text, b"a panic\0");
        assert_eq!(last_text(&mut []), last_text(&mut text));
        assert!(object::<u8>(|| Err(FAULT.into())).is_null());
        assert_eq!(last_errno(), 14);
    }
}
