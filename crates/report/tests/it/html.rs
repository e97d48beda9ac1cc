use std::collections::BTreeSet;

use solvent_report::html::page;
use solvent_report::visible::is_hidden;

use crate::sample;

/// Every element that a page may hold. None of them runs, loads or submits anything.
const ELEMENTS: [&str; 52] = [
    "a",
    "article",
    "b",
    "body",
    "br",
    "caption",
    "circle",
    "code",
    "dd",
    "defs",
    "desc",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "head",
    "header",
    "html",
    "li",
    "line",
    "main",
    "mark",
    "meta",
    "ol",
    "p",
    "path",
    "pattern",
    "pre",
    "rect",
    "section",
    "small",
    "span",
    "strong",
    "style",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "th",
    "thead",
    "title",
    "tr",
    "ul",
    "!doctype",
];
const ATTRIBUTES: [&str; 38] = [
    "aria-hidden",
    "aria-label",
    "aria-labelledby",
    "dx",
    "dy",
    "preserveAspectRatio",
    "tabindex",
    "x1",
    "x2",
    "y1",
    "y2",
    "charset",
    "class",
    "content",
    "cx",
    "cy",
    "d",
    "data-label",
    "height",
    "href",
    "html",
    "http-equiv",
    "id",
    "lang",
    "name",
    "patternTransform",
    "patternUnits",
    "r",
    "scope",
    "style",
    "title",
    "viewBox",
    "width",
    "x",
    "y",
    "points",
    "role",
    "colspan",
];

#[test]
fn the_page_of_the_sample() {
    let page = page(&sample::full());
    // The style has its own file; what is pinned is the document.
    let (head, rest) = page.split_once("<style>").expect("a style");
    let (_, body) = rest.split_once("</style>").expect("its end");
    insta::assert_snapshot!("page", format!("{head}<style></style>{body}"));
    if let Some(path) = std::env::var_os("SOLVENT_REPORT_OUT") {
        std::fs::write(path, &page).expect("the page is written");
    }
}

#[test]
fn hostile_text_stays_text() {
    let tails = [
        "\"><script>alert(1)</script>",
        "'><img src=x onerror=alert(1)>",
        "</style></title></code></pre><iframe src=//x>",
        "<!-- -->]]><svg onload=alert(1)>",
        "`<b onclick=x>`",
        "&lt;script&gt;&#x3c;",
        "javascript:alert(1)",
        "{input}<mark>",
        "\u{202e}\u{2066}\u{200b}\u{0}\u{1b}[31m\r\n\t\u{e0041}",
        "\u{1}\" style=\"position:fixed",
    ];
    for tail in tails {
        let page = page(&sample::poisoned(tail));
        check(&page);
        assert!(
            page.chars().all(|c| c == '\n' || !is_hidden(c)),
            "hidden character for {tail:?}"
        );
    }
    assert!(page(&sample::poisoned("\u{202e}")).contains("<span class=\"hid\">\\u{202e}</span>"));
}

/// Deterministic noise of characters that matter to markup, to attributes and to displays.
#[test]
fn noise_in_every_field_makes_no_element() {
    let alphabet: Vec<char> =
        "<>\"'&`/=!-{}[]();:\\ \n\0\u{1b}\u{9b}\u{202e}\u{2028}aSsCcRrIiPpTtoOnN1é日"
            .chars()
            .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..200 {
        let mut tail = String::new();
        for _ in 0..24 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            tail.push(alphabet[(state % alphabet.len() as u64) as usize]);
        }
        check(&page(&sample::poisoned(&tail)));
    }
}

#[test]
fn a_page_loads_nothing_and_runs_nothing() {
    let page = page(&sample::full());
    for word in [
        "<script",
        "<link",
        "<img",
        "<iframe",
        "http://",
        "https://",
        "url(http",
        "@import",
        "javascript:",
        "data:",
    ] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn what_is_not_measured_stands_before_the_findings() {
    let page = page(&sample::full());
    let gaps = page.find("Not measured").expect("the section");
    assert!(gaps < page.find("<h2>Findings").expect("the section"));
    assert_eq!(
        page.matches("JavaScript is not modelled yet").count(),
        1,
        "said once"
    );
}

#[test]
fn an_open_flaw_has_a_command_and_no_exploit() {
    let page = page(&sample::full());
    assert!(page.contains("solvent show 4f0c2b7a11 --open"));
    assert!(!page.contains("curl"));
}

#[test]
fn a_tree_that_was_never_attacked_says_so() {
    let mut report = sample::full();
    report.prove = None;
    report.ledger = None;
    report.status.proven = 0;
    for state in &mut report.findings {
        state.proof = None;
    }
    let page = page(&report);
    check(&page);
    assert!(page.contains("never attacked, so nothing is proven"));
}

#[test]
fn an_empty_report_is_a_page() {
    let mut report = sample::full();
    report.findings.clear();
    report.scan.findings.clear();
    report.scan.entry_points.clear();
    report.status = solvent_protocol::view::StatusReport::default();
    let page = page(&report);
    check(&page);
    assert!(page.contains("None is reachable and none is undecided, as far as was measured."));
}

#[test]
fn figures_that_do_not_add_up_break_nothing() {
    let mut report = sample::full();
    for n in [0, 1, u64::MAX] {
        report.status.found = n;
        report.status.reachable = u64::MAX;
        report.status.undecided = u64::MAX;
        report.status.proven = n;
        check(&page(&report));
    }
}

#[test]
fn the_same_report_gives_the_same_bytes() {
    assert_eq!(page(&sample::full()), page(&sample::full()));
}

/// [`check`], every id is the only one, and every link leads to one of them.
pub fn whole(page: &str) {
    check(page);
    let values = |key: &str| -> Vec<String> {
        page.split(&format!(" {key}=\""))
            .skip(1)
            .filter_map(|rest| rest.split('"').next().map(str::to_owned))
            .collect()
    };
    let ids = values("id");
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "an id is there twice");
    for link in values("href") {
        let to = link[1..].to_owned();
        assert!(unique.contains(&to), "{link} leads nowhere");
    }
    for list in values("aria-labelledby") {
        for id in list.split(' ') {
            assert!(unique.contains(&id.to_owned()), "{id} labels nothing");
        }
    }
}

/// Elements and attributes are known ones, and nest.
pub fn check(page: &str) {
    let elements: BTreeSet<&str> = ELEMENTS.into();
    let attributes: BTreeSet<&str> = ATTRIBUTES.into();
    let mut open: Vec<String> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{tag}");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap_or_default();
        assert!(elements.contains(name), "element {name:?} in {tag:?}");
        let mut inside = tag[name.len()..].trim_end_matches('/').trim();
        while !inside.is_empty() {
            let key = inside.split(['=', ' ']).next().unwrap_or_default();
            assert!(attributes.contains(key), "attribute {key:?} in {tag:?}");
            inside = inside[key.len()..].trim_start();
            if let Some(value) = inside.strip_prefix("=\"") {
                let end = value.find('"').expect("a value ends");
                assert!(key != "href" || value.starts_with('#'), "{tag}");
                inside = value[end + 1..].trim_start();
            }
        }
        if name == "style" {
            let (style, after) = rest.split_once("</style>").expect("the style ends");
            assert!(!style.contains('<'), "markup in the style");
            rest = after;
            continue;
        }
        if !["!doctype", "meta", "br"].contains(&name) && !tag.ends_with('/') {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "{open:?}");
}
