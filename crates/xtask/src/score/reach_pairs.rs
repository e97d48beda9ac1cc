//! Pairs of small programs with the same sink: in one a request reaches it, in the other none does.
//!
//! A member is called reachable when a finding at the line of its sink is. Pairs behind a login are counted
//! apart: both of their members are reachable, and the report of one has to show the login.

use serde_json::Value;

use super::{Halves, targets::note};
use crate::figures::{Figures, Place, rounded};
use crate::pairs::{LANGUAGES, Member, read};
use crate::program::{items, json, number, released, text};

/// What the report says of a sink.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Reachable { login: bool },
    Undecided,
    NoPath,
    Nothing,
}

impl Said {
    fn word(self) -> &'static str {
        match self {
            Self::Reachable { login: false } => "reachable",
            Self::Reachable { login: true } => "reachable behind a login",
            Self::Undecided => "undecided",
            Self::NoPath => "no_path",
            Self::Nothing => "nothing",
        }
    }
}

pub fn run(place: &Place) -> Result<Figures, String> {
    let pairs = read(&place.root)?;
    let program = released(&place.root)?;
    let folder = place.scratch.join("member");
    let mut all = Halves::default();
    let mut by_language: Vec<Halves> = LANGUAGES.iter().map(|_| Halves::default()).collect();
    let (mut negatives, mut no_path, mut undecided, mut nothing) = (0.0, 0.0, 0.0, 0.0);
    let (mut logins, mut shown) = (0.0, 0.0);
    for pair in &pairs {
        let mut said = [Said::Nothing; 2];
        for (said, member) in said.iter_mut().zip(&pair.members) {
            member.lay_out(&folder)?;
            let (report, _) = json(&program, &["scan", "--no-git", &folder.to_string_lossy()])?;
            *said = of(&report, member);
        }
        if pair.is_login() {
            let right = said
                == [
                    Said::Reachable { login: false },
                    Said::Reachable { login: true },
                ];
            logins += 1.0;
            shown += f64::from(u8::from(right));
            if !right {
                let words = said.map(Said::word).join(", ");
                note(&format!("{}: came out {words}", pair.name));
            }
            continue;
        }
        for (said, positive) in said.into_iter().zip([true, false]) {
            let found = matches!(said, Said::Reachable { .. });
            all.count(&pair.name, positive, found);
            for (halves, (language, _)) in by_language.iter_mut().zip(LANGUAGES) {
                if language == pair.language {
                    halves.count(&pair.name, positive, found);
                }
            }
            if !positive {
                negatives += 1.0;
                no_path += f64::from(u8::from(said == Said::NoPath));
                undecided += f64::from(u8::from(said == Said::Undecided));
                nothing += f64::from(u8::from(said == Said::Nothing));
            }
            // What is tuned is tuned on the even half: the other one is not named.
            if found != positive && Halves::is_even(&pair.name) {
                let member = &pair.members[usize::from(!positive)].name;
                note(&format!(
                    "{}, {member}: came out {}",
                    pair.name,
                    said.word()
                ));
            }
        }
    }
    let mut figures = Figures::new();
    all.write("", &mut figures);
    for (halves, (language, _)) in by_language.iter().zip(LANGUAGES) {
        if halves.cases() > 0.0 {
            let mut own = Figures::new();
            halves.write("", &mut own);
            let j = own.get("j").copied().unwrap_or_default();
            figures.insert(format!("j_{language}"), j);
        }
        figures.insert(format!("pairs_{language}"), halves.cases() / 2.0);
    }
    for (figure, count) in [
        ("no_path_share", no_path),
        ("undecided_share", undecided),
        ("nothing_said_share", nothing),
    ] {
        figures.insert(figure.to_owned(), rounded(count / f64::max(negatives, 1.0)));
    }
    figures.insert("pairs".to_owned(), all.cases() / 2.0);
    figures.insert("login_pairs".to_owned(), logins);
    figures.insert("login_shown".to_owned(), shown);
    Ok(figures)
}

/// The strongest word of the findings at the line of the member's sink.
fn of(report: &Value, member: &Member) -> Said {
    let mut strongest = Said::Nothing;
    for finding in items(report, "/findings") {
        if text(finding, "/sink/place/path") != member.sink.path
            || number(finding, "/sink/place/line") != member.sink.line as f64
        {
            continue;
        }
        match text(finding, "/verdict/word") {
            "reachable" => {
                let login = !items(finding, "/entry/auth").is_empty();
                return Said::Reachable { login };
            }
            "undecided" => strongest = Said::Undecided,
            "no_path" if strongest == Said::Nothing => strongest = Said::NoPath,
            _ => {}
        }
    }
    strongest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pairs::Sink;

    fn member() -> Member {
        Member {
            name: "reachable".to_owned(),
            files: Vec::new(),
            sink: Sink {
                path: "app.py".to_owned(),
                line: 4,
                kind: "sql".to_owned(),
            },
        }
    }

    fn finding(line: u32, word: &str) -> Value {
        serde_json::json!({
            "sink": { "place": { "path": "app.py", "line": line } },
            "verdict": { "word": word },
            "entry": { "auth": [] },
        })
    }

    #[test]
    fn only_findings_at_the_line_of_the_sink_count() {
        let report =
            serde_json::json!({ "findings": [finding(3, "reachable"), finding(4, "no_path")] });
        assert!(of(&report, &member()) == Said::NoPath);
        let report = serde_json::json!({ "findings": [finding(3, "reachable")] });
        assert!(of(&report, &member()) == Said::Nothing);
    }

    #[test]
    fn the_strongest_word_counts() {
        let report = serde_json::json!({
            "findings": [finding(4, "no_path"), finding(4, "undecided"), finding(4, "reachable")]
        });
        assert!(of(&report, &member()) == Said::Reachable { login: false });
    }
}
