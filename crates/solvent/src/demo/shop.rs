//! The shop's repository: made commit by commit, like any other's, with people who decide in it.

use std::fs;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

use solvent_engine::EngineError;
use solvent_engine::govern::signature::SoftwareKey;

include!(concat!(env!("OUT_DIR"), "/examples.rs"));

/// What `demo` makes, so that it never writes into a folder that is something else.
const MARK: &str = ".solvent-demo";

/// Identities that approve in the demo; nobody is behind their keys, and every record says so.
pub const APPROVERS: [&str; 2] = ["ben", "cleo"];

/// One step of the shop's history; see `examples/storefront/history/history.toml`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Commit {
    author: String,
    email: String,
    date: String,
    message: String,
    #[serde(default)]
    tree: Vec<String>,
    #[serde(default)]
    stage_dir: String,
    #[serde(default)]
    stage: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

impl Commit {
    /// Of everything that lies in the folder, by the demo itself.
    fn of_the_demo(message: &str) -> Self {
        Self {
            author: "Solvent Demo".to_owned(),
            email: "demo@saltmarsh.example".to_owned(),
            date: "2026-11-20T09:00:00+00:00".to_owned(),
            message: message.to_owned(),
            tree: Vec::new(),
            stage_dir: String::new(),
            stage: Vec::new(),
            remove: Vec::new(),
        }
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct History {
    commit: Vec<Commit>,
}

/// The demo's governance: two approvals for anything above low risk, one person who starts the agent.
const GOVERNANCE: &str = "# Two different people approve a change; the demo's keys are simulated.\n\
    protected_branch = \"main\"\nfindings_owner = \"ana\"\nlow_risk = [\"CWE-22\", \"CWE-78\", \"CWE-89\"]\n\
    [quorum]\nlow = 2\nmedium = 2\nhigh = 2\n";

/// Private key file of a demo identity.
pub fn key_file(dir: &Path, id: &str) -> PathBuf {
    dir.join("keys").join(id)
}

/// Makes keys for the demo's people and commits who they are to the shop.
fn appoint(dir: &Path, repo: &Path) -> Result<(), EngineError> {
    let mut people = String::from(
        "# Who decides here. These identities are the demo's: nobody is behind their keys.\n\n\
         [[person]]\nid = \"ana\"\nroles = [\"owner\"]\nsimulated = true\n",
    );
    fs::create_dir_all(dir.join("keys")).map_err(|e| failed(dir, &e))?;
    for id in APPROVERS {
        let file = key_file(dir, id);
        let known = fs::read_to_string(&file).ok();
        let key = match known.and_then(|text| SoftwareKey::parse(&text).ok()) {
            Some(key) => key,
            None => {
                let mut seed = [0; 32];
                random(&mut seed)?;
                let key = SoftwareKey::from_seed(&seed);
                let text = key.to_openssh().map_err(|e| broken(&e))?;
                write_private(&file, text.as_bytes())?;
                key
            }
        };
        people.push_str(&format!(
            "\n[[person]]\nid = \"{id}\"\nroles = [\"approver\", \"merger\", \"risk\"]\nsimulated = true\nkeys = [\"{}\"]\n",
            key.public().text()
        ));
    }
    people.push_str(
        "\n[[agent]]\nid = \"fixer\"\nowner = \"ana\"\nroles = [\"remediator\", \"tester\"]\n",
    );
    put(repo, "solvent-policy/people.toml", people.as_bytes())?;
    put(
        repo,
        "solvent-policy/governance.toml",
        GOVERNANCE.as_bytes(),
    )?;
    record(
        repo,
        &Commit {
            author: "Maren Holt".to_owned(),
            email: "maren@saltmarsh.example".to_owned(),
            date: "2026-11-21T09:00:00+00:00".to_owned(),
            message: "Say who decides about changes".to_owned(),
            tree: Vec::new(),
            stage_dir: String::new(),
            stage: Vec::new(),
            remove: Vec::new(),
        },
    )
}

fn write_private(file: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    use std::io::Write as _;
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)
        .and_then(|mut f| f.write_all(bytes))
        .map_err(|e| failed(file, &e))
}

fn random(out: &mut [u8]) -> Result<(), EngineError> {
    rustix::rand::getrandom(out, rustix::rand::GetRandomFlags::empty())
        .map(drop)
        .map_err(|e| broken(&format!("no randomness: {e}")))
}

/// Makes the repository, commit by commit, unless an earlier demo did.
pub fn make(dir: &Path, repo: &Path, files: &[(&str, &[u8])]) -> Result<(), EngineError> {
    if repo.join(".git").is_dir() && dir.join(MARK).is_file() {
        return Ok(());
    }
    let empty =
        !dir.exists() || fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
    if !empty && !dir.join(MARK).is_file() {
        return Err(EngineError::usage(
            format!("`{}` holds something that is not a demo", dir.display()),
            "choose another folder with `--dir`",
        ));
    }
    // What an interrupted demo left is made anew; the folder is marked as ours.
    if repo.exists() {
        fs::remove_dir_all(repo).map_err(|e| failed(repo, &e))?;
    }
    fs::create_dir_all(repo).map_err(|e| failed(repo, &e))?;
    fs::write(dir.join(MARK), "made by solvent demo\n").map_err(|e| failed(dir, &e))?;
    let found = |path: &str| {
        files
            .iter()
            .find(|(name, _)| *name == path)
            .map(|(_, content)| *content)
    };
    let part = repo.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(|e| failed(&part, &e))?;
    }
    fs::create_dir_all(&part).map_err(|e| failed(&part, &e))?;
    git(&part, &["init", "-q", "-b", "main"], None)?;
    match found("history/history.toml") {
        Some(text) => {
            let history: History = std::str::from_utf8(text)
                .ok()
                .and_then(|text| toml::from_str(text).ok())
                .ok_or_else(|| broken("history.toml does not read"))?;
            for commit in &history.commit {
                let staged = commit
                    .stage
                    .iter()
                    .map(|path| (path, format!("history/{}/{path}.stage", commit.stage_dir)));
                for (path, from) in commit.tree.iter().map(|p| (p, p.clone())).chain(staged) {
                    let content = found(&from).ok_or_else(|| broken(&from))?;
                    put(&part, path, content)?;
                }
                for path in &commit.remove {
                    fs::remove_file(part.join(path)).map_err(|e| failed(&part.join(path), &e))?;
                }
                record(&part, commit)?;
            }
            appoint(dir, &part)?;
        }
        None => {
            for (path, content) in files {
                put(&part, path, content)?;
            }
            record(&part, &Commit::of_the_demo("The repaired shop"))?;
        }
    }
    fs::remove_dir_all(repo).map_err(|e| failed(repo, &e))?;
    fs::rename(&part, repo).map_err(|e| failed(repo, &e))
}

/// Why a repository could not be made.
pub enum Unmade {
    /// Its source could not be had.
    Source(EngineError),
    Other(EngineError),
}

impl From<EngineError> for Unmade {
    fn from(error: EngineError) -> Self {
        Self::Other(error)
    }
}

/// Makes a repository of what `fetch` writes into an empty folder, with the demo's people, unless an earlier
/// demo did. `dir` is a demo's folder already.
pub fn adopt(
    dir: &Path,
    repo: &Path,
    message: &str,
    fetch: &dyn Fn(&Path) -> Result<(), EngineError>,
) -> Result<(), Unmade> {
    if repo.join(".git").is_dir() {
        return Ok(());
    }
    let part = repo.with_extension("part");
    for left in [repo, &part] {
        if left.exists() {
            fs::remove_dir_all(left).map_err(|e| failed(left, &e))?;
        }
    }
    fs::create_dir_all(&part).map_err(|e| failed(&part, &e))?;
    if let Err(error) = fetch(&part) {
        let _ = fs::remove_dir_all(&part);
        return Err(Unmade::Source(error));
    }
    git(&part, &["init", "-q", "-b", "main"], None)?;
    record(&part, &Commit::of_the_demo(message))?;
    appoint(dir, &part)?;
    fs::rename(&part, repo).map_err(|e| failed(repo, &e))?;
    Ok(())
}

fn put(root: &Path, path: &str, content: &[u8]) -> Result<(), EngineError> {
    let to = root.join(path);
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(|e| failed(parent, &e))?;
    }
    fs::write(&to, content).map_err(|e| failed(&to, &e))
}

fn record(root: &Path, commit: &Commit) -> Result<(), EngineError> {
    git(root, &["add", "-A"], None)?;
    let message = commit.message.trim();
    git(
        root,
        &[
            "commit",
            "-q",
            "--no-verify",
            "--allow-empty",
            "-m",
            message,
        ],
        Some(commit),
    )
}

fn git(root: &Path, args: &[&str], author: Option<&Commit>) -> Result<(), EngineError> {
    let mut command = Process::new("git");
    command
        .arg("-C")
        .arg(root)
        .args([
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.hooksPath=/dev/null",
            "-c",
            "core.autocrlf=false",
        ])
        .args(args)
        .env("LC_ALL", "C");
    if let Some(commit) = author {
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), &commit.author)
                .env(format!("GIT_{who}_EMAIL"), &commit.email)
                .env(format!("GIT_{who}_DATE"), &commit.date);
        }
    }
    let output = command
        .output()
        .map_err(|e| EngineError::unfinished(format!("cannot start git: {e}"), "install git"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(EngineError::unfinished(
            format!(
                "git failed: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ),
            "see git's words above",
        ))
    }
}

pub fn failed(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::unfinished(
        format!("cannot write `{}`: {error}", path.display()),
        "choose another folder with `--dir`",
    )
}

pub fn broken(what: &str) -> EngineError {
    EngineError::unfinished(
        format!("the built-in shop is incomplete: {what}"),
        "this is a defect of this build",
    )
}
