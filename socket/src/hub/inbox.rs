//! Chunks in order. Most of the time there are none, or one: then no memory is taken for them.

use std::collections::VecDeque;
use std::collections::vec_deque;

use bytes::Bytes;

/// What a connection received and its owner has not taken.
#[derive(Debug)]
pub(super) enum Chunks {
    /// At most one.
    Few(Option<Bytes>),
    /// Two at least, or so it was until some were taken.
    Many(VecDeque<Bytes>),
}

impl Default for Chunks {
    fn default() -> Self {
        Self::Few(None)
    }
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(only) => usize::from(only.is_some()),
            Self::Many(chunks) => chunks.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn front(&self) -> Option<&Bytes> {
        match self {
            Self::Few(only) => only.as_ref(),
            Self::Many(chunks) => chunks.front(),
        }
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Bytes> {
        match self {
            Self::Few(only) => only.as_mut(),
            Self::Many(chunks) => chunks.front_mut(),
        }
    }

    pub(super) fn push_back(&mut self, chunk: Bytes) {
        match self {
            Self::Few(only) if only.is_none() => *only = Some(chunk),
            Self::Few(only) => *self = Self::Many(only.take().into_iter().chain([chunk]).collect()),
            Self::Many(chunks) => chunks.push_back(chunk),
        }
    }

    pub(super) fn pop_front(&mut self) {
        match self {
            Self::Few(only) => *only = None,
            Self::Many(chunks) => {
                chunks.pop_front();
                if chunks.is_empty() {
                    *self = Self::default();
                }
            }
        }
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        match self {
            Self::Few(only) => Iter { only: only.as_ref(), many: None },
            Self::Many(chunks) => Iter { only: None, many: Some(chunks.iter()) },
        }
    }

    /// All of them, out of here.
    pub(super) fn take(&mut self) -> VecDeque<Bytes> {
        match core::mem::take(self) {
            Self::Few(only) => only.into_iter().collect(),
            Self::Many(chunks) => chunks,
        }
    }
}

/// From the first on.
#[derive(Debug)]
pub(super) struct Iter<'a> {
    only: Option<&'a Bytes>,
    many: Option<vec_deque::Iter<'a, Bytes>>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Bytes;

    fn next(&mut self) -> Option<&'a Bytes> {
        self.only.take().or_else(|| self.many.as_mut()?.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_however_many_and_small_again_when_empty() {
        let (mut chunks, mut pushed, mut popped) = (Chunks::default(), 0_u8, 0_u8);
        for (push, pop) in [(1, 1), (2, 1), (3, 4), (1, 0), (1, 2), (5, 5)] {
            for _ in 0..push {
                chunks.push_back(Bytes::from(vec![pushed]));
                pushed += 1;
            }
            let held: Vec<u8> = chunks.iter().map(|chunk| chunk[0]).collect();
            assert_eq!(held, (popped..pushed).collect::<Vec<u8>>());
            assert_eq!(chunks.len(), held.len());
            for _ in 0..pop {
                assert_eq!(chunks.front().map(|chunk| chunk[0]), Some(popped));
                chunks.pop_front();
                popped += 1;
            }
            assert_eq!(chunks.is_empty(), pushed == popped);
            assert_eq!(matches!(chunks, Chunks::Few(None)), pushed == popped);
        }
    }
}
