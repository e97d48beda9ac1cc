//! Lowers every file below a folder and says what each took: files, panics, those over the budget, the worst.
//!
//! `cargo run --release -p solvent-lang --example hostile -- DIR`; the last line is a JSON object for
//! `cargo xtask score hostile`, whatever is over the budget stands above it.

#![expect(
    clippy::print_stdout,
    reason = "figures are the output of this program"
)]

use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use solvent_base::{FilePath, Interner};
use solvent_testkit::hostile::lowering_budget_ms;

fn main() -> std::io::Result<()> {
    let root = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let root = Path::new(&root);
    let mut paths = Vec::new();
    collect(root, &mut paths)?;
    paths.sort();
    let (mut files, mut panics, mut over_budget) = (0, 0, 0);
    let mut worst_ms = 0.0_f64;
    for path in paths {
        let inside = path.strip_prefix(root).ok().and_then(Path::to_str);
        let Some(name) = inside.and_then(FilePath::new) else {
            continue;
        };
        if solvent_lang::language_of(&name).is_none() {
            continue;
        }
        let bytes = std::fs::read(&path)?;
        let names = Interner::new();
        let before = cpu_ms();
        let done = catch_unwind(|| solvent_lang::lower(&name, &bytes, &names));
        let took = cpu_ms() - before;
        files += 1;
        worst_ms = worst_ms.max(took);
        match done {
            Ok(unit) if !unit.functions.is_empty() => {}
            Ok(_) | Err(_) => {
                panics += 1;
                println!("panic: {}", path.display());
            }
        }
        if took > lowering_budget_ms(bytes.len()) {
            over_budget += 1;
            println!(
                "over budget: {}: {took:.0} ms for {} KiB",
                path.display(),
                bytes.len() >> 10
            );
        }
    }
    println!(
        "{{\"figures\":{{\"files\":{files},\"panics\":{panics},\"over_budget\":{over_budget},\"worst_ms\":{worst_ms:.0}}}}}"
    );
    Ok(())
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), paths)?;
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

/// Time this thread spent on a processor; other programs on the machine do not distort it.
fn cpu_ms() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1e6
}
