//! EJS: code between `<%` and `%>`. <https://github.com/mde/ejs/blob/main/docs/syntax.md>

use super::LOCALS;
use super::draft::Draft;

pub(super) fn read(text: &str, engine: &str) -> Option<Draft> {
    let mut draft = Draft::begin();
    let mut at = 0;
    while let Some(found) = text.get(at..)?.find("<%") {
        let start = at + found;
        let mut inner = start + 2;
        let mode = text.as_bytes().get(inner).copied().unwrap_or(b' ');
        if mode == b'%' {
            // `<%%` is the text `<%`.
            at = inner + 1;
            continue;
        }
        if matches!(mode, b'=' | b'-' | b'#' | b'_') {
            inner += 1;
        }
        let end = inner + text.get(inner..)?.find("%>")?;
        let mut code = text.get(inner..end)?;
        at = end + 2;
        if let Some(shorter) = code.strip_suffix(['-', '_']) {
            // `-%>` and `_%>` take white space away; `x--%>` is no expression that a page would hold.
            code = shorter;
        }
        match mode {
            b'#' => {}
            b'=' | b'-' => {
                let (offset, expression) = expression(code);
                if expression.is_empty() {
                    continue;
                }
                let name = if mode == b'-' { "output" } else { "escaped" };
                draft.put(&format!("{engine}.{name}("), start);
                draft.put(expression, inner + offset);
                draft.put("\n);\n", end);
            }
            _ => match included(code) {
                // Versions below 3 take the name as it stands.
                Some(name) => {
                    let name = name.replace(['"', '\\'], "");
                    draft.put(&format!("{engine}.include({LOCALS}, \"{name}\");\n"), start);
                }
                None => {
                    draft.put(code, inner);
                    draft.put("\n", end);
                }
            },
        }
    }
    draft.end(text.len());
    Some(draft)
}

/// The expression of an output, and where in the code it begins.
fn expression(code: &str) -> (usize, &str) {
    let offset = code.len() - code.trim_start().len();
    let code = code.trim().trim_end_matches(';').trim_end();
    (offset, code)
}

fn included(code: &str) -> Option<&str> {
    let rest = code.trim().strip_prefix("include")?;
    let name = rest.strip_prefix([' ', '\t'])?.trim();
    (!name.is_empty() && !name.contains(['(', '=', ';', '\n'])).then_some(name)
}
