//! Methods without code over which an annotation holds a statement of SQL: MyBatis calls them with its placeholders
//! filled.
//!
//! `${name}` is put into the text as it is, `#{name}` is bound. Either names a parameter, by its `@Param` or by its own
//! name, or a property of the only one (MyBatis 3, Mapper XML Files, Parameters and String Substitution).

use solvent_base::Span;
use solvent_ir::{Arg, Const, FormatPart, Op, Terminator, Value};
use tree_sitter::Node;

use super::Lower;
use super::expr::literal;
use super::index::parameter_name;
use super::tree::{annotations, dotted, field, kids};

/// Annotations whose text is a statement.
const STATEMENTS: [&str; 4] = ["Select", "Insert", "Update", "Delete"];
/// What a bound parameter is in the text that the database gets.
const BOUND: &str = "?";

/// A part of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Text(String),
    /// `${..}`
    Raw(String),
}

/// The annotation over a method that holds its statement.
pub(super) fn statement_over<'a>(method: Node<'a>, source: &str) -> Option<Node<'a>> {
    annotations(method).into_iter().find(|note| {
        field(*note, "name").is_some_and(|name| {
            let name = dotted(name, source);
            STATEMENTS.contains(&name.rsplit('.').next().unwrap_or_default())
        })
    })
}

impl<'a> Lower<'_, 'a, '_> {
    /// Runs the statement that an annotation over the method holds, and gives what comes back.
    pub(super) fn annotated_statement(
        &mut self,
        method: Node<'a>,
        class: usize,
        kept: &[(String, Value)],
    ) {
        let source = self.file.source;
        let Some(note) = statement_over(method, &source.text) else {
            self.mapped_statement(method, class, kept);
            return;
        };
        let span = self.at(note);
        let mut text = String::new();
        for argument in field(note, "arguments").map(kids).unwrap_or_default() {
            let value = match argument.kind() {
                "element_value_pair" => {
                    let named = field(argument, "key").map(|key| self.text(key));
                    field(argument, "value").filter(|_| named == Some("value"))
                }
                _ => Some(argument),
            };
            if let Some(value) = value {
                self.written_text(value, &mut text);
            }
        }
        let parameters = self.called(method, kept);
        let mut parts = Vec::new();
        for piece in pieces(&text) {
            parts.push(match piece {
                Piece::Text(text) => FormatPart::Literal(self.name(&text)),
                Piece::Raw(path) => FormatPart::Value {
                    value: self.placeholder(&path, &parameters, span),
                    conversion: None,
                    spec: None,
                },
            });
        }
        let statement = self.b.emit(Op::Format(parts), span);
        let name = field(note, "name").map(|name| dotted(name, &source.text));
        let class = self.qualified(&name.unwrap_or_default(), span);
        let callee = self.attr(class, "run", span);
        let args = vec![Arg::Positional(statement)];
        let call = self.b.emit(Op::Call { callee, args }, span);
        self.b.terminate(Terminator::Return(Some(call)));
    }

    /// Runs the statement that a file of settings may hold under the method's name: `<mapped>("C.m", "x", x, ..)`.
    fn mapped_statement(&mut self, method: Node<'a>, class: usize, kept: &[(String, Value)]) {
        let span = self.at(method);
        let own = field(method, "name").map_or("", |name| self.text(name));
        let class = &self.file.shared.index.classes[class].name;
        let own = self.name(&format!("{class}.{own}"));
        let mut args = vec![self.constant(Const::Str(own), span)];
        for (name, value) in self.called(method, kept) {
            let name = self.name(&name);
            args.push(self.constant(Const::Str(name), span));
            args.push(value);
        }
        let call = self.builtin_call("<mapped>", &args, span);
        self.b.terminate(Terminator::Return(Some(call)));
    }

    /// Parameters by the names that statements have for them: that of `@Param`, or their own.
    fn called(&mut self, method: Node<'a>, kept: &[(String, Value)]) -> Vec<(String, Value)> {
        let list = field(method, "parameters").map(kids).unwrap_or_default();
        let named = list.into_iter().filter_map(|parameter| {
            let own = self.text(parameter_name(parameter)?).to_owned();
            let source = &self.file.source.text;
            let said = annotations(parameter).into_iter().find_map(|note| {
                let name = dotted(field(note, "name")?, source);
                let value = kids(field(note, "arguments")?).into_iter().next()?;
                (name.rsplit('.').next() == Some("Param") && value.kind() == "string_literal")
                    .then(|| literal(self.text(value)))
            });
            let value = kept.iter().find(|(name, _)| *name == own)?.1;
            Some((said.unwrap_or(own), value))
        });
        named.collect()
    }

    fn placeholder(&mut self, path: &str, named: &[(String, Value)], span: Span) -> Value {
        let mut names = path.split('.').map(|name| {
            let end = name.find('[').unwrap_or(name.len());
            name[..end].trim()
        });
        let first = names.next().unwrap_or_default();
        let known = named.iter().find(|(name, _)| name == first);
        let mut value = match (known, named) {
            (Some((_, value)), _) => *value,
            // A text is put in under any name; of an object it is a property.
            (None, [(_, only)]) => self.attr(*only, first, span),
            _ => return self.unknown("a placeholder", span),
        };
        for name in names {
            value = self.attr(value, name, span);
        }
        value
    }

    /// The text of literals that are added or listed; what is named elsewhere is left out.
    fn written_text(&self, node: Node<'a>, out: &mut String) {
        match node.kind() {
            "string_literal" => out.push_str(&literal(self.text(node))),
            "element_value_array_initializer" => {
                for kid in kids(node) {
                    self.written_text(kid, out);
                    out.push(' ');
                }
            }
            "binary_expression" | "parenthesized_expression" => {
                for kid in kids(node) {
                    self.written_text(kid, out);
                }
            }
            _ => {}
        }
    }
}

/// A statement cut at its placeholders.
fn pieces(text: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '#']) {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let inside = from[1..]
            .strip_prefix('{')
            .and_then(|inside| inside.split_once('}'));
        let Some((inside, after)) = inside else {
            plain.push_str(&from[..1]);
            rest = &from[1..];
            continue;
        };
        if from.starts_with('#') {
            plain.push_str(BOUND);
        } else {
            out.push(Piece::Text(std::mem::take(&mut plain)));
            out.push(Piece::Raw(inside.trim().to_owned()));
        }
        rest = after;
    }
    plain.push_str(rest);
    out.push(Piece::Text(plain));
    out.retain(|piece| *piece != Piece::Text(String::new()));
    out
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    #[test]
    fn a_statement_is_cut_where_text_is_put_in() {
        let text = |text: &str| Piece::Text(text.to_owned());
        assert_eq!(
            pieces("select a$b from t where x = #{ x } and y = '${y.z}' ${"),
            [
                text("select a$b from t where x = ? and y = '"),
                Piece::Raw("y.z".to_owned()),
                text("' ${"),
            ]
        );
        assert_eq!(pieces(""), []);
    }
}
