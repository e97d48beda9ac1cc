//! The page and the read-me of an evidence folder, and the checker that lies in it.
//!
//! Every value on the page carries where it was taken from, as a link into the folder; what the page
//! adds to that is prose, which is the writer's. Outside text enters only through `escape`.

use std::fmt::Write as _;

use serde_json::Value;
use solvent_base::system::PAGE_MARK;
use solvent_protocol::evidence::{
    Answer, ApprovalLine, Evidence, Fact, ObjectState, Place, Section, file,
};

use crate::sheet::escape::{attribute, sentence, text};
use crate::words;

/// The second verifier: Python, standard library only, no code in common with this program.
pub const CHECKER: &str = include_str!("evidence/check.py");

const BASE: &str = include_str!("sheet/sheet.css");
const STYLE: &str = include_str!("evidence/page.css");

/// Lines of a patch that the page shows; the file holds all.
const MAX_PATCH_LINES: usize = 600;

/// Labels that begin a group of facts.
const FIRST: [&str; 13] = [
    "step",
    "check",
    "asked",
    "signed statement",
    "replay",
    "approval counted",
    "branch",
    "replayed on revision",
    "changed file",
    "input",
    "rejected by",
    "risk owner",
    "proof reviewed by",
];

/// The page. `patch` is the text of `patch.diff`, where there is one.
pub fn page(evidence: &Evidence, patch: Option<&str>) -> String {
    let mut out = String::with_capacity(64 << 10);
    let about = &evidence.about;
    let kind = about.kind.word();
    let _ = write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{PAGE_MARK}\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<title>Evidence: {kind} {}</title>\n\
         <style>\n{BASE}{STYLE}</style>\n</head>\n<body>\n<div class=\"sheet evidence\">\n",
        attribute(&about.id)
    );
    let _ = write!(
        out,
        "<header>\n<div class=\"brand\"><b>Solvent evidence</b><span>{} UTC</span></div>\n<h1>{}</h1>\n\
         <p class=\"lead\">{}.</p>\n<dl class=\"facts\">\n",
        words::time(evidence.made_ms),
        sentence(&about.title),
        capital(&text(&about.standing)),
    );
    for (label, value) in [
        (
            capital(kind),
            format!("<span class=\"id\">{}</span>", text(&about.id)),
        ),
        ("Repository".to_owned(), text(&about.subject)),
        (
            "Log".to_owned(),
            format!("<span class=\"id\">{}</span>", text(&evidence.log)),
        ),
        (
            "Records".to_owned(),
            words::count(evidence.records.len() as u64 + 1, "record", "records"),
        ),
    ] {
        let _ = writeln!(out, "<div><dt>{label}</dt><dd>{value}</dd></div>");
    }
    out.push_str("</dl>\n</header>\n<main>\n");
    answers(&mut out, evidence);
    check(&mut out);
    for (i, part) in evidence.sections.iter().enumerate() {
        section(&mut out, i, part);
        if part.id == "fix"
            && let Some(patch) = patch
        {
            diff(&mut out, patch);
        }
        if part.id == "authorized" {
            approvals(&mut out, &evidence.approvals);
        }
    }
    unknown(&mut out, evidence);
    records(&mut out, evidence);
    objects(&mut out, evidence);
    let _ = write!(
        out,
        "</main>\n<footer>Made by {}. This page holds no working attack; it loads nothing and runs nothing.</footer>\n\
         </div>\n</body>\n</html>\n",
        text(&evidence.made_by),
    );
    out
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// What is not known must not look like an answer.
fn badge(part: &Section) -> String {
    let class = match part.answer {
        Answer::Yes => "yes",
        Answer::No => "no",
        Answer::Unmeasured => "unknown",
    };
    format!("<span class=\"answer {class}\">{}</span>", text(&part.word))
}

/// The questions with their answers, as a table of contents.
fn answers(out: &mut String, evidence: &Evidence) {
    out.push_str("<table class=\"answers\">\n<caption>In short</caption>\n<tbody>\n");
    for (i, part) in evidence.sections.iter().enumerate() {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><a href=\"#s{i}\">{}</a></th><td>{}</td><td>{}</td></tr>",
            text(&part.title),
            badge(part),
            sentence(&part.lead),
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn check(out: &mut String) {
    out.push_str(
        "<section class=\"check\">\n<h2>Check before you believe</h2>\n\
         <p>Nothing here has to be believed. Get the log's key from somewhere other than this folder (the owner's \
         <code>solvent init</code> printed it), then run one of these in the folder above this one:</p>\n\
         <pre>python3 FOLDER/check.py FOLDER --key KEY\nsolvent evidence check FOLDER --key KEY</pre>\n\
         <p>The first needs Python 3 alone and shares no code with the second. Both check the signature on the \
         checkpoint, that every record leads to it, that every opened object is what a record commits to, that \
         every value below stands where its link says, and that no file was changed, added or taken out. \
         <code>README.txt</code> says how to do it by hand.</p>\n</section>\n",
    );
}

/// Sections of one kind may repeat, so they are linked by place.
fn section(out: &mut String, place: usize, part: &Section) {
    let _ = write!(
        out,
        "<section>\n<h2 id=\"s{place}\">{} {}</h2>\n<p>{}</p>\n",
        text(&part.title),
        badge(part),
        sentence(&part.lead),
    );
    if !part.facts.is_empty() {
        out.push_str("<table class=\"told\">\n<thead><tr><th>What</th><th>Value</th><th>Taken from</th></tr></thead>\n");
        let mut open = false;
        for fact in &part.facts {
            if !open || FIRST.contains(&fact.label.as_str()) {
                if open {
                    out.push_str("</tbody>\n");
                }
                out.push_str("<tbody>\n");
                open = true;
            }
            row(out, fact);
        }
        out.push_str("</tbody>\n</table>\n");
    }
    out.push_str("</section>\n");
}

fn row(out: &mut String, fact: &Fact) {
    let shown = match &fact.value {
        Value::String(value) if value.contains('\n') => format!("<pre>{}</pre>", lines(value)),
        Value::String(value) => sentence(value),
        other => text(&other.to_string()),
    };
    let (href, words) = match &fact.at {
        Place::Record { index, pointer } => {
            (file::record(*index), format!("record {index} {pointer}"))
        }
        Place::Object {
            commitment,
            pointer,
        } => (
            file::object(&commitment.0.hex()),
            format!("object {} {pointer}", commitment.0.short(8)),
        ),
    };
    let _ = writeln!(
        out,
        "<tr><th scope=\"row\">{}</th><td>{shown}</td><td class=\"from\"><a href=\"{}\">{}</a></td></tr>",
        text(&fact.label),
        attribute(&href),
        text(&words),
    );
}

/// Each line escaped, the breaks kept.
fn lines(value: &str) -> String {
    value.lines().map(text).collect::<Vec<_>>().join("\n")
}

fn diff(out: &mut String, patch: &str) {
    out.push_str("<pre class=\"diff\">");
    for line in patch.lines().take(MAX_PATCH_LINES) {
        let class = match line.as_bytes().first() {
            Some(b'+') => "in",
            Some(b'-') => "out",
            Some(b'@') => "at",
            _ => "same",
        };
        let _ = writeln!(out, "<span class=\"{class}\">{}</span>", text(line));
    }
    out.push_str("</pre>\n");
    let more = patch.lines().count().saturating_sub(MAX_PATCH_LINES);
    if more > 0 {
        let _ = writeln!(
            out,
            "<p>{more} more lines are in <a href=\"patch.diff\">patch.diff</a>.</p>"
        );
    }
}

/// What a signature shows of the person who made it.
fn presence(word: &str) -> &'static str {
    match word {
        "shown" => "shown: a security key was touched when it was signed",
        "not_shown" => "not shown: a key in software signed, which shows the key and no person",
        "simulated" => "simulated: a demo signed, no person did",
        _ => "not known",
    }
}

fn approvals(out: &mut String, approvals: &[ApprovalLine]) {
    if approvals.is_empty() {
        return;
    }
    out.push_str(
        "<h3>Signed approvals</h3>\n<table class=\"told\">\n<thead><tr><th>Person</th><th>Key</th><th>Presence</th><th>Files</th></tr></thead>\n<tbody>\n",
    );
    for line in approvals {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{}</th><td class=\"id\">{}</td><td>{}</td><td><a href=\"{}\">statement</a>, <a href=\"{}\">signature</a>, <a href=\"{}\">signer</a></td></tr>",
            text(&line.person),
            text(&line.key),
            presence(&line.presence),
            attribute(&line.statement),
            attribute(&line.signature),
            attribute(&line.signer),
        );
    }
    out.push_str("</tbody>\n</table>\n<p>A statement binds its signer to the exact base, head, tree, diff and policy that it names; one changed byte of any of them, and it is about something else.</p>\n");
}

fn unknown(out: &mut String, evidence: &Evidence) {
    out.push_str("<section class=\"gaps\">\n<h2 id=\"unknown\">What is not known</h2>\n<p>Nothing in this folder says anything about the following.</p>\n<ul>\n");
    for gap in &evidence.unknown {
        let _ = writeln!(
            out,
            "<li><b>{}</b>: {}</li>",
            capital(&sentence(&gap.what)),
            sentence(&gap.why)
        );
    }
    out.push_str("</ul>\n</section>\n");
}

fn records(out: &mut String, evidence: &Evidence) {
    out.push_str(
        "<section>\n<h2>Records</h2>\n<p>Entries of the signed log, byte for byte, each with its proof. The export's own result is \
         beside them; it cannot be listed here, because it commits to this page.</p>\n<table class=\"told\">\n\
         <thead><tr><th>Record</th><th>Time (UTC)</th><th>Who</th><th>What</th><th>Why it is here</th></tr></thead>\n<tbody>\n",
    );
    for line in &evidence.records {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\"><a href=\"{}\">{}</a> <a class=\"soft\" href=\"{}\">proof</a></th><td>{}</td><td>{}</td><td>{} <span class=\"soft\">{}</span><br>{}</td><td>{}</td></tr>",
            file::record(line.index),
            line.index,
            file::proof(line.index),
            words::time(line.time_ms),
            text(&line.actor),
            text(&line.action),
            text(&line.phase),
            text(&line.target),
            text(&line.why),
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

fn objects(out: &mut String, evidence: &Evidence) {
    out.push_str(
        "<section>\n<h2>Objects</h2>\n<p>What the records name by commitment. An opened one lies here with its salt, so that anyone can \
         see that the record names exactly these bytes; a sealed one is kept back.</p>\n<table class=\"told\">\n\
         <thead><tr><th>Object</th><th>Record</th><th>State</th><th>Why</th></tr></thead>\n<tbody>\n",
    );
    for line in &evidence.objects {
        let digits = line.commitment.0.hex();
        let name = match line.state {
            ObjectState::Opened => format!(
                "<a href=\"{}\">{}</a>",
                file::object(&digits),
                text(&line.name)
            ),
            _ => text(&line.name),
        };
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{name} <span class=\"soft id\" title=\"{digits}\">{}</span></th><td>{}</td><td>{}</td><td>{}</td></tr>",
            &digits[..8],
            line.record,
            line.state.word(),
            text(&line.why),
        );
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
}

/// How to check the folder by hand.
pub fn readme(evidence: &Evidence) -> String {
    let about = &evidence.about;
    let mut out = format!(
        "Evidence about {} {} of {}\n\n  {}\n  {}\n\nOpen index.html in a browser; it needs no network.\n\n",
        about.kind.word(),
        plain(&about.id),
        plain(&about.subject),
        plain(&about.title),
        plain(&about.standing),
    );
    out.push_str(
        "CHECK IT\n\n\
         Get the log's key from somewhere other than this folder, and compare it with key.pub.\n\n\
         \x20 python3 check.py . --key KEY          Python 3, nothing else\n\
         \x20 solvent evidence check . --key KEY    the same rules, another program\n\n\
         Exit 0: sound. 1: not sound, with every fault. 2: wrong usage. check.py is part of this folder: who\n\
         changed the folder may have changed it too. Take it from elsewhere if that matters to you.\n\n\
         BY HAND\n\n\
         1. checkpoint is a C2SP signed note: log name, number of records, root hash, `previous N`, an empty\n\
         \x20  line, and an Ed25519 signature over the text above that line. The key is the base64 part of KEY\n\
         \x20  after its first byte (01).\n\
         2. proofs/N.tlog-proof shows that records/N.json is record N under that root (RFC 6962, 2.1.1):\n\
         \x20  leaf = SHA-256(00 || bytes of the record), node = SHA-256(01 || left || right).\n\
         3. A record names objects by commitment. For objects/X, HMAC-SHA-256 with the 32 bytes in\n\
         \x20  objects/X.salt as key over the bytes of objects/X is X:\n\
         \x20    openssl dgst -sha256 -mac HMAC -macopt hexkey:$(cat objects/X.salt) objects/X\n\
         4. evidence.json names for each value the record or object it stands in, and where (RFC 6901).\n\
         5. sha256sum -c manifest.sha256 compares all files. The one record that is not listed there is the\n\
         \x20  export's own: its output `evidence-manifest` is the commitment of manifest.sha256 under the salt\n\
         \x20  in manifest.salt, as in 3. So the signed log itself says which files were handed out.\n",
    );
    if !evidence.approvals.is_empty() {
        out.push_str(
            "6. Approvals are SSH signatures over statements that people can read:\n\
             \x20    ssh-keygen -Y verify -f approvals/1.signer -I PERSON -n solvent-approval \\\n\
             \x20      -s approvals/1.sig < approvals/1.statement\n",
        );
        for line in &evidence.approvals {
            let _ = writeln!(
                out,
                "   {}: {}",
                plain(&line.signature),
                plain(&line.person)
            );
        }
    }
    out.push_str(
        "\nWHAT IT DOES NOT SHOW\n\n\
         That the keeper of the log did not sign a second history: compare the checkpoint with one that was kept\n\
         elsewhere. That people are who their names say: a signature shows a key, and a touch only where it says so.\n",
    );
    for gap in &evidence.unknown {
        let _ = writeln!(out, "Not known: {}: {}", plain(&gap.what), plain(&gap.why));
    }
    out
}

fn plain(outside: &str) -> String {
    crate::visible::visible(outside).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use solvent_protocol::evidence::Evidence;

    use super::{CHECKER, page, readme};

    /// A folder about a change, with `outside` wherever a text from outside may stand.
    fn evidence(outside: &str) -> Evidence {
        let commitment = format!("hmac-sha256:{}", "ab".repeat(32));
        serde_json::from_value(json!({
            "schema": "solvent.evidence/v1",
            "about": {"kind": "change", "id": outside, "title": outside, "subject": outside, "standing": outside},
            "log": outside,
            "made_ms": 1_790_000_000_000_i64,
            "made_by": outside,
            "records": [{
                "index": 12, "time_ms": 1_790_000_000_000_i64, "actor": outside, "action": outside,
                "target": outside, "phase": outside, "why": outside,
            }],
            "objects": [
                {"commitment": commitment, "record": 12, "name": outside, "state": "opened", "why": outside},
                {"commitment": commitment, "record": 12, "name": outside, "state": "sealed", "why": outside},
            ],
            "sections": [
                {"id": "fix", "title": "What the fix is", "answer": "yes", "word": outside, "lead": outside, "facts": [
                    {"label": outside, "value": outside, "at": {"record": {"index": 12, "pointer": outside}}},
                    {"label": "check", "value": format!("two\n{outside}"), "at": {"object": {"commitment": commitment, "pointer": "/a"}}},
                    {"label": "count", "value": 41, "at": {"object": {"commitment": commitment, "pointer": "/n"}}},
                ]},
                {"id": "authorized", "title": "Who", "answer": "unmeasured", "word": outside, "lead": outside, "facts": []},
            ],
            "approvals": [{
                "person": outside, "key": outside, "presence": "simulated", "commitment": commitment,
                "statement": outside, "signature": outside, "signer": outside,
            }],
            "excerpts": [],
            "unknown": [{"what": outside, "why": outside}],
        }))
        .unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn text_from_outside_neither_acts_nor_hides() {
        let hostile = "<script>alert(1)</script>\" onload='x'\u{202e}\u{1b}[31m\r</pre>`";
        let told = evidence(hostile);
        let page = page(&told, Some(hostile));
        for bad in ["<script", "onload='", "\u{202e}", "\u{1b}", "\r"] {
            assert!(!page.contains(bad), "{bad:?} in the page");
        }
        let readme = readme(&told);
        for bad in ["\u{202e}", "\u{1b}", "\r"] {
            assert!(!readme.contains(bad), "{bad:?} in the read-me");
        }
    }

    #[test]
    fn every_value_leads_to_where_it_was_taken_from() {
        let page = page(&evidence("word"), Some("--- a\n+++ b\n-old\n+new\n"));
        let object = format!("href=\"objects/{}\"", "ab".repeat(32));
        assert_eq!(page.matches(&object).count(), 3);
        assert!(page.contains("href=\"records/00000012.json\">record 12 word</a>"));
        assert!(page.contains("href=\"proofs/00000012.tlog-proof\""));
        assert!(page.contains("<span class=\"in\">+new</span>"));
        assert!(page.contains("simulated: a demo signed, no person did"));
        assert!(page.contains("<td>41</td>"));
    }

    #[test]
    fn the_checker_needs_nothing_but_python() {
        let imports: Vec<&str> = CHECKER
            .lines()
            .filter(|line| line.starts_with("import ") || line.starts_with("from "))
            .collect();
        let known = [
            "base64", "hashlib", "hmac", "json", "os", "re", "stat", "struct", "sys",
        ];
        let wanted: Vec<String> = known.iter().map(|name| format!("import {name}")).collect();
        assert_eq!(imports, wanted);
    }
}
