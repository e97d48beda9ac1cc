//! Speed on this machine. Rooms are measured from inside, by programs of their own (`benches/`, an
//! example of `ledger`) built as they are released; whole scans by the released `solvent`.

mod changed;

use std::path::PathBuf;
use std::process::Command;

use crate::cost::measured;
use crate::figures::{Figures, Measurement, Place, rounded};
use crate::program::{json, number, released, room};

pub const ALL: &[Measurement] = &[
    Measurement {
        name: "lower",
        about: "lowering source text to IR: the standard library of the Python that is installed",
        run: lower,
    },
    Measurement {
        name: "scan",
        about: "a whole scan: the same files, and BenchmarkPython when it is below SOLVENT_CORPORA",
        run: scan,
    },
    Measurement {
        name: "scan-django",
        about: "a whole scan of Django's sources (`django` below SOLVENT_CORPORA), beside ruff on the same files",
        run: |place| scan_beside(place, "django", "ruff"),
    },
    Measurement {
        name: "scan-home-assistant",
        about: "a whole scan of Home Assistant (`home-assistant`), beside ruff",
        run: |place| scan_beside(place, "home-assistant", "ruff"),
    },
    Measurement {
        name: "scan-outline",
        about: "a whole scan of Outline (`outline`), beside oxlint",
        run: |place| scan_beside(place, "outline", "oxlint"),
    },
    Measurement {
        name: "warm",
        about: "a tree of a million lines that nobody changed, asked about once more (`home-assistant`)",
        run: changed::warm,
    },
    Measurement {
        name: "edit",
        about: "one function edited in a tree that is watched, until it is said what that changes (`django/django`)",
        run: changed::edit,
    },
    Measurement {
        name: "sandbox",
        about: "starting and stopping a sandbox",
        run: sandbox,
    },
    Measurement {
        name: "ledger",
        about: "appending to and reading from a ledger",
        run: ledger,
    },
    Measurement {
        name: "history",
        about: "a history of git: who wrote it, twelve months of trees, blame; wagtail below SOLVENT_CORPORA, else this repository",
        run: history,
    },
];

fn lower(place: &Place) -> Result<Figures, String> {
    measure(place, &["lower", &library()?.to_string_lossy()])
}

fn sandbox(place: &Place) -> Result<Figures, String> {
    measure(place, &["sandbox"])
}

fn history(place: &Place) -> Result<Figures, String> {
    let repository = place
        .corpus("wagtail")
        .unwrap_or_else(|_| place.root.clone());
    measure(place, &["history", &repository.to_string_lossy()])
}

fn ledger(place: &Place) -> Result<Figures, String> {
    room(
        &place.root,
        &["--package", "solvent-ledger", "--example", "bench-ledger"],
        &[],
    )
}

/// A scan of a large tree, and a linter of the same language on the same tree in the same run: both read and parse
/// every file, only one of them follows values.
fn scan_beside(place: &Place, corpus: &str, peer: &str) -> Result<Figures, String> {
    let corpus = place.corpus(corpus)?;
    let program = released(&place.root)?;
    let copy = place.scratch.join("tree");
    crate::score::copy_tree(&corpus, &copy, &|path| {
        let skipped = [".git", "node_modules"];
        path.file_name()
            .is_some_and(|name| !skipped.iter().any(|skip| name == *skip))
    })?;
    let (report, cost) = json(&program, &["scan", "--no-git", &copy.to_string_lossy()])?;
    let lines = number(&report, "/coverage/lines");
    let mut figures = Figures::from([
        ("lines".to_owned(), lines),
        ("cpu_s".to_owned(), rounded(cost.cpu_seconds)),
        ("wall_s".to_owned(), rounded(cost.wall_seconds)),
        ("peak_mb".to_owned(), rounded(cost.peak_mebibytes)),
        (
            "lines_per_cpu_s".to_owned(),
            (lines / cost.cpu_seconds.max(0.01)).round(),
        ),
    ]);
    // Without the linter its figure is missing, and nothing else.
    if let Ok(tool) = place.corpus(&format!("tools/{peer}")) {
        let mut command = Command::new(tool);
        match peer {
            "ruff" => command.args(["check", "--isolated", "--no-cache", "--quiet", "."]),
            _ => command.args(["--quiet", "."]),
        };
        let (_, cost) = measured(command.current_dir(&copy))?;
        figures.insert("peer_cpu_s".to_owned(), rounded(cost.cpu_seconds));
    }
    Ok(figures)
}

fn scan(place: &Place) -> Result<Figures, String> {
    let program = released(&place.root)?;
    let mut corpora = vec![("library", library()?)];
    if let Ok(benchmark) = place.corpus("BenchmarkPython") {
        corpora.push(("benchmark_python", benchmark));
    }
    let mut figures = Figures::new();
    for (name, corpus) in corpora {
        // A scan keeps its state in the folder: give it a copy.
        let copy = place.scratch.join(name);
        crate::score::copy_tree(&corpus, &copy, &|path| {
            let skipped = [".git", "__pycache__", "site-packages"];
            path.file_name()
                .is_some_and(|name| !skipped.iter().any(|skip| name == *skip))
        })?;
        let (report, cost) = json(&program, &["scan", "--no-git", &copy.to_string_lossy()])?;
        let lines = number(&report, "/coverage/lines");
        for (figure, value) in [
            ("lines", lines),
            ("functions", number(&report, "/coverage/functions")),
            ("wall_seconds", cost.wall_seconds),
            ("cpu_seconds", cost.cpu_seconds),
            ("peak_mebibytes", cost.peak_mebibytes),
            (
                "lines_per_cpu_second",
                (lines / cost.cpu_seconds.max(0.01)).round(),
            ),
        ] {
            figures.insert(format!("{name}_{figure}"), rounded(value));
        }
    }
    Ok(figures)
}

/// The folder of the standard library's sources.
fn library() -> Result<PathBuf, String> {
    let code = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    let (output, _) = measured(Command::new("python3").args(["-c", code]))?;
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err("python3 does not say where its library is".into())
    }
}

fn measure(place: &Place, arguments: &[&str]) -> Result<Figures, String> {
    room(
        &place.root,
        &["--package", "solvent-benches", "--bin", "measure"],
        arguments,
    )
}
