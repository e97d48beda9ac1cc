//! What ran against what is called unreachable: applications are served, crawled, and asked which functions ran.
//!
//! A function that ran and has no path is a contradiction, and each is a defect: the same reasoning folds findings away.
//! An engine that decides nothing contradicts nothing, so the share of functions left undecided stands beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::apps::{App, Framework, Ready, last_line, script, table};
use super::targets::note;
use crate::figures::{Figures, Place, rounded};
use crate::program::{self, items, number, released, text};

/// An application that does not listen by then is unmeasured.
const UNTIL_IT_LISTENS: Duration = Duration::from_secs(120);

/// How long it may take to write down what ran.
const UNTIL_IT_ENDS: Duration = Duration::from_secs(60);

/// A function of the application that ran.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
struct Ran {
    file: String,
    /// Where its text begins; of Python the line only.
    line: u64,
    #[serde(default)]
    column: u64,
    #[serde(default)]
    end_line: u64,
    #[serde(default)]
    end_column: u64,
    name: String,
}

#[derive(Default)]
struct Tally {
    contradictions: usize,
    /// Functions that ran and are known.
    seen: usize,
    seen_undecided: usize,
    /// Functions that ran and that nothing is said of.
    unknown: usize,
    functions: usize,
    undecided: usize,
    notes: Vec<String>,
}

pub fn run(place: &Place) -> Result<Figures, String> {
    let apps = table()?;
    let mut reasons: Vec<String> = Vec::new();
    let mut figures = Figures::new();
    let mut sum = Tally::default();
    let mut measured = 0;
    let mut built: Option<PathBuf> = None;
    for app in &apps {
        // Next builds pages into bundles of its own before it runs them.
        if app.framework == Framework::Next {
            continue;
        }
        let found = match app.unmeasured_for("runtime-contradictions") {
            Some(why) => Err(why.to_owned()),
            None => app.corpus(place),
        };
        let tally = found.and_then(|corpus| {
            let program = match built.take() {
                Some(program) => program,
                None => released(&place.root)?,
            };
            let tally = one(place, app, &corpus, &program);
            built = Some(program);
            tally
        });
        let tally = match tally {
            Ok(tally) => tally,
            Err(why) => {
                note(&format!("unmeasured: {}: {why}", app.name));
                reasons.push(format!("{}: {why}", app.name));
                continue;
            }
        };
        for line in &tally.notes {
            note(&format!("{}: {line}", app.name));
        }
        measured += 1;
        for (name, n) in [
            ("contradictions", tally.contradictions),
            ("seen", tally.seen),
            ("functions", tally.functions),
            ("undecided", tally.undecided),
        ] {
            figures.insert(format!("{}_{name}", app.name), n as f64);
        }
        sum.contradictions += tally.contradictions;
        sum.seen += tally.seen;
        sum.seen_undecided += tally.seen_undecided;
        sum.unknown += tally.unknown;
        sum.functions += tally.functions;
        sum.undecided += tally.undecided;
    }
    if measured == 0 {
        reasons.dedup();
        return Err(reasons.join("; "));
    }
    let share = |part: usize, whole: usize| rounded(part as f64 / (whole as f64).max(1.0));
    figures.insert("apps".to_owned(), f64::from(measured));
    figures.insert("contradictions".to_owned(), sum.contradictions as f64);
    figures.insert("functions_seen".to_owned(), sum.seen as f64);
    figures.insert("functions_unknown".to_owned(), sum.unknown as f64);
    figures.insert("functions".to_owned(), sum.functions as f64);
    figures.insert(
        "undecided_share".to_owned(),
        share(sum.undecided, sum.functions),
    );
    figures.insert(
        "undecided_share_seen".to_owned(),
        share(sum.seen_undecided, sum.seen),
    );
    Ok(figures)
}

/// Scans one application as it will be served, serves it, and compares.
fn one(place: &Place, app: &App, corpus: &Path, program: &Path) -> Result<Tally, String> {
    let ready = app.ready(place, corpus)?;
    let folder = ready.copy.to_string_lossy().into_owned();
    let (report, _) = program::json(program, &["graph", "--no-git", &folder])?;
    let functions = items(&report, "/functions");
    let routes: Vec<Value> = items(&report, "/entry_points").iter().map(wanted).collect();
    let ran = executed(place, app, &ready, &routes)?;
    Ok(compared(functions, &ran))
}

/// What the crawler is told of an entry point.
fn wanted(entry: &Value) -> Value {
    let fields: Vec<&str> = items(entry, "/entry/inputs")
        .iter()
        .filter_map(Value::as_str)
        .filter(|words| !words.starts_with("path ") && !words.contains("header"))
        .filter_map(|words| words.split_once(' ')?.1.rsplit(' ').next())
        .collect();
    json!({
        "methods": items(entry, "/entry/methods"),
        "route": text(entry, "/entry/route"),
        "fields": fields,
    })
}

/// Serves it, crawls it, and gives what ran.
fn executed(place: &Place, app: &App, ready: &Ready, routes: &[Value]) -> Result<Vec<Ran>, String> {
    let file = |what: &str| place.scratch.join(format!("{}.{what}", app.name));
    for one in &app.before {
        let mut words = one.split(' ');
        let mut before = Command::new("timeout");
        before.arg("120").arg(&ready.program).args(words.by_ref());
        ready.within(place, &mut before);
        super::apps::done(&mut before, &format!("run `{one}`"))?;
    }
    let port = match app.port {
        Some(port) => port,
        None => free_port()?,
    };
    let answer = file("executed.json");
    let coverage = file("coverage");
    let mut command = ready.command(place);
    if app.framework.is_node() {
        let preload = script(place, "preload.js", include_str!("apps/preload.js"))?;
        command
            .args(&ready.preload)
            .arg("--require")
            .arg(preload)
            .arg(&app.from)
            .env("SERVE_AT", port.to_string())
            .env("NODE_V8_COVERAGE", &coverage);
    } else {
        command
            .arg(script(place, "serve.py", include_str!("apps/serve.py"))?)
            .args([app.framework.word(), &app.from])
            .arg(&ready.copy)
            .arg(port.to_string())
            .arg(&answer);
    }
    let create = |what: &str| {
        File::create(file(what)).map_err(|error| format!("cannot write below the scratch: {error}"))
    };
    let mut server = command
        .stdout(create("out")?)
        .stderr(create("err")?)
        .spawn()
        .map_err(|error| format!("cannot start `{}`: {error}", ready.program.display()))?;
    let crawled = listens(&mut server, port).and_then(|()| {
        let list = file("crawl.json");
        fs::write(&list, Value::from(routes.to_vec()).to_string())
            .map_err(|error| format!("cannot write what is to be crawled: {error}"))?;
        let headers = json!(app.headers).to_string();
        crawl(place, port, &list, &headers, &cookies(&file("out")))
    });
    let ended = end(&mut server);
    if let Err(why) = crawled.and(ended) {
        let said = fs::read(file("err")).unwrap_or_default();
        return Err(format!("{why}; it said last: {}", last_line(&said)));
    }
    let document = if app.framework.is_node() {
        let mut read = Command::new("node");
        read.arg(script(
            place,
            "executed.js",
            include_str!("apps/executed.js"),
        )?)
        .arg(&coverage)
        .arg(&ready.copy);
        let output = read
            .output()
            .map_err(|error| format!("cannot start `node`: {error}"))?;
        if !output.status.success() {
            let why = last_line(&output.stderr);
            return Err(format!("its coverage could not be read: {why}"));
        }
        output.stdout
    } else {
        fs::read(&answer).map_err(|error| format!("it did not say what ran: {error}"))?
    };
    serde_json::from_slice(&document).map_err(|error| format!("what ran: {error}"))
}

fn free_port() -> Result<u16, String> {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|error| format!("no port is free: {error}"))
}

fn listens(server: &mut Child, port: u16) -> Result<(), String> {
    let until = Instant::now() + UNTIL_IT_LISTENS;
    while Instant::now() < until {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        if let Ok(Some(status)) = server.try_wait() {
            return Err(format!("it ended before it listened: {status}"));
        }
        sleep(Duration::from_millis(100));
    }
    Err("it did not listen in time".to_owned())
}

/// The session of a user that the script made, where it could.
fn cookies(said: &Path) -> String {
    let words = fs::read_to_string(said).unwrap_or_default();
    let cookies: Vec<&str> = words
        .lines()
        .filter_map(|line| line.strip_prefix("cookie "))
        .collect();
    cookies.join("; ")
}

fn crawl(
    place: &Place,
    port: u16,
    routes: &Path,
    headers: &str,
    cookies: &str,
) -> Result<(), String> {
    let mut command = Command::new("timeout");
    command
        .args(["400", "python3"])
        .arg(script(place, "crawl.py", include_str!("apps/crawl.py"))?)
        .arg(format!("http://127.0.0.1:{port}"))
        .arg(routes)
        .arg(headers);
    if !cookies.is_empty() {
        command.arg(cookies);
    }
    let output = command
        .output()
        .map_err(|error| format!("cannot crawl: {error}"))?;
    let answered = String::from_utf8_lossy(&output.stdout);
    match answered.trim().parse::<u64>() {
        Ok(n) if n > 0 => Ok(()),
        Ok(_) => Err("it answered nothing".to_owned()),
        Err(_) => Err(format!("cannot crawl: {}", last_line(&output.stderr))),
    }
}

/// Asks it to end, which is when it says what ran.
fn end(server: &mut Child) -> Result<(), String> {
    let asked = Command::new("kill")
        .args(["-TERM", &server.id().to_string()])
        .status();
    let until = Instant::now() + UNTIL_IT_ENDS;
    while asked.is_ok() && Instant::now() < until {
        if let Ok(Some(_)) = server.try_wait() {
            return Ok(());
        }
        sleep(Duration::from_millis(50));
    }
    let _ = server.kill();
    let _ = server.wait();
    Err("it did not end when it was told to".to_owned())
}

fn compared(functions: &[Value], ran: &[Ran]) -> Tally {
    let mut tally = Tally::default();
    let mut by_file: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for function in functions {
        let file = text(function, "/place/path");
        if !is_code(file) {
            continue;
        }
        by_file.entry(file).or_default().push(function);
        tally.functions += 1;
        tally.undecided += usize::from(text(function, "/verdict") == "undecided");
    }
    for one in ran.iter().filter(|one| is_code(&one.file)) {
        let here = by_file
            .get(one.file.as_str())
            .map_or(&[][..], Vec::as_slice);
        let known = named(here, one);
        let Some(first) = known.first() else {
            tally.unknown += 1;
            tally.notes.push(format!(
                "nothing is said of {}:{} {}",
                one.file, one.line, one.name
            ));
            continue;
        };
        tally.seen += 1;
        // Two of one name on one line may be either.
        let all = |word: &str| known.iter().all(|f| text(f, "/verdict") == word);
        tally.seen_undecided += usize::from(all("undecided"));
        if all("no_path") {
            tally.contradictions += 1;
            let why = text(first, "/why/0/text");
            tally.notes.push(format!(
                "it ran: {} at {}:{}, but {why}",
                text(first, "/name"),
                one.file,
                one.line
            ));
        }
    }
    tally
}

/// Templates are read as functions too, and no tracer sees them.
fn is_code(path: &str) -> bool {
    let known = ["py", "js", "cjs", "mjs", "jsx", "ts", "mts", "cts", "tsx"];
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.') {
        Some((_, extension)) => known.contains(&extension),
        None => true,
    }
}

/// The functions that a place and a name mean: by both ends, by one, by the name.
fn named<'f>(here: &[&'f Value], ran: &Ran) -> Vec<&'f Value> {
    let at = |function: &Value, which: &str| {
        let place = |part: &str| number(function, &format!("/{which}/{part}")) as u64;
        (place("line"), place("column"))
    };
    let is_called = |function: &Value| {
        let name = text(function, "/name");
        let last = name.rsplit([':', '.']).next().unwrap_or_default();
        let wanted = ran.name.rsplit(['.', ' ']).next().unwrap_or_default();
        last == wanted
    };
    let begins = |f: &Value| at(f, "begins") == (ran.line, ran.column);
    let ends = |f: &Value| at(f, "ends") == (ran.end_line, ran.end_column);
    let tries: [&dyn Fn(&Value) -> bool; 4] = [&|f| begins(f) && ends(f), &begins, &ends, &|f| {
        is_called(f) && at(f, "begins").0 == ran.line
    }];
    tries
        .iter()
        .map(|fits| here.iter().copied().filter(|f| fits(f)).collect::<Vec<_>>())
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, line: u64, column: u64, verdict: &str) -> Value {
        json!({
            "name": name, "verdict": verdict, "why": [{"text": "nothing leads there"}],
            "place": {"path": "shop/app.py", "line": line, "column": column + 4},
            "begins": {"path": "shop/app.py", "line": line, "column": column},
            "ends": {"path": "shop/app.py", "line": line + 2, "column": 9},
        })
    }

    fn ran(line: u64, column: u64, name: &str) -> Ran {
        Ran {
            file: "shop/app.py".to_owned(),
            line,
            column,
            end_line: 0,
            end_column: 0,
            name: name.to_owned(),
        }
    }

    #[test]
    fn what_ran_and_is_called_unreachable_is_a_contradiction() {
        let functions = [
            function("shop.app:index", 3, 1, "reachable"),
            function("shop.app:Order.total", 9, 5, "no_path"),
            function("shop.app:late", 20, 1, "undecided"),
        ];
        let all = [
            ran(3, 0, "index"),
            ran(9, 0, "total"),
            ran(20, 0, "late"),
            ran(30, 0, "made_at_run_time"),
        ];
        let tally = compared(&functions, &all);
        assert_eq!((tally.contradictions, tally.seen), (1, 3));
        assert_eq!((tally.unknown, tally.seen_undecided), (1, 1));
        assert_eq!((tally.functions, tally.undecided), (3, 1));
    }

    #[test]
    fn two_of_one_name_on_one_line_may_be_either() {
        let functions = [
            function("shop.app:<lambda>", 3, 10, "no_path"),
            function("shop.app:<lambda>", 3, 30, "reachable"),
        ];
        assert_eq!(
            compared(&functions, &[ran(3, 0, "<lambda>")]).contradictions,
            0
        );
        assert_eq!(compared(&functions, &[ran(3, 10, "")]).contradictions, 1);
    }
}
