//! Regular expressions as their engines with backtracking read them, as an automaton over the places where a
//! character is taken.
//!
//! It does not know how long a match takes, see [`crate::backtracking`]. Understood is what Python, JavaScript and Java
//! have in common. What may or may not let a match pass for reasons of its own (a look around, a word's border, a
//! repetition of what matched before) is an edge that is *maybe* passed; what is not understood is an error.

/// Longest pattern that is read, in bytes; deepest nesting; most places that take a character, and most copies of a
/// part that is repeated a fixed number of times.
const MAX_PATTERN: usize = 2_000;
const MAX_DEPTH: u32 = 40;
const MAX_PLACES: usize = 400;
const MAX_COPIES: u32 = 64;
/// Ways without a character that are followed from one place.
const MAX_WAYS: u32 = 20_000;

/// Characters, as ranges that neither touch nor overlap, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Chars(Vec<(u32, u32)>);

const LAST: u32 = 0x10_FFFF;

impl Chars {
    fn of(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut out: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match out.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => out.push((low, high)),
            }
        }
        Self(out)
    }

    fn one(c: char) -> Self {
        Self(vec![(u32::from(c), u32::from(c))])
    }

    fn negated(&self) -> Self {
        let mut out = Vec::new();
        let mut next = 0;
        for (low, high) in &self.0 {
            if *low > next {
                out.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= LAST {
            out.push((next, LAST));
        }
        Self(out)
    }

    /// With the other case of each letter of ours.
    fn folded(self) -> Self {
        let mut out = self.0.clone();
        for c in (b'a'..=b'z').map(u32::from) {
            let upper = c - 32;
            if self.has(c) {
                out.push((upper, upper));
            }
            if self.has(upper) {
                out.push((c, c));
            }
        }
        Self::of(out)
    }

    fn has(&self, c: u32) -> bool {
        let at = self.0.partition_point(|(_, high)| *high < c);
        self.0.get(at).is_some_and(|(low, _)| *low <= c)
    }

    pub fn contains(&self, c: char) -> bool {
        self.has(u32::from(c))
    }

    /// A character that all of these have, one that can be typed if there is one.
    pub fn common(sets: &[&Self]) -> Option<char> {
        let (first, rest) = sets.split_first()?;
        let both = rest
            .iter()
            .fold((*first).clone(), |both, set| both.and(set));
        let typed = || ('a'..='z').chain('0'..='9').chain(' '..='~');
        match both.0.as_slice() {
            [] => None,
            _ => typed()
                .find(|c| both.contains(*c))
                .or_else(|| both.0.iter().find_map(|(low, _)| char::from_u32(*low))),
        }
    }

    fn and(&self, other: &Self) -> Self {
        let (mut i, mut j) = (0, 0);
        let mut out = Vec::new();
        while let (Some((a, b)), Some((c, d))) = (self.0.get(i), other.0.get(j)) {
            let (low, high) = (*a.max(c), *b.min(d));
            if low <= high {
                out.push((low, high));
            }
            if b < d {
                i += 1;
            } else {
                j += 1;
            }
        }
        Self(out)
    }
}

#[derive(Clone, Debug)]
enum Tree {
    Empty,
    Take(Chars),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Repeat {
        body: Box<Tree>,
        min: u32,
        max: Option<u32>,
    },
    /// `^`, `\A`.
    Begin,
    /// `$`, `\Z`.
    End,
    /// Passed or not, for reasons that are not looked at.
    Maybe,
}

/// What is asked of a way from one place to the next.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Asks(u8);

impl Asks {
    pub const BEGIN: Self = Self(1);
    pub const END: Self = Self(2);
    pub const MAYBE: Self = Self(4);

    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether nothing is asked: whoever gets here gets there.
    pub fn nothing(self) -> bool {
        self.0 == 0
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A way on: to which place, what is asked, and whether there are several ways of this sort.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Next {
    pub to: u32,
    pub asks: Asks,
    pub several: bool,
}

/// The automaton: places that take a character, then the start, then the end.
#[derive(Clone, Debug, Default)]
pub struct Automaton {
    pub places: Vec<Chars>,
    /// Of each place and of the start, at its own index.
    pub next: Vec<Vec<Next>>,
}

impl Automaton {
    /// The index of the start; of the end it is one more.
    pub fn start(&self) -> u32 {
        self.places.len() as u32
    }

    pub fn end(&self) -> u32 {
        self.places.len() as u32 + 1
    }

    /// One automaton for the pattern and one for the inside of each look around; or what is not understood.
    pub fn of(pattern: &str) -> Result<Vec<Self>, &'static str> {
        if pattern.len() > MAX_PATTERN {
            return Err("the pattern is too long");
        }
        // A pattern over several lines is written with white space and remarks that count for nothing.
        let text = if pattern.contains('\n') {
            without_remarks(pattern)
        } else {
            pattern.to_owned()
        };
        let mut reader = Reader {
            rest: text.chars().rev().collect(),
            around: Vec::new(),
            folds: false,
        };
        let tree = reader.any(0)?;
        if !reader.rest.is_empty() {
            return Err("a bracket is closed that was not opened");
        }
        let mut out = vec![Builder::default().built(&tree)?];
        for tree in &reader.around {
            out.push(Builder::default().built(tree)?);
        }
        Ok(out)
    }
}

fn without_remarks(pattern: &str) -> String {
    let mut out = String::new();
    let mut chars = pattern.chars();
    let mut class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '[' => class = true,
            ']' => class = false,
            '#' if !class => {
                for c in chars.by_ref() {
                    if c == '\n' {
                        break;
                    }
                }
                continue;
            }
            c if c.is_whitespace() && !class => continue,
            _ => {}
        }
        out.push(c);
    }
    out
}

struct Reader {
    /// Reversed: the next character is the last.
    rest: Vec<char>,
    /// What stands inside looks around.
    around: Vec<Tree>,
    folds: bool,
}

type Read<T> = Result<T, &'static str>;

impl Reader {
    fn next_is(&mut self, c: char) -> bool {
        let found = self.rest.last() == Some(&c);
        if found {
            self.rest.pop();
        }
        found
    }

    fn any(&mut self, depth: u32) -> Read<Tree> {
        if depth > MAX_DEPTH {
            return Err("the pattern is nested too deeply");
        }
        let mut ways = vec![self.all(depth)?];
        while self.next_is('|') {
            ways.push(self.all(depth)?);
        }
        Ok(if ways.len() == 1 {
            ways.pop().unwrap_or(Tree::Empty)
        } else {
            Tree::Any(ways)
        })
    }

    fn all(&mut self, depth: u32) -> Read<Tree> {
        let mut parts = Vec::new();
        while let Some(c) = self.rest.last().copied() {
            if c == '|' || c == ')' {
                break;
            }
            self.rest.pop();
            let part = self.atom(c, depth)?;
            parts.push(self.repeated(part)?);
        }
        Ok(Tree::All(parts))
    }

    fn repeated(&mut self, mut part: Tree) -> Read<Tree> {
        // `a{2}{3}` is allowed in Java.
        loop {
            let (min, max) = match self.rest.last() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => match self.counted() {
                    Some(bounds) => bounds,
                    None => return Ok(part),
                },
                _ => return Ok(part),
            };
            if self.rest.last() != Some(&'{') {
                self.rest.pop();
            } else {
                while self.rest.pop().is_some_and(|c| c != '}') {}
            }
            if self.next_is('+') {
                return Err("a possessive repetition");
            }
            self.next_is('?');
            if max.is_some_and(|max| max < min) {
                return Err("a repetition whose ends are the wrong way round");
            }
            part = Tree::Repeat {
                body: Box::new(part),
                min,
                max,
            };
        }
    }

    /// `{2}`, `{2,}`, `{,5}`, `{2,5}`; anything else in braces is text.
    fn counted(&self) -> Option<(u32, Option<u32>)> {
        let mut inside = String::new();
        for c in self.rest.iter().rev().skip(1).take(16) {
            match c {
                '}' => {
                    let number = |text: &str| text.parse::<u32>().ok();
                    return match inside.split_once(',') {
                        None => number(&inside).map(|n| (n, Some(n))),
                        Some(("", "")) => None,
                        Some((low, "")) => number(low).map(|n| (n, None)),
                        Some(("", high)) => number(high).map(|n| (0, Some(n))),
                        Some((low, high)) => Some((number(low)?, Some(number(high)?))),
                    };
                }
                c if c.is_ascii_digit() || *c == ',' => inside.push(*c),
                _ => return None,
            }
        }
        None
    }

    fn atom(&mut self, c: char, depth: u32) -> Read<Tree> {
        Ok(match c {
            '(' => return self.group(depth),
            '[' => {
                let set = self.bracket()?;
                self.take(set)
            }
            '.' => self.take(Chars::one('\n').negated()),
            '^' => Tree::Begin,
            '$' => Tree::End,
            '*' | '+' | '?' => return Err("a repetition of nothing"),
            '\\' => return self.escaped(),
            c => self.take(Chars::one(c)),
        })
    }

    fn take(&self, set: Chars) -> Tree {
        Tree::Take(if self.folds { set.folded() } else { set })
    }

    fn group(&mut self, depth: u32) -> Read<Tree> {
        let mut look = false;
        if self.next_is('?') {
            match self.rest.pop() {
                Some(':') => {}
                Some('=' | '!') => look = true,
                Some('<') => match self.rest.last() {
                    Some('=' | '!') => {
                        self.rest.pop();
                        look = true;
                    }
                    _ => self.named()?,
                },
                Some('P') => match self.rest.pop() {
                    Some('<') => self.named()?,
                    Some('=') => {
                        while self.rest.pop().is_some_and(|c| c != ')') {}
                        return Ok(Tree::Maybe);
                    }
                    _ => return Err("a group that is not understood"),
                },
                Some('#') => {
                    while self.rest.pop().is_some_and(|c| c != ')') {}
                    return Ok(Tree::Empty);
                }
                Some('>') => return Err("a group that is never tried again"),
                Some(c) if c.is_ascii_alphabetic() || c == '-' => {
                    let mut flags = String::from(c);
                    loop {
                        match self.rest.pop() {
                            Some(c @ ('a'..='z' | 'A'..='Z' | '-')) => flags.push(c),
                            Some(':') => break,
                            Some(')') => {
                                self.folds |= flags.contains('i');
                                return if flags.contains(['x', '-']) {
                                    Err("white space that may count for nothing")
                                } else {
                                    Ok(Tree::Empty)
                                };
                            }
                            _ => return Err("flags that are not understood"),
                        }
                    }
                    if flags.contains(['x', '-']) {
                        return Err("white space that may count for nothing");
                    }
                    self.folds |= flags.contains('i');
                }
                _ => return Err("a group that is not understood"),
            }
        }
        let inside = self.any(depth + 1)?;
        if !self.next_is(')') {
            return Err("a bracket is not closed");
        }
        if look {
            self.around.push(inside);
            return Ok(Tree::Maybe);
        }
        Ok(inside)
    }

    fn named(&mut self) -> Read<()> {
        loop {
            match self.rest.pop() {
                Some('>') => return Ok(()),
                Some(c) if c.is_alphanumeric() || c == '_' || c == '$' => {}
                _ => return Err("a name that is not closed"),
            }
        }
    }

    fn escaped(&mut self) -> Read<Tree> {
        let c = self.rest.pop().ok_or("a backslash at the end")?;
        Ok(match c {
            'b' | 'B' | 'G' => Tree::Maybe,
            'A' => Tree::Begin,
            'Z' | 'z' => Tree::End,
            // What a group matched before.
            '1'..='9' => {
                while self.rest.last().is_some_and(char::is_ascii_digit) {
                    self.rest.pop();
                }
                Tree::Maybe
            }
            'k' if self.next_is('<') => {
                self.named()?;
                Tree::Maybe
            }
            c => {
                let set = self.escape(c)?;
                self.take(set)
            }
        })
    }

    fn bracket(&mut self) -> Read<Chars> {
        let negated = self.next_is('^');
        let mut ranges = Vec::new();
        let mut first = true;
        loop {
            let c = self.rest.pop().ok_or("a class is not closed")?;
            let low = match c {
                // `[]` and `[^]` of JavaScript hold nothing and everything, elsewhere the bracket is a member.
                ']' if !first => break,
                '&' if self.rest.last() == Some(&'&') => return Err("an intersection of classes"),
                '\\' => {
                    let c = self.rest.pop().ok_or("a backslash at the end")?;
                    let set = match c {
                        'b' => Chars::one('\u{8}'),
                        c => self.escape(c)?,
                    };
                    match set.0.as_slice() {
                        [(low, high)] if low == high => *low,
                        many => {
                            ranges.extend_from_slice(many);
                            first = false;
                            continue;
                        }
                    }
                }
                c => u32::from(c),
            };
            first = false;
            let is_range = matches!(self.rest.as_slice(), [.., after, '-'] if *after != ']');
            if !is_range {
                ranges.push((low, low));
                continue;
            }
            self.rest.pop();
            let high = match self.rest.pop().ok_or("a class is not closed")? {
                '\\' => {
                    let c = self.rest.pop().ok_or("a backslash at the end")?;
                    match self.escape(c)?.0.as_slice() {
                        [(one, same)] if one == same => *one,
                        many => {
                            // `[a-\d]` is three members.
                            ranges.extend_from_slice(many);
                            ranges.push((u32::from('-'), u32::from('-')));
                            low
                        }
                    }
                }
                c => u32::from(c),
            };
            if high < low {
                return Err("a range whose ends are the wrong way round");
            }
            ranges.push((low, high));
        }
        let set = Chars::of(ranges);
        Ok(if negated { set.negated() } else { set })
    }

    /// The character after a backslash. Classes are those of ASCII: what they have in common with others they have in
    /// every engine.
    fn escape(&mut self, c: char) -> Read<Chars> {
        let digits = vec![(0x30, 0x39)];
        let word = vec![(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)];
        let space = vec![(9, 13), (32, 32)];
        Ok(match c {
            'd' => Chars::of(digits),
            'D' => Chars::of(digits).negated(),
            'w' => Chars::of(word),
            'W' => Chars::of(word).negated(),
            's' => Chars::of(space),
            'S' => Chars::of(space).negated(),
            't' => Chars::one('\t'),
            'n' => Chars::one('\n'),
            'r' => Chars::one('\r'),
            'f' => Chars::one('\u{c}'),
            'v' => Chars::one('\u{b}'),
            'a' => Chars::one('\u{7}'),
            'e' => Chars::one('\u{1b}'),
            '0' => Chars::one('\0'),
            'x' => return self.code(2),
            'u' => return self.code(4),
            c if c.is_ascii_alphanumeric() => return Err("an escape that is not understood"),
            c => Chars::one(c),
        })
    }

    fn code(&mut self, digits: usize) -> Read<Chars> {
        let mut text = String::new();
        if self.next_is('{') {
            while let Some(c) = self.rest.pop().filter(|c| *c != '}' && text.len() < 8) {
                text.push(c);
            }
        } else {
            for _ in 0..digits {
                text.extend(self.rest.pop());
            }
        }
        let code = u32::from_str_radix(&text, 16).map_err(|_| "a code that is no number")?;
        if code > LAST {
            return Err("a code that is no character");
        }
        Ok(Chars(vec![(code, code)]))
    }
}

/// Thompson's construction, with an entry and an exit of its own for every loop: two ways round are two ways.
#[derive(Default)]
struct Builder {
    places: Vec<Chars>,
    /// Ways without a character.
    free: Vec<Vec<(u32, Asks)>>,
    /// Where a node takes a character: the place, and the node behind it.
    takes: Vec<Option<(u32, u32)>>,
    behind: Vec<u32>,
}

impl Builder {
    fn node(&mut self) -> u32 {
        self.free.push(Vec::new());
        self.takes.push(None);
        self.free.len() as u32 - 1
    }

    fn way(&mut self, from: u32, to: u32, asks: Asks) {
        self.free[from as usize].push((to, asks));
    }

    fn built(mut self, tree: &Tree) -> Read<Automaton> {
        let (first, last) = self.part(tree)?;
        let count = self.places.len();
        let mut next = Vec::with_capacity(count + 1);
        for place in 0..=count {
            let from = self.behind.get(place).copied().unwrap_or(first);
            next.push(self.ways(from, last, count as u32 + 1)?);
        }
        Ok(Automaton {
            places: self.places,
            next,
        })
    }

    fn part(&mut self, tree: &Tree) -> Read<(u32, u32)> {
        if self.places.len() > MAX_PLACES || self.free.len() > MAX_PLACES * 16 {
            return Err("the pattern has too many places");
        }
        match tree {
            Tree::Empty => self.edge(Asks::default()),
            Tree::Begin => self.edge(Asks::BEGIN),
            Tree::End => self.edge(Asks::END),
            Tree::Maybe => self.edge(Asks::MAYBE),
            Tree::Take(set) => {
                let (from, to) = (self.node(), self.node());
                let place = self.places.len() as u32;
                self.places.push(set.clone());
                self.behind.push(to);
                self.takes[from as usize] = Some((place, to));
                Ok((from, to))
            }
            Tree::All(parts) => {
                let from = self.node();
                let mut at = from;
                for part in parts {
                    let (first, last) = self.part(part)?;
                    self.way(at, first, Asks::default());
                    at = last;
                }
                Ok((from, at))
            }
            Tree::Any(ways) => {
                let (from, to) = (self.node(), self.node());
                for way in ways {
                    let (first, last) = self.part(way)?;
                    self.way(from, first, Asks::default());
                    self.way(last, to, Asks::default());
                }
                Ok((from, to))
            }
            Tree::Repeat { body, min, max } => self.repeat(body, *min, *max),
        }
    }

    fn edge(&mut self, asks: Asks) -> Read<(u32, u32)> {
        let (from, to) = (self.node(), self.node());
        self.way(from, to, asks);
        Ok((from, to))
    }

    fn repeat(&mut self, body: &Tree, min: u32, max: Option<u32>) -> Read<(u32, u32)> {
        let (from, to) = (self.node(), self.node());
        let size = self.places.len();
        // A number of copies, as far as that many are looked at: then a loop that may be passed.
        if min > MAX_COPIES || max.is_some_and(|max| max > MAX_COPIES) {
            let (first, last) = self.part(body)?;
            self.way(from, first, Asks::default());
            self.way(last, first, Asks::MAYBE);
            self.way(last, to, Asks::default());
            if min == 0 {
                self.way(from, to, Asks::default());
            }
            return Ok((from, to));
        }
        let mut at = from;
        let always = if max.is_none() {
            min.saturating_sub(1)
        } else {
            min
        };
        for _ in 0..always {
            let (first, last) = self.part(body)?;
            self.way(at, first, Asks::default());
            at = last;
        }
        match max {
            None => {
                let (first, last) = self.part(body)?;
                self.way(at, first, Asks::default());
                self.way(last, first, Asks::default());
                self.way(last, to, Asks::default());
                if min == 0 {
                    self.way(at, to, Asks::default());
                }
            }
            Some(max) => {
                self.way(at, to, Asks::default());
                for _ in min..max {
                    let (first, last) = self.part(body)?;
                    self.way(at, first, Asks::default());
                    self.way(last, to, Asks::default());
                    at = last;
                }
            }
        }
        if self.places.len() - size > MAX_PLACES {
            return Err("the pattern has too many places");
        }
        Ok((from, to))
    }

    /// Everything that takes a character next, by ways that pass no node twice.
    fn ways(&self, from: u32, last: u32, end: u32) -> Read<Vec<Next>> {
        let mut out: Vec<Next> = Vec::new();
        let mut tried = 0;
        let mut passed = vec![false; self.free.len()];
        // A node on the way, what was asked so far, and which of its ways is next.
        let mut way: Vec<(u32, Asks, usize)> = vec![(from, Asks::default(), 0)];
        let found = |out: &mut Vec<Next>, to: u32, asks: Asks| match out
            .iter_mut()
            .find(|n| n.to == to && n.asks == asks)
        {
            Some(have) => have.several = true,
            None => out.push(Next {
                to,
                asks,
                several: false,
            }),
        };
        passed[from as usize] = true;
        if from == last {
            found(&mut out, end, Asks::default());
        }
        if let Some((place, _)) = self.takes[from as usize] {
            found(&mut out, place, Asks::default());
        }
        while let Some((node, asks, at)) = way.last_mut() {
            let Some((to, more)) = self.free[*node as usize].get(*at).copied() else {
                passed[*node as usize] = false;
                way.pop();
                continue;
            };
            *at += 1;
            let asks = asks.and(more);
            if passed[to as usize] {
                continue;
            }
            tried += 1;
            if tried > MAX_WAYS {
                return Err("too many ways from one place to the next");
            }
            if to == last {
                found(&mut out, end, asks);
            }
            if let Some((place, _)) = self.takes[to as usize] {
                found(&mut out, place, asks);
                continue;
            }
            passed[to as usize] = true;
            way.push((to, asks, 0));
        }
        Ok(out)
    }
}
