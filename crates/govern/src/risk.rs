//! How much a change could break, from what can be measured about it.
//!
//! The host measures, this classifies; inputs and reasons are recorded together. What cannot be
//! measured never lowers the class.

use solvent_protocol::change::{
    Assessment, Disposition, Exposure, Listing, RiskClass, RiskInputs, Tests,
};

use crate::people::FOLDER;
use crate::request::PolicyTouch;
use crate::words::fenced;

/// More lines than these, added and removed together, are not of low risk.
pub const LOW_LINES: u64 = 60;
/// More files than these, tests aside, are not of low risk.
pub const LOW_FILES: usize = 2;
/// More lines than these are of high risk.
pub const HIGH_LINES: u64 = 400;
/// More files than these, tests aside, are of high risk.
pub const HIGH_FILES: usize = 10;

/// The class alone; [`assess`] gives the reasons too.
pub fn classify(inputs: &RiskInputs) -> RiskClass {
    weigh(inputs)
        .into_iter()
        .map(|(class, _)| class)
        .max()
        .unwrap_or(RiskClass::Low)
}

/// Class and reasons, most serious first. Pure: same inputs, same answer.
pub fn assess(inputs: RiskInputs) -> Assessment {
    let mut found = weigh(&inputs);
    // A stable sort: within a class, the order of the list below.
    found.sort_by_key(|(class, _)| std::cmp::Reverse(*class));
    let class = found.first().map_or(RiskClass::Low, |(class, _)| *class);
    let mut reasons: Vec<String> = found
        .into_iter()
        .map(|(class, reason)| format!("{class}: {reason}"))
        .collect();
    if reasons.is_empty() {
        reasons.push(format!(
            "low: a mechanical fix of {} in {} lines, with the application's own tests as before",
            inputs.weakness, inputs.lines
        ));
    }
    Assessment {
        class,
        inputs,
        reasons,
    }
}

/// Whether any of the paths holds rules that judge changes, or says what a recipe may do.
pub fn policy_touch(paths: &[String]) -> PolicyTouch {
    if paths.iter().any(|path| holds(path) == Some(Area::Policy)) {
        PolicyTouch::Touches
    } else {
        PolicyTouch::Leaves
    }
}

/// Everything that lifts the class above low.
fn weigh(inputs: &RiskInputs) -> Vec<(RiskClass, String)> {
    let mut found = Vec::new();
    let mut at_least = |class, reason: String| found.push((class, reason));
    for area in Area::ALL {
        let mut inside = inputs.paths.iter().filter(|path| holds(path) == Some(area));
        if let Some(first) = inside.next() {
            let more = inside.count();
            let rest = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            at_least(
                RiskClass::High,
                format!("touches {} ({}{rest})", area.words(), fenced(first)),
            );
        }
    }
    let code: Vec<&String> = inputs.paths.iter().filter(|path| !is_test(path)).collect();
    match inputs.tests {
        Tests::Passed => {}
        Tests::Failed => at_least(
            RiskClass::High,
            "the application's own tests fail".to_owned(),
        ),
        Tests::Unmeasured => at_least(
            RiskClass::Medium,
            "the application's own tests are unmeasured".to_owned(),
        ),
    }
    if inputs.lines > HIGH_LINES {
        at_least(
            RiskClass::High,
            format!("{} lines, more than {HIGH_LINES}", inputs.lines),
        );
    } else if inputs.lines > LOW_LINES {
        at_least(
            RiskClass::Medium,
            format!("{} lines, more than {LOW_LINES}", inputs.lines),
        );
    }
    if code.len() > HIGH_FILES {
        at_least(
            RiskClass::High,
            format!("{} files, more than {HIGH_FILES}", code.len()),
        );
    } else if code.len() > LOW_FILES {
        at_least(
            RiskClass::Medium,
            format!("{} files, more than {LOW_FILES}", code.len()),
        );
    }
    if inputs.paths.is_empty() {
        at_least(RiskClass::Medium, "no path is recorded".to_owned());
    } else if code.is_empty() {
        at_least(
            RiskClass::Medium,
            "only tests are touched, so nothing is repaired".to_owned(),
        );
    }
    match (inputs.disposition, inputs.exposure) {
        (Disposition::Mechanical, _) => {}
        (Disposition::NeedsReview, Exposure::Public | Exposure::Unknown) => at_least(
            RiskClass::High,
            "not written by rule, and the public may reach it".to_owned(),
        ),
        (Disposition::NeedsReview, Exposure::BehindLogin | Exposure::Internal) => {
            at_least(RiskClass::Medium, "not written by rule".to_owned());
        }
    }
    if inputs.exposure == Exposure::Unknown {
        at_least(RiskClass::Medium, "who can reach it is unknown".to_owned());
    }
    if inputs.listed == Listing::NotListed {
        let what = match inputs.weakness.as_str() {
            "" => "it closes no finding".to_owned(),
            weakness => format!(
                "{} is not listed as low risk in the policy",
                fenced(weakness)
            ),
        };
        at_least(RiskClass::Medium, what);
    }
    found
}

/// What a path can hold that makes any change of it a serious one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Area {
    Policy,
    Odd,
    Pipeline,
    Login,
    Migration,
    Dependencies,
}

impl Area {
    const ALL: [Self; 6] = [
        Self::Policy,
        Self::Odd,
        Self::Pipeline,
        Self::Login,
        Self::Migration,
        Self::Dependencies,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Policy => "the rules that judge changes, or what a recipe may do",
            Self::Odd => "a path that is not a plain name inside the repository",
            Self::Pipeline => "what builds, tests or deploys it",
            Self::Login => "login, sessions, permissions or keys",
            Self::Migration => "the database's structure",
            Self::Dependencies => "what it depends on",
        }
    }
}

/// The first area that a path falls into. Names are compared without regard to case.
fn holds(path: &str) -> Option<Area> {
    let lower = path.to_lowercase();
    let odd_segment = |segment: &str| matches!(segment, "" | "." | "..") || segment == ".git";
    let segments: Vec<&str> = lower.split('/').collect();
    if lower.contains(['\\', '\0'])
        || lower.chars().any(char::is_control)
        || segments.iter().any(|s| odd_segment(s))
    {
        return Some(Area::Odd);
    }
    let (name, folders) = segments.split_last()?;
    // Any depth: a recipe may stand in a folder of its own, and CODEOWNERS in three places.
    if lower.starts_with(FOLDER)
        || segments.first() == Some(&FOLDER.trim_end_matches('/'))
        || *name == "solvent.toml"
        || *name == "codeowners"
    {
        return Some(Area::Policy);
    }
    let pipeline_folders = [
        ".github",
        ".gitlab",
        ".gitea",
        ".forgejo",
        ".circleci",
        ".buildkite",
        ".woodpecker",
        ".tekton",
    ];
    let pipeline_names = [
        ".gitlab-ci.yml",
        ".travis.yml",
        "jenkinsfile",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        ".drone.yml",
        ".woodpecker.yml",
        "makefile",
        "dockerfile",
        "containerfile",
        "procfile",
        "tox.ini",
        "noxfile.py",
        ".pre-commit-config.yaml",
        ".gitmodules",
        ".gitattributes",
        "conftest.py",
        "sitecustomize.py",
        "setup.py",
    ];
    let compose = name.starts_with("docker-compose")
        || name.starts_with("compose.")
        || name.starts_with("dockerfile.");
    if folders
        .iter()
        .any(|folder| pipeline_folders.contains(folder))
        || pipeline_names.contains(name)
        || compose
    {
        return Some(Area::Pipeline);
    }
    let dependency_names = [
        "cargo.toml",
        "cargo.lock",
        "package.json",
        "package-lock.json",
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "pdm.lock",
        "uv.lock",
        "pipfile",
        "pipfile.lock",
        "pyproject.toml",
        "setup.cfg",
        "go.mod",
        "go.sum",
        "gemfile",
        "gemfile.lock",
        "composer.json",
        "composer.lock",
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
        "gradle.lockfile",
        "environment.yml",
        ".npmrc",
        "pip.conf",
    ];
    let requirements = (name.starts_with("requirements") || name.starts_with("constraints"))
        && (name.ends_with(".txt") || name.ends_with(".in"));
    if dependency_names.contains(name) || requirements {
        return Some(Area::Dependencies);
    }
    if is_test(path) {
        return None;
    }
    if folders
        .iter()
        .any(|folder| matches!(*folder, "migrations" | "migration" | "migrate" | "alembic"))
        || name.ends_with(".sql")
        || name.starts_with("schema.")
    {
        return Some(Area::Migration);
    }
    let login_words = [
        "auth",
        "authn",
        "authz",
        "oauth",
        "oidc",
        "saml",
        "login",
        "logout",
        "session",
        "sessions",
        "permission",
        "permissions",
        "password",
        "passwords",
        "jwt",
        "acl",
        "rbac",
        "csrf",
        "crypto",
        "secret",
        "secrets",
        "security",
        "middleware",
        "authentication",
        "authorization",
        "credentials",
        "identity",
        "tokens",
    ];
    let word = |part: &str| login_words.contains(&part);
    let in_segment = |segment: &&str| segment.split(['_', '-', '.']).any(word);
    segments.iter().any(in_segment).then_some(Area::Login)
}

/// Whether a path is of the application's own tests, by the names that test runners look for.
pub fn is_test(path: &str) -> bool {
    let lower = path.to_lowercase();
    let segments: Vec<&str> = lower.split('/').collect();
    let Some((name, folders)) = segments.split_last() else {
        return false;
    };
    let stem = name.split('.').next().unwrap_or_default();
    folders
        .iter()
        .any(|folder| matches!(*folder, "test" | "tests" | "__tests__" | "spec"))
        || stem.starts_with("test_")
        || stem.ends_with("_test")
        || name.contains(".test.")
        || name.contains(".spec.")
}
