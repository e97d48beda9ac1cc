//! The harmless requests that base and patch are both asked, in the same order on fresh instances, and what
//! the answers are compared by.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use solvent_sandbox::{Change, Sandbox};

use crate::attempt::blur;
use crate::body;
use crate::exec::{Plan, Session, Shot};
use crate::harvest::{Who, shoot};
use crate::login::{self, Door};
use crate::prepare::Prepared;
use crate::target::{Observe, start};
use crate::verify::words;

/// Where a harmless value comes from; decides how much of a difference a patch may make.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Origin {
    /// The capsule's own twin.
    Capsule,
    /// Links, forms and names of the application's own pages.
    Pages,
    /// What the program compares the input with.
    Program,
    /// Letters, digits, `-` and `_`: what no repair needs to refuse.
    Plain,
    /// A file put beside those that the route serves.
    Planted,
    /// Characters that people use and a careful repair may refuse, politely.
    Special,
}

impl Origin {
    pub fn words(self) -> &'static str {
        match self {
            Self::Capsule => "the twin",
            Self::Pages => "a value that the application's own pages offer",
            Self::Program => "a value that the program itself names",
            Self::Plain => "an ordinary word",
            Self::Planted => "a file that was put beside the others",
            Self::Special => "a value with special characters",
        }
    }
}

/// One harmless request.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub about: About,
    pub plan: Plan,
    pub who: Who,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum About {
    Twin {
        capsule: usize,
        origin: Origin,
        value: String,
    },
    /// `GET /cart`
    Route(String),
    /// Whether quotes are taken out of what people write: always three in a row.
    Quote(Part),
}

/// One of the three requests that tell whether a quote in a value counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// A value that is there.
    Plain(String),
    /// The same with a letter put into it.
    Letter(String),
    /// The same with a quote put into it.
    Quote(String),
}

impl Part {
    pub fn value(&self) -> &str {
        match self {
            Self::Plain(value) | Self::Letter(value) | Self::Quote(value) => value,
        }
    }
}

/// A file that is put into every instance before the first request.
#[derive(Clone, Debug)]
pub(crate) struct PutFile {
    pub path: PathBuf,
    pub content: String,
}

#[derive(Default, Debug)]
pub(crate) struct Script {
    /// Twins first, then routes, then what may leave something behind on a patch alone.
    pub probes: Vec<Probe>,
    /// Probes after which it is looked what was written: the twins.
    pub early: usize,
    /// Probes before the last part, which has a session of its own: routes may have ended the first.
    pub late: usize,
    pub files: Vec<PutFile>,
}

/// What one run of a script gave.
pub(crate) struct Ran {
    /// One per probe.
    pub shots: Vec<Shot>,
    /// Paths that the twins created, changed or deleted, fresh names masked; `None` when it cannot be told.
    pub writes: Option<BTreeSet<(String, Change)>>,
    pub requests: u64,
}

/// Runs the script's probes before `end` on one fresh instance.
pub(crate) fn run(
    prepared: &Prepared,
    sandbox: &dyn Sandbox,
    script: &Script,
    end: usize,
    door: Option<&Door>,
    timeout: Duration,
) -> Result<Ran, String> {
    let mut running = start(prepared, sandbox, Observe::Sensors)
        .map_err(|reason| format!("the application does not start: {}", words(&reason)))?;
    let mut placed = BTreeSet::new();
    for file in &script.files {
        running
            .instance
            .plant_file(&file.path, file.content.as_bytes(), 0o644)
            .map_err(|error| error.to_string())?;
        placed.insert(file.path.clone());
    }
    let mut session = match door {
        Some(door) => door
            .open(&mut running, timeout)
            .map_err(|error| format!("login: {}", error.0))?,
        None => Session::default(),
    };
    let nobody = Session::default();
    let mut shots: Vec<Shot> = Vec::new();
    let mut writes = None;
    for (at, probe) in script.probes.iter().enumerate().take(end) {
        if at == script.early {
            writes = Some(written(&mut running, &shots, &placed));
        }
        if at == script.late
            && let Some(door) = door
            && let Ok(fresh) = door.open(&mut running, timeout)
        {
            session = fresh;
        }
        let session = match probe.who {
            Who::Nobody => &nobody,
            Who::Identity => &session,
        };
        shots.push(shoot(&mut running, &probe.plan, session, timeout));
    }
    let writes = match writes {
        Some(writes) => writes,
        None => written(&mut running, &shots, &placed),
    };
    let requests = running.requests;
    let _ = running.instance.stop();
    Ok(Ran {
        shots,
        writes,
        requests,
    })
}

fn written(
    running: &mut crate::target::Running,
    shots: &[Shot],
    placed: &BTreeSet<PathBuf>,
) -> Option<BTreeSet<(String, Change)>> {
    let all = running.instance.writes().ok()?;
    Some(
        all.into_iter()
            .filter(|written| !placed.contains(&written.inside))
            .map(|written| {
                let mut path = written.inside.to_string_lossy().into_owned().into_bytes();
                for shot in shots {
                    path = shot.fresh.mask(&path);
                }
                (String::from_utf8_lossy(&path).into_owned(), written.change)
            })
            .collect(),
    )
}

/// The recipe's login, discovered on an instance of its own kind.
pub(crate) fn door(
    running: &mut crate::target::Running,
    prepared: &Prepared,
    timeout: Duration,
) -> Option<Door> {
    let recipe = prepared.recipe.login.as_ref()?;
    Some(login::discover(running, recipe, timeout))
}

/// How closely answers of the base agree with each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Level {
    Exact,
    /// Digits and long words left out.
    Blurred,
    /// Status and place to go.
    Head,
}

/// How a patch's answers compare with the base's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Compared {
    Same,
    /// The base's own answers differ in status: nothing can be told.
    Unstable,
    /// How, after `is answered`.
    Differs(String),
}

/// Compares one probe's answers. One equal answer of the patch is enough, since its others may have been
/// chance; the base's must all agree.
pub(crate) fn compare(base: &[&Shot], patched: &[&Shot]) -> Compared {
    let (Some(first), Some(changed)) = (base.first(), patched.last()) else {
        return Compared::Unstable;
    };
    let Some(expected) = first.last() else {
        return Compared::Unstable;
    };
    let head_of = |shot: &Shot| face(shot, Level::Head);
    if base.iter().any(|shot| head_of(shot) != head_of(first)) {
        return Compared::Unstable;
    }
    let class = |shot: &Shot| shot.last().map(|answer| answer.status / 100);
    // What the base refuses may be refused in other words.
    let same = if expected.status >= 400 {
        patched.iter().any(|shot| class(shot) == class(first))
    } else {
        let level = [Level::Exact, Level::Blurred].into_iter().find(|level| {
            base.iter()
                .all(|shot| face(shot, *level) == face(first, *level))
        });
        match level {
            Some(level) => patched
                .iter()
                .any(|shot| face(shot, level) == face(first, level)),
            None => {
                let common = base
                    .iter()
                    .map(|shot| lines(shot))
                    .reduce(|a, b| a.intersection(&b).cloned().collect())
                    .unwrap_or_default();
                patched
                    .iter()
                    .any(|shot| head_of(shot) == head_of(first) && common.is_subset(&lines(shot)))
            }
        }
    };
    if same {
        return Compared::Same;
    }
    let Some(answer) = changed.last() else {
        let why = changed.failure.clone().unwrap_or_default();
        return Compared::Differs(format!("not at all: {why}"));
    };
    if answer.status != expected.status {
        return Compared::Differs(format!(
            "with {} instead of {}",
            answer.status, expected.status
        ));
    }
    if answer.header("location").map(|l| changed.fresh.mask(l))
        != expected.header("location").map(|l| first.fresh.mask(l))
    {
        return Compared::Differs("by sending elsewhere".to_owned());
    }
    if answer.body.is_empty() && !expected.body.is_empty() {
        return Compared::Differs("with an empty page instead of a full one".to_owned());
    }
    Compared::Differs(format!(
        "with other content ({} bytes instead of {})",
        answer.body.len(),
        expected.body.len()
    ))
}

/// What an answer is compared by.
fn face(shot: &Shot, level: Level) -> Option<Vec<u8>> {
    let answer = shot.last()?;
    let mut out = answer.status.to_string().into_bytes();
    if let Some(location) = answer.header("location") {
        out.push(b' ');
        out.extend(blur(&shot.fresh.mask(location)));
    }
    out.push(b'\n');
    if level == Level::Head {
        return Some(out);
    }
    if let Some(kind) = answer.header("content-type") {
        out.extend(kind.split(|b| *b == b';').next().unwrap_or_default());
    }
    out.push(b'\n');
    let body = shot.fresh.mask(&body::opened(&answer.body));
    out.extend(match level {
        Level::Exact => body,
        _ => blur(&body),
    });
    Some(out)
}

fn lines(shot: &Shot) -> BTreeSet<Vec<u8>> {
    let Some(answer) = shot.last() else {
        return BTreeSet::new();
    };
    let body = blur(&shot.fresh.mask(&body::opened(&answer.body)));
    body.split(|b| *b == b'\n')
        .map(|line| line.trim_ascii().to_vec())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The masked body with `values` taken out in the ways that pages write them. Two answers are compared with the
/// values of both taken out of each, since a page may hold either for reasons of its own.
pub(crate) fn without_values(shot: &Shot, values: &[&str]) -> Option<Vec<u8>> {
    let answer = shot.last()?;
    let mut text = String::from_utf8_lossy(&blur(&answer.body)).into_owned();
    // The longest first: one value may be a part of another.
    let mut values: Vec<&str> = values.iter().copied().filter(|v| !v.is_empty()).collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in values {
        let blurred = String::from_utf8_lossy(&blur(value.as_bytes())).into_owned();
        let escaped = |quote: &str| {
            blurred
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('\'', quote)
        };
        for form in [
            blurred.clone(),
            escaped("&#39;"),
            escaped("&#x27;"),
            // As `blur` leaves them.
            escaped("&#0;"),
            escaped("&#x0;"),
        ] {
            text = text.replace(&form, "[value]");
        }
    }
    Some(format!("{} {text}", answer.status).into_bytes())
}

/// Paths that every run of the base writes, against those of the patch; the words of the first difference.
pub(crate) fn compare_writes(
    base: &[&BTreeSet<(String, Change)>],
    patched: &[&BTreeSet<(String, Change)>],
) -> Option<String> {
    let plain = |set: &BTreeSet<(String, Change)>| -> BTreeMap<(String, Change), String> {
        set.iter()
            .map(|(path, change)| {
                let blurred = String::from_utf8_lossy(&blur(path.as_bytes())).into_owned();
                ((blurred, *change), path.clone())
            })
            .collect()
    };
    let bases: Vec<_> = base.iter().map(|set| plain(set)).collect();
    let every = bases.first()?;
    let folder = |path: &str| {
        path.rsplit_once('/')
            .map_or("", |(folder, _)| folder)
            .to_owned()
    };
    // Folders in which the base's own runs differ: names there are made up anew every time.
    let noisy: BTreeSet<String> = bases
        .iter()
        .flat_map(|set| set.keys())
        .filter(|key| !bases.iter().all(|set| set.contains_key(*key)))
        .map(|(path, _)| folder(path))
        .collect();
    let differs = |set: &BTreeMap<(String, Change), String>| -> Option<String> {
        let missing = every.iter().find(|(key, _)| {
            !set.contains_key(*key) && bases.iter().all(|base| base.contains_key(*key))
        });
        if let Some((_, path)) = missing {
            return Some(format!("`{path}` is no longer written"));
        }
        set.iter()
            .find(|((path, change), _)| {
                !bases
                    .iter()
                    .any(|base| base.contains_key(&(path.clone(), *change)))
                    && !noisy.contains(&folder(path))
            })
            .map(|((_, change), path)| match change {
                Change::Deleted => format!("`{path}` is deleted, which the base does not do"),
                Change::Created | Change::Changed => {
                    format!("`{path}` is written, which the base does not do")
                }
            })
    };
    let answers: Vec<Option<String>> = patched.iter().map(|set| differs(&plain(set))).collect();
    if answers.iter().any(Option::is_none) {
        return None;
    }
    answers.into_iter().flatten().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Fresh;
    use crate::http::Answer;

    fn shot(status: u16, body: &str) -> Shot {
        Shot {
            fresh: Fresh::new(),
            answers: vec![Answer {
                status,
                body: body.as_bytes().to_vec(),
                ..Answer::default()
            }],
            sent: Vec::new(),
            failure: None,
            canaries: Vec::new(),
            late: Vec::new(),
            sensors: Vec::new(),
            written: false,
        }
    }

    #[test]
    fn noise_of_the_base_is_learnt_and_a_real_difference_stays() {
        let (a, b) = (
            shot(200, "at 10:01 we have\nmugs"),
            shot(200, "at 11:57 we have\nmugs"),
        );
        assert_eq!(
            compare(&[&a, &b], &[&shot(200, "at 9:00 we have\nmugs")]),
            Compared::Same
        );
        assert!(matches!(
            compare(&[&a, &b], &[&shot(200, "at 9:00 we have\n")]),
            Compared::Differs(_)
        ));
        // A block that is drawn by lot.
        let (a, b) = (shot(200, "mugs\ntry rope"), shot(200, "mugs\ntry linen"));
        assert_eq!(
            compare(&[&a, &b], &[&shot(200, "mugs\ntry wax")]),
            Compared::Same
        );
        assert!(matches!(
            compare(&[&a, &b], &[&shot(200, "try wax")]),
            Compared::Differs(_)
        ));
    }

    #[test]
    fn a_base_that_cannot_make_up_its_mind_tells_nothing() {
        let (a, b) = (shot(200, "x"), shot(500, "x"));
        assert_eq!(compare(&[&a, &b], &[&shot(404, "x")]), Compared::Unstable);
    }

    #[test]
    fn numbers_matter_where_the_base_repeats_them() {
        let (a, b) = (shot(200, "3 found"), shot(200, "3 found"));
        assert!(matches!(
            compare(&[&a, &b], &[&shot(200, "0 found")]),
            Compared::Differs(_)
        ));
        let Compared::Differs(words) = compare(&[&a, &b], &[&shot(404, "")]) else {
            panic!("differs")
        };
        assert_eq!(words, "with 404 instead of 200");
    }

    #[test]
    fn files_that_the_patch_writes_or_leaves_out_are_named() {
        let set = |paths: &[&str]| -> BTreeSet<(String, Change)> {
            paths
                .iter()
                .map(|p| ((*p).to_owned(), Change::Created))
                .collect()
        };
        let base = set(&["/app/log", "/tmp/report-ab1c"]);
        let other = set(&["/app/log", "/tmp/report-zz9"]);
        assert_eq!(
            compare_writes(&[&base, &other], &[&set(&["/app/log", "/tmp/report-qq"])]),
            None
        );
        let missing = compare_writes(&[&base, &other], &[&set(&[])]).expect("differs");
        assert!(missing.contains("/app/log"), "{missing}");
        let more = compare_writes(&[&base, &other], &[&set(&["/app/log", "/app/x.py"])]);
        assert!(more.expect("differs").contains("/app/x.py"));
    }
}
