//! CWE-22
use crate::source::World;
use crate::{Proposal, RootCause};
pub(crate) fn propose(_w: &World<'_>, _c: &RootCause<'_>) -> Proposal { Proposal::default() }
