//! How deeply a text is nested, found before a recursive parser sees it.

use ruff_python_ast::token::TokenKind;
use ruff_python_parser::{Mode, lexer};

/// Open brackets at once. CPython's tokenizer refuses more than 200 (`MAXLEVEL`), and a parser frame
/// chain costs some ten kilobytes a level.
pub(crate) const MAX_BRACKETS: u32 = 200;

/// Operators and keywords that may nest inside each other in one expression, indentation included.
/// CPython's compiler gives up between 3,000 and 10,000; trees of this depth fit [`STACK`].
pub(crate) const MAX_DEPTH: u32 = 10_000;

/// Stack for a tree deeper than [`SHALLOW`], in bytes: dropping takes up to 2 KiB a level in a debug
/// build, and memory is only touched as deep as the tree goes.
pub(crate) const STACK: usize = 64 << 20;

/// Depth that any thread's stack takes, 2 KiB a level.
pub(crate) const SHALLOW: u32 = 200;

#[derive(Default)]
pub(crate) struct Depth {
    pub brackets: u32,
    /// An upper bound of the depth of the syntax tree.
    pub tree: u32,
}

/// Counts, per open bracket, the operators and keywords since the last comma: only they can make a
/// tree deeper.
pub(crate) fn of(text: &str) -> Depth {
    let mut depth = Depth::default();
    let mut lexer = lexer::lex(text, Mode::Module);
    // Counts of the enclosing brackets, and of the innermost one.
    let mut outer: Vec<u32> = Vec::new();
    let mut here = 0_u32;
    let mut total = 0_u32;
    let mut indent = 0_u32;
    loop {
        match lexer.next_token() {
            TokenKind::EndOfFile => return depth,
            TokenKind::Name
            | TokenKind::Int
            | TokenKind::Float
            | TokenKind::Complex
            | TokenKind::String
            | TokenKind::FStringMiddle
            | TokenKind::TStringMiddle
            | TokenKind::Comment
            | TokenKind::NonLogicalNewline => continue,
            TokenKind::Comma => {
                total -= here;
                here = 0;
                continue;
            }
            TokenKind::Newline | TokenKind::Semi => {
                outer.clear();
                total = 0;
                here = 0;
                continue;
            }
            TokenKind::Indent => indent += 1,
            TokenKind::Dedent => indent = indent.saturating_sub(1),
            TokenKind::Lpar | TokenKind::Lsqb | TokenKind::Lbrace => {
                here += 1;
                total += 1;
                outer.push(here);
                here = 0;
                depth.brackets = depth.brackets.max(outer.len() as u32);
            }
            TokenKind::Rpar | TokenKind::Rsqb | TokenKind::Rbrace => {
                total -= here;
                here = outer.pop().unwrap_or(0);
            }
            _ => {
                here += 1;
                total += 1;
            }
        }
        depth.tree = depth.tree.max(total + indent);
    }
}
