//! Words and figures that every format shares.

use solvent_models::{ModelSet, Weakness};
use solvent_protocol::remediation::Lifecycle;
use solvent_protocol::view::{FindingState, FindingView, Place, ProofView, Subject};

/// What is known about a finding, in the order in which people act on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// The effect happened in the running target.
    Proven,
    /// Attacked, but not as planned.
    Inconclusive,
    /// Reachable, never attacked.
    NotAttempted,
    /// The search could not finish, and it was not attacked.
    Undecided,
    /// Attacked as planned without an effect.
    NotReproduced,
    /// A person accepted the risk, until a day.
    Accepted,
    /// A merge repaired it, and the same attack was tried on the result.
    Closed,
    /// The search finished: nothing leads there.
    NoPath,
}

impl Standing {
    pub const ALL: [Self; 8] = [
        Self::Proven,
        Self::Inconclusive,
        Self::NotAttempted,
        Self::Undecided,
        Self::NotReproduced,
        Self::Accepted,
        Self::Closed,
        Self::NoPath,
    ];

    /// A word this program does not know counts as undecided: unknown is never safe.
    pub fn of(verdict: &str, proof: Option<&ProofView>) -> Self {
        match (proof.map(|p| p.outcome.as_str()), verdict) {
            (Some("proven"), _) => Self::Proven,
            (_, "no_path") => Self::NoPath,
            (Some("not_reproduced"), _) => Self::NotReproduced,
            (Some("inconclusive"), _) => Self::Inconclusive,
            (_, "reachable") => Self::NotAttempted,
            _ => Self::Undecided,
        }
    }

    pub fn of_state(state: &FindingState) -> Self {
        match state.lifecycle.state.as_str() {
            "closed" => Self::Closed,
            "accepted" => Self::Accepted,
            _ => Self::of(&state.finding.verdict.word, state.proof.as_ref()),
        }
    }

    pub fn words(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Inconclusive => "inconclusive",
            Self::NotAttempted => "reachable, not attacked",
            Self::Undecided => "undecided",
            Self::NotReproduced => "not reproduced",
            Self::Accepted => "accepted",
            Self::Closed => "closed",
            Self::NoPath => "no path",
        }
    }
}

/// Larger is worse; an unknown word is between high and medium, so that it is not overlooked.
pub fn severity_rank(word: &str) -> u8 {
    match word {
        "critical" => 4,
        "high" => 3,
        "medium" => 1,
        "low" => 0,
        _ => 2,
    }
}

/// What leads to a finding without an entry point.
pub fn without_entry(finding: &FindingView) -> &'static str {
    if finding.way.is_empty() {
        "none is known to lead here"
    } else {
        "none alone: it runs when the program starts"
    }
}

/// What would turn an undecided verdict into another, by the code of its reason.
pub fn settles(code: &str) -> &'static str {
    match code {
        "dynamic_boundary" => {
            "a model of the library that it is handed to (CONTRIBUTING.md), or an attack whatever the analysis says: \
             `solvent prove --attack everything`"
        }
        "unknown_argument" => {
            "the value that it gets, written in the program or in a file of settings beside it"
        }
        "no_check_seen" => {
            "somebody who knows who may have what: a check that names the caller, or an acceptance that says why none \
             is needed"
        }
        "limit" => {
            "less code in one scan (a folder of it), or an attack whatever the analysis says: \
             `solvent prove --attack everything`"
        }
        "unreadable" => "a file that reads whole: mend what the scan says of it",
        "no_source_model" => "a model of where that framework's requests come in (CONTRIBUTING.md)",
        _ => "an attack whatever the analysis says: `solvent prove --attack everything`",
    }
}

/// [`settles`] for these findings, each once.
pub fn what_settles<'a>(findings: impl IntoIterator<Item = &'a FindingView>) -> Vec<&'static str> {
    let mut out = Vec::new();
    for reason in findings.into_iter().flat_map(|f| &f.verdict.reasons) {
        let words = settles(&reason.code);
        if !out.contains(&words) {
            out.push(words);
        }
    }
    out
}

/// What was decided or closed it, as a sentence: `accepted, until 2026-12-01 00:00: kept until the rewrite`.
pub fn decided(lifecycle: &Lifecycle) -> String {
    let until = lifecycle
        .expires_ms
        .filter(|_| lifecycle.state == "accepted")
        .map_or_else(String::new, |ms| format!(", until {}", time(ms)));
    format!("{}{until}: {}", lifecycle.state, lifecycle.why)
}

/// Finding states in the order in which people act on them.
pub fn by_urgency(findings: &[FindingState]) -> Vec<&FindingState> {
    let mut sorted: Vec<_> = findings.iter().collect();
    sorted.sort_by_key(|s| {
        (
            Standing::of_state(s),
            // What only requests from inside reach comes behind the rest.
            s.finding
                .entry
                .as_ref()
                .and_then(|e| e.exposure.as_ref())
                .is_some_and(|x| !x.is_open()),
            std::cmp::Reverse(severity_rank(&s.finding.severity)),
            !s.finding.way.is_empty(),
            &s.finding.sink.place.path,
            s.finding.sink.place.line,
            &s.finding.fingerprint,
        )
    });
    sorted
}

/// `shop/reports.py:41`
pub fn place(place: &Place) -> String {
    format!("{}:{}", place.path, place.line)
}

/// The weakness in plain words; empty when it is not one of ours.
pub fn weakness_name(id: &str) -> &'static str {
    ours(id).map_or("", |weakness| &weakness.short)
}

/// What the weakness means, in a sentence.
pub fn weakness_text(id: &str) -> &'static str {
    ours(id).map_or(
        "Input that an attacker controls reaches a place where it does harm.",
        |weakness| &weakness.text,
    )
}

fn ours(id: &str) -> Option<&'static Weakness> {
    ModelSet::weaknesses_alone()
        .weaknesses()
        .iter()
        .find(|w| w.id == id)
}

/// `CWE-78 command injection`
pub fn weakness(id: &str) -> String {
    match weakness_name(id) {
        "" => id.to_owned(),
        name => format!("{id} {name}"),
    }
}

/// `storefront at 3f2a91c0d2` and what is uncommitted.
pub fn subject(subject: &Subject) -> String {
    let mut words = subject.name.clone();
    if let Some(revision) = &subject.revision {
        words.push_str(" at ");
        words.push_str(short(revision));
    }
    if subject.dirty {
        words.push_str(", with changes that are not committed");
    } else if subject.revision.is_none() {
        words.push_str(", not a git checkout");
    }
    words
}

/// The first twelve characters of a digest or commit, without its `sha256:` or `hmac-sha256:`.
pub fn short(digest: &str) -> &str {
    let hex = digest.rsplit(':').next().unwrap_or(digest);
    hex.char_indices()
        .nth(12)
        .map_or(hex, |(end, _)| &hex[..end])
}

/// `12,345`
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `1 file`, `3 files`
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// `12 files carried along or minified`: what lies in a repository and was not written there.
pub fn copied_in(n: u64) -> String {
    format!("{} carried along or minified", count(n, "file", "files"))
}

/// `0.21 s`, `3.2 s`, `125 s`: one unit, so that figures of two runs can be compared at a glance.
pub fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("0.{:02} s", ms / 10),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{} s", number(ms / 1_000)),
    }
}

/// `2026-11-23 01:40`, UTC. Howard Hinnant's `civil_from_days`.
pub fn time(ms: i64) -> String {
    let minutes = ms.div_euclid(60_000);
    let (year, month, day) = civil(minutes.div_euclid(1_440));
    let of_day = minutes.rem_euclid(1_440);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}",
        of_day / 60,
        of_day % 60
    )
}

/// `2026-11-23T01:40Z`: one word, for lists and logs.
pub fn time_word(ms: i64) -> String {
    format!("{}Z", time(ms).replace(' ', "T"))
}

/// RFC 3339 in UTC, for programs: `2026-11-23T01:40:00.000Z`. Kept inside the years 0001 to 9999, which
/// is all that the form can say.
pub fn timestamp(ms: i64) -> String {
    let ms = ms.clamp(-62_135_596_800_000, 253_402_300_799_999);
    let of_minute = ms.rem_euclid(60_000);
    let text = time(ms).replace(' ', "T");
    format!("{text}:{:02}.{:03}Z", of_minute / 1_000, of_minute % 1_000)
}

fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// `Mar 2026` from `2026-03`; anything else stays what it is.
pub fn month(month: &str) -> String {
    match month_parts(month) {
        Some((year, name)) => format!("{name} {year}"),
        None => month.to_owned(),
    }
}

/// `(2026, Mar)` from `2026-03`.
pub fn month_parts(month: &str) -> Option<(&str, &'static str)> {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, number) = month.split_once('-')?;
    let digits = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(year, 4) || !digits(number, 2) {
        return None;
    }
    let at = number.parse::<usize>().ok()?.checked_sub(1)?;
    Some((year, NAMES.get(at)?))
}

/// A fraction as a whole percentage that never claims all or nothing by rounding: `37%`, `under 1%`,
/// `over 99%`.
pub fn share(fraction: f64) -> String {
    if !fraction.is_finite() {
        return "unknown".to_owned();
    }
    let percent = fraction * 100.0;
    match percent.round() {
        _ if percent <= 0.0 => "0%".to_owned(),
        _ if percent >= 100.0 => "100%".to_owned(),
        0.0 => "under 1%".to_owned(),
        100.0 => "over 99%".to_owned(),
        whole => format!("{whole}%"),
    }
}

/// [`share`] of a part; `0%` of nothing.
pub fn share_of(part: u64, of: u64) -> String {
    if of == 0 {
        return "0%".to_owned();
    }
    share(part as f64 / of as f64)
}

/// `18% to 83%`, or one figure when both ends read the same.
pub fn range(low: f64, high: f64) -> String {
    let (low, high) = (share(low), share(high));
    if low == high {
        low
    } else {
        format!("{low} to {high}")
    }
}

/// A rate with one decimal: `3.1`.
pub fn rate(value: f64) -> String {
    if !value.is_finite() {
        return "unknown".to_owned();
    }
    if value.abs() >= 1_000.0 {
        return number(value.abs() as u64);
    }
    format!("{value:.1}")
}

/// `2026-11-23`, UTC.
pub fn date(ms: i64) -> String {
    let (year, month, day) = civil(ms.div_euclid(86_400_000));
    format!("{year:04}-{month:02}-{day:02}")
}

/// One in how many: `at most 1 in 2^48`, from its base-two logarithm.
pub fn luck(log2: i32) -> String {
    if log2 >= 0 {
        "not bounded".to_owned()
    } else {
        format!("at most 1 in 2^{}", log2.unsigned_abs())
    }
}

/// The oracle in words for a reader who has never seen its name.
pub fn oracle(name: &str) -> String {
    match name {
        "canary-program" => "a canary program was executed by the target".to_owned(),
        "planted-secret" => "a secret from a planted file came back".to_owned(),
        "sql-structure" => "the SQL statement that was executed had another structure".to_owned(),
        "bit-prediction" => "secret random bits decided how the target answered".to_owned(),
        "" => String::new(),
        other => other.to_owned(),
    }
}

/// `P0` and what it means.
pub fn tier(word: &str) -> &'static str {
    match word {
        "P0" => "effect through a real entry point, deliverable by the stated attacker",
        "P1" => "effect, but the carrier needs privilege or is not deliverable by a browser",
        "P2" => "the sink was reached with changed structure, without an effect",
        "P3" => "the sink was not reached",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Standing, date, duration, luck, month, number, range, rate, share, share_of, short, time,
        timestamp,
    };

    #[test]
    fn times_are_civil_and_utc() {
        assert_eq!(time(0), "1970-01-01 00:00");
        assert_eq!(time(951_782_399_999), "2000-02-28 23:59");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00");
        assert_eq!(time(1_795_398_000_000), "2026-11-23 01:40");
        assert_eq!(time(-1), "1969-12-31 23:59");
    }

    #[test]
    fn extreme_times_do_not_panic() {
        let _ = time(i64::MAX);
        let _ = time(i64::MIN);
        assert_eq!(timestamp(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(timestamp(i64::MIN), "0001-01-01T00:00:00.000Z");
        assert_eq!(timestamp(1_795_398_000_042), "2026-11-23T01:40:00.042Z");
    }

    #[test]
    fn figures_are_grouped() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(duration(5), "0.00 s");
        assert_eq!(duration(999), "0.99 s");
        assert_eq!(duration(3_290), "3.2 s");
        assert_eq!(duration(125_000), "125 s");
        assert_eq!(luck(-48), "at most 1 in 2^48");
    }

    #[test]
    fn months_have_names_and_hostile_ones_stay_text() {
        assert_eq!(month("2026-03"), "Mar 2026");
        for odd in [
            "2026-00",
            "2026-13",
            "20-3",
            "+026-03",
            "2026-+3",
            "",
            "äöü-03",
        ] {
            assert_eq!(month(odd), odd);
        }
        assert_eq!(date(1_795_398_000_000), "2026-11-23");
    }

    #[test]
    fn shares_never_round_to_all_or_nothing() {
        assert_eq!(share(0.0), "0%");
        assert_eq!(share(0.0001), "under 1%");
        assert_eq!(share(0.374), "37%");
        assert_eq!(share(0.9999), "over 99%");
        assert_eq!(share(1.0), "100%");
        assert_eq!(share(f64::NAN), "unknown");
        assert_eq!(share_of(1, 0), "0%");
        assert_eq!(range(0.18, 0.83), "18% to 83%");
        assert_eq!(range(0.18, 0.181), "18%");
        assert_eq!(rate(2.36), "2.4");
        assert_eq!(rate(f64::INFINITY), "unknown");
    }

    #[test]
    fn digests_are_cut_on_a_character() {
        assert_eq!(short("sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short("hmac-sha256:0123456789abcdef"), "0123456789ab");
        assert_eq!(short("äöüäöüäöüäöüäöü"), "äöüäöüäöüäöü");
        assert_eq!(short("abc"), "abc");
    }

    #[test]
    fn an_unknown_word_is_undecided_and_never_no_path() {
        assert_eq!(Standing::of("fine", None), Standing::Undecided);
    }
}
