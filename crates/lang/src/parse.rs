//! tree-sitter, with as much stack as a text may make it take.
//!
//! Its parser pushes one node for each token that is not reduced yet, and gives ways that it tried beside others back
//! by recursion: one frame of some hundred bytes for each node, so that a text of nothing but opened brackets takes a
//! stack as long as the text.

use tree_sitter::{Language, Parser, Tree};

/// Stack that any text gets, in bytes.
const LEAST: usize = 1 << 20;

/// For each sign that is no letter, digit or space: frames of 96 bytes for the sign and what stands beside it.
const SIGN: usize = 288;

/// Largest stack, in bytes. Memory is only touched as deep as the parser goes.
const MOST: usize = 1 << 30;

/// `None`: the parser gave up.
pub(crate) fn tree(language: &Language, text: &str) -> Option<Tree> {
    let signs = text.bytes().filter(u8::is_ascii_punctuation).count();
    let room = (LEAST + signs * SIGN).min(MOST);
    stacker::maybe_grow(room, room, || {
        let mut parser = Parser::new();
        parser.set_language(language).ok()?;
        parser.parse(text.as_bytes(), None)
    })
}

#[cfg(test)]
mod tests {
    use super::tree;

    #[test]
    fn brackets_that_are_only_opened_take_no_thread_s_own_stack() {
        let text = format!("class A {{ int x = {}; }}", "([{".repeat(100_000));
        let language = tree_sitter_java::LANGUAGE.into();
        let read = std::thread::Builder::new()
            .stack_size(256 << 10)
            .spawn(move || tree(&language, &text).is_some());
        assert!(read.expect("a thread").join().expect("no panic"));
    }
}
