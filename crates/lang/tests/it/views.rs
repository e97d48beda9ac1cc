//! Templates of pages: which files are some, what they become, and that none of them is too much.

use solvent_base::{FilePath, Interner};
use solvent_ir::{Language, Unit};
use solvent_lang::view;

const NAMES: [&str; 7] = [
    "views/a.ejs",
    "views/a.pug",
    "views/a.njk",
    "views/a.hbs",
    "views/a.html",
    "templates/a.html",
    "templates/a.j2",
];

fn path(name: &str) -> FilePath {
    FilePath::new(name).expect("a path below the root")
}

fn lowered(name: &str, text: &str) -> (Unit, Interner) {
    let names = Interner::new();
    let path = path(name);
    let language = view::language_of(&path, true, true).expect("a template");
    let unit = view::lower(&path, text.as_bytes(), &names, language);
    let faults = solvent_ir::check(&unit);
    assert!(faults.is_empty(), "{name}: {faults:#?}");
    for inst in unit.functions.iter().flat_map(|f| &f.insts) {
        assert!(
            inst.span.end as usize <= text.len(),
            "{name}: a span ends behind the file"
        );
    }
    assert!(
        view::function_of(&unit, &names).is_some(),
        "{name}: no function"
    );
    (unit, names)
}

fn says(name: &str, text: &str) -> String {
    let (unit, names) = lowered(name, text);
    solvent_ir::display(&unit, &names)
}

#[test]
fn a_folder_says_who_renders_a_page() {
    let of = |name, python, javascript| view::language_of(&path(name), python, javascript);
    assert_eq!(of("views/a.html", false, true), Some(Language::JavaScript));
    assert_eq!(of("templates/a.html", true, true), Some(Language::Python));
    assert_eq!(
        of("templates/a.html", false, true),
        Some(Language::JavaScript)
    );
    assert_eq!(of("views/a.html", true, false), Some(Language::Python));
    assert_eq!(of("public/a.html", true, true), None);
    assert_eq!(of("views/a.ejs", true, false), None);
}

#[test]
fn pages_in_other_folders_are_templates_by_their_text() {
    let of = |name, text: &str, python, javascript| {
        view::language_in(&path(name), text.as_bytes(), python, javascript)
    };
    let python = Some(Language::Python);
    assert_eq!(of("htdocs/a.html", "<p>{{ a }}", true, false), python);
    assert_eq!(of("htdocs/a.html", "<p>{{ a }}", true, true), None);
    assert_eq!(of("a.html", "{% if a %}a{% endif %}", true, true), python);
    assert_eq!(
        of("a.html", "{% if a %}a{% endif %}", false, true),
        Some(Language::JavaScript)
    );
    assert_eq!(of("a.html", "}} a {{", true, false), None);
    assert_eq!(of("a.txt", "{{ a }}", true, false), None);
    assert_eq!(of("templates/a.html", "<p>", true, false), python);
    let long = "{{ a }}".repeat(view::MAX_VIEW_BYTES / 7 + 1);
    assert_eq!(of("a.html", &long, true, false), None);
}

#[test]
fn what_does_not_parse_is_said_in_the_page_itself() {
    for (name, text) in [
        ("views/a.ejs", "<% if ( { %><%- x %>"),
        ("views/a.pug", "p= (x"),
        ("views/a.njk", "{% if x %}{{ x }}"),
        ("views/a.hbs", "{{#if x}}{{x}}"),
        ("templates/a.html", "{% endfor %}"),
    ] {
        let told = says(name, text);
        assert!(told.contains("unread"), "{name}: {told}");
        let (unit, _) = lowered(name, text);
        assert!(unit.problems.is_empty(), "{name}: {:?}", unit.problems);
    }
}

#[test]
fn an_unknown_tag_leaves_the_rest_of_a_page_readable() {
    let told = says("views/a.njk", "{% widget x %}{{ y | safe }}");
    assert!(told.contains("unread") && told.contains("output"), "{told}");
}

#[test]
fn hostile_templates_end() {
    let deep = 4000;
    let mut texts: Vec<String> = vec![
        "{{".repeat(deep),
        "{% if x %}".repeat(deep),
        "{{ ".to_owned() + &"(".repeat(deep) + " }}",
        "{{ ".to_owned() + &"a|b".repeat(deep) + " }}",
        "{{ ".to_owned() + &"[".repeat(deep) + &"]".repeat(deep) + " }}",
        "<%- ".to_owned() + &"(".repeat(deep) + " %>",
        "<%".repeat(deep),
        "{{#a}}".repeat(deep),
        "{{(a ".repeat(deep),
        "{{a ((((((((((((((((((((b}}".to_owned(),
        "a: ".repeat(deep) + "b",
        "p #[".repeat(deep),
        "!{".repeat(deep),
        "p(a!=b".repeat(deep),
        (0..400).map(|i| " ".repeat(i) + "p\n").collect(),
        "{% macro m(a) %}{{ m(a) }}{% endmacro %}{{ m(x) }}".to_owned(),
        "\u{feff}{{ é }}\u{2028}<%- 'é' %>".to_owned(),
        "{% for a, b, c in d %}{{ a }}{% endfor %}{% set x = %}".to_owned(),
        "{{ x }".to_owned(),
        "{% raw %}{{ x ".to_owned(),
    ];
    // Every way to cut a page short.
    let page = "{% if a %}{{ b|safe }}{% endif %}<%- c %>{{{d}}}\np!= e\n";
    texts.extend((0..page.len()).map(|end| page[..end].to_owned()));
    for text in &texts {
        for name in NAMES {
            lowered(name, text);
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_a_page_all_the_same() {
    let names = Interner::new();
    for name in NAMES {
        let bytes = [b'<', b'%', b'-', 0xff, 0xfe, b'x', b'%', b'>', 0xc3];
        let language = view::language_of(&path(name), true, true).expect("a template");
        let unit = view::lower(&path(name), &bytes, &names, language);
        assert!(solvent_ir::check(&unit).is_empty(), "{name}");
    }
}

#[test]
fn a_script_is_known_by_its_first_line() {
    let of = |text: &str| solvent_lang::language_of_script(&path("bin/serve"), text.as_bytes());
    assert_eq!(of("#!/usr/bin/env node\n"), Some(Language::JavaScript));
    assert_eq!(
        of("#! /usr/bin/env -S node --x\n"),
        Some(Language::JavaScript)
    );
    assert_eq!(of("#!/usr/bin/python3.11\n"), Some(Language::Python));
    assert_eq!(of("#!/bin/sh\nnode\n"), None);
    assert_eq!(of("MIT License"), None);
}
