//! Pointers of C as references: null and length are checked here, once; that what is not null is
//! what it should be, the caller promises.
#![expect(unsafe_code, reason = "references from C's pointers")]

use core::ffi::{CStr, c_char};

use socket::Errno;

use crate::answer::{FAULT, Failure};

/// Text.
///
/// # Safety
///
/// `pointer` is null or a string that ends in a zero and stays as it is during the call.
pub(crate) unsafe fn text<'a>(pointer: *const c_char) -> Result<&'a str, Failure> {
    if pointer.is_null() {
        return Err(FAULT.into());
    }
    // SAFETY: not null, and the caller promises the rest.
    let text = unsafe { CStr::from_ptr(pointer) };
    text.to_str().map_err(|_| Failure::argument("text that is not UTF-8"))
}

/// Text, or none.
///
/// # Safety
///
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(pointer: *const c_char) -> Result<Option<&'a str>, Failure> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on.
    unsafe { text(pointer) }.map(Some)
}

/// Bytes to read; null is allowed for none.
///
/// # Safety
///
/// `pointer` is null or leads to `length` bytes that stay as they are during the call.
pub(crate) unsafe fn bytes<'a>(pointer: *const u8, length: usize) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return if length == 0 { Ok(&[]) } else { Err(FAULT.into()) };
    }
    check(length)?;
    // SAFETY: not null, no longer than an object can be, and the caller promises the rest.
    Ok(unsafe { core::slice::from_raw_parts(pointer, length) })
}

/// Bytes to write; null is allowed for none.
///
/// # Safety
///
/// `pointer` is null or leads to `length` bytes that nobody else touches during the call.
pub(crate) unsafe fn bytes_mut<'a>(
    pointer: *mut u8,
    length: usize,
) -> Result<&'a mut [u8], Failure> {
    if pointer.is_null() {
        return if length == 0 { Ok(&mut []) } else { Err(FAULT.into()) };
    }
    check(length)?;
    // SAFETY: not null, no longer than an object can be, and the caller promises the rest.
    Ok(unsafe { core::slice::from_raw_parts_mut(pointer, length) })
}

fn check(length: usize) -> Result<(), Failure> {
    if isize::try_from(length).is_ok() { Ok(()) } else { Err(Errno::INVAL.into()) }
}

/// An object that others may use at the same time.
///
/// # Safety
///
/// `pointer` is null or leads to a `T` that lives during the call.
pub(crate) unsafe fn shared<'a, T: Sync>(pointer: *const T) -> Result<&'a T, Failure> {
    // SAFETY: the caller's promise; null becomes `None`.
    unsafe { pointer.as_ref() }.ok_or_else(|| FAULT.into())
}

/// An object that nobody else uses during the call.
///
/// # Safety
///
/// `pointer` is null or leads to a `T` that lives during the call and that nobody else uses.
pub(crate) unsafe fn unique<'a, T>(pointer: *mut T) -> Result<&'a mut T, Failure> {
    // SAFETY: the caller's promise; null becomes `None`.
    unsafe { pointer.as_mut() }.ok_or_else(|| FAULT.into())
}

/// Writes an answer, if it is wanted.
///
/// # Safety
///
/// `pointer` is null or leads to room for a `T`.
pub(crate) unsafe fn store<T>(pointer: *mut T, value: T) {
    if !pointer.is_null() {
        // SAFETY: not null, and the caller promises the rest.
        unsafe { pointer.write(value) };
    }
}

/// Takes an object back from C; `None` for null.
///
/// # Safety
///
/// `pointer` is null or came from `answer::object`, and C uses it no more.
pub(crate) unsafe fn take<T>(pointer: *mut T) -> Option<Box<T>> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: it was made by `Box::into_raw`, and is given back once.
    Some(unsafe { Box::from_raw(pointer) })
}
