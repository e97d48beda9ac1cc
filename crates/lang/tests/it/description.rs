//! API descriptions as modules.

use solvent_base::{FilePath, Interner, ProblemKind};
use solvent_ir::Unit;
use solvent_lang::{is_description, lower_description};

fn path() -> FilePath {
    FilePath::new("specs/api.yml").expect("a path below the root")
}

fn lowered(text: &str) -> (Unit, String) {
    let names = Interner::new();
    let unit = lower_description(&path(), text.as_bytes(), &names);
    let faults = solvent_ir::check(&unit);
    assert!(faults.is_empty(), "{faults:#?}");
    for inst in unit.functions.iter().flat_map(|f| &f.insts) {
        assert!(inst.span.end as usize <= text.len());
    }
    let shown = solvent_ir::display(&unit, &names);
    (unit, shown)
}

#[test]
fn operations_bind_the_functions_that_they_name() {
    let text = "\
openapi: 3.0.0
servers: [{url: 'https://shop.example/v1/'}]
paths:
  /things/{id}:
    get:
      operationId: shop.views.show
      parameters:
        - {name: id, in: path, schema: {type: integer}}
        - {name: q, in: query, schema: {type: string}}
    delete:
      operationId: no_module
";
    let (unit, shown) = lowered(text);
    assert!(unit.problems.is_empty(), "{:?}", unit.problems);
    for part in ["shop.views", "show", "/v1/things/{id:int}", "GET", "\"q\""] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("DELETE"), "{shown}");
    let at = text.find("shop.views.show").expect("it stands there");
    let first = unit.functions[0].insts[0].span;
    assert_eq!((first.start as usize, first.end as usize), (at, at + 15));
}

#[test]
fn json_is_read_as_well() {
    let (_, shown) = lowered(
        r#"{"swagger": "2.0", "basePath": "/api", "paths": {"/x": {"post": {
            "operationId": "make", "x-swagger-router-controller": "shop.views",
            "parameters": [{"in": "formData", "name": "f", "type": "string"}]}}}}"#,
    );
    for part in ["/api/x", "POST", "make", "form"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn files_that_are_no_descriptions_are_told_by_their_beginning() {
    let other = FilePath::new("a/openapi.txt").expect("a path below the root");
    assert!(is_description(&path(), b"openapi: 3.0.0"));
    assert!(!is_description(&path(), b"services: {}"));
    assert!(!is_description(&other, b"openapi: 3.0.0"));
}

#[test]
fn hostile_descriptions_end() {
    let n = 100_000;
    let bomb: String = (1..12).fold("a: &a0 [1, 1]\n".to_owned(), |text, i| {
        let before = format!("*a{}, ", i - 1).repeat(9);
        format!("{text}b{i}: &a{i} [{before}]\n")
    });
    for text in [
        "[".repeat(n),
        "{a: ".repeat(n),
        "- ".repeat(n),
        "? ".repeat(n),
        "&a ".repeat(n),
        "paths: {a: {get: {operationId: ".to_owned(),
        bomb,
        "paths: &p {x: *p}".to_owned(),
        "paths:\n  /é{x}:\n    get: {operationId: é.é, operationId: 1}\n".to_owned(),
        "\u{feff}openapi: 3\npaths: {/: {get: {operationId: a.b}}}".to_owned(),
    ] {
        lowered(&text);
    }
    let unit = lower_description(&path(), b"openapi: \xff", &Interner::new());
    assert_eq!(unit.problems[0].kind, ProblemKind::Encoding);
}
