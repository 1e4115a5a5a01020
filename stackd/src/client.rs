//! The control plane's clients: each word after `stackd` is a file here.

pub(crate) mod ls;
