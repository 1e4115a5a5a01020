//! State in few bytes: how an idle connection is kept (`conn/idle.rs`).
//!
//! ```text
//!   | how many bytes each of two values takes, 0 to 8 | those bytes | the same of two more ... |
//! ```
//!
//! A value is an unsigned number; most numbers of a connection are small, and half of them 0. Times
//! and sequence numbers lie close together: each is kept as the step from the one before. Reading
//! one needs no branch that could be guessed wrong. What goes in comes out, bit for bit; whoever
//! unpacks asks for the same types in the same order, which [`packed!`] sees to.

use layer::{Duration, Instant};

use crate::seq::Seq;

/// Takes values in.
#[derive(Debug)]
pub struct Packer {
    bytes: Vec<u8>,
    /// Where the lengths of the last two values stand, and whether both are there.
    lengths: usize,
    both: bool,
    time: u64,
    seq: u32,
}

/// Gives them out again. Beyond the end there are zeros.
#[derive(Debug)]
pub struct Unpacker<'a> {
    bytes: &'a [u8],
    /// The length of the next value and, if there is one, of the one after it.
    lengths: u8,
    both: bool,
    time: u64,
    seq: u32,
}

impl Packer {
    /// Nothing is in yet; about `room` bytes will be.
    pub fn new(room: usize) -> Self {
        Self { bytes: Vec::with_capacity(room), lengths: 0, both: true, time: 0, seq: 0 }
    }

    /// Takes a number.
    pub fn put(&mut self, value: u64) {
        let length = u8::try_from(8 - value.leading_zeros() / 8).unwrap_or_default();
        if self.both {
            self.lengths = self.bytes.len();
            self.bytes.push(length);
        } else if let Some(lengths) = self.bytes.get_mut(self.lengths) {
            *lengths |= length << 4;
        }
        self.both = !self.both;
        self.bytes.extend(value.to_le_bytes().iter().take(length.into()));
    }

    /// All that was taken.
    pub fn into_bytes(self) -> Box<[u8]> {
        self.bytes.into_boxed_slice()
    }
}

impl<'a> Unpacker<'a> {
    /// From the first value on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, lengths: 0, both: true, time: 0, seq: 0 }
    }

    /// Gives a number.
    #[inline]
    pub fn take(&mut self) -> u64 {
        if self.both {
            let (first, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
            (self.lengths, self.bytes) = (*first, rest);
        } else {
            self.lengths >>= 4;
        }
        self.both = !self.both;
        let length = u32::from(self.lengths & 0xf).min(8);
        let raw = match self.bytes.first_chunk() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => self.tail(),
        };
        self.bytes = self.bytes.get(length as usize..).unwrap_or_default();
        raw & u64::MAX.unbounded_shr(u64::BITS - 8 * length)
    }

    /// Fewer than eight bytes are left.
    #[cold]
    fn tail(&self) -> u64 {
        let mut eight = [0; 8];
        eight.iter_mut().zip(self.bytes).for_each(|(to, from)| *to = *from);
        u64::from_le_bytes(eight)
    }
}

/// What can be packed: unpacked it is what it was.
pub trait Pack: Sized {
    /// Puts all of it in.
    fn pack(&self, to: &mut Packer);

    /// Takes it out.
    fn unpack(from: &mut Unpacker<'_>) -> Self;
}

/// [`Pack`] for a struct, field by field. All are named, so that none can be forgotten; those under
/// `default` are at their default in whatever is packed.
macro_rules! packed {
    ($name:ty { $($field:ident),* $(,)? } $(default { $($other:ident),* $(,)? })?) => {
        impl $crate::pack::Pack for $name {
            fn pack(&self, to: &mut $crate::pack::Packer) {
                let Self { $($field,)* $($($other: _,)*)? } = self;
                $($crate::pack::Pack::pack($field, to);)*
            }

            fn unpack(from: &mut $crate::pack::Unpacker<'_>) -> Self {
                $(let $field = $crate::pack::Pack::unpack(from);)*
                Self { $($field,)* $($($other: Default::default(),)*)? }
            }
        }
    };
}
pub(crate) use packed;

macro_rules! numbers {
    ($($number:ty),*) => { $(
        impl Pack for $number {
            fn pack(&self, to: &mut Packer) {
                to.put(u64::from(*self));
            }

            #[inline]
            fn unpack(from: &mut Unpacker<'_>) -> Self {
                Self::try_from(from.take()).unwrap_or_default()
            }
        }
    )* };
}
numbers!(u8, u16, u32, u64);

impl Pack for bool {
    fn pack(&self, to: &mut Packer) {
        to.put(u64::from(*self));
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        from.take() > 0
    }
}

impl Pack for f64 {
    fn pack(&self, to: &mut Packer) {
        // The low bits of a simple number are 0: they go to the front.
        to.put(self.to_bits().swap_bytes());
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self::from_bits(from.take().swap_bytes())
    }
}

/// Steps back become odd numbers, steps on even ones, and short ones small.
const fn zigzag(step: i64) -> u64 {
    ((step << 1) ^ (step >> 63)).cast_unsigned()
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -((number & 1).cast_signed())
}

impl Pack for Instant {
    fn pack(&self, to: &mut Packer) {
        let time = self.as_nanos();
        let step = time.wrapping_sub(core::mem::replace(&mut to.time, time));
        to.put(zigzag(step.cast_signed()));
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let step = unzigzag(from.take()).cast_unsigned();
        from.time = from.time.wrapping_add(step);
        Self::from_nanos(from.time)
    }
}

impl Pack for Seq {
    fn pack(&self, to: &mut Packer) {
        let step = self.0.wrapping_sub(core::mem::replace(&mut to.seq, self.0));
        to.put(zigzag(i64::from(step.cast_signed())));
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let step = i32::try_from(unzigzag(from.take())).unwrap_or_default();
        from.seq = from.seq.wrapping_add(step.cast_unsigned());
        Self(from.seq)
    }
}

impl Pack for Duration {
    fn pack(&self, to: &mut Packer) {
        self.as_secs().pack(to);
        self.subsec_nanos().pack(to);
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        let (secs, nanos) = (u64::unpack(from), u32::unpack(from));
        Self::from_secs(secs).saturating_add(Self::from_nanos(nanos.into()))
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, to: &mut Packer) {
        self.is_some().pack(to);
        if let Some(value) = self {
            value.pack(to);
        }
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        bool::unpack(from).then(|| T::unpack(from))
    }
}

impl<T: Pack> Pack for Box<T> {
    fn pack(&self, to: &mut Packer) {
        (**self).pack(to);
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        Self::new(T::unpack(from))
    }
}

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn pack(&self, to: &mut Packer) {
        self.0.pack(to);
        self.1.pack(to);
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        (A::unpack(from), B::unpack(from))
    }
}

impl<T: Pack, const N: usize> Pack for [T; N] {
    fn pack(&self, to: &mut Packer) {
        self.iter().for_each(|value| value.pack(to));
    }

    #[inline]
    fn unpack(from: &mut Unpacker<'_>) -> Self {
        core::array::from_fn(|_| T::unpack(from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Sample {
        flags: [bool; 3],
        counts: (u64, u32),
        small: (u16, u8),
        seqs: [Option<Seq>; 3],
        times: [Option<Instant>; 3],
        span: Duration,
        real: f64,
        rare: Option<Box<(u32, bool)>>,
    }

    packed!(Sample { flags, counts, small, seqs, times, span, real, rare });

    fn seq() -> impl Strategy<Value = Option<Seq>> {
        proptest::option::of(
            prop_oneof![any::<u32>(), 0..9_u32, u32::MAX - 9..=u32::MAX].prop_map(Seq),
        )
    }

    fn time() -> impl Strategy<Value = Option<Instant>> {
        let nanos = prop_oneof![any::<u64>(), 0..9_u64, u64::MAX - 9..=u64::MAX];
        proptest::option::of(nanos.prop_map(Instant::from_nanos))
    }

    prop_compose! {
        fn sample()(
            flags: [bool; 3],
            counts: (u64, u32),
            small: (u16, u8),
            seqs in [seq(), seq(), seq()],
            times in [time(), time(), time()],
            span in (any::<u64>(), 0..1_000_000_000_u32),
            real in proptest::num::f64::NORMAL | proptest::num::f64::ZERO,
            rare: Option<(u32, bool)>,
        ) -> Sample {
            let (span, rare) = (Duration::new(span.0, span.1), rare.map(Box::new));
            Sample { flags, counts, small, seqs, times, span, real, rare }
        }
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(samples in proptest::collection::vec(sample(), 1..4)) {
            let mut packer = Packer::new(0);
            samples.iter().for_each(|sample| sample.pack(&mut packer));
            let bytes = packer.into_bytes();
            let mut unpacker = Unpacker::new(&bytes);
            for sample in samples {
                prop_assert_eq!(Sample::unpack(&mut unpacker), sample);
            }
        }

        #[test]
        fn foreign_bytes_are_no_danger(bytes: Vec<u8>) {
            let mut unpacker = Unpacker::new(&bytes);
            for _ in 0..3 {
                let _ = unpacker.take();
                let _ = <[Option<Seq>; 2]>::unpack(&mut unpacker);
            }
        }
    }

    #[test]
    fn zeros_and_small_steps_take_little() {
        let mut packer = Packer::new(0);
        [0_u32; 16].pack(&mut packer);
        assert_eq!(packer.into_bytes().len(), 8, "half a byte each");
        let mut packer = Packer::new(0);
        [Seq(0xf000_0000), Seq(0xf000_0001), Seq(0xf000_0000)].pack(&mut packer);
        assert_eq!(packer.into_bytes().len(), 2 + 4 + 1 + 1);
    }
}
