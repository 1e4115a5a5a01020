//! Secrets: keys from the operating system, drawn once, when a stack is built.

/// 16 random bytes, for one keyed hash.
///
/// # Errors
///
/// When the operating system gives none: then there must be no stack.
#[expect(clippy::disallowed_methods, reason = "this is where secrets enter")]
pub fn key() -> std::io::Result<[u8; 16]> {
    let mut key = [0; 16];
    getrandom::fill(&mut key).map_err(std::io::Error::other)?;
    Ok(key)
}
