//! What static analysis says, and why. Unknown is never safe: an unfinished search is `Undecided`.

use solvent_base::Location;

use crate::entry::Symbol;

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A path exists; what is taken for granted along it, if anything.
    Reachable { assumed: Vec<Assumption> },
    /// The search finished: every way to the sink is cut, for these reasons.
    NoPath { reasons: Vec<NoPathReason> },
    /// The search could not finish; what stopped it.
    Undecided { stops: Vec<Stop> },
}

impl Verdict {
    /// The word of the glossary.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Reachable { .. } => "reachable",
            Self::NoPath { .. } => "no_path",
            Self::Undecided { .. } => "undecided",
        }
    }
}

/// Something on the path that was not shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Assumption {
    /// A call edge that is a match by name only.
    NameOnlyCall { name: String, location: Location },
    /// The route's registration was seen, but not that it runs.
    Registration { what: String },
    /// An access path was cut at the depth limit.
    Widened { location: Location },
    /// A library call without a model is taken to pass its arguments on.
    UnmodelledCall { name: String, location: Location },
    /// A function is handed to what is not followed, which is taken to call it.
    Handed { to: String, location: Location },
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum NoPathReason {
    /// No route and no caller leads to the function.
    NoCaller { function: Symbol },
    /// Every caller is itself without a way in.
    DeadCaller { function: Symbol, caller: Symbol },
    /// A branch that is constant cuts the way.
    DeadBranch {
        location: Location,
        condition: String,
    },
    /// Control does not get past what stands there: a call that never comes back, a loop over nothing.
    NeverPassed { location: Location, what: String },
    /// The function is called there, but is a generator or coroutine that nobody runs.
    NeverRun {
        location: Location,
        function: Symbol,
    },
    /// The input is made harmless for this sink.
    Sanitized { location: Location, by: String },
    /// A check on the way lets only harmless values pass.
    Guarded { location: Location, by: String },
    /// The value at the sink does not come from any input.
    NotFromInput,
    /// The input arrives in a place where it cannot do this harm (a bound parameter, one argument).
    Position { what: String },
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Stop {
    /// A call that could not be resolved.
    DynamicBoundary { location: Location, what: String },
    /// A constant that decides whether a use is weak is not known.
    UnknownArgument { location: Location, what: String },
    /// Whether a check is missing there, or none is needed, is not written in the program.
    NoCheckSeen { location: Location, what: String },
    /// A limit of the search.
    Limit { what: String },
    /// A file on the way could not be read whole.
    Unreadable { path: String },
    /// Routes exist, but no source of theirs is modelled.
    NoSourceModel { framework: String },
    /// An input (`query parameter q`) is left where code that starts with the program finds it: a worker may act on it.
    Stored { input: String },
}
