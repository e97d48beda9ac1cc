//! Every row of section "marks": exact strings in, tool and strength out.

use solvent_base::Timestamp;
use solvent_change::marks::Marks;
use solvent_change::{Grade, Limits, Origin, history, origins};

use crate::story::{Commit, NOW, Story, commit, file};

fn told(author: &str, message: &str) -> Origin {
    let mut story = Story::new();
    let mark = story.then(Commit {
        author,
        message: message.as_bytes(),
        files: vec![file("a.py", "x\n")],
        ..commit()
    });
    let repository = story.done();
    let id = repository.id(mark);
    origins(&repository.path(), &[id]).unwrap()[&id]
        .origin
        .clone()
}

/// All in one repository: one commit a case.
fn each(cases: &[(&str, &str)]) -> Vec<Origin> {
    let mut story = Story::new();
    let marks: Vec<usize> = cases
        .iter()
        .map(|(author, message)| {
            story.then(Commit {
                author,
                message: message.as_bytes(),
                ..commit()
            })
        })
        .collect();
    let repository = story.done();
    let ids: Vec<_> = marks.iter().map(|mark| repository.id(*mark)).collect();
    let found = origins(&repository.path(), &ids).unwrap();
    ids.iter().map(|id| found[id].origin.clone()).collect()
}

const ANN: &str = "Ann <ann@x.example>";

#[test]
fn tools_are_known_by_the_marks_they_leave() {
    use Grade::{AgentAuthor, CoAuthor, Message, SessionTrailer};
    let cases = [
        (
            "claude[bot] <209825114+claude[bot]@users.noreply.github.com>",
            "x",
            "claude-code",
            AgentAuthor,
        ),
        (
            "renamed[bot] <209825114+renamed[bot]@users.noreply.github.com>",
            "x",
            "claude-code",
            AgentAuthor,
        ),
        (
            "copilot-swe-agent[bot] <198982749+Copilot@users.noreply.github.com>",
            "x",
            "copilot",
            AgentAuthor,
        ),
        (
            "Cursor Agent <cursoragent@cursor.com>",
            "x",
            "cursor",
            AgentAuthor,
        ),
        ("Codex <codex@openai.com>", "x", "codex", AgentAuthor),
        (
            "Devin AI <158243242+devin-ai-integration[bot]@users.noreply.github.com>",
            "x",
            "devin",
            AgentAuthor,
        ),
        (
            "google-labs-jules[bot] <161369871+google-labs-jules[bot]@users.noreply.github.com>",
            "x",
            "jules",
            AgentAuthor,
        ),
        ("Ann Bee (aider) <ann@x.example>", "x", "aider", AgentAuthor),
        (
            "openhands <openhands@all-hands.dev>",
            "x",
            "openhands",
            AgentAuthor,
        ),
        (
            ANN,
            "x\n\nClaude-Session: https://claude.ai/code/session_1",
            "claude-code",
            SessionTrailer,
        ),
        (ANN, "x\n\nCodex-Session-Id: 1", "codex", SessionTrailer),
        (
            ANN,
            "x\n\nDevin Session: https://app.devin.ai/sessions/1",
            "devin",
            SessionTrailer,
        ),
        (
            ANN,
            "x\n\nAmp-Thread-ID: https://ampcode.com/threads/T-1\nCo-authored-by: Amp <amp@ampcode.com>",
            "amp",
            SessionTrailer,
        ),
        (ANN, "x\n\nEntire-Checkpoint: a1", "entire", SessionTrailer),
        (
            ANN,
            "x\n\nCo-Authored-By: Claude <noreply@anthropic.com>",
            "claude-code",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nCO-AUTHORED-BY: CLAUDE <NOREPLY@ANTHROPIC.COM>",
            "claude-code",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nCo-authored-by: Copilot <223556219+Copilot@users.noreply.github.com>",
            "copilot",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nCo-authored-by: Copilot <copilot@github.com>",
            "copilot",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nCo-authored-by: Cursor <cursoragent@cursor.com>",
            "cursor",
            CoAuthor,
        ),
        // The name of the tool beats the mail of the model's maker.
        (
            ANN,
            "x\n\nCo-authored-by: Cursor Grok <noreply@anthropic.com>",
            "cursor",
            CoAuthor,
        ),
        (ANN, "x\n\nMade-with: Cursor", "cursor", CoAuthor),
        (
            ANN,
            "x\n\nCo-authored-by: Codex <noreply@openai.com>",
            "codex",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nCo-authored-by: aider (gpt-4o) <noreply@aider.chat>",
            "aider",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nCo-Authored-By: glm-4.6 <noreply@pi.dev>\nGenerated-By: pi 0.1",
            "pi",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nAssisted-by: Claude:claude-3-opus coccinelle sparse",
            "claude-code",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nAssisted-by: Claude Code / claude-opus-4.6",
            "claude-code",
            CoAuthor,
        ),
        (
            ANN,
            "x\n\nAssisted-by: Copilot (GPT-5.4)",
            "copilot",
            CoAuthor,
        ),
        (ANN, "x\n\nAssisted-by: cursor", "cursor", CoAuthor),
        (ANN, "x\n\nGenerated-by: pi 0.1", "pi", CoAuthor),
        (
            ANN,
            "x\n\n🤖 Generated with [Claude Code](https://claude.com/claude-code)",
            "claude-code",
            Message,
        ),
        (
            ANN,
            "x\n\nGenerated with [Devin](https://cli.devin.ai/docs)",
            "devin",
            Message,
        ),
        (ANN, "aider: rename the thing", "aider", Message),
    ];
    let asked: Vec<(&str, &str)> = cases.iter().map(|(a, m, ..)| (*a, *m)).collect();
    for ((author, message, tool, grade), origin) in cases.iter().zip(each(&asked)) {
        let Origin::Detected(mark) = &origin else {
            panic!("{author} / {message}: {origin:?}");
        };
        assert_eq!(
            (&*mark.tool, mark.grade),
            (*tool, *grade),
            "{author} / {message}"
        );
        assert!(!mark.how.contains("ann"), "`{}` names a person", mark.how);
    }
}

#[test]
fn people_with_a_tools_name_stay_unknown() {
    let cases = [
        ("Claude Martin <claude@martin.example>", "x"),
        ("Devin Ivy <devin.ivy@x.example>", "x"),
        ("Jules Verne <jules@x.example>", "x"),
        ("Claude <12345+claude@users.noreply.github.com>", "x"),
        ("Eve <eve@anthropic.com>", "x"),
        ("Eve <eve@cursor.com>", "x"),
        (
            ANN,
            "x\n\nCo-authored-by: Claude Martin <claude@martin.example>",
        ),
        (ANN, "x\n\nCo-authored-by: Mallory <noreply@openai.com>"),
        (ANN, "x\n\nAssisted-by: Jules Verne <jules@x.example>"),
        (ANN, "x\n\nAssisted-by: Jules Verne"),
        (ANN, "x\n\nAssisted-by: Claude Martin"),
        (ANN, "x\n\n> Co-authored-by: Claude <noreply@anthropic.com>"),
        (ANN, "Talk to the cursor\n\nclaude said it is fine"),
        (ANN, ""),
    ];
    for ((author, message), origin) in cases.iter().zip(each(&cases)) {
        assert_eq!(origin, Origin::Unknown, "{author} / {message}");
    }
}

#[test]
fn bots_are_neither_tools_nor_unknown() {
    let cases = [
        (
            "dependabot[bot] <49699333+dependabot[bot]@users.noreply.github.com>",
            "Dependabot",
        ),
        (
            "renovate[bot] <29139614+renovate[bot]@users.noreply.github.com>",
            "Renovate",
        ),
        (
            "github-actions <41898282+github-actions[bot]@users.noreply.github.com>",
            "GitHub Actions",
        ),
        (
            "some-release[bot] <7+some-release[bot]@users.noreply.github.com>",
            "other",
        ),
    ];
    let asked: Vec<(&str, &str)> = cases.iter().map(|(author, _)| (*author, "x")).collect();
    for ((author, name), origin) in cases.iter().zip(each(&asked)) {
        assert_eq!(origin, Origin::Bot((*name).into()), "{author}");
    }
}

#[test]
fn models_and_sessions_are_kept_when_a_mark_names_them() {
    let detected = |message: &str| match told(ANN, message) {
        Origin::Detected(mark) => (mark.model, mark.session),
        other => panic!("{message}: {other:?}"),
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        detected("x\n\nCo-Authored-By: Claude Sonnet 4.6 <noreply@anthropic.com>"),
        (some("Claude Sonnet 4.6"), None)
    );
    assert_eq!(
        detected("x\n\nAssisted-by: Claude:claude-opus-4.6 pytest").0,
        some("claude-opus-4.6")
    );
    assert_eq!(
        detected("x\n\nCo-authored-by: aider (a/b-4) <noreply@aider.chat>").0,
        some("a/b-4")
    );
    assert_eq!(
        detected("x\n\nCursor-Session: abc\u{7}def").1,
        some("abcdef")
    );
}

#[test]
fn the_strongest_mark_counts_and_all_are_kept() {
    let mut story = Story::new();
    let mark = story.then(Commit {
        message: b"x\n\nGenerated with [Devin](https://x)\n\nCo-authored-by: Copilot <copilot@github.com>\nClaude-Session: 1\n",
        ..commit()
    });
    let repository = story.done();
    let id = repository.id(mark);
    let found = &origins(&repository.path(), &[id]).unwrap()[&id];
    let kept: Vec<_> = found.marks.iter().map(|m| (&*m.tool, m.grade)).collect();
    assert_eq!(
        kept,
        [
            ("claude-code", Grade::SessionTrailer),
            ("copilot", Grade::CoAuthor),
            ("devin", Grade::Message)
        ]
    );
    assert_eq!(found.origin, Origin::Detected(found.marks[0].clone()));
}

#[test]
fn a_line_note_decides_about_the_lines_of_its_commit() {
    let mut story = Story::new();
    let first = story.then(Commit {
        // The trailer says less than the note, which names two of four lines.
        message: b"x\n\nCo-authored-by: Copilot <copilot@github.com>\n",
        files: vec![file("a.py", "one\ntwo\nthree\nfour\n")],
        ..commit()
    });
    let last = story.then(Commit {
        files: vec![file("a.py", "zero\none\ntwo\nthree\nfour\n")],
        ..commit()
    });
    let repository = story.done();
    let note = "a.py\n  s_00000000000001::t_00000000000002 2-3\n  h_00000000000003 4\n---\n\
        {\"sessions\":{\"s_00000000000001\":{\"agent_id\":{\"tool\":\"claude\",\"model\":\"m\"}}}}";
    let id = repository.id(first);
    repository.git(&["notes", "--ref=ai", "add", "-m", note, &id.hex()]);
    let limits = Limits::standard(Timestamp(NOW * 1000));
    let history = history(&repository.path(), &limits).unwrap();
    assert_eq!(history.noted, 1);
    let lines = &history.alive.lines;
    assert_eq!(
        lines.detected.iter().collect::<Vec<_>>(),
        [(&("claude-code".into(), Grade::LineNote), &2)]
    );
    assert_eq!((lines.person, lines.unknown, lines.unmeasured), (1, 2, 0));
    let change = history.changes.iter().find(|c| c.id == id).unwrap();
    assert!(matches!(&change.origin, Origin::Detected(m) if m.grade == Grade::LineNote));
    let added = &change.size.as_ref().unwrap().origins;
    assert_eq!((added.detected(), added.person, added.unknown), (2, 1, 1));
    let other = history.changes.iter().find(|c| c.id == repository.id(last));
    assert_eq!(other.unwrap().origin, Origin::Unknown);
}

#[test]
fn a_new_tool_is_one_row() {
    let bots = "bot = []";
    let tools = "earliest = \"2023-01-01\"\n[[tool]]\nid = \"new\"\nname = \"New\"\nmails = [\"a@new.example\"]\n";
    assert!(Marks::parse(tools, bots).is_ok());
    let wrong = tools.replace("mails", "mial");
    let words = Marks::parse(&wrong, bots).unwrap_err();
    assert!(words.contains("mial"), "{words}");
    let upper = tools.replace("a@new", "A@new");
    assert!(
        Marks::parse(&upper, bots)
            .unwrap_err()
            .contains("lower case")
    );
}
