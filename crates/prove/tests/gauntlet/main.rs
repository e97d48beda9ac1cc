//! Patches to a real shop, each tried against everything in the real sandbox: honest ones are verified,
//! sabotaged ones rejected with the right reason.
//!
//! Without the usual harness: the sandbox re-executes this program, so `main` must begin with its hook.
//! `SOLVENT_SABOTAGE=all` runs every patch of `fixtures/sabotage`, else those marked as quick;
//! `SOLVENT_SABOTAGE=NAME` those whose file name contains it.

#![expect(clippy::print_stdout, reason = "this program is its own test harness")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use solvent_base::{FilePath, Interner, System as _};
use solvent_finding::{EntryPoint, Finding};
use solvent_host::Host;
use solvent_models::ModelSet;
use solvent_protocol::capsule::Capsule;
use solvent_prove::{
    Attack, Gauntlet, GauntletVerdict, Job, Options, Prepared, Recipe, infer, prepare, prove,
    verify_patch,
};
use solvent_sandbox::{Launcher, NativeSandbox, Tier, probe};

fn main() {
    solvent_sandbox::reexec_hook();
    let report = probe(&Launcher::current());
    if report.tier != Tier::Native {
        println!(
            "unmeasured: patches in the sandbox: {}",
            report.hints.join("; ")
        );
        return;
    }
    let base = match Base::make() {
        Ok(base) => base,
        Err(reason) => {
            // Packages that cannot be fetched are no fault of the code.
            println!("unmeasured: patches in the sandbox: {reason}");
            return;
        }
    };
    let mut failed = 0;
    for (name, test) in [
        (
            "the_repaired_twin_as_a_patch_is_verified",
            twin as fn(&Base) -> Result<String, String>,
        ),
        ("a_base_without_the_flaw_decides_nothing", no_flaw),
    ] {
        if wanted(name) {
            failed += told(name, &test(&base));
        }
    }
    for sabotage in patches() {
        let one = std::env::var("SOLVENT_SABOTAGE").unwrap_or_default();
        let chosen = match one.as_str() {
            "" => sabotage.quick,
            "all" => true,
            part => sabotage.name.contains(part),
        };
        if chosen && wanted(&sabotage.name) {
            failed += told(&sabotage.name, &base.try_patch(&sabotage));
        }
    }
    if failed > 0 {
        println!("{failed} failed");
        std::process::exit(101);
    }
}

fn wanted(name: &str) -> bool {
    let filters: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str()))
}

fn told(name: &str, result: &Result<String, String>) -> u32 {
    match result {
        Ok(words) => println!("test {name} ... ok, {words}"),
        Err(words) => println!("test {name} ... FAILED: {words}"),
    }
    u32::from(result.is_err())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One file of `fixtures/sabotage`: `key: value` lines, an empty one, and the diff.
struct Sabotage {
    name: String,
    weakness: String,
    /// The check that must reject it, or `verified`.
    expect: String,
    quick: bool,
    diff: PathBuf,
}

fn patches() -> Vec<Sabotage> {
    let folder = root().join("fixtures/sabotage");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "patch"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("reads");
            let head: BTreeMap<&str, &str> = text
                .lines()
                .take_while(|line| !line.is_empty())
                .filter_map(|line| line.split_once(": "))
                .collect();
            let of = |key: &str| head.get(key).copied().unwrap_or_default().to_owned();
            Sabotage {
                name: path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                weakness: of("weakness"),
                expect: of("expect"),
                quick: of("quick") == "yes",
                diff: path,
            }
        })
        .collect()
}

/// A folder of this run, or the one that `SOLVENT_TEST_CACHE` names, where environments are kept.
enum Cache {
    Ours(tempfile::TempDir),
    Given(PathBuf),
}

impl Cache {
    fn make() -> Self {
        match std::env::var_os("SOLVENT_TEST_CACHE") {
            Some(folder) => Self::Given(folder.into()),
            None => Self::Ours(tempfile::tempdir().expect("a temporary folder")),
        }
    }

    fn path(&self) -> &Path {
        match self {
            Self::Ours(folder) => folder.path(),
            Self::Given(folder) => folder,
        }
    }
}

struct Base {
    tree: PathBuf,
    cache: Cache,
    recipe: Recipe,
    prepared: Prepared,
    findings: Vec<Finding>,
    entries: Vec<EntryPoint>,
    capsules: Vec<Capsule>,
}

fn sandbox() -> NativeSandbox {
    NativeSandbox::new(Launcher::current())
}

fn options() -> Options {
    Options::ordinary(11)
}

/// What a scan says of a tree.
fn scan(tree: &Path) -> (Vec<Finding>, Vec<EntryPoint>) {
    let host = Host::open(tree).expect("opens");
    let names = Interner::new();
    let read = |path: &FilePath| host.read(path, solvent_lang::MAX_SOURCE_BYTES).ok();
    let units = host
        .walk()
        .files
        .iter()
        .filter(|file| solvent_lang::language_of(&file.path).is_some())
        .filter_map(|file| Some(solvent_lang::lower(&file.path, &read(&file.path)?, &names)))
        .collect();
    let models = ModelSet::of(solvent_ir::Language::Python);
    let mut graph = solvent_graph::build(units, models, &names);
    let text =
        |path: &FilePath| read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let reach = solvent_taint::reach(
        &mut graph,
        models,
        &names,
        &text,
        &solvent_taint::Limits::STANDARD,
    );
    (reach.findings, reach.entry_points)
}

/// A copy of a tree without what is not part of the application.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("lists").flatten() {
        let name = entry.file_name();
        if matches!(
            name.to_str(),
            Some("history" | "EXPECTED.toml" | "__pycache__" | "instance")
        ) {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

impl Base {
    fn make() -> Result<Self, String> {
        let cache = Cache::make();
        let tree = cache.path().join("base");
        let _ = fs::remove_dir_all(&tree);
        copy(&root().join("examples/storefront"), &tree);
        let recipe = infer(&tree, &[]).map_err(|e| e.to_string())?;
        let prepared = prepare(&recipe, &tree, cache.path(), &sandbox(), &mut |_| {})
            .map_err(|e| e.to_string())?;
        let (all, entries) = scan(&tree);
        let findings: Vec<Finding> = all
            .into_iter()
            .filter(|f| f.verdict.word() == "reachable")
            .collect();
        assert_eq!(findings.len(), 3, "{findings:?}");
        let campaign = prove(
            &Attack::Findings(&findings),
            &prepared,
            &sandbox(),
            &options(),
            &mut |_| {},
        );
        let capsules: Vec<Capsule> = campaign
            .cases
            .iter()
            .map(|case| case.capsule.clone().unwrap_or_else(|| panic!("{case:?}")))
            .collect();
        Ok(Self {
            tree,
            cache,
            recipe,
            prepared,
            findings,
            entries,
            capsules,
        })
    }

    /// Runs the patched tree through everything, for the findings of one weakness or, without, for all.
    fn gauntlet(&self, tree: &Path, weakness: &str) -> Result<Gauntlet, String> {
        let of = |id: &str| weakness.is_empty() || id == weakness;
        let findings: Vec<Finding> = self
            .findings
            .iter()
            .filter(|f| of(&f.weakness.0))
            .cloned()
            .collect();
        let capsules: Vec<Capsule> = self
            .capsules
            .iter()
            .filter(|c| of(&c.weakness))
            .cloned()
            .collect();
        let patched = prepare(
            &self.recipe,
            tree,
            self.cache.path(),
            &sandbox(),
            &mut |_| {},
        )
        .map_err(|e| e.to_string())?;
        let mut entries = self.entries.clone();
        for entry in scan(tree).1 {
            if !entries.iter().any(|known| known.label() == entry.label()) {
                entries.push(entry);
            }
        }
        let job = Job {
            base: &self.prepared,
            patched: &patched,
            base_tree: &self.tree,
            patched_tree: tree,
            findings: &findings,
            others: &[],
            found_on_patch: &[],
            capsules: &capsules,
            entries: &entries,
            cache: self.cache.path(),
        };
        Ok(verify_patch(&job, &sandbox(), &options(), &mut |_| {}))
    }

    fn try_patch(&self, sabotage: &Sabotage) -> Result<String, String> {
        let began = Instant::now();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tree = folder.path().join("patched");
        copy(&self.tree, &tree);
        let applied = Command::new("git")
            .args(["apply", "--whitespace=nowarn"])
            .arg(fs::canonicalize(&sabotage.diff).expect("a patch"))
            .current_dir(&tree)
            .output()
            .expect("git runs");
        if !applied.status.success() {
            return Err(String::from_utf8_lossy(&applied.stderr).into_owned());
        }
        let gauntlet = self.gauntlet(&tree, &sabotage.weakness)?;
        let seconds = began.elapsed().as_secs_f64();
        let right = match &gauntlet.verdict {
            GauntletVerdict::Verified => sabotage.expect == "verified",
            GauntletVerdict::Rejected { check, .. } => check.word() == sabotage.expect,
            GauntletVerdict::Inconclusive { .. } => false,
        };
        let reason = gauntlet.verdict.reason();
        if right {
            Ok(format!(
                "{} {reason} ({seconds:.1} s)",
                gauntlet.verdict.word()
            ))
        } else {
            Err(format!(
                "expected {}, {seconds:.1} s: {}",
                sabotage.expect,
                shown(&gauntlet)
            ))
        }
    }
}

fn shown(gauntlet: &Gauntlet) -> String {
    let mut out = format!("{:?}", gauntlet.verdict);
    for check in &gauntlet.checks {
        out.push_str(&format!(
            "\n    {} {} {} ({} requests, {:.1} s)",
            check.name.word(),
            check.result.word(),
            check.result.reason(),
            check.requests,
            check.seconds
        ));
        for line in &check.detail {
            out.push_str(&format!("\n        {line}"));
        }
    }
    out
}

/// The silent twin: the shop as it was repaired by hand, one root cause at a time and all at once.
fn twin(base: &Base) -> Result<String, String> {
    let mut words = Vec::new();
    let fixed = root().join("examples/storefront-fixed");
    for (weakness, files) in [
        ("CWE-89", &["shop/products.py"][..]),
        ("CWE-78", &["shop/admin.py", "shop/reports.py"][..]),
        ("CWE-22", &["shop/storage.py"][..]),
        (
            "",
            &[
                "shop/products.py",
                "shop/admin.py",
                "shop/reports.py",
                "shop/storage.py",
                "tests/test_regressions.py",
                "README.md",
            ][..],
        ),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let tree = folder.path().join("patched");
        copy(&base.tree, &tree);
        for file in files {
            fs::copy(fixed.join(file), tree.join(file)).expect("copied");
        }
        let gauntlet = base.gauntlet(&tree, weakness)?;
        if std::env::var_os("SOLVENT_SHOW").is_some() {
            println!("{}", shown(&gauntlet));
        }
        if gauntlet.verdict != GauntletVerdict::Verified {
            return Err(format!("{weakness}: {}", shown(&gauntlet)));
        }
        words.push(format!("{:.1} s", gauntlet.elapsed.as_secs_f64()));
    }
    Ok(words.join(", "))
}

/// Where the attack never worked, its failing on a patch is worth nothing.
fn no_flaw(base: &Base) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tree = folder.path().join("patched");
    copy(&base.tree, &tree);
    fs::copy(
        root().join("examples/storefront-fixed/shop/products.py"),
        tree.join("shop/products.py"),
    )
    .expect("copied");
    let fixed = prepare(
        &base.recipe,
        &tree,
        base.cache.path(),
        &sandbox(),
        &mut |_| {},
    )
    .map_err(|e| e.to_string())?;
    let capsules: Vec<Capsule> = base
        .capsules
        .iter()
        .filter(|c| c.weakness == "CWE-89")
        .cloned()
        .collect();
    let job = Job {
        base: &fixed,
        patched: &fixed,
        base_tree: &tree,
        patched_tree: &tree,
        findings: &base.findings,
        others: &[],
        found_on_patch: &[],
        capsules: &capsules,
        entries: &base.entries,
        cache: base.cache.path(),
    };
    let gauntlet = verify_patch(&job, &sandbox(), &options(), &mut |_| {});
    match gauntlet.verdict.word() {
        "inconclusive" => Ok(gauntlet.verdict.reason().to_owned()),
        _ => Err(shown(&gauntlet)),
    }
}
