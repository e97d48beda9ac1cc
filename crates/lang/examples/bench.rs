//! Lowers every Python file below a folder and prints figures: speed, size of the IR, peak memory.
//!
//! `cargo run --release -p solvent-lang --example bench -- DIR`; with `--dump FILE` prints its IR.

#![expect(
    clippy::print_stdout,
    reason = "figures are the output of this program"
)]

use std::path::{Path, PathBuf};
use std::time::Instant;

use solvent_base::{FilePath, Interner, ProblemKind};
use solvent_ir::{Arg, Const, FormatPart, Function, Inst, Op, Unit};

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let first = args.next().unwrap_or_else(|| ".".into());
    if first == "--dump" {
        for file in args {
            dump(&file)?;
        }
        return Ok(());
    }
    let mut paths = Vec::new();
    collect(Path::new(&first), &mut paths)?;
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if let Some(path_in_root) = path.strip_prefix(&first).ok().and_then(|p| p.to_str())
            && let Some(name) = FilePath::new(path_in_root)
        {
            files.push((name, std::fs::read(&path)?));
        }
    }
    let names = Interner::new();
    let start = Instant::now();
    let cpu_before = cpu_seconds();
    let mut units: Vec<Unit> = Vec::with_capacity(files.len());
    for (path, bytes) in &files {
        units.push(solvent_lang::lower(path, bytes, &names));
    }
    let wall = start.elapsed().as_secs_f64();
    let seconds = cpu_seconds() - cpu_before;
    let lines: u64 = units.iter().map(|unit| u64::from(unit.lines)).sum();
    let functions: usize = units.iter().map(|unit| unit.functions.len()).sum();
    let blocks: usize = units
        .iter()
        .flat_map(|u| &u.functions)
        .map(|f| f.blocks.len())
        .sum();
    let insts: usize = units
        .iter()
        .flat_map(|u| &u.functions)
        .map(|f| f.insts.len())
        .sum();
    let bytes: usize = units.iter().flat_map(|u| &u.functions).map(size).sum();
    let count = |kind| {
        units
            .iter()
            .filter(|u| u.problems.iter().any(|p| p.kind == kind))
            .count()
    };
    println!("files            {:>12}", files.len());
    println!("lines            {lines:>12}");
    println!("seconds, wall    {wall:>12.3}");
    println!("seconds, CPU     {seconds:>12.3}");
    println!("lines per CPU second {:>12.0}", lines as f64 / seconds);
    println!("functions        {functions:>12}");
    println!("blocks           {blocks:>12}");
    println!("instructions     {insts:>12}");
    println!("instructions per line {:>7.2}", insts as f64 / lines as f64);
    println!("IR bytes per line {:>11.1}", bytes as f64 / lines as f64);
    println!("bytes per instruction {:>7}", std::mem::size_of::<Inst>());
    println!("files with syntax errors {:>4}", count(ProblemKind::Syntax));
    println!(
        "files with encoding errors {:>2}",
        count(ProblemKind::Encoding)
    );
    println!(
        "files over a limit {:>10}",
        count(ProblemKind::Limit) + count(ProblemKind::TooLarge)
    );
    println!("peak memory, MiB {:>12}", peak_kib() / 1024);
    let mut ops: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for inst in units
        .iter()
        .flat_map(|u| &u.functions)
        .flat_map(|f| &f.insts)
    {
        let text = format!("{:?}", inst.op);
        let end = text
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(text.len());
        *ops.entry(text[..end].to_owned()).or_default() += 1;
    }
    let mut ops: Vec<_> = ops.into_iter().collect();
    ops.sort_by_key(|(name, count)| (std::cmp::Reverse(*count), name.clone()));
    for (name, count) in ops {
        println!(
            "  {name:<12} {count:>10} {:>5.1} %",
            100.0 * count as f64 / insts as f64
        );
    }
    let mut faults = 0;
    for unit in &units {
        for fault in solvent_ir::check(unit) {
            faults += 1;
            if faults <= 20 {
                println!("{}: {fault}", unit.path);
            }
        }
    }
    println!("faults           {faults:>12}");
    Ok(())
}

fn dump(file: &str) -> std::io::Result<()> {
    let names = Interner::new();
    let name = Path::new(file)
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or("input.py");
    if let Some(path) = FilePath::new(name) {
        let unit = solvent_lang::lower(&path, &std::fs::read(file)?, &names);
        print!("{}", solvent_ir::display(&unit, &names));
        for problem in &unit.problems {
            println!("problem: {problem:?}");
        }
        for fault in solvent_ir::check(&unit) {
            println!("fault: {fault}");
        }
    }
    Ok(())
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), paths)?;
        } else if kind.is_file() && entry.path().extension().is_some_and(|e| e == "py") {
            paths.push(entry.path());
        }
    }
    Ok(())
}

/// Bytes a function occupies, heap included.
fn size(function: &Function) -> usize {
    let heap = |op: &Op| match op {
        Op::Call { args, .. } => args.capacity() * std::mem::size_of::<Arg>(),
        Op::Format(parts) => parts.capacity() * std::mem::size_of::<FormatPart>(),
        Op::Sequence { items, .. } => items.capacity() * 8,
        Op::Dict(entries) => entries.capacity() * 12,
        Op::Phi(operands) => operands.capacity() * 8,
        Op::Const(Const::Bytes(bytes)) => bytes.capacity(),
        _ => 0,
    };
    std::mem::size_of::<Function>()
        + function.insts.capacity() * std::mem::size_of::<Inst>()
        + function
            .insts
            .iter()
            .map(|inst| heap(&inst.op))
            .sum::<usize>()
        + function.blocks.capacity() * std::mem::size_of::<solvent_ir::BlockData>()
        + function
            .blocks
            .iter()
            .map(|block| block.handlers.capacity() * 4)
            .sum::<usize>()
        + function.params.capacity() * std::mem::size_of::<solvent_ir::Param>()
}

/// Time this thread spent on a processor; other programs on the machine do not distort it.
fn cpu_seconds() -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .unwrap_or(0.0)
        / 1e9
}

/// Peak resident size of this process, from `/proc/self/status`.
fn peak_kib() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmHWM:")?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse()
                .ok()
        })
        .unwrap_or(0)
}
