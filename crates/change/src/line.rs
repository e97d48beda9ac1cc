//! The shape of a history: which commits the default branch went through, when each change landed on it,
//! and times that cannot be true.

use std::collections::HashMap;

use solvent_base::Timestamp;

use crate::id::ObjectId;

/// Commits that are kept. The largest public histories have 1.5 million.
pub const MAX_COMMITS: usize = 3_000_000;

/// Clocks of different machines differ; a commit is from the future when it is later than this.
const SKEW: i64 = 86_400;

/// Times before 1971 are a clock that was not set: git itself is from 2005, imported histories reach
/// back to the eighties.
const UNSET: i64 = 365 * 86_400;

/// Commit times that cannot be true, counted over the whole history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Clocks {
    /// Later than now by more than a day.
    pub future: u64,
    /// Before 1971.
    pub unset: u64,
    /// On the default branch, more than a day off from what their neighbours allow.
    pub out_of_order: u64,
}

/// All commits that HEAD reaches.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    pub(crate) nodes: Vec<Node>,
    index: HashMap<ObjectId, u32>,
    /// Positions of the commits that the default branch went through, oldest first.
    pub(crate) line: Vec<u32>,
    /// Their times, never decreasing. In seconds.
    pub(crate) times: Vec<i64>,
    pub(crate) clocks: Clocks,
    /// More commits than are kept.
    pub(crate) cut: bool,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: ObjectId,
    /// Committer time in seconds, as it stands.
    pub(crate) time: i64,
    pub(crate) parents: Vec<u32>,
    /// Position on the line of the commit that brought this one in.
    pub(crate) landed: u32,
    /// Its own record was seen; a parent beyond the end of a cut history is only named.
    pub(crate) seen: bool,
}

const NOWHERE: u32 = u32::MAX;

impl Shape {
    /// One line of `git rev-list --parents --timestamp`: time, name, names of the parents.
    pub(crate) fn push(&mut self, line: &[u8]) {
        let mut words = line.split(|b| *b == b' ');
        let time = words
            .next()
            .and_then(|word| std::str::from_utf8(word).ok())
            // Git prints unsigned 64-bit numbers.
            .and_then(|word| word.parse::<u64>().ok())
            .map(|time| i64::try_from(time).unwrap_or(i64::MAX));
        let id = words.next().and_then(ObjectId::parse_bytes);
        let (Some(time), Some(id)) = (time, id) else {
            return;
        };
        if self.nodes.len() >= MAX_COMMITS {
            self.cut = true;
            return;
        }
        let parents: Vec<u32> = words
            .filter_map(ObjectId::parse_bytes)
            .map(|parent| self.at(parent))
            .collect();
        let at = self.at(id) as usize;
        let node = &mut self.nodes[at];
        node.time = time;
        node.parents = parents;
        node.seen = true;
    }

    fn at(&mut self, id: ObjectId) -> u32 {
        *self.index.entry(id).or_insert_with(|| {
            self.nodes.push(Node {
                id,
                time: 0,
                parents: Vec::new(),
                landed: NOWHERE,
                seen: false,
            });
            (self.nodes.len() - 1) as u32
        })
    }

    pub(crate) fn find(&self, id: &ObjectId) -> Option<u32> {
        self.index.get(id).copied()
    }

    /// Finds the line from `head`, times and landings, once all commits are in.
    pub(crate) fn settle(&mut self, head: &ObjectId, now: Timestamp) {
        let now = now.0.div_euclid(1000);
        let mut at = self.find(head);
        while let Some(node) = at {
            let known = &mut self.nodes[node as usize];
            // Names are digests: a circle needs a broken digest, or two records under one name.
            if !known.seen || known.landed != NOWHERE {
                break;
            }
            known.landed = 0;
            self.line.push(node);
            at = known.parents.first().copied();
        }
        self.line.reverse();
        for node in &self.nodes {
            if node.seen {
                self.clocks.future += u64::from(node.time > now + SKEW);
                self.clocks.unset += u64::from(node.time < UNSET);
            }
        }
        let raw: Vec<i64> = self
            .line
            .iter()
            .map(|node| self.nodes[*node as usize].time)
            .collect();
        self.times = in_order(&raw, now);
        self.clocks.out_of_order = raw
            .iter()
            .zip(&self.times)
            .filter(|(raw, time)| {
                (UNSET..=now + SKEW).contains(*raw) && raw.abs_diff(**time) > SKEW as u64
            })
            .count() as u64;
        self.land();
    }

    /// Gives every commit the position of the first commit of the line that has it among its ancestors.
    fn land(&mut self) {
        for (position, node) in self.line.iter().enumerate() {
            self.nodes[*node as usize].landed = position as u32;
        }
        let mut open = Vec::new();
        for position in 0..self.line.len() {
            open.push(self.line[position]);
            while let Some(at) = open.pop() {
                for parent in self.nodes[at as usize].parents.clone() {
                    let parent_node = &mut self.nodes[parent as usize];
                    if parent_node.landed == NOWHERE {
                        parent_node.landed = position as u32;
                        open.push(parent);
                    }
                }
            }
        }
    }

    /// When the change landed, in milliseconds.
    pub(crate) fn time(&self, node: u32) -> Timestamp {
        let landed = self.nodes[node as usize].landed as usize;
        Timestamp(self.times.get(landed).map_or(0, |s| s.saturating_mul(1000)))
    }
}

/// Times that never decrease, changing as few as possible: the longest run of given times that is in
/// order stays, every other commit takes the time of the one before it. A clock that was an hour ahead
/// for one commit then moves one commit, not all later ones.
fn in_order(raw: &[i64], now: i64) -> Vec<i64> {
    // Patience sorting: `ends[n]` is the position that ends the best run of n + 1 times.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = vec![None; raw.len()];
    for (at, time) in raw.iter().enumerate() {
        if !(UNSET..=now.saturating_add(SKEW)).contains(time) {
            continue;
        }
        let length = ends.partition_point(|end| raw[*end] <= *time);
        before[at] = length.checked_sub(1).map(|n| ends[n]);
        if length == ends.len() {
            ends.push(at);
        } else {
            ends[length] = at;
        }
    }
    let mut kept = vec![false; raw.len()];
    let mut at = ends.last().copied();
    let mut first = now;
    while let Some(position) = at {
        kept[position] = true;
        first = raw[position];
        at = before[position];
    }
    let mut last = first;
    raw.iter()
        .zip(kept)
        .map(|(time, kept)| {
            if kept {
                last = *time;
            }
            last
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn id(n: u32) -> ObjectId {
        ObjectId::parse(&format!("{n:040x}")).unwrap()
    }

    fn shape(commits: &[(u32, i64, &[u32])], head: u32, now: i64) -> Shape {
        let mut shape = Shape::default();
        for (n, time, parents) in commits {
            let mut line = format!("{time} {}", id(*n));
            for parent in *parents {
                line.push_str(&format!(" {}", id(*parent)));
            }
            shape.push(line.as_bytes());
        }
        shape.settle(&id(head), Timestamp(now * 1000));
        shape
    }

    #[test]
    fn wrong_clocks_move_their_own_commit_only() {
        let t = 1_700_000_000;
        let raw = [
            t,
            0,
            t + DAY,
            t + 900 * DAY,
            t + 2 * DAY,
            t - 50 * DAY,
            t + 3 * DAY,
        ];
        let now = t + 10 * DAY;
        let times = in_order(&raw, now);
        let want = [0, 0, 1, 1, 2, 2, 3].map(|d| t + d * DAY);
        assert_eq!(times, want);
        let commits: Vec<(u32, i64, Vec<u32>)> = (0..raw.len() as u32)
            .map(|n| (n, raw[n as usize], n.checked_sub(1).into_iter().collect()))
            .collect();
        let commits: Vec<(u32, i64, &[u32])> =
            commits.iter().map(|(n, t, p)| (*n, *t, &p[..])).collect();
        let shape = shape(&commits, 6, now);
        let clocks = Clocks {
            future: 1,
            unset: 1,
            out_of_order: 1,
        };
        assert_eq!(shape.clocks, clocks);
    }

    #[test]
    fn every_time_wrong_is_now_and_order_holds() {
        assert_eq!(in_order(&[0, 5, 0], 1_700_000_000), [1_700_000_000; 3]);
        assert_eq!(in_order(&[], 1), [0; 0]);
    }

    #[test]
    fn a_change_lands_with_the_merge_that_brings_it() {
        // 0 - 1 ----- 4(merge of 3) - 6(merge of 5)
        //  \- 2 - 3 -/      \- 5 -------/
        let t = 1_700_000_000;
        let commits: &[(u32, i64, &[u32])] = &[
            (6, t + 6, &[4, 5]),
            (5, t + 5, &[4]),
            (4, t + 4, &[1, 3]),
            (3, 0, &[2]),
            (2, t + 2, &[0]),
            (1, t + 1, &[0]),
            (0, t, &[]),
        ];
        let shape = shape(commits, 6, t + DAY);
        let line: Vec<String> = shape
            .line
            .iter()
            .map(|n| shape.nodes[*n as usize].id.to_string())
            .collect();
        assert_eq!(line, [0, 1, 4, 6].map(|n| id(n).to_string()));
        let landed = |n: u32| shape.nodes[shape.find(&id(n)).unwrap() as usize].landed;
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(landed), [0, 1, 2, 2, 2, 3, 3]);
        let three = shape.find(&id(3)).unwrap();
        assert_eq!(shape.time(three), Timestamp((t + 4) * 1000));
    }
}
