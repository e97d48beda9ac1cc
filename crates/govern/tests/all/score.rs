//! The life of a change against its definition, over generated histories. The score of the same name
//! runs ten thousand.

use crate::histories::{self, generate::Mistake};

#[test]
fn ten_hundred_histories_are_judged_as_the_definition_says_and_every_mistake_is_caught() {
    let outcome = histories::run(1, 1_000);
    assert!(
        outcome.violations.is_empty(),
        "{} violations, the first: {}",
        outcome.violations.len(),
        outcome.violations[0]
    );
    // A run in which nothing is merged would show nothing.
    assert!(outcome.merged > 50, "only {} were merged", outcome.merged);
    assert_eq!(outcome.seeded.len(), Mistake::ALL.len());
    for (mistake, (tried, caught)) in &outcome.seeded {
        assert!(*tried >= 20, "{mistake} was seeded {tried} times");
        assert_eq!(tried, caught, "{mistake}");
    }
}
