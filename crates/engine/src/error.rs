//! What can keep a command from being done, each with the next step to take.

use std::fmt;

/// How a command failed, which decides the exit code.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The caller asked for something that makes no sense here.
    Usage,
    /// The command could not finish.
    Unfinished,
    /// Policy refused it.
    Refused,
}

/// A failed command: what was tried and failed, and what to do next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineError {
    pub failure: Failure,
    pub message: String,
    /// What would make it pass; empty when nothing is known.
    pub hint: String,
}

impl EngineError {
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            failure: Failure::Usage,
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub fn unfinished(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            failure: Failure::Unfinished,
            message: message.into(),
            hint: hint.into(),
        }
    }

    pub fn refused(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            failure: Failure::Refused,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EngineError {}
