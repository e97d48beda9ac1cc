//! What proving says.

/// How strong a shown effect is. `proven` means P0 or P1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tier {
    /// Effect through a real entry point, deliverable by the stated attacker.
    P0,
    /// Effect, but the carrier is not deliverable by a browser victim or needs privilege.
    P1,
    /// The sink was reached with changed structure, without an effect.
    P2,
    /// Not reached.
    P3,
}

/// The answer of dynamic proving for one finding.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    Proven {
        tier: Tier,
    },
    /// Everything was tried as planned and no effect was seen.
    NotReproduced {
        tier: Tier,
    },
    /// It could not be tried as planned.
    Inconclusive {
        reason: InconclusiveReason,
    },
}

impl Outcome {
    /// The word of the glossary.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Proven { .. } => "proven",
            Self::NotReproduced { .. } => "not_reproduced",
            Self::Inconclusive { .. } => "inconclusive",
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum InconclusiveReason {
    /// No sandbox tier on this machine allows it.
    NoSandbox(String),
    /// Dependencies could not be fetched or built.
    PrepareFailed(String),
    /// The target exited, or never gave a good answer in time.
    StartFailed(String),
    /// The login recipe's assertion did not hold.
    LoginFailed(String),
    /// No request could be built: which part is missing.
    NoRequest(String),
    /// The benign twin did not behave: which way.
    TwinFailed(String),
    /// The target answers differently with the sensors than without.
    SensorNotNeutral(String),
    /// Seen while probing, not in every fresh instance.
    NotVerified(String),
    /// The budget of requests or seconds ran out.
    Budget(String),
    /// The target stopped answering.
    TargetDied(String),
}
