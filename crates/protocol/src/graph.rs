//! The call graph of one tree, for people and programs.

use serde::{Deserialize, Serialize};

use crate::view::{EntryPointView, ExposureView, Place, ReasonView, Subject, Tool, Unmeasured};

pub const GRAPH_SCHEMA: &str = "solvent.graph/v1";

/// Functions, what calls what and why, and where outside control begins.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GraphReport {
    /// [`GRAPH_SCHEMA`]
    pub schema: String,
    pub tool: Tool,
    pub subject: Subject,
    /// Calls name functions by their place in this list.
    pub functions: Vec<GraphFunction>,
    /// By caller, callee and place; one for each place and callee.
    pub calls: Vec<GraphCall>,
    /// Calls that lead out of the program, by caller, name and place.
    #[serde(default)]
    pub library_calls: Vec<LibraryCall>,
    pub entry_points: Vec<GraphEntry>,
    /// What runs, as the deployment files say; by deployment, then name. Calls between services name them by
    /// their place in this list.
    #[serde(default)]
    pub services: Vec<ServiceView>,
    /// By caller, receiver and place.
    #[serde(default)]
    pub service_calls: Vec<ServiceCall>,
    /// What lockfiles pin, by ecosystem and name.
    #[serde(default)]
    pub components: Vec<ComponentView>,
    /// Calls whose target is not known: what may be missing from `calls`.
    pub unknown_calls: u64,
    pub unmeasured: Vec<Unmeasured>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GraphFunction {
    /// `shop.products:Catalogue.search`; a module's own code is `shop.products:`.
    pub name: String,
    pub place: Place,
    /// Where its text begins, decorators included, and ends.
    pub begins: Place,
    pub ends: Place,
    /// Whether anything runs it, from an entry point or when the program starts: `reachable | undecided | no_path`.
    pub verdict: String,
    /// What stops the search, or why nothing leads there.
    pub why: Vec<ReasonView>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GraphCall {
    pub caller: u32,
    pub callee: u32,
    /// `exact`: by name and import; `typed`: by the receiver's type; `value`: a function value; `name`: by name
    /// and number of arguments only.
    pub tier: String,
    pub place: Place,
}

/// A call of what a library or the language itself provides.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LibraryCall {
    pub caller: u32,
    /// `os.path.join`, `builtins.len`.
    pub callee: String,
    pub place: Place,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GraphEntry {
    pub function: u32,
    pub entry: EntryPointView,
}

/// One service of one deployment.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceView {
    pub name: String,
    /// The compose file, the folder of manifests, the Procfile; empty for an application without any.
    pub deployment: String,
    /// `compose | kubernetes | procfile | application`
    pub sort: String,
    pub place: Place,
    /// Folders of its code, `.` for the root; empty when it runs an image from elsewhere.
    pub code: Vec<String>,
    /// Why these folders.
    pub code_why: String,
    /// The file that is started, where the command tells.
    pub start: Option<String>,
    pub image: Option<String>,
    /// `PostgreSQL`, when it is a data store.
    pub store: Option<String>,
    /// Whether it hands requests on to others.
    pub gateway: bool,
    /// Of the service as a whole; each entry point has its own.
    pub exposure: ExposureView,
    pub ports: Vec<u16>,
    /// Places in `entry_points`.
    pub entry_points: Vec<u32>,
    /// Names of the settings that it is given; never their values.
    pub settings: Vec<String>,
    /// Why it is not started with the others.
    pub asleep: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ServiceCall {
    pub from: u32,
    pub to: u32,
    /// `http`: code sends a request; `forwards`: a gateway; `store`: a setting leads to a data store; `after`: it is
    /// started after it.
    pub how: String,
    /// `GET /orders/{}`, `/api`, `DATABASE_URL`.
    pub what: String,
    /// Place in `entry_points` of the route that answers, if it is known.
    pub entry: Option<u32>,
    pub place: Option<Place>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ComponentView {
    /// `PyPI | npm | Go | Maven | crates.io`
    pub ecosystem: String,
    pub name: String,
    pub version: Option<String>,
    /// `direct | indirect | unknown`
    pub usage: String,
    pub place: Place,
}

impl GraphReport {
    /// Functions from which calls lead to one of these, themselves among them, nearest first.
    pub fn callers_of(&self, functions: &[u32]) -> Vec<u32> {
        self.closure(functions, |call| (call.callee, call.caller))
    }

    /// Functions to which calls lead from one of these, themselves among them, nearest first.
    pub fn called_from(&self, functions: &[u32]) -> Vec<u32> {
        self.closure(functions, |call| (call.caller, call.callee))
    }

    fn closure(&self, functions: &[u32], step: impl Fn(&GraphCall) -> (u32, u32)) -> Vec<u32> {
        let mut next: Vec<Vec<u32>> = vec![Vec::new(); self.functions.len()];
        for call in &self.calls {
            let (from, to) = step(call);
            if let Some(next) = next.get_mut(from as usize) {
                next.push(to);
            }
        }
        let mut seen = vec![false; self.functions.len()];
        let mut out: Vec<u32> = Vec::new();
        let mut reached = functions.to_vec();
        let mut at = 0;
        loop {
            for id in reached.drain(..) {
                if let Some(seen) = seen.get_mut(id as usize)
                    && !*seen
                {
                    *seen = true;
                    out.push(id);
                }
            }
            let Some(id) = out.get(at) else { return out };
            reached.clone_from(&next[*id as usize]);
            at += 1;
        }
    }

    /// Functions that call what a library provides under this name: in full, or its last segments.
    pub fn calling(&self, name: &str) -> Vec<u32> {
        let fits = |callee: &str| {
            callee == name
                || callee
                    .strip_suffix(name)
                    .is_some_and(|head| head.ends_with('.'))
        };
        let mut out: Vec<u32> = self
            .library_calls
            .iter()
            .filter(|call| fits(&call.callee))
            .map(|call| call.caller)
            .collect();
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Functions of this name: in full, by what follows the module, or by its last segment.
    pub fn named(&self, name: &str) -> Vec<u32> {
        let fits = |full: &str| {
            let qualname = full.rsplit(':').next().unwrap_or_default();
            full == name || qualname == name || qualname.rsplit('.').next() == Some(name)
        };
        self.functions
            .iter()
            .enumerate()
            .filter(|(_, function)| fits(&function.name))
            .filter_map(|(id, _)| u32::try_from(id).ok())
            .collect()
    }
}
