use super::*;

fn finding(weakness: &str, line: u64, verdict: &str, entry: &str, input: &str) -> Value {
    let (method, route) = entry.split_once(' ').expect("method and route");
    serde_json::json!({
        "weakness": weakness,
        "verdict": {"word": verdict, "reasons": []},
        "sink": {"place": {"path": "app/data/dao.js", "line": line}},
        "entry": {"label": entry, "methods": [method], "route": route},
        "flows": [{"input": input, "steps": []}],
    })
}

fn record() -> Flaw {
    let record = serde_json::json!({
        "id": "X-1", "cwe": "CWE-943 (by hand)", "entry": "GET or POST /a/:id then GET /b",
        "param": "name, other (file): as text", "sink": "data/dao.js:40 to :44",
        "status": "confirmed", "has_sink": true,
    });
    flaw(&record, None)
}

#[test]
fn a_flaw_is_found_with_its_entry_point_and_parameter_only() {
    let said = |weakness, line, verdict, entry, input| {
        rank(&record().answer(&[finding(weakness, line, verdict, entry, input)], &[]))
    };
    let get = "POST /a/{n}";
    let name = "query parameter name";
    assert_eq!(said("CWE-943", 42, "reachable", get, name), 5);
    assert_eq!(
        said("CWE-94", 48, "reachable", "GET /b", "form field other"),
        5
    );
    assert_eq!(
        said("CWE-943", 42, "reachable", get, "JSON key name.first"),
        5
    );
    assert_eq!(said("CWE-943", 42, "reachable", get, "form field names"), 4);
    assert_eq!(said("CWE-943", 42, "reachable", "PUT /a/{n}", name), 3);
    assert_eq!(said("CWE-943", 42, "reachable", "GET /a", name), 3);
    assert_eq!(said("CWE-943", 42, "undecided", get, name), 2);
    assert_eq!(said("CWE-943", 42, "no_path", get, name), 1);
    assert_eq!(said("CWE-943", 49, "reachable", get, name), 0);
    assert_eq!(said("CWE-89", 42, "reachable", get, name), 0);
}

#[test]
fn the_best_finding_counts() {
    let name = "query parameter name";
    let all = [
        finding("CWE-943", 42, "undecided", "GET /b", name),
        finding("CWE-943", 42, "reachable", "GET /b", name),
        finding("CWE-943", 42, "no_path", "GET /b", name),
    ];
    assert_eq!(record().answer(&all, &[]), Answer::Found);
}

#[test]
fn a_value_that_is_kept_begins_where_it_is_read() {
    let mut kept = finding("CWE-943", 42, "reachable", "GET /c", "form field name");
    kept["flows"][0]["steps"] = serde_json::json!([{"function": "app:save", "place": null}]);
    let save = serde_json::json!({"handler": "app:save", "methods": ["POST"], "route": "/a/:x"});
    let other = serde_json::json!({"handler": "app:save", "methods": ["POST"], "route": "/d"});
    assert_eq!(record().answer(&[kept.clone()], &[save]), Answer::Found);
    assert_eq!(rank(&record().answer(&[kept], &[other])), 3);
}

#[test]
fn places_are_read_from_prose() {
    let sink = |path: &str, first, last| Sink {
        path: path.to_owned(),
        lines: Some((first, last)),
    };
    assert_eq!(
        sinks("views/a.ejs:17 and :22"),
        [sink("views/a.ejs", 17, 17), sink("views/a.ejs", 22, 22)]
    );
    assert_eq!(
        sinks("a.js:32,33,34"),
        [
            sink("a.js", 32, 32),
            sink("a.js", 33, 33),
            sink("a.js", 34, 34)
        ]
    );
    assert_eq!(
        sinks("lib/a.js:31 to lib/b.js:60"),
        [sink("lib/a.js", 31, 31), sink("lib/b.js", 60, 60)]
    );
    assert_eq!(
        sinks("bin/http-live:51 to :55"),
        [sink("bin/http-live", 51, 55)]
    );
    assert_eq!(
        sinks("autoescape off in server.js; app/b.html:45"),
        [
            Sink {
                path: "server.js".to_owned(),
                lines: None
            },
            sink("app/b.html", 45, 45)
        ]
    );
}

#[test]
fn entry_points_are_read_from_prose() {
    let one = &entries("GET any path")[0];
    assert_eq!(
        (one.methods.as_slice(), &one.path),
        (&["GET".to_owned()][..], &None)
    );
    let one = &entries("POST/GET /benchmark/{case}")[0];
    assert_eq!(one.methods, ["POST", "GET"]);
    assert_eq!(bare("/a/<path:p>.txt/"), bare("/a/{p}.txt"));
    assert_eq!(bare("/a/:id/b"), bare("/a/{n:int}/b"));
    assert_ne!(bare("/a/b"), bare("/a/:id"));
    assert!(is_route("/a/*", "/a/b") && !is_route("/a/*", "/a/b/c"));
    let of_version = bare("/_a/{unknown}/b/{c}");
    assert!(is_route(&bare("/_a/1.2/b/{d}"), &of_version));
    assert!(!is_route(&bare("/_a/1.2/x/{d}"), &of_version));
    assert!(!is_route(&bare("/_a/b/{d}"), &of_version));
}

#[test]
fn a_case_labelled_safe_is_a_near_miss_of_its_own_weakness_only() {
    let csv = "# head\nT1,sqli,false,89,0.1\nT2,sqli,true,89,0.1\n";
    let at = |case: &str, weakness: &str| {
        serde_json::json!({
            "weakness": weakness, "verdict": {"word": "reachable"},
            "sink": {"place": {"path": format!("testcode/{case}.py"), "line": 3}},
        })
    };
    assert!(labelled(csv, &[at("T1", "CWE-89")]).is_some());
    assert!(labelled(csv, &[at("T1", "CWE-78"), at("T2", "CWE-89")]).is_none());
}
