//! Secrets of a target and of the user's shell, looked for in everything that the program gives out.
//!
//! Fifty random marks are planted in a copy of the storefront: in the environment that its recipe sets and
//! in its login, in its database, in answer headers, cookies and pages, in what it logs and dies with, and
//! in the environment of the shell that starts the program. Then the program is run through, and every
//! output, page and saved file, and every file of its state folder, is searched for any twelve characters of any mark, plain,
//! reversed, in hexadecimal, base64 or percent signs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::targets::{copy_tree, note};
use crate::cost::measured;
use crate::figures::{Figures, Place};
use crate::program::{items, released, text};

/// A mark and the place where it lies.
struct Mark {
    place: &'static str,
    text: String,
}

/// Marks per place; together fifty.
const PLACES: [(&str, usize); 9] = [
    ("shell", 8),
    ("environment", 7),
    ("login", 1),
    ("database", 10),
    ("headers", 6),
    ("cookies", 6),
    ("pages", 6),
    ("log", 3),
    ("last words", 3),
];

/// Characters of a mark that must not be seen in a row.
const PIECE: usize = 12;

pub fn run(place: &Place) -> Result<Figures, String> {
    let program = released(&place.root)?;
    let marks = marks()?;
    let cache = place.scratch.join("cache");
    let mut runs = Runs {
        program,
        cache,
        shell: pick(&marks, "shell"),
        outputs: Vec::new(),
        failed: Vec::new(),
    };

    // A shop that lives, attacked and told about in every way.
    let shop = plant(place, &marks, "shop", Ending::Lives)?;
    let proven = runs.through(&place.scratch, &shop)?;
    // One that dies with its secrets on its lips.
    let dying = plant(place, &marks, "dying", Ending::Dies)?;
    runs.told(&dying, &["prove"]);
    runs.told(&dying, &["status"]);

    let mut haystacks: Vec<(String, Vec<u8>)> = std::mem::take(&mut runs.outputs);
    for (name, folder) in [
        ("state", shop.join(".solvent")),
        ("state of the dying", dying.join(".solvent")),
        ("given out", place.scratch.join("out")),
    ] {
        collect(&folder, name, &mut haystacks)?;
    }
    let index = Index::of(&marks);
    let mut leaked = BTreeSet::new();
    let mut by_place: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let mut bytes = 0;
    for (name, content) in &haystacks {
        bytes += content.len();
        for (mark, form) in index.seen(content) {
            if leaked.insert(mark) {
                note(&format!(
                    "a secret planted in {} is in {name}, {form}",
                    marks[mark].place
                ));
            }
            by_place.entry(marks[mark].place).or_default().insert(mark);
        }
    }
    for words in &runs.failed {
        note(words);
    }
    let mut figures = Figures::from([
        ("planted".to_owned(), marks.len() as f64),
        ("leaked".to_owned(), leaked.len() as f64),
        ("proven".to_owned(), proven as f64),
        ("outputs_searched".to_owned(), haystacks.len() as f64),
        ("bytes_searched".to_owned(), bytes as f64),
        ("commands_failed".to_owned(), runs.failed.len() as f64),
    ]);
    for (place, marks) in by_place {
        let name = format!("leaked_{}", place.replace(' ', "_"));
        figures.insert(name, marks.len() as f64);
    }
    if proven == 0 {
        return Err(format!(
            "nothing was proven on the planted shop, so little was there to leak: {}",
            runs.failed.join("; ")
        ));
    }
    Ok(figures)
}

fn marks() -> Result<Vec<Mark>, String> {
    let mut random = [0; 32 * 64];
    let mut source = fs::File::open("/dev/urandom").map_err(|e| format!("no randomness: {e}"))?;
    std::io::Read::read_exact(&mut source, &mut random)
        .map_err(|e| format!("no randomness: {e}"))?;
    let alphabet = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut letters = random
        .iter()
        .map(|b| alphabet[usize::from(*b) % alphabet.len()] as char);
    let mut marks = Vec::new();
    for (place, count) in PLACES {
        for _ in 0..count {
            marks.push(Mark {
                place,
                text: letters.by_ref().take(32).collect(),
            });
        }
    }
    Ok(marks)
}

fn pick(marks: &[Mark], place: &str) -> Vec<String> {
    marks
        .iter()
        .filter(|mark| mark.place == place)
        .map(|mark| mark.text.clone())
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Lives,
    Dies,
}

/// A storefront in a repository of its own, with marks wherever an application keeps secrets.
fn plant(place: &Place, marks: &[Mark], name: &str, ending: Ending) -> Result<PathBuf, String> {
    let failed = |e: std::io::Error| format!("cannot plant: {e}");
    let shop = place.scratch.join(name);
    let shipped = |path: &Path| {
        path.file_name().is_none_or(|name| {
            ![
                "history",
                "instance",
                "__pycache__",
                ".solvent",
                ".pytest_cache",
            ]
            .iter()
            .any(|other| name == *other)
        })
    };
    copy_tree(&place.root.join("examples/storefront"), &shop, &shipped)?;
    let of = |wanted: &str| pick(marks, wanted);

    // The data is no source text: a program's literals are its author's to show.
    let planted = json!({
        "headers": of("headers"), "cookies": of("cookies"), "pages": of("pages"), "log": of("log"),
        "last_words": of("last words"), "dies": ending == Ending::Dies,
    });
    fs::write(shop.join("planted.json"), planted.to_string()).map_err(failed)?;
    fs::write(shop.join("wsgi.py"), WSGI).map_err(failed)?;

    let mut seed = fs::read_to_string(shop.join("seed.sql")).map_err(failed)?;
    for (i, mark) in of("database").iter().enumerate() {
        seed.push_str(&format!(
            "INSERT INTO users (id, email, name, role, password_hash) VALUES ({0}, 'u{0}@x.example', '{mark}', 'customer', '{mark}');\n\
             INSERT INTO products (id, slug, name, summary, category, price_cents, stock, supplier_code, active) \
             VALUES ({0}, 'p{0}', 'Thing {0}', '{mark}', 'home', 1, 1, '{mark}', 1);\n\
             INSERT INTO orders (id, user_id, placed_on, total_cents, note) VALUES ({0}, {0}, '2026-01-01', 1, '{mark}');\n",
            9000 + i
        ));
    }
    fs::write(shop.join("seed.sql"), seed).map_err(failed)?;

    let recipe = fs::read_to_string(shop.join("solvent.toml")).map_err(failed)?;
    let names = [
        "SHOP_SECRET_KEY",
        "DATABASE_URL",
        "SMTP_PASSWORD",
        "AWS_SESSION",
        "SENTRY_DSN",
        "STRIPE",
        "LICENCE",
    ];
    let environment: Vec<String> = names
        .iter()
        .zip(of("environment"))
        .map(|(name, mark)| {
            let value = match *name {
                "DATABASE_URL" => format!("postgres://shop:{mark}@db/shop"),
                "SENTRY_DSN" => format!("https://{mark}@errors.example/1"),
                _ => mark,
            };
            format!("{name} = \"{value}\"")
        })
        .collect();
    let login = of("login").concat();
    let recipe = recipe
        .replace(
            "ready = \"/healthz\"\n",
            &format!(
                "ready = \"/healthz\"\nenv = {{ {} }}\n",
                environment.join(", ")
            ),
        )
        .replace(
            "password = \"",
            &format!("pin = \"{login}\", password = \""),
        );
    for mark in of("environment").iter().chain([&login]) {
        if !recipe.contains(mark.as_str()) {
            return Err("the storefront's solvent.toml is not as this score knows it".to_owned());
        }
    }
    fs::write(shop.join("solvent.toml"), recipe).map_err(failed)?;
    for arguments in [
        &["init", "-q", "-b", "main"][..],
        &["add", "-A"],
        &[
            "-c",
            "user.name=Ana",
            "-c",
            "user.email=ana@shop.example",
            "commit",
            "-q",
            "-m",
            "The shop",
        ],
    ] {
        let status = Command::new("git")
            .arg("-C")
            .arg(&shop)
            .args([
                "-c",
                "commit.gpgsign=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(arguments)
            .status()
            .map_err(|e| format!("cannot start git: {e}"))?;
        if !status.success() {
            return Err(format!("git {arguments:?} failed"));
        }
    }
    Ok(shop)
}

/// The shop's start, with everything an application does to give secrets away. That the shell's
/// environment came in is told by what the page is called, which the score asks for.
const WSGI: &str = r#"import json
import os
import sys

from shop import create_app

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "planted.json")) as source:
    PLANTED = json.load(source)

print("starting with", dict(os.environ), PLANTED["log"], file=sys.stderr, flush=True)
if any(name.startswith("PLANTED_SHELL") for name in os.environ):
    raise SystemExit("the environment of the shell is inside")
if PLANTED["dies"]:
    words = " ".join(PLANTED["last_words"]) + " " + " ".join(map(str, os.environ.items()))
    raise RuntimeError("cannot connect as shop with " + words)

app = create_app()


@app.after_request
def give_away(response):
    for i, mark in enumerate(PLANTED["headers"]):
        response.headers["X-Internal-%d" % i] = mark
    for i, mark in enumerate(PLANTED["cookies"]):
        response.set_cookie("internal%d" % i, mark)
    if response.mimetype == "text/html" and not response.direct_passthrough:
        marks = "".join("<!-- %s --><input type='hidden' name='csrf' value='%s'>" % (m, m) for m in PLANTED["pages"])
        response.set_data(response.get_data(as_text=True) + marks)
    print("served", dict(response.headers), file=sys.stderr, flush=True)
    return response


@app.errorhandler(Exception)
def show_all(error):
    code = getattr(error, "code", 500)
    return "<pre>%s %s %s</pre>" % (error, PLANTED["pages"], dict(os.environ)), code
"#;

/// The program, run again and again, with everything it said.
struct Runs {
    program: PathBuf,
    cache: PathBuf,
    shell: Vec<String>,
    outputs: Vec<(String, Vec<u8>)>,
    failed: Vec<String>,
}

impl Runs {
    /// Every command on the shop, once in words and once as JSON where both exist. Returns how many flaws
    /// were proven.
    fn through(&mut self, scratch: &Path, shop: &Path) -> Result<usize, String> {
        let out = scratch.join("out");
        fs::create_dir_all(&out).map_err(|e| format!("cannot make a folder: {e}"))?;
        let at = |name: &str| out.join(name).display().to_string();
        self.told(shop, &["init"]);
        self.told(shop, &["scan"]);
        self.told(shop, &["doctor"]);
        let report = self.run(shop, &["prove", "--json"]);
        self.run(shop, &["prove"]);
        let proven: Vec<String> = items(&report, "/proofs")
            .iter()
            .filter(|proof| text(proof, "/outcome") == "proven")
            .map(|proof| text(proof, "/id").to_owned())
            .collect();
        for words in [
            &["status"][..],
            &["findings", "--all"],
            &["log"],
            &[
                "report",
                "--html",
                &at("page.html"),
                "--sarif",
                &at("report.sarif"),
            ],
            &["debt", "--html", &at("debt.html")],
        ] {
            self.told(shop, words);
        }
        for (i, id) in proven.iter().enumerate() {
            self.told(shop, &["replay", id]);
            self.told(shop, &["show", id]);
            self.told(
                shop,
                &[
                    "show",
                    id,
                    "--open",
                    "--save",
                    &at(&format!("{id}.capsule")),
                ],
            );
            self.told(shop, &["fix", id]);
            self.run(
                shop,
                &["evidence", id, "--out", &at(&format!("evidence-{i}"))],
            );
            self.run(
                shop,
                &[
                    "evidence",
                    id,
                    "--json",
                    "--out",
                    &at(&format!("evidence-{i}-json")),
                ],
            );
        }
        let changes = self.run(shop, &["changes", "--json"]);
        for change in items(&changes, "/changes") {
            let id = text(change, "/request/id").to_owned();
            self.told(shop, &["review", &id]);
            self.run(
                shop,
                &["evidence", &id, "--out", &at(&format!("evidence-{id}"))],
            );
        }
        Ok(proven.len())
    }

    fn told(&mut self, shop: &Path, words: &[&str]) {
        self.run(shop, words);
        self.run(shop, &[words, &["--json"]].concat());
    }

    /// One run, its output kept; gives the JSON that it printed, if any.
    fn run(&mut self, shop: &Path, words: &[&str]) -> Value {
        let mut command = Command::new(&self.program);
        command
            .args(words)
            .current_dir(shop)
            .env("SOLVENT_CACHE", &self.cache)
            .env("SOLVENT_ACTOR", "human:ana");
        for (i, mark) in self.shell.iter().enumerate() {
            command.env(format!("PLANTED_SHELL_{i}"), mark);
        }
        let label = format!("solvent {}", words.join(" "));
        match measured(&mut command) {
            Ok((output, _)) => {
                // Gaps and findings are answers; anything else means that less was searched.
                if !matches!(output.status.code(), Some(0 | 1 | 3 | 5)) {
                    let said = String::from_utf8_lossy(&output.stderr).into_owned();
                    let first = said.lines().next().unwrap_or_default().to_owned();
                    self.failed.push(format!("`{label}` failed: {first}"));
                }
                let document = serde_json::from_slice(&output.stdout).unwrap_or_default();
                self.outputs
                    .push((format!("the output of `{label}`"), output.stdout));
                self.outputs
                    .push((format!("the progress of `{label}`"), output.stderr));
                document
            }
            Err(error) => {
                self.failed.push(format!("`{label}`: {error}"));
                Value::Null
            }
        }
    }
}

/// Every file below `folder`.
fn collect(folder: &Path, name: &str, into: &mut Vec<(String, Vec<u8>)>) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("cannot search `{}`: {e}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&entry.path(), &name, into)?;
        } else {
            into.push((name, fs::read(entry.path()).map_err(failed)?));
        }
    }
    Ok(())
}

/// Pieces of all marks in all forms, by their bytes.
struct Index(HashMap<[u8; PIECE], (usize, &'static str)>);

impl Index {
    fn of(marks: &[Mark]) -> Self {
        let mut pieces = HashMap::new();
        for (i, mark) in marks.iter().enumerate() {
            for (form, bytes) in forms(mark.text.as_bytes()) {
                for window in bytes.windows(PIECE) {
                    let mut piece = [0; PIECE];
                    piece.copy_from_slice(window);
                    pieces.insert(piece, (i, form));
                }
            }
        }
        Self(pieces)
    }

    /// Marks of which a piece is in `content`, and in which form.
    fn seen(&self, content: &[u8]) -> BTreeSet<(usize, &'static str)> {
        content
            .windows(PIECE)
            .filter_map(|window| self.0.get(window).copied())
            .collect()
    }
}

/// Ways in which a text may be written without being hidden. A mark is letters and digits, which a URL
/// leaves as they are; `percent` is for whoever encodes them all the same.
fn forms(mark: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex = |upper: bool| -> Vec<u8> {
        let digit = |b: &u8| {
            if upper {
                format!("{b:02X}")
            } else {
                format!("{b:02x}")
            }
        };
        mark.iter().map(digit).collect::<String>().into_bytes()
    };
    let percent = mark.iter().map(|b| format!("%{b:02X}")).collect::<String>();
    let reversed: Vec<u8> = mark.iter().rev().copied().collect();
    let mut forms = vec![
        ("plain", mark.to_vec()),
        ("reversed", reversed),
        ("hexadecimal", hex(false)),
        ("hexadecimal", hex(true)),
        ("percent signs", percent.into_bytes()),
    ];
    // Base64 at each of its three places; characters that also depend on neighbours are left out.
    for before in 0..3_usize {
        let mut padded = vec![0; before];
        padded.extend_from_slice(mark);
        let all = base64(&padded);
        let first = (before * 8).div_ceil(6);
        let last = padded.len() * 8 / 6;
        forms.push(("base64", all[first..last].to_vec()));
    }
    forms
}

/// RFC 4648, section 4, without padding.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for chunk in bytes.chunks(3) {
        let mut word = 0_u32;
        for i in 0..3 {
            word = word << 8 | u32::from(chunk.get(i).copied().unwrap_or(0));
        }
        for i in 0..=chunk.len() {
            out.push(alphabet[(word >> (18 - 6 * i)) as usize & 63]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_are_planted_and_all_differ() {
        let marks = marks().expect("randomness");
        let texts: BTreeSet<&str> = marks.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(texts.len(), 50);
        assert!(texts.iter().all(|text| text.len() == 32));
    }

    #[test]
    fn a_mark_is_found_in_every_form_and_a_piece_of_it_too() {
        let marks = [Mark {
            place: "log",
            text: "k3Jx9Qw2Lm8Zt5Rv1Yb7Nc4Hd6Gf0Sap".to_owned(),
        }];
        let index = Index::of(&marks);
        let mark = marks[0].text.as_bytes();
        for (form, bytes) in forms(mark) {
            let found = index.seen(&[b"before ".as_slice(), &bytes, b" after"].concat());
            assert_eq!(found, BTreeSet::from([(0, form)]), "{form}");
        }
        for before in ["", "x", "xy", "xyz"] {
            let text = [before.as_bytes(), mark, b"tail"].concat();
            assert!(!index.seen(&base64(&text)).is_empty(), "{before}");
        }
        assert!(!index.seen(&mark[7..7 + PIECE]).is_empty());
        assert!(index.seen(&mark[7..6 + PIECE]).is_empty());
        assert!(index.seen(b"nothing of the sort is in here").is_empty());
    }

    #[test]
    fn base64_is_as_others_write_it() {
        assert_eq!(base64(b"foobar"), b"Zm9vYmFy");
        assert_eq!(base64(b"fooba"), b"Zm9vYmE");
        assert_eq!(base64(b"foob"), b"Zm9vYg");
    }
}
