//! Requests that a program sends, as far as its text tells: what joins one service to another.

use solvent_base::Location;

use crate::entry::{Carrier, EntryPoint, Input, Symbol};
use crate::flow::{Flow, Part};
use crate::verdict::Assumption;

/// One request, sent for one entry point, or when the program starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// `None`: sent without a request that asks for it.
    pub entry: Option<EntryPoint>,
    pub location: Location,
    pub function: Symbol,
    /// What is called, as the model names it: `requests.get`.
    pub callee: String,
    /// Upper case; `None` when it is not known.
    pub method: Option<String>,
    /// The URL, with any base in front. Inputs are numbered by their place in `carried`.
    pub url: Vec<Part>,
    pub carried: Vec<Carried>,
    /// Fields that always hold the same.
    pub fixed: Vec<(Input, String)>,
}

/// An input that goes into the request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Carried {
    pub landing: Landing,
    /// From the input to the call that sends.
    pub flow: Flow,
    /// Kinds of sinks for which it is harmless by then.
    pub harmless: Vec<String>,
    pub assumed: Vec<Assumption>,
}

/// Where in the request an input lands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Landing {
    /// The part of the URL of that index.
    Url(usize),
    /// A named field, header or path segment.
    Field(Input),
    /// The whole of what the carrier carries; any name.
    Whole(Carrier),
}
