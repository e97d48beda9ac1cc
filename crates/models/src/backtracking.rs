//! How long an engine with backtracking may take to find that a text does not match.
//!
//! Weideman, van der Merwe, Berglund and Watson, "Analyzing Matching Time Behavior of Backtracking Regular Expression
//! Matchers by Using Ambiguity of NFA" (CIAA 2016): the time is exponential where a place of the automaton is left and
//! come back to in two ways on one text, and polynomial where one text leads around two loops and from the first to the
//! second; and only if what follows can fail. What is found comes with a text that does it. That there is none was not
//! shown: edges that are *maybe* passed are not walked in loops, and the search is bounded.

use std::collections::{BTreeMap, VecDeque};

use crate::pattern::Anchoring;
use crate::regex::{Asks, Automaton, Chars};

/// Pairs and triples of places that are looked at.
const MAX_STEPS: u32 = 300_000;
/// Places that are asked about a character of a text that is tried, which take as long as one such step.
const ASKED_IN_A_STEP: usize = 100;
/// How often a text is repeated to see that it still does not match.
const TURNS: usize = 12;

/// How matching time grows with the text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Growth {
    /// Nothing worse was found.
    Plain,
    Polynomial(Attack),
    Exponential(Attack),
    /// The pattern is not understood, or too large.
    Unknown(&'static str),
}

/// A text that shows it: `before`, many times `again`, `after`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attack {
    pub before: String,
    pub again: String,
    pub after: String,
}

/// How long matching this pattern can take.
pub fn growth(pattern: &str, anchoring: Anchoring) -> Growth {
    let automata = match Automaton::of(pattern) {
        Ok(automata) => automata,
        Err(why) => return Growth::Unknown(why),
    };
    let mut worst = Growth::Plain;
    for (i, automaton) in automata.iter().enumerate() {
        // What looks around begins where it stands.
        let anchoring = if i == 0 { anchoring } else { Anchoring::Start };
        let search = Search {
            automaton,
            anchoring,
        };
        match search.growth() {
            found @ Growth::Exponential(_) => return found,
            found @ Growth::Polynomial(_) => worst = found,
            found @ Growth::Unknown(_) if worst == Growth::Plain => worst = found,
            _ => {}
        }
    }
    worst
}

struct Search<'a> {
    automaton: &'a Automaton,
    anchoring: Anchoring,
}

impl Search<'_> {
    fn growth(&self) -> Growth {
        let count = self.automaton.places.len();
        // Only ways that ask nothing: whoever is in the loop gets round it.
        let sure: Vec<Vec<u32>> = (0..count)
            .map(|place| {
                let next = self.automaton.next[place].iter();
                next.filter(|n| n.asks.nothing() && (n.to as usize) < count)
                    .map(|n| n.to)
                    .collect()
            })
            .collect();
        let part = components(&sure);
        let loops = |place: u32| {
            let of = part[place as usize];
            sure[place as usize]
                .iter()
                .any(|to| part[*to as usize] == of)
        };
        if !(0..count as u32).any(loops) {
            return Growth::Plain;
        }
        let mut steps = 0;
        match self.two_ways_round(&sure, &part, &mut steps) {
            Err(why) => return Growth::Unknown(why),
            Ok(Some(attack)) => return Growth::Exponential(attack),
            Ok(None) => {}
        }
        let looping: Vec<u32> = (0..count as u32).filter(|place| loops(*place)).collect();
        match self.two_loops(&sure, &part, &looping, &mut steps) {
            Err(why) => Growth::Unknown(why),
            Ok(Some(attack)) => Growth::Polynomial(attack),
            Ok(None) => Growth::Plain,
        }
    }

    /// Two ways from a place back to it, on one text.
    fn two_ways_round(
        &self,
        sure: &[Vec<u32>],
        part: &[u32],
        steps: &mut u32,
    ) -> Result<Option<Attack>, &'static str> {
        let places = &self.automaton.places;
        for from in 0..places.len() as u32 {
            // The same step in two ways.
            for next in &self.automaton.next[from as usize] {
                let inside = (next.to as usize) < places.len()
                    && part[next.to as usize] == part[from as usize];
                if next.several && next.asks.nothing() && inside {
                    let Some(c) = Chars::common(&[&places[next.to as usize]]) else {
                        continue;
                    };
                    let back = self.walk(next.to, from, sure);
                    let again = back.map(|rest| format!("{c}{rest}"));
                    if let Some(again) = again
                        && let Some(attack) = self.attack(from, &again, steps)?
                    {
                        return Ok(Some(attack));
                    }
                }
            }
        }
        for q in 0..places.len() as u32 {
            if let Some(again) = self.apart_and_back(q, sure, part, steps)?
                && let Some(attack) = self.attack(q, &again, steps)?
            {
                return Ok(Some(attack));
            }
        }
        Ok(None)
    }

    /// A text on which two walkers leave `q`, stand at different places for a while, and are both back.
    fn apart_and_back(
        &self,
        q: u32,
        sure: &[Vec<u32>],
        part: &[u32],
        steps: &mut u32,
    ) -> Result<Option<String>, &'static str> {
        let places = &self.automaton.places;
        type Node = (u32, u32, bool);
        let start: Node = (q, q, false);
        let goal: Node = (q, q, true);
        let mut came: BTreeMap<Node, (Node, char)> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        let inside = |to: &&u32| part[**to as usize] == part[q as usize];
        while let Some(node) = open.pop_front() {
            let (a, b, apart) = node;
            for x in sure[a as usize].iter().filter(inside) {
                for y in sure[b as usize].iter().filter(inside) {
                    *steps += 1;
                    if *steps > MAX_STEPS {
                        return Err("the pattern has too many pairs of places");
                    }
                    // Which of the two is which makes no difference.
                    let (x, y) = (*x.min(y), *x.max(y));
                    let to = (x, y, apart || x != y);
                    if came.contains_key(&to) {
                        continue;
                    }
                    let both = [&places[x as usize], &places[y as usize]];
                    let Some(c) = Chars::common(&both) else {
                        continue;
                    };
                    came.insert(to, (node, c));
                    if to == goal {
                        return Ok(Some(spelled(&came, start, goal)));
                    }
                    open.push_back(to);
                }
            }
        }
        Ok(None)
    }

    /// A text that leads around two loops, and from the first to the second.
    fn two_loops(
        &self,
        sure: &[Vec<u32>],
        part: &[u32],
        looping: &[u32],
        steps: &mut u32,
    ) -> Result<Option<Attack>, &'static str> {
        let places = &self.automaton.places;
        type Node = (u32, u32, u32, bool);
        for p in looping {
            for q in looping {
                if part[*p as usize] == part[*q as usize] {
                    continue;
                }
                let start: Node = (*p, *p, *q, false);
                let goal: Node = (*p, *q, *q, true);
                let mut came: BTreeMap<Node, (Node, char)> = BTreeMap::new();
                let mut open = VecDeque::from([start]);
                let mut found = false;
                while let Some(node) = open.pop_front() {
                    let (a, b, c, _) = node;
                    for x in &sure[a as usize] {
                        if part[*x as usize] != part[*p as usize] {
                            continue;
                        }
                        for z in &sure[c as usize] {
                            if part[*z as usize] != part[*q as usize] {
                                continue;
                            }
                            for y in &sure[b as usize] {
                                *steps += 1;
                                if *steps > MAX_STEPS {
                                    return Err("the pattern has too many triples of places");
                                }
                                let to = (*x, *y, *z, true);
                                if came.contains_key(&to) {
                                    continue;
                                }
                                let [x, y, z] = [x, y, z].map(|at| &places[*at as usize]);
                                let Some(c) = Chars::common(&[x, y, z]) else {
                                    continue;
                                };
                                came.insert(to, (node, c));
                                found |= to == goal;
                                open.push_back(to);
                            }
                        }
                    }
                    if found {
                        let again = spelled(&came, start, goal);
                        if let Some(attack) = self.attack(*p, &again, steps)? {
                            return Ok(Some(attack));
                        }
                        break;
                    }
                }
            }
        }
        Ok(None)
    }

    /// The shortest text from one place to another, by these ways.
    fn walk(&self, from: u32, to: u32, ways: &[Vec<u32>]) -> Option<String> {
        let mut came: BTreeMap<u32, (u32, char)> = BTreeMap::new();
        let mut open = VecDeque::from([from]);
        if from == to {
            return Some(String::new());
        }
        while let Some(at) = open.pop_front() {
            for next in ways.get(at as usize)? {
                if *next == from || came.contains_key(next) {
                    continue;
                }
                let Some(c) = Chars::common(&[self.automaton.places.get(*next as usize)?]) else {
                    continue;
                };
                came.insert(*next, (at, c));
                if *next == to {
                    return Some(spelled(&came, from, to));
                }
                open.push_back(*next);
            }
        }
        None
    }

    /// A text that gets to the place, goes round, and then does not match.
    fn attack(
        &self,
        place: u32,
        again: &str,
        steps: &mut u32,
    ) -> Result<Option<Attack>, &'static str> {
        let count = self.automaton.places.len() as u32;
        let ways: Vec<Vec<u32>> = self
            .automaton
            .next
            .iter()
            .enumerate()
            .map(|(from, next)| {
                let open = |asks: Asks| {
                    !asks.has(Asks::END) && (!asks.has(Asks::BEGIN) || from as u32 == count)
                };
                let inside = next.iter().filter(|n| n.to < count && open(n.asks));
                inside.map(|n| n.to).collect()
            })
            .collect();
        let Some(before) = self.walk(self.automaton.start(), place, &ways) else {
            return Ok(None);
        };
        let repeated = again.repeat(TURNS);
        for after in ["", "!", "\u{0}", "\n\n", "a", "0", " ", "~", "\u{2603}"] {
            let text: Vec<char> = format!("{before}{repeated}{after}").chars().collect();
            // Every place may be asked at every character.
            let asked = text.len() * count as usize / ASKED_IN_A_STEP;
            *steps = steps.saturating_add(u32::try_from(asked).unwrap_or(u32::MAX));
            if *steps > MAX_STEPS {
                return Err("the pattern takes too long to be tried");
            }
            if !self.may_match(&text) {
                return Ok(Some(Attack {
                    before,
                    again: again.to_owned(),
                    after: after.to_owned(),
                }));
            }
        }
        Ok(None)
    }

    /// Whether the text may match: what is maybe passed is.
    fn may_match(&self, text: &[char]) -> bool {
        let start = self.automaton.start() as usize;
        let end = self.automaton.end();
        let mut at = vec![false; start + 1];
        at[start] = true;
        for i in 0..=text.len() {
            if i > 0 && self.anchoring == Anchoring::Search {
                at[start] = true;
            }
            let passes = |asks: Asks| {
                (!asks.has(Asks::BEGIN) || i == 0) && (!asks.has(Asks::END) || i == text.len())
            };
            let mut next = vec![false; start + 1];
            for from in (0..at.len()).filter(|from| at[*from]) {
                for way in &self.automaton.next[from] {
                    if way.to == end {
                        let whole = self.anchoring != Anchoring::Full || i == text.len();
                        if whole && passes(way.asks) {
                            return true;
                        }
                    } else if let Some(c) = text.get(i)
                        && passes(way.asks)
                        && self.automaton.places[way.to as usize].contains(*c)
                    {
                        next[way.to as usize] = true;
                    }
                }
            }
            at = next;
        }
        false
    }
}

/// The characters on the way from one node to another.
fn spelled<N: Ord + Copy>(came: &BTreeMap<N, (N, char)>, start: N, goal: N) -> String {
    let mut out = Vec::new();
    let mut at = goal;
    while let Some((before, c)) = came.get(&at) {
        out.push(*c);
        at = *before;
        if at == start {
            break;
        }
    }
    out.iter().rev().collect()
}

/// The strongly connected component of each node, by number: forwards for an order, backwards for the parts (Kosaraju).
fn components(next: &[Vec<u32>]) -> Vec<u32> {
    let count = next.len();
    let mut before: Vec<Vec<u32>> = vec![Vec::new(); count];
    for (from, ways) in next.iter().enumerate() {
        for to in ways {
            before[*to as usize].push(from as u32);
        }
    }
    let mut order = Vec::with_capacity(count);
    let mut seen = vec![false; count];
    for root in 0..count {
        let mut open = vec![(root, 0)];
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        while let Some((at, way)) = open.last_mut() {
            match next[*at].get(*way) {
                Some(to) => {
                    *way += 1;
                    if !std::mem::replace(&mut seen[*to as usize], true) {
                        open.push((*to as usize, 0));
                    }
                }
                None => {
                    order.push(*at);
                    open.pop();
                }
            }
        }
    }
    let mut part = vec![u32::MAX; count];
    for (number, root) in order.into_iter().rev().enumerate() {
        let mut open = vec![root as u32];
        while let Some(at) = open.pop() {
            if part[at as usize] != u32::MAX {
                continue;
            }
            part[at as usize] = number as u32;
            open.extend(&before[at as usize]);
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_exponential(pattern: &str) -> bool {
        matches!(growth(pattern, Anchoring::Search), Growth::Exponential(_))
    }

    fn is_polynomial(pattern: &str) -> bool {
        matches!(growth(pattern, Anchoring::Search), Growth::Polynomial(_))
    }

    #[test]
    fn a_long_pattern_that_matches_everything_is_given_up_in_time() {
        let pattern = format!("({}\\w+\\s?)*$", "\\w+\\s".repeat(130));
        let given_up = growth(&pattern, Anchoring::Search);
        assert!(matches!(given_up, Growth::Unknown(_)), "{given_up:?}");
    }

    #[test]
    fn two_ways_round_a_loop_are_exponential() {
        for pattern in [
            r"^(a+)+$",
            r"^(a*)*b",
            r"^(a|a)*$",
            r"^(a|aa)+$",
            r"(x+x+)+y",
            r"^(\w+\s?)*$",
            r"([0-9]+)+\#",
            r"^([0-9a-zA-Z]([-.\w]*[0-9a-zA-Z])*@{1}([0-9a-zA-Z][-\w]*[0-9a-zA-Z]\.)+[a-zA-Z]{2,9})$",
            r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
            r"^\w+([\.-]?\w+)*@\w+([\.-]?\w+)*(\.\w{2,3})+$",
            r"^(?:a?b?)*?(?:a*b*)*$",
            r"(?=(a+)+$)b",
            r"(?i)^([a-c]|[B-D])*$",
            "^(\n  \\d+  # digits\n  -?\n)*$",
        ] {
            assert!(
                is_exponential(pattern),
                "{pattern}: {:?}",
                growth(pattern, Anchoring::Search)
            );
        }
    }

    #[test]
    fn a_loop_that_cannot_fail_or_has_one_way_round_is_plain() {
        for pattern in [
            r"^[a-z]+$",
            r"^\d+(\.\d+)*$",
            r"(a+)+",
            r"(a*)*",
            r#"^"(?:[^"\\]|\\.)*"$"#,
            r"^[a-f0-9]{40}$",
            r"^([a-f0-9]{4})+$",
            r"^(\d{1,3}\.){3}\d{1,3}$",
            r"^[\w.+-]+@[\w-]+\.[\w.-]+x$",
            r"^(a|b)*$",
            r"^(?:[a-z]|[0-9])+$",
            r"^(a?)*$",
            r"^(?:\b\w+)+$",
            r"^((ab)+c)+$",
            r"^\s*$",
            r"^(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9])\.)+$",
        ] {
            let found = growth(pattern, Anchoring::Search);
            assert!(
                !matches!(found, Growth::Exponential(_)),
                "{pattern}: {found:?}"
            );
        }
        for pattern in [
            r"^[a-z]+$",
            r"^\d+(\.\d+)*$",
            r"^(a|b)*$",
            r"^[a-f0-9]{40}$",
        ] {
            assert_eq!(
                growth(pattern, Anchoring::Search),
                Growth::Plain,
                "{pattern}"
            );
        }
    }

    #[test]
    fn two_loops_over_one_text_are_polynomial() {
        for pattern in [
            r"^a*a*b",
            r"^\s*\s*$",
            r"^.*.*=",
            r"^\d+\d+$",
            r"^[a-z]+[._]?[a-z]+@",
        ] {
            let found = growth(pattern, Anchoring::Search);
            assert!(is_polynomial(pattern), "{pattern}: {found:?}");
        }
        assert_eq!(growth(r"^a+b+a+!", Anchoring::Search), Growth::Plain);
    }

    #[test]
    fn what_shows_it_is_a_text_that_does_it() {
        let Growth::Exponential(attack) = growth(r"^([0-9]+)+\#$", Anchoring::Search) else {
            panic!("exponential");
        };
        assert_eq!((attack.before.as_str(), attack.again.as_str()), ("0", "0"));
        assert!(!attack.after.starts_with('#'));
    }

    #[test]
    fn the_whole_text_must_match_where_it_is_asked() {
        assert!(!is_exponential(r"(a+)+"));
        let whole = growth(r"(a+)+", Anchoring::Full);
        assert!(matches!(whole, Growth::Exponential(_)), "{whole:?}");
    }

    #[test]
    fn any_text_is_answered_and_what_is_said_to_do_it_does_not_match() {
        const PARTS: [&str; 22] = [
            "a", "b", "(", ")", "*", "+", "?", "|", "[", "]", "^", "$", r"\d", r"\w", ".", "{2,}",
            "{1,3}", "(?:", "(?=", r"\1", r"\b", "a-c",
        ];
        // A linear congruential generator (Numerical Recipes): the same texts in every run.
        let mut state: u32 = 7;
        let mut next = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % below
        };
        let mut exponential = 0;
        for _ in 0..4_000 {
            let length = 1 + next(14);
            let text: String = (0..length).map(|_| PARTS[next(PARTS.len())]).collect();
            match growth(&text, Anchoring::Search) {
                Growth::Exponential(attack) => {
                    assert!(!attack.again.is_empty(), "{text}");
                    exponential += 1;
                }
                Growth::Polynomial(attack) => assert!(!attack.again.is_empty(), "{text}"),
                Growth::Plain | Growth::Unknown(_) => {}
            }
        }
        assert!(exponential > 0);
    }

    #[test]
    fn what_is_not_understood_is_unknown() {
        for pattern in [
            r"(a++)+$",
            r"(?>a+)+$",
            r"(",
            r"a{3,1}",
            r"[z-a]",
            r"*",
            r"\p{L}+",
            "(?x) a",
        ] {
            let found = growth(pattern, Anchoring::Search);
            assert!(matches!(found, Growth::Unknown(_)), "{pattern}: {found:?}");
        }
        let deep = format!("{}a{}", "(".repeat(500), ")".repeat(500));
        assert!(matches!(
            growth(&deep, Anchoring::Search),
            Growth::Unknown(_)
        ));
        let long = "(a{0,60}){0,60}(b{0,60}){0,60}";
        assert!(matches!(
            growth(long, Anchoring::Search),
            Growth::Unknown(_)
        ));
    }
}
