//! Nothing that was signed can be changed unnoticed, and nothing honest raises an alarm.

use crate::tamper::{KINDS, campaign, honest};

#[test]
fn every_one_of_a_thousand_tamperings_is_detected() {
    let score = campaign(20_261_122, 1_000);
    assert_eq!(score.missed, Vec::<String>::new());
    assert_eq!((score.attempted(), score.detected()), (1_000, 1_000));
    for kind in KINDS {
        assert!(
            score.kinds[kind].0 >= 10,
            "too few attempts of `{kind}`: {:?}",
            score.kinds[kind]
        );
    }
    assert!(score.past_cuts.0 > 0);
    assert_eq!(
        (score.past_cuts.1, score.past_miscounted),
        (0, 0),
        "a cut past the checkpoint"
    );
}

#[test]
fn a_hundred_honest_ledgers_raise_no_alarm() {
    assert_eq!(honest(7, 100), Vec::<String>::new());
}
