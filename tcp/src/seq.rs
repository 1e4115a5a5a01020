//! Sequence numbers: the only place where they are compared (RFC 9293 3.4).

use core::fmt;

/// A sequence number. All arithmetic is modulo 2^32; "before" means within the half circle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// `bytes` further on.
    #[must_use]
    pub const fn plus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_add(bytes))
    }

    /// `bytes` back.
    #[must_use]
    pub const fn minus(self, bytes: u32) -> Self {
        Self(self.0.wrapping_sub(bytes))
    }

    /// How far `self` is past `earlier`, bytes; meaningful if it is not before it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// `self` < `other`.
    #[must_use]
    pub const fn before(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0)).cast_signed() < 0
    }

    /// `self` > `other`.
    #[must_use]
    pub const fn after(self, other: Self) -> bool {
        other.before(self)
    }

    /// `self` <= `other`.
    #[must_use]
    pub const fn at_or_before(self, other: Self) -> bool {
        !other.before(self)
    }

    /// The later of the two.
    #[must_use]
    pub const fn max(self, other: Self) -> Self {
        if self.before(other) { other } else { self }
    }

    /// The earlier of the two.
    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        if other.before(self) { other } else { self }
    }

    /// `from` <= `self` < `from + len`.
    #[must_use]
    pub const fn within(self, from: Self, len: u32) -> bool {
        self.since(from) < len
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::Seq;

    #[test]
    fn order_survives_the_wrap() {
        let (a, b) = (Seq(u32::MAX - 1), Seq(3));
        assert!(a.before(b) && b.after(a) && !b.before(a));
        assert!(a.at_or_before(a) && !a.before(a) && !a.after(a));
        assert_eq!(b.since(a), 5);
        assert_eq!((a.max(b), a.min(b)), (b, a));
        assert_eq!((a.plus(5), b.minus(5)), (b, a));
    }

    #[test]
    fn within_is_half_open_and_empty_holds_nothing() {
        let from = Seq(u32::MAX);
        assert!(from.within(from, 1) && Seq(1).within(from, 3));
        assert!(!Seq(2).within(from, 3) && !from.within(from, 0) && !from.minus(1).within(from, 3));
    }
}
