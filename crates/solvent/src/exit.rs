//! Exit codes, and the order in which they win when several hold: 2, 4, 5, 1, 3.

/// What a command ended as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0: done and clean.
    Clean,
    /// 1: findings over policy.
    Findings,
    /// 2: the command line or the place makes no sense.
    Usage,
    /// 3: something is unmeasured, or answered with gaps.
    Unmeasured,
    /// 4: could not finish or answer.
    Unfinished,
    /// 5: refused.
    Refused,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Usage => 2,
            Self::Unmeasured => 3,
            Self::Unfinished => 4,
            Self::Refused => 5,
        }
    }

    /// The stronger of two.
    pub fn and(self, other: Self) -> Self {
        let strength = |e: Self| match e {
            Self::Usage => 5,
            Self::Unfinished => 4,
            Self::Refused => 3,
            Self::Findings => 2,
            Self::Unmeasured => 1,
            Self::Clean => 0,
        };
        if strength(other) > strength(self) {
            other
        } else {
            self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn a_finding_wins_over_a_gap_and_a_failure_over_both() {
        assert_eq!(Exit::Unmeasured.and(Exit::Findings), Exit::Findings);
        assert_eq!(Exit::Findings.and(Exit::Unfinished), Exit::Unfinished);
        assert_eq!(Exit::Clean.and(Exit::Unmeasured), Exit::Unmeasured);
        assert_eq!(Exit::Usage.and(Exit::Unfinished), Exit::Usage);
    }
}
