//! Risk classes and their reasons.

use solvent_govern::PolicyTouch;
use solvent_govern::risk::{assess, classify, policy_touch};
use solvent_protocol::change::{Disposition, Exposure, Listing, RiskClass, RiskInputs, Tests};

fn inputs() -> RiskInputs {
    RiskInputs {
        paths: vec![
            "shop/orders.py".to_owned(),
            "tests/test_orders.py".to_owned(),
        ],
        lines: 20,
        weakness: "CWE-89".to_owned(),
        listed: Listing::Listed,
        exposure: Exposure::Public,
        tests: Tests::Passed,
        disposition: Disposition::Mechanical,
    }
}

fn at(path: &str) -> RiskInputs {
    RiskInputs {
        paths: vec![path.to_owned()],
        ..inputs()
    }
}

#[test]
fn a_small_mechanical_fix_of_a_listed_weakness_is_of_low_risk() {
    let assessment = assess(inputs());
    assert_eq!(assessment.class, RiskClass::Low);
    assert_eq!(
        assessment.reasons,
        ["low: a mechanical fix of CWE-89 in 20 lines, with the application's own tests as before"]
    );
}

#[test]
fn each_input_lifts_the_class_and_says_so() {
    type Lift = (fn(&mut RiskInputs), RiskClass, &'static str);
    let lifts: [Lift; 13] = [
        (
            |i| i.tests = Tests::Unmeasured,
            RiskClass::Medium,
            "tests are unmeasured",
        ),
        (|i| i.tests = Tests::Failed, RiskClass::High, "tests fail"),
        (
            |i| i.lines = 61,
            RiskClass::Medium,
            "61 lines, more than 60",
        ),
        (|i| i.lines = u64::MAX, RiskClass::High, "more than 400"),
        (
            |i| i.paths = (0..3).map(|n| format!("a{n}.py")).collect(),
            RiskClass::Medium,
            "3 files",
        ),
        (
            |i| i.paths = (0..11).map(|n| format!("a{n}.py")).collect(),
            RiskClass::High,
            "11 files",
        ),
        (|i| i.paths.clear(), RiskClass::Medium, "no path"),
        (
            |i| i.paths = vec!["tests/test_a.py".to_owned()],
            RiskClass::Medium,
            "only tests",
        ),
        (
            |i| i.exposure = Exposure::Unknown,
            RiskClass::Medium,
            "unknown",
        ),
        (
            |i| i.listed = Listing::NotListed,
            RiskClass::Medium,
            "`CWE-89` is not listed",
        ),
        (
            |i| {
                i.listed = Listing::NotListed;
                i.weakness.clear();
            },
            RiskClass::Medium,
            "closes no finding",
        ),
        (
            |i| i.disposition = Disposition::NeedsReview,
            RiskClass::High,
            "the public may reach it",
        ),
        (
            |i| {
                i.disposition = Disposition::NeedsReview;
                i.exposure = Exposure::BehindLogin;
            },
            RiskClass::Medium,
            "not written by rule",
        ),
    ];
    for (lift, class, words) in lifts {
        let mut lifted = inputs();
        lift(&mut lifted);
        let assessment = assess(lifted.clone());
        assert_eq!(assessment.class, class, "{words}");
        assert_eq!(classify(&lifted), class);
        assert!(
            assessment.reasons[0].contains(words),
            "{words}: {:?}",
            assessment.reasons
        );
        assert!(assessment.reasons[0].starts_with(class.word()));
    }
}

#[test]
fn some_places_are_of_high_risk_whatever_the_change() {
    for path in [
        "solvent-policy/people.toml",
        "Solvent-Policy/x.cedar",
        "solvent.toml",
        "services/shop/solvent.toml",
        ".github/CODEOWNERS",
        ".github/workflows/ci.yml",
        ".gitlab-ci.yml",
        "Dockerfile",
        "deploy/docker-compose.prod.yml",
        "Makefile",
        "tests/conftest.py",
        "shop/auth.py",
        "shop/login/views.py",
        "app/user_permissions.py",
        "shop/migrations/0007_orders.py",
        "db/schema.sql",
        "Cargo.lock",
        "requirements-dev.txt",
        "package.json",
        "../outside.py",
        "/etc/passwd",
        "a//b.py",
        "a\\b.py",
        "shop/.git/config",
        "a\nb.py",
    ] {
        assert_eq!(classify(&at(path)), RiskClass::High, "{path}");
    }
    for path in [
        "shop/orders.py",
        "shop/author.py",
        "src/sessions_report/x.py",
        "solvent_policy/x.py",
    ] {
        let expected = if path.contains("sessions") {
            RiskClass::High
        } else {
            RiskClass::Low
        };
        assert_eq!(classify(&at(path)), expected, "{path}");
    }
}

#[test]
fn a_change_of_the_rules_is_told_at_any_depth() {
    let touches = |path: &str| policy_touch(&["a.py".to_owned(), path.to_owned()]);
    for path in [
        "solvent-policy/x.cedar",
        "SOLVENT-POLICY/people.toml",
        "solvent-policy",
        "sub/solvent.toml",
        "CODEOWNERS",
    ] {
        assert_eq!(touches(path), PolicyTouch::Touches, "{path}");
    }
    for path in ["docs/solvent-policy/x.md", "solvent-policy.md", "app.py"] {
        assert_eq!(touches(path), PolicyTouch::Leaves, "{path}");
    }
}

#[test]
fn a_deceitful_path_is_shown_as_what_it_is() {
    let assessment = assess(at("solvent-policy/\u{202e}lmot.elpoep"));
    assert!(
        assessment.reasons[0].contains("\\u{202e}"),
        "{:?}",
        assessment.reasons
    );
}
