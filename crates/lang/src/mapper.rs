//! MyBatis' mapper files: statements of SQL by the name of the method that runs them, as settings of the program.
//!
//! `<mapper namespace="shop.Orders"><select id="find">..` is kept under `shop.Orders.find`, with what is bound (`#{x}`)
//! as `?` and what is put in as text (`${x}`) as it is written. Conditions are taken to hold, `<include>` is put in,
//! an element of a `<foreach>` is one of its collection (MyBatis 3, Mapper XML Files and Dynamic SQL). Only statements
//! into which text is put are kept.

use std::collections::BTreeMap;

/// Deepest chain of pieces that include others.
const MAX_INCLUDES: u32 = 4;
/// Pieces that are put into one statement: without an end, pieces that include each other take the fourth power of it.
const MAX_INCLUDED: u32 = 1_000;
/// Longest statement that is kept, in bytes.
const MAX_STATEMENT: usize = 64 << 10;
/// What stands for a piece that is put in, before all pieces are known.
const INCLUDE: char = '\u{1}';

/// Statements of one file, by their full names. Empty for what is no mapper.
pub(crate) fn statements(text: &str) -> BTreeMap<String, String> {
    let mut reader = Reader {
        namespace: String::new(),
        pieces: BTreeMap::new(),
        open: None,
        loops: Vec::new(),
    };
    reader.read(text);
    let mut out = BTreeMap::new();
    if reader.namespace.is_empty() {
        return out;
    }
    for (id, text) in &reader.pieces {
        let mut left = MAX_INCLUDED;
        let text = bound(&reader.included(text, 0, &mut left));
        if text.contains("${") && text.len() <= MAX_STATEMENT {
            out.insert(format!("{}.{id}", reader.namespace), text);
        }
    }
    out
}

struct Reader {
    namespace: String,
    /// Statements and pieces of them by their names.
    pieces: BTreeMap<String, String>,
    /// The statement or piece that is read, and the element that holds it.
    open: Option<(String, String, String)>,
    /// Names of elements, and of what they are elements of.
    loops: Vec<(String, String)>,
}

impl Reader {
    fn read(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            let (before, tag) = rest.split_at(at);
            self.text(&decoded(before));
            if let Some(after) = tag.strip_prefix("<!--") {
                rest = after.split_once("-->").map_or("", |(_, rest)| rest);
            } else if let Some(after) = tag.strip_prefix("<![CDATA[") {
                let (inside, after) = after.split_once("]]>").unwrap_or((after, ""));
                self.text(inside);
                rest = after;
            } else {
                let end = tag_end(tag);
                let (tag, after) = tag.split_at(end);
                self.tag(tag.trim_start_matches('<').trim_end_matches('>'));
                rest = after;
            }
        }
    }

    fn text(&mut self, text: &str) {
        let Some((_, _, held)) = &mut self.open else {
            return;
        };
        if held.len() > MAX_STATEMENT {
            return;
        }
        let mut text = text.to_owned();
        for (item, of) in &self.loops {
            for end in ['}', '.'] {
                text = text.replace(&format!("${{{item}{end}"), &format!("${{{of}{end}"));
            }
        }
        held.push_str(&text);
    }

    fn tag(&mut self, tag: &str) {
        if let Some(name) = tag.strip_prefix('/') {
            let name = name.trim();
            if name == "foreach" {
                self.loops.pop();
            }
            if self
                .open
                .as_ref()
                .is_some_and(|(element, ..)| element == name)
                && let Some((_, id, text)) = self.open.take()
            {
                self.pieces.insert(id, text);
            }
            return;
        }
        let name: String = tag
            .chars()
            .take_while(|c| !c.is_whitespace() && *c != '/')
            .collect();
        let closed = tag.ends_with('/');
        match name.as_str() {
            "mapper" => self.namespace = attribute(tag, "namespace").unwrap_or_default(),
            "select" | "insert" | "update" | "delete" | "sql" if self.open.is_none() && !closed => {
                if let Some(id) = attribute(tag, "id") {
                    self.open = Some((name, id, String::new()));
                }
            }
            "include" => {
                if let Some(id) = attribute(tag, "refid") {
                    let last = id.rsplit('.').next().unwrap_or_default();
                    self.text(&format!(" {INCLUDE}{last}{INCLUDE} "));
                }
            }
            "foreach" if !closed => {
                let item = attribute(tag, "item").unwrap_or_default();
                let of = attribute(tag, "collection").unwrap_or_default();
                self.text(" ");
                self.loops.push((item, of));
            }
            "where" | "set" => self.text(&format!(" {name} ")),
            _ => self.text(" "),
        }
    }

    fn included(&self, text: &str, depth: u32, left: &mut u32) -> String {
        let mut out = String::with_capacity(text.len());
        for (at, part) in text.split(INCLUDE).enumerate() {
            if at % 2 == 0 {
                out.push_str(part);
            } else if let Some(piece) = self.pieces.get(part)
                && depth < MAX_INCLUDES
                && *left > 0
                && out.len() < MAX_STATEMENT
            {
                *left -= 1;
                out.push_str(&self.included(piece, depth + 1, left));
            }
        }
        out
    }
}

/// Behind the sign that closes a tag: signs in quotes do not.
fn tag_end(tag: &str) -> usize {
    let mut quote: Option<char> = None;
    for (at, c) in tag.char_indices() {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => quote = Some(c),
            None if c == '>' => return at + 1,
            None => {}
        }
    }
    tag.len()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(at) = rest.find(name) {
        let before = rest[..at].chars().next_back();
        let after = rest[at + name.len()..].trim_start();
        if before.is_some_and(char::is_whitespace)
            && let Some(value) = after.strip_prefix('=').map(str::trim_start)
            && let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\''))
        {
            return Some(decoded(value[1..].split(quote).next()?));
        }
        rest = &rest[at + name.len()..];
    }
    None
}

fn decoded(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&apos;", "'")
        .replace("&amp;", "&")
}

/// What is bound is no text of the statement.
fn bound(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("#{") {
        out.push_str(before);
        out.push('?');
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn statements_into_which_text_is_put_are_kept_under_their_methods() {
        let text = r#"<?xml version="1.0"?>
<!DOCTYPE mapper PUBLIC "-//mybatis.org//DTD Mapper 3.0//EN" "x">
<mapper namespace="shop.Orders">
  <sql id="by">order by ${column}</sql>
  <select id="find" resultType="a>b">select * from orders <!-- ${no} -->
    <where><if test="name != null">name = #{name} and a &lt; 3</if></where> <include refid="by"/></select>
  <delete id="drop"><![CDATA[delete from orders where id in]]> <foreach item="i" collection="ids" open="(">${i}</foreach></delete>
  <select id="bound">select #{x}</select>
</mapper>"#;
        let found = statements(text);
        let words = |name: &str| {
            let text = found.get(name).map(String::as_str).unwrap_or_default();
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            words("shop.Orders.find"),
            "select * from orders where name = ? and a < 3 order by ${column}"
        );
        assert_eq!(
            words("shop.Orders.drop"),
            "delete from orders where id in ${ids}"
        );
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(statements("<beans><bean id='x'/></beans>").is_empty());
        assert!(statements("<mapper namespace='a'><select id='b'>${").is_empty());
    }

    #[test]
    fn pieces_that_include_each_other_end() {
        let many = "<include refid='b'/>".repeat(5_000);
        let text = format!(
            "<mapper namespace='a'><sql id='b'>{many}</sql><select id='c'>${{x}}{many}</select></mapper>"
        );
        // Longer than what is kept.
        assert!(statements(&text).is_empty());
    }
}
