//! `solvent evidence`: a folder for auditors, and checking one.

use std::path::Path;

use serde_json::json;
use solvent_engine::command::EvidenceRequest;
use solvent_engine::{Answer, Command, EngineError, Progress, check_evidence};
use solvent_protocol::evidence::EvidenceCheck;

use crate::args::{Common, EvidenceArgs, EvidenceCmd};
use crate::commands::{actor, key_text, open_at, to_json, unexpected};
use crate::exit::Exit;
use crate::out::Done;

/// Faults shown one by one before the rest is counted.
const SHOWN: usize = 20;

pub fn evidence(
    args: EvidenceArgs,
    common: &Common,
    progress: &dyn Progress,
) -> Result<Done, EngineError> {
    if let Some(EvidenceCmd::Check { dir, key }) = args.command {
        return check(&dir, &key);
    }
    let (Some(id), Some(out)) = (args.id, args.out) else {
        return Err(EngineError::usage(
            "which finding or change, and where to?",
            "run `solvent evidence ID --out DIR`",
        ));
    };
    let mut engine = open_at(&args.place)?;
    // The record names the whole id, whatever part of it was typed.
    let id = match engine.show(&id) {
        Ok(shown) => shown.state.finding.id,
        Err(_) => id,
    };
    let command = Command::Evidence(EvidenceRequest { id, out });
    let Answer::Evidence(written) = engine.submit(&actor(common)?, &command, progress)? else {
        return Err(unexpected());
    };
    let folder = written.folder.display().to_string();
    let mut human = format!(
        "Wrote {folder}: {} {}, {}.\n  {} files, {} records with proofs, {} objects opened, {} kept back\n",
        written.kind.word(),
        written.id,
        written.standing,
        written.files,
        written.records,
        written.opened,
        written.sealed,
    );
    for what in &written.unknown {
        human.push_str(&format!("  not known   {what}\n"));
    }
    human.push_str(&format!(
        "\nOpen {folder}/index.html. To check it, with the key that `solvent init` printed:\n  \
         solvent evidence check {folder} --key {key}\n  python3 {folder}/check.py {folder} --key {key}\n",
        key = written.key,
    ));
    Ok(Done {
        exit: Exit::Clean,
        human,
        json: json!({
            "schema": "solvent.evidence-written/v1",
            "folder": folder,
            "about": {"kind": written.kind.word(), "id": written.id, "standing": written.standing},
            "files": written.files,
            "records": written.records,
            "opened": written.opened,
            "sealed": written.sealed,
            "unknown": written.unknown,
            "key": written.key,
        }),
    })
}

fn check(dir: &Path, key: &str) -> Result<Done, EngineError> {
    let report = check_evidence(dir, key_text(key)?.trim())?;
    let exit = match (report.sound(), report.unchecked.is_empty()) {
        (false, _) => Exit::Findings,
        (true, false) => Exit::Unmeasured,
        (true, true) => Exit::Clean,
    };
    Ok(Done {
        exit,
        human: check_text(&report),
        json: to_json(&report)?,
    })
}

fn check_text(report: &EvidenceCheck) -> String {
    let shown = |text: &str| solvent_report::visible::visible(text).into_owned();
    let mut out = String::new();
    if let Some(about) = &report.about {
        out.push_str(&format!(
            "Evidence about {} {}: {}\n",
            about.kind.word(),
            shown(&about.id),
            shown(&about.standing)
        ));
    }
    out.push_str(&format!(
        "  checked     {} files, {} records, {} facts, {} approvals\n  \
         objects     {} opened, {} kept back\n  \
         log         {}, {} records at the checkpoint\n",
        report.files,
        report.records,
        report.facts,
        report.approvals,
        report.opened,
        report.sealed,
        report.log,
        report.log_size,
    ));
    for sort in &report.unchecked {
        out.push_str(&format!("  unchecked   {}\n", shown(sort)));
    }
    for fault in report.faults.iter().take(SHOWN) {
        out.push_str(&format!(
            "  {:<10}  {}: {}\n",
            fault.kind.word(),
            shown(&fault.place),
            shown(&fault.message)
        ));
    }
    if report.faults.len() > SHOWN {
        out.push_str(&format!(
            "  and {} more: --json\n",
            report.faults.len() - SHOWN
        ));
    }
    out.push_str(if report.sound() {
        "Sound.\n"
    } else {
        "NOT sound: something was changed, added or taken out.\n"
    });
    out
}
