//! The command as a list of arguments.

use solvent_base::Span;
use solvent_lang::syntax::{Comparison, Expr, ExprKind, Passing, Stmt, StmtKind, TokenKind};

use crate::NoPatch;
use crate::draft::Draft;
use crate::imports::{self, SUBPROCESS};
use crate::pieces::{Form as HoleForm, Text, value_of};
use crate::python::{self, Bit};
use crate::scope;
use crate::source::{File, World, contains};

use super::lex::{self, Command, Errors, Output};
use super::{Form, Found, Read, nested_shell, read, span_line, unquoted};

/// Longest line of a list on one line, in characters.
const MAX_LINE: usize = 88;

/// Programs whose options end at `--` (POSIX guideline 10, checked for each).
const ENDS_OPTIONS: [&str; 40] = [
    "cat",
    "ls",
    "cp",
    "mv",
    "rm",
    "mkdir",
    "rmdir",
    "touch",
    "ln",
    "chmod",
    "chown",
    "grep",
    "egrep",
    "fgrep",
    "wc",
    "head",
    "tail",
    "sort",
    "uniq",
    "cut",
    "stat",
    "file",
    "du",
    "df",
    "basename",
    "dirname",
    "realpath",
    "readlink",
    "tee",
    "md5sum",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "gzip",
    "gunzip",
    "ping",
    "ping6",
    "diff",
    "cmp",
    "strings",
];

/// Programs that read an argument as a program of their own.
const READS_PROGRAMS: [&str; 16] = [
    "awk", "gawk", "sed", "perl", "python", "python3", "ruby", "node", "php", "sqlite3", "mysql",
    "psql", "find", "tar", "vim", "git",
];

pub(crate) fn attempt(world: &World<'_>, found: &Found<'_, '_>) -> Result<Draft, NoPatch> {
    let mut draft = Draft::default();
    let Read {
        text,
        command,
        tainted,
    } = read(world, found.file, found.command, &found.flows).map_err(|unread| unread.why)?;
    let line = span_line(found.file, found.call.span);
    if !command.special.is_empty() {
        return Err(NoPatch::NotFollowed {
            what: format!(
                "the command needs a shell for {}",
                command.special.join(" and ")
            ),
            line,
        });
    }
    if let Some(shell) = nested_shell(&command) {
        return Err(NoPatch::NotFollowed {
            what: format!("`{shell}` reads the value as a command again"),
            line,
        });
    }
    let words = elements(&text, &command, tainted.as_deref(), found.file, &mut draft);
    if words.is_empty() {
        return Err(NoPatch::WholeCommand);
    }
    place(world, found, &text, &command, words, &mut draft)?;
    Ok(draft)
}

/// Source of each argument.
fn elements(
    text: &Text<'_>,
    command: &Command,
    tainted: Option<&[bool]>,
    file: &File,
    draft: &mut Draft,
) -> Vec<String> {
    let program = command
        .words
        .first()
        .and_then(lex::program)
        .unwrap_or_default()
        .to_owned();
    let quote = text
        .parts
        .first()
        .and_then(|p| p.quote.chars().next())
        .unwrap_or_else(|| file.quote());
    let mut holes = text.holes.clone();
    for (at, hole) in holes.iter_mut().enumerate() {
        if let Some(inner) = hole.expr.and_then(unquoted) {
            hole.source = hole.file.slice(inner.span).to_owned();
            hole.form = HoleForm::Text;
        }
        // What comes from a request is text.
        let known = tainted.is_some_and(|t| t.get(at).copied().unwrap_or(false));
        if hole.form == HoleForm::Plain && known {
            hole.form = HoleForm::Text;
        }
    }
    let is_option = |word: &lex::Word| matches!(word.bits.first(), Some(Bit::Text(t)) if t.starts_with('-') && t.len() > 1);
    let mut out = Vec::new();
    let mut ended = false;
    for (at, word) in command.words.iter().enumerate() {
        if word.bits == [Bit::Text("--".to_owned())] {
            ended = true;
        }
        let begins = matches!(word.bits.first(), Some(Bit::Hole(_)));
        if begins && at > 0 && !ended {
            let after_option = is_option(&command.words[at - 1]);
            let options_follow = command.words[at + 1..].iter().any(is_option);
            if ENDS_OPTIONS.contains(&program.as_str()) && !after_option && !options_follow {
                out.push(python::string("--", quote));
                ended = true;
            } else if !after_option {
                draft.note(format!(
                    "a value that begins with `-` is read as an option by `{program}`; refuse it if an option of \
                     that program does harm"
                ));
            }
        }
        if READS_PROGRAMS.contains(&program.as_str())
            && word.bits.len() > 1
            && word.bits.iter().any(|b| matches!(b, Bit::Hole(_)))
        {
            draft.note(format!(
                "the value is part of an expression that `{program}` reads itself: its characters may have a \
                 meaning there"
            ));
        }
        out.push(python::text_of(&word.bits, &holes, quote));
    }
    out
}

/// Writes the list and changes the call.
fn place(
    world: &World<'_>,
    found: &Found<'_, '_>,
    text: &Text<'_>,
    command: &Command,
    words: Vec<String>,
    draft: &mut Draft,
) -> Result<(), NoPatch> {
    let file = found.file;
    let target = match found.form {
        Form::Text => found.command,
        Form::OnlyElement(list) | Form::ShellArgument(list) => list,
    };
    // Where the list is written: at the call, or where the variable gets its value.
    let whole = match (&found.form, found.command.dotted()) {
        (Form::Text, Some(name)) => {
            let alone = scope::uses(found.site.body(), &name).len() == 1;
            match value_of(world, file, found.command, 0) {
                Some((from, value))
                    if alone && std::ptr::eq(from, file) && in_function(found, value) =>
                {
                    value.span
                }
                _ => {
                    fixed_names(found, text, file)?;
                    found.command.span
                }
            }
        }
        _ => {
            fixed_names(found, text, file)?;
            target.span
        }
    };
    let subprocess = |draft: &mut Draft| {
        imports::spelled(file, &SUBPROCESS).unwrap_or_else(|| {
            draft.import(file, SUBPROCESS);
            "subprocess".to_owned()
        })
    };
    let refuse = |what: &str| NoPatch::NotFollowed {
        what: what.to_owned(),
        line: span_line(file, found.call.span),
    };
    let ExprKind::Call { func, .. } = &found.call.kind else {
        return Err(refuse("it is not a call"));
    };
    let func_span = func.span;
    match found.method.as_str() {
        "run" | "call" | "check_call" | "check_output" | "Popen" => {
            if let Form::ShellArgument(_) = found.form {
                draft
                    .edits(file)
                    .replace(whole.start, whole.end, list(file, whole, &words));
                missing(draft, &words);
                return redirects(found, command, subprocess(draft).as_str(), draft);
            }
            if found.keyword("executable").is_some() {
                return Err(refuse("the call names a shell of its own"));
            }
            let Some(shell) = found.keyword("shell") else {
                return Err(refuse("whether there is a shell is decided elsewhere"));
            };
            if !matches!(shell.value.kind, ExprKind::True | ExprKind::Number) {
                return Err(refuse("whether there is a shell is decided at run time"));
            }
            draft
                .edits(file)
                .replace(whole.start, whole.end, list(file, whole, &words));
            remove_argument(file, shell.span, draft);
            missing(draft, &words);
            let name = match func.dotted() {
                Some(d) if d.contains('.') => d
                    .rsplit_once('.')
                    .map(|(m, _)| m.to_owned())
                    .unwrap_or_default(),
                _ => "subprocess".to_owned(),
            };
            redirects(found, command, &name, draft)
        }
        "system" => {
            let name = subprocess(draft);
            let used = !matches!(found.site.stmt().kind, StmtKind::Expr(ref e) if e.span == found.call.span);
            let function = if used { "call" } else { "run" };
            if used && !only_compared(found) {
                draft.assume(
                    "`os.system` gives a wait status (the exit status times 256) and `subprocess.call` the exit \
                     status: check how it is used",
                );
            }
            draft
                .edits(file)
                .replace(func_span.start, func_span.end, format!("{name}.{function}"));
            draft
                .edits(file)
                .replace(whole.start, whole.end, list(file, whole, &words));
            missing(draft, &words);
            redirects(found, command, &name, draft)
        }
        "popen" => {
            if found.args.len() != 1 {
                return Err(refuse("the program is opened for writing"));
            }
            if command.output == Output::Null {
                return Err(refuse("the output is read and thrown away"));
            }
            let name = subprocess(draft);
            let read = read_at_once(found);
            let function = if read.is_some() { "run" } else { "Popen" };
            draft
                .edits(file)
                .replace(func_span.start, func_span.end, format!("{name}.{function}"));
            draft
                .edits(file)
                .replace(whole.start, whole.end, list(file, whole, &words));
            let errors = match command.errors {
                Errors::Same => String::new(),
                Errors::Null => format!(", stderr={name}.DEVNULL"),
                Errors::Output => format!(", stderr={name}.STDOUT"),
            };
            let end = found.call.span.end - 1;
            draft.edits(file).insert(
                last_argument(found).max(found.command.span.end).min(end),
                format!(", stdout={name}.PIPE{errors}, text=True"),
            );
            match read {
                Some(span) => draft.edits(file).replace(span.start, span.end, ".stdout"),
                None => {
                    draft.edits(file).insert(found.call.span.end, ".stdout");
                    draft.note(
                        "`close` of what `os.popen` gave told the exit status; `stdout.close` does not",
                    );
                }
            }
            missing(draft, &words);
            Ok(())
        }
        "getoutput" => {
            let name = subprocess(draft);
            draft
                .edits(file)
                .replace(func_span.start, func_span.end, format!("{name}.run"));
            draft
                .edits(file)
                .replace(whole.start, whole.end, list(file, whole, &words));
            let errors = match command.errors {
                Errors::Null => "DEVNULL",
                _ => "STDOUT",
            };
            if command.output == Output::Null {
                return Err(refuse("the output is read and thrown away"));
            }
            draft.edits(file).insert(
                last_argument(found),
                format!(", stdout={name}.PIPE, stderr={name}.{errors}, text=True"),
            );
            draft
                .edits(file)
                .insert(found.call.span.end, ".stdout.rstrip(\"\\n\")");
            draft.assume(
                "`getoutput` takes one line break from the end of the output; this takes all",
            );
            missing(draft, &words);
            Ok(())
        }
        "create_subprocess_shell" => {
            if whole != found.command.span || !matches!(found.form, Form::Text) {
                return Err(refuse("the command is made elsewhere"));
            }
            if command.output != Output::Same || command.errors != Errors::Same {
                return Err(refuse("the command has redirections"));
            }
            let ExprKind::Attribute { name_span, .. } = &func.kind else {
                return Err(refuse("the function is imported by name"));
            };
            draft
                .edits(file)
                .replace(name_span.start, name_span.end, "create_subprocess_exec");
            draft
                .edits(file)
                .replace(whole.start, whole.end, words.join(", "));
            missing(draft, &words);
            Ok(())
        }
        _ => Err(refuse(
            "this way to start a program has no form without a shell",
        )),
    }
}

fn in_function(found: &Found<'_, '_>, value: &Expr) -> bool {
    found
        .site
        .body()
        .iter()
        .any(|s| contains(s.span, value.span))
}

fn missing(draft: &mut Draft, words: &[String]) {
    let program = words.first().map_or("", |w| w.trim_matches(['"', '\'']));
    draft.note(format!(
        "if `{program}` is not installed there is an exception now; the shell gave exit status 127"
    ));
}

/// Values that are written elsewhere must still be the same at the call.
fn fixed_names(found: &Found<'_, '_>, text: &Text<'_>, file: &File) -> Result<(), NoPatch> {
    for hole in &text.holes {
        if contains(found.call.span, hole.root) {
            continue;
        }
        let Some(expr) = hole.expr else { continue };
        let mut names = Vec::new();
        expr.walk(&mut |e| {
            if let ExprKind::Name(n) = &e.kind {
                names.push(n.clone());
            }
        });
        let changed = !std::ptr::eq(hole.file, file)
            || names.iter().any(|name| {
                scope::definitions(found.site.body(), name).iter().any(|d| {
                    let at = d.stmt().span.start;
                    at > hole.root.start && at < found.call.span.start
                })
            });
        if changed {
            return Err(NoPatch::NotFollowed {
                what: format!("`{}` may have changed before the call", hole.source),
                line: span_line(file, found.call.span),
            });
        }
    }
    Ok(())
}

/// A list literal, over several lines where one is too long.
fn list(file: &File, at: Span, words: &[String]) -> String {
    let one = format!("[{}]", words.join(", "));
    let column = (at.start - file.line_start(at.start)) as usize;
    let own_line = file.starts_line(at.start);
    let old_line = imports::line_span(file, at);
    let was_long = (old_line.end - old_line.start) as usize > MAX_LINE;
    if !own_line && was_long || column + one.len() < MAX_LINE {
        return one;
    }
    let outer = file.indent(at.start).to_owned();
    let inner = format!("{outer}{}", file.indent_unit());
    let newline = file.newline();
    let mut out = "[".to_owned();
    for word in words {
        out.push_str(&format!("{newline}{inner}{word},"));
    }
    out.push_str(&format!("{newline}{outer}]"));
    out
}

/// Removes an argument with its comma, and its line when nothing else is on it.
fn remove_argument(file: &File, span: Span, draft: &mut Draft) {
    let after = file
        .module
        .after(span.end)
        .filter(|t| t.kind == TokenKind::Comma);
    let before = file
        .module
        .before(span.start)
        .filter(|t| t.kind == TokenKind::Comma);
    let line = imports::line_span(file, span);
    let own_line = file.starts_line(span.start)
        && file
            .slice(Span {
                start: after.map_or(span.end, |t| t.span.end),
                end: line.end,
            })
            .trim()
            .is_empty();
    if own_line && after.is_some() {
        draft.edits(file).replace(line.start, line.end, "");
        return;
    }
    match (before, after) {
        (Some(comma), _) => draft.edits(file).replace(comma.span.start, span.end, ""),
        (None, Some(comma)) => {
            let rest = file.slice(Span {
                start: comma.span.end,
                end: line.end,
            });
            let space = rest.len() - rest.trim_start_matches(' ').len();
            draft
                .edits(file)
                .replace(span.start, comma.span.end + space as u32, "");
        }
        (None, None) => draft.edits(file).replace(span.start, span.end, ""),
    }
}

fn last_argument(found: &Found<'_, '_>) -> u32 {
    found
        .args
        .last()
        .map_or(found.command.span.end, |a| a.span.end)
}

/// Redirections as arguments.
fn redirects(
    found: &Found<'_, '_>,
    command: &Command,
    subprocess: &str,
    draft: &mut Draft,
) -> Result<(), NoPatch> {
    let mut more = String::new();
    let taken =
        |name: &str| found.keyword(name).is_some() || found.keyword("capture_output").is_some();
    let refuse = || NoPatch::NotFollowed {
        what: "the command and the call both redirect the output".to_owned(),
        line: span_line(found.file, found.call.span),
    };
    let name = if subprocess.is_empty() {
        "subprocess"
    } else {
        subprocess
    };
    if command.output == Output::Null {
        if taken("stdout") || found.method == "check_output" {
            return Err(refuse());
        }
        more.push_str(&format!(", stdout={name}.DEVNULL"));
    }
    match command.errors {
        Errors::Same => {}
        _ if taken("stderr") => return Err(refuse()),
        Errors::Null => more.push_str(&format!(", stderr={name}.DEVNULL")),
        Errors::Output => more.push_str(&format!(", stderr={name}.STDOUT")),
    }
    if !more.is_empty() {
        let at = found
            .args
            .iter()
            .rfind(|a| a.passing != Passing::Keyword("shell".to_owned()))
            .map_or(found.command.span.end, |a| a.span.end);
        draft.edits(found.file).insert(at, more);
    }
    Ok(())
}

/// `.read()` directly behind the call.
fn read_at_once(found: &Found<'_, '_>) -> Option<Span> {
    let at = found.site.exprs.len().checked_sub(3)?;
    let [outer, attribute, _] = &found.site.exprs[at..] else {
        return None;
    };
    let ExprKind::Attribute { name, .. } = &attribute.kind else {
        return None;
    };
    let ExprKind::Call { func, args, .. } = &outer.kind else {
        return None;
    };
    (name == "read" && args.is_empty() && func.span == attribute.span).then_some(Span {
        start: found.call.span.end,
        end: outer.span.end,
    })
}

/// Whether the result is only asked for being zero.
fn only_compared(found: &Found<'_, '_>) -> bool {
    let stmt: &Stmt = found.site.stmt();
    match found.site.parent() {
        Some(parent) => match &parent.kind {
            ExprKind::Not(_) => true,
            ExprKind::Boolean(_) => {
                matches!(stmt.kind, StmtKind::If { .. } | StmtKind::While { .. })
            }
            ExprKind::Compare { ops, right, .. } => {
                ops.iter()
                    .all(|o| matches!(o, Comparison::Equal | Comparison::NotEqual))
                    && right.iter().all(|r| found.file.slice(r.span).trim() == "0")
            }
            _ => false,
        },
        None => matches!(stmt.kind, StmtKind::If { .. } | StmtKind::While { .. }),
    }
}
