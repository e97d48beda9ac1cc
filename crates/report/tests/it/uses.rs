//! A use takes no input: every format shows the calls that lead to it instead of a flow.

use solvent_protocol::view::{FindingState, ShowReport};
use solvent_report::{html, sarif, text};

use crate::sample;

fn shown(state: FindingState) -> String {
    let report = ShowReport {
        schema: "solvent.show/v1".to_owned(),
        state,
        curl: None,
        records: Vec::new(),
    };
    text::show(&report, "", 100).plain()
}

#[test]
fn a_use_is_shown_with_the_way_to_it() {
    let report = sample::with_use();
    let state = report.findings[0].clone();
    let way = &state.finding.way;
    assert!(way.len() > 1, "{way:?}");

    let page = html::page(&report);
    assert!(page.contains("How control gets there"));
    let words = shown(state.clone());
    assert!(words.contains("how control gets there"), "{words}");
    for step in way {
        assert!(words.contains(&step.what), "{} in {words}", step.what);
    }

    let log: serde_json::Value = serde_json::from_str(&sarif::log(&report)).expect("JSON");
    let results = log["runs"][0]["results"].as_array().expect("results");
    let of_use = results
        .iter()
        .find(|r| {
            r["partialFingerprints"]
                .to_string()
                .contains(&state.finding.fingerprint)
        })
        .expect("the use");
    let steps = &of_use["codeFlows"][0]["threadFlows"][0]["locations"];
    assert_eq!(steps.as_array().map(Vec::len), Some(way.len()));
}

#[test]
fn a_use_of_the_start_says_that_no_entry_point_alone_leads_to_it() {
    let mut state = sample::with_use().findings[0].clone();
    state.finding.entry = None;
    assert!(shown(state.clone()).contains("it runs when the program starts"));
    state.finding.way.clear();
    assert!(shown(state).contains("none is known to lead here"));
}
