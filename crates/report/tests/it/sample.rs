//! A report with one finding of every standing, as a scan and a campaign on the example shop could give it.

use serde_json::{Value, json};
use solvent_protocol::view::{
    FindingList, FullReport, LogReport, ReplayReport, ShowReport, StatusReport,
};

fn place(path: &str, line: u32) -> Value {
    json!({ "path": path, "line": line, "column": 5 })
}

fn entry(label: &str, handler: &str, place: Value, inputs: &[&str], auth: &[&str]) -> Value {
    let (method, route) = label.split_once(' ').expect("a method and a route");
    json!({
        "label": label, "framework": "flask", "methods": [method], "route": route,
        "handler": handler, "place": place, "inputs": inputs, "auth": auth, "assumed": null,
    })
}

fn search_entry() -> Value {
    entry(
        "GET /search",
        "shop.catalogue:search",
        place("shop/catalogue.py", 43),
        &["query parameter q"],
        &[],
    )
}

fn report_entry() -> Value {
    entry(
        "POST /admin/reports",
        "shop.admin:SalesReport.post",
        place("shop/admin.py", 85),
        &["form field label", "form field month"],
        &["admin_required"],
    )
}

fn guide_entry() -> Value {
    entry(
        "GET /guides/download",
        "shop.guides:download",
        place("shop/__init__.py", 37),
        &["query parameter file"],
        &[],
    )
}

fn step(kind: &str, path: &str, line: u32, function: &str, what: &str, text: &str) -> Value {
    json!({ "kind": kind, "place": place(path, line), "function": function, "what": what, "text": text })
}

#[expect(
    clippy::too_many_arguments,
    reason = "one argument per column of the table below"
)]
fn finding(
    id: &str,
    weakness: &str,
    severity: &str,
    title: &str,
    sink: Value,
    entry: Value,
    verdict: Value,
    flows: Value,
) -> Value {
    json!({
        "id": id, "fingerprint": format!("{id}{}", "0".repeat(54)), "weakness": weakness, "severity": severity,
        "title": title, "sink": sink, "entry": entry, "verdict": verdict, "flows": flows,
    })
}

fn sink(kind: &str, callee: &str, path: &str, line: u32, function: &str, text: &str) -> Value {
    json!({ "kind": kind, "callee": callee, "place": place(path, line), "function": function, "text": text })
}

fn no_path(code: &str, text: &str, at: Option<Value>) -> Value {
    json!({ "word": "no_path", "reasons": [{ "code": code, "text": text, "place": at }] })
}

fn findings() -> Vec<Value> {
    let reachable = json!({ "word": "reachable", "reasons": [] });
    vec![
        finding(
            "4f0c2b7a11",
            "CWE-89",
            "critical",
            "query parameter q reaches the SQL text of sqlite3.Connection.execute",
            sink(
                "sql-text",
                "sqlite3.Connection.execute",
                "shop/products.py",
                64,
                "shop.products:search",
                "return get_db().execute(query).fetchall()",
            ),
            search_entry(),
            reachable.clone(),
            json!([{
                "input": "query parameter q",
                "steps": [
                    step("source", "shop/catalogue.py", 45, "shop.catalogue:search", "reads query parameter q", "term = request.args.get(\"q\", \"\").strip()"),
                    step("call", "shop/catalogue.py", 49, "shop.catalogue:search", "passes term to search(term)", "found = products.search(term) if term else []"),
                    step("local", "shop/products.py", 61, "shop.products:search", "joins term into the text of query", "f\" AND (name || ' ' || summary) LIKE '%{term}%'\""),
                    step("sink", "shop/products.py", 64, "shop.products:search", "runs it as SQL", "return get_db().execute(query).fetchall()"),
                ],
                "conditions": ["query parameter q is present"],
                "template": "SELECT id, slug, name, summary, category, price_cents, stock, image FROM products WHERE active = 1 AND (name || ' ' || summary) LIKE '%{input}%' ORDER BY name",
            }]),
        ),
        finding(
            "b81d90e4c2",
            "CWE-78",
            "high",
            "form field label reaches the shell command of subprocess.run",
            sink(
                "shell-command",
                "subprocess.run",
                "shop/reports.py",
                31,
                "shop.reports:sales_archive",
                "subprocess.run(",
            ),
            report_entry(),
            reachable.clone(),
            json!([{
                "input": "form field label",
                "steps": [
                    step("source", "shop/admin.py", 87, "shop.admin:SalesReport.post", "reads form field label", "label = request.form.get(\"label\") or \"sales\""),
                    step("call", "shop/admin.py", 88, "shop.admin:SalesReport.post", "passes label to sales_archive(month, label)", "archive = reports.sales_archive(month, label)"),
                    step("sink", "shop/reports.py", 31, "shop.reports:sales_archive", "runs it in a shell", "f\"tar -czf report.tar.gz --transform s,^,{label}/, sales.csv\","),
                ],
                "conditions": [],
                "template": "tar -czf report.tar.gz --transform s,^,{input}/, sales.csv",
            }]),
        ),
        finding(
            "77e5a0f91d",
            "CWE-22",
            "high",
            "query parameter file reaches the path that open reads",
            sink(
                "file-path-read",
                "open",
                "shop/storage.py",
                17,
                "shop.storage:read_guide",
                "with open(path, encoding=\"utf-8\") as guide:",
            ),
            guide_entry(),
            reachable.clone(),
            json!([{
                "input": "query parameter file",
                "steps": [
                    step("source", "shop/guides.py", 19, "shop.guides:download", "reads query parameter file", "name = request.args.get(\"file\", \"\")"),
                    step("sink", "shop/storage.py", 17, "shop.storage:read_guide", "opens it", "with open(path, encoding=\"utf-8\") as guide:"),
                ],
                "conditions": [],
                "template": "{...}/{input}",
            }]),
        ),
        finding(
            "0d6c3a5e88",
            "CWE-89",
            "high",
            "JSON key order reaches the SQL text of sqlite3.Connection.execute",
            sink(
                "sql-text",
                "sqlite3.Connection.execute",
                "shop/till.py",
                12,
                "shop.till:list_sales",
                "database.execute(sql)",
            ),
            entry(
                "POST /api/sales",
                "shop.till:list_sales",
                place("shop/till.py", 8),
                &["JSON key order"],
                &["login_required"],
            ),
            json!({ "word": "reachable", "reasons": [
                { "code": "name_only_call", "text": "`rank` is matched by name, the receiver's type is not known", "place": place("shop/till.py", 11) },
            ] }),
            json!([{ "input": "JSON key order", "steps": [
                step("source", "shop/till.py", 10, "shop.till:list_sales", "reads JSON key order", "order = request.get_json()[\"order\"]"),
                step("sink", "shop/till.py", 12, "shop.till:list_sales", "runs it as SQL", "database.execute(sql)"),
            ], "conditions": [], "template": null }]),
        ),
        finding(
            "c2f4416b09",
            "CWE-22",
            "medium",
            "an input may reach the path that open reads",
            sink(
                "file-path-read",
                "open",
                "shop/plugins.py",
                30,
                "shop.plugins:load",
                "return open(locate(name)).read()",
            ),
            Value::Null,
            json!({ "word": "undecided", "reasons": [
                { "code": "dynamic_boundary", "text": "`registry[kind]` could not be resolved", "place": place("shop/plugins.py", 22) },
            ] }),
            json!([]),
        ),
        finding(
            "1b2e77f013",
            "CWE-89",
            "high",
            "a parameter of below_stock_level reaches the SQL text of sqlite3.Connection.execute",
            sink(
                "sql-text",
                "sqlite3.Connection.execute",
                "shop/products.py",
                83,
                "shop.products:below_stock_level",
                "get_db()",
            ),
            Value::Null,
            no_path(
                "no_caller",
                "no route and no caller leads to `shop.products:below_stock_level`",
                None,
            ),
            json!([]),
        ),
        finding(
            "2c91d5a7f4",
            "CWE-78",
            "high",
            "query parameter host reaches the shell command of os.popen",
            sink(
                "shell-command",
                "os.popen",
                "shop/maintenance.py",
                9,
                "shop.maintenance:resolve_host",
                "with os.popen(\"getent hosts \" + host) as answer:",
            ),
            Value::Null,
            no_path(
                "dead_branch",
                "the branch on `DEBUG_TOOLS` is never taken",
                Some(place("shop/admin.py", 29)),
            ),
            json!([]),
        ),
        finding(
            "3fa0b86c52",
            "CWE-78",
            "high",
            "query parameter contains reaches the shell command of subprocess.run",
            sink(
                "shell-command",
                "subprocess.run",
                "shop/reports.py",
                45,
                "shop.reports:count_in_log",
                "result = subprocess.run(command, shell=True, capture_output=True, text=True)",
            ),
            Value::Null,
            no_path(
                "sanitized",
                "`shlex.quote` makes the input harmless here",
                Some(place("shop/reports.py", 44)),
            ),
            json!([]),
        ),
        finding(
            "4e6d1f2b90",
            "CWE-22",
            "high",
            "path segment name reaches the path that pathlib.Path.read_bytes reads",
            sink(
                "file-path-read",
                "pathlib.Path.read_bytes",
                "shop/storage.py",
                35,
                "shop.storage:read_picture",
                "return picture.read_bytes()",
            ),
            Value::Null,
            no_path(
                "guarded",
                "`pathlib.Path.is_relative_to` lets only harmless values pass",
                Some(place("shop/storage.py", 33)),
            ),
            json!([]),
        ),
        finding(
            "5a0c9e8d37",
            "CWE-22",
            "high",
            "a parameter of load_snapshot reaches the path that open reads",
            sink(
                "file-path-read",
                "open",
                "shop/storage.py",
                46,
                "shop.storage:load_snapshot",
                "with open(path, \"rb\") as snapshot:",
            ),
            Value::Null,
            no_path(
                "dead_caller",
                "`shop.storage:load_snapshot` is called only by `shop.storage:restore_snapshot`, which nothing leads to",
                None,
            ),
            json!([]),
        ),
    ]
}

#[expect(
    clippy::too_many_arguments,
    reason = "one argument per column of the table below"
)]
fn proof(
    id: &str,
    weakness: &str,
    entry: &str,
    outcome: &str,
    reason: &str,
    tier: &str,
    oracle: &str,
    effect: &str,
    input: &str,
    replays: [u32; 2],
    requests: u64,
    evidence: &[&str],
) -> Value {
    json!({
        "id": id, "fingerprint": format!("{id}{}", "0".repeat(54)), "weakness": weakness, "entry": entry, "outcome": outcome,
        "reason": reason, "tier": tier, "oracle": oracle, "effect": effect, "input": input,
        "replays_shown": replays[0], "replays_run": replays[1], "requests": requests, "attacks": requests / 2,
        "seconds": requests as f64 * 0.05, "evidence": evidence,
        "capsule": (outcome == "proven").then(|| format!("sha256:{}", "ab".repeat(32))),
    })
}

fn proofs() -> Vec<Value> {
    vec![
        proof(
            "4f0c2b7a11",
            "CWE-89",
            "GET /search",
            "proven",
            "",
            "P0",
            "bit-prediction",
            "16 of 16 secret random bits decided whether the search found anything",
            "query parameter q",
            [3, 3],
            118,
            &[
                "the statement that ran had 9 more tokens than the twin's",
                "the twin found nothing, with the same status 200",
            ],
        ),
        proof(
            "b81d90e4c2",
            "CWE-78",
            "POST /admin/reports",
            "proven",
            "",
            "P1",
            "canary-program",
            "the canary program ran, started by /bin/sh -c",
            "form field label",
            [3, 3],
            24,
            &[
                "parent chain: python3 > /bin/sh > canary",
                "signed in as admin",
            ],
        ),
        proof(
            "77e5a0f91d",
            "CWE-22",
            "GET /guides/download",
            "inconclusive",
            "the benign twin did not behave: status 404 before the attack, 200 after it",
            "P3",
            "",
            "",
            "query parameter file",
            [0, 0],
            12,
            &[],
        ),
        proof(
            "0d6c3a5e88",
            "CWE-89",
            "POST /api/sales",
            "not_reproduced",
            "every payload was answered as its twin was",
            "P2",
            "",
            "",
            "JSON key order",
            [0, 0],
            61,
            &[],
        ),
    ]
}

fn subject() -> Value {
    json!({ "name": "storefront", "revision": "3f2a91c0d2e4b6a8c0d2e4f6a8b0c2d4e6f80a1b", "dirty": false, "tree": format!("sha256:{}", "cd".repeat(32)) })
}

fn tool() -> Value {
    json!({ "name": "solvent", "version": "0.1.0", "models": format!("sha256:{}", "ef".repeat(32)) })
}

fn target() -> Value {
    json!({
        "recipe": "app wsgi:app", "recipe_digest": format!("sha256:{}", "12".repeat(32)), "origin": "solvent.toml",
        "interpreter": "CPython 3.11.2", "limits": ["the development server of the framework, not the production one"],
        "sandbox": "native, as root: namespaces, Landlock, seccomp", "start_ms": 640, "prepare_ms": 8_200,
    })
}

fn unmeasured() -> Value {
    json!([
        { "what": "1 file of .js", "why": "JavaScript is not modelled yet, flows through it are not seen" },
        { "what": "proof of finding 77e5a0f91d", "why": "the benign twin did not behave" },
    ])
}

fn from<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("the sample follows the schema")
}

pub fn full() -> FullReport {
    from(full_json())
}

pub fn full_json() -> Value {
    let states: Vec<Value> = findings()
        .into_iter()
        .map(|finding| {
            let proof = proofs().into_iter().find(|p| p["id"] == finding["id"]);
            let present = finding["id"] != "5a0c9e8d37";
            json!({ "finding": finding, "proof": proof, "first_seen_ms": 1_795_300_000_000_i64, "last_seen_ms": 1_795_398_000_000_i64, "present": present })
        })
        .collect();
    json!({
        "status": status_json(),
        "scan": {
            "schema": "solvent.scan/v1", "tool": tool(), "subject": subject(), "started_ms": 1_795_398_000_000_i64, "duration_ms": 214,
            "coverage": {
                "files_seen": 25, "files_analysed": 24, "files_not_modelled": [["js", 1]], "files_copied_in": 3, "lines": 1_402, "functions": 118,
                "calls_resolved": 412, "calls_unresolved": 9, "constant_sinks": 21,
            },
            "entry_points": [
                entry("GET /", "shop.catalogue:index", place("shop/catalogue.py", 13), &["query parameter page", "query parameter sort"], &[]),
                guide_entry(), search_entry(),
                entry("GET /media/<path:name>", "shop.catalogue:picture", place("shop/catalogue.py", 61), &["path segment name"], &[]),
                report_entry(),
                entry("POST /login", "shop.auth:login", place("shop/auth.py", 74), &["form field email", "form field password", "query parameter next"], &[]),
            ],
            "findings": findings(), "unmeasured": unmeasured(),
        },
        "prove": {
            "schema": "solvent.prove/v1", "tool": tool(), "subject": subject(), "started_ms": 1_795_398_060_000_i64, "duration_ms": 21_400,
            "target": target(), "proofs": proofs(), "luck_log2": -46, "unmeasured": unmeasured(),
        },
        "findings": states,
        "generated_ms": 1_795_398_120_000_i64,
        "ledger": { "size": 42, "root": format!("sha256:{}", "34".repeat(32)) },
    })
}

fn status_json() -> Value {
    json!({
        "schema": "solvent.status/v1", "subject": subject(), "scanned_ms": 1_795_398_000_000_i64, "proved_ms": 1_795_398_060_000_i64,
        "found": 10, "reachable": 4, "undecided": 1, "no_path": 5, "proven": 2, "not_reproduced": 1, "inconclusive": 1,
        "not_attempted": 1, "entry_points": 6, "unmeasured": unmeasured(),
    })
}

pub fn status() -> StatusReport {
    from(status_json())
}

pub fn list() -> FindingList {
    FindingList {
        schema: "solvent.findings/v1".to_owned(),
        findings: full().findings,
    }
}

/// The finding with this id, sealed or opened.
pub fn show(id: &str, curl: Option<&str>) -> ShowReport {
    let state = full()
        .findings
        .into_iter()
        .find(|s| s.finding.id == id)
        .expect("an id of the sample");
    ShowReport {
        schema: "solvent.show/v1".to_owned(),
        state,
        curl: curl.map(str::to_owned),
        records: vec![7, 8, 31, 32],
    }
}

/// The full report with its first finding turned into a use: a way instead of flows, without a proof.
pub fn with_use() -> FullReport {
    let mut report = full();
    let state = &mut report.findings[0];
    let flows = std::mem::take(&mut state.finding.flows);
    state.finding.way = flows.into_iter().next().expect("a flow").steps;
    state.finding.title = "a broken hash: hashlib.new with `sha1` in digest".to_owned();
    state.finding.verdict.word = "reachable".to_owned();
    state.finding.verdict.reasons.clear();
    state.proof = None;
    report
}

pub fn replay() -> ReplayReport {
    from(json!({
        "schema": "solvent.replay/v1", "subject": subject(), "target": target(), "fingerprint": "4f0c2b7a11", "weakness": "CWE-89",
        "outcome": "not_reproduced", "reason": "the search answered as its twin did", "oracle": "bit-prediction",
        "replays_shown": 0, "replays_run": 3, "requests": 51, "seconds": 2.04,
    }))
}

pub fn log() -> LogReport {
    let entry = |index: u64, actor: &str, action: &str, phase: &str, status: &str, note: &str| {
        json!({ "index": index, "time_ms": 1_795_398_000_000_i64 + index as i64 * 1_000, "actor": actor, "action": action,
                "target": "storefront", "phase": phase, "status": status, "note": note })
    };
    from(json!({ "schema": "solvent.log/v1", "entries": [
        entry(8, "human:ana", "scan", "intent", "", ""),
        entry(9, "human:ana", "scan", "result", "done", "10 findings, 4 reachable"),
        entry(10, "agent:fixer", "open_capsule", "intent", "", ""),
        entry(11, "agent:fixer", "open_capsule", "result", "refused", "agents may not open capsules of open flaws; a person with the role `prover` may"),
        entry(12, "human:ana", "prove", "result", "failed", "the disk is full"),
    ] }))
}

/// Appends `tail` to every text of the report, keys and schema names left alone.
pub fn poisoned(tail: &str) -> FullReport {
    fn poison(value: &mut Value, tail: &str) {
        match value {
            Value::String(text) => text.push_str(tail),
            Value::Array(items) => items.iter_mut().for_each(|v| poison(v, tail)),
            Value::Object(fields) => fields.values_mut().for_each(|v| poison(v, tail)),
            _ => {}
        }
    }
    let mut value = full_json();
    poison(&mut value, tail);
    from(value)
}
