//! Pointers of C, checked.

pub(crate) mod sys;
