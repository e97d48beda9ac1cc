//! Trees that want to break a reader: real programs mutated, and [`tree`]s of one evil each.
//!
//! Everything is made from a seed, or from a size, so that what broke once can be made again. Used by the tests of
//! `lang` and `taint` at small sizes, and by `cargo xtask score hostile` at those that the bar asks for.

mod tongue;
pub mod tree;

use std::path::Path;

pub use tongue::Tongue;

/// What reading one file may take, in milliseconds of one processor: a tenth of a second, and what a mebibyte a
/// second takes, which is a tenth of the speed on files that people write.
pub fn lowering_budget_ms(bytes: usize) -> f64 {
    100.0 + bytes as f64 / 1024.0
}

/// What a scan of a tree may take, in seconds of one processor: ten, and a second for each 128 KiB of source text,
/// which is some four thousand lines, up to the search's own bound.
pub fn scan_budget_s(bytes: usize) -> f64 {
    10.0 + bytes as f64 / f64::from(128 << 10)
}

/// Most memory that a scan of one of these trees may take, in mebibytes.
pub const MEMORY_MB: u64 = 4096;

/// Numbers that are the same in every run: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators" (OOPSLA 2014).
pub struct Numbers(pub u64);

impl Numbers {
    /// One of `0..end`; 0 where that is empty.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end.max(1) as u64) as usize
    }
}

/// The programs on the pages of a language below `fixtures`, in the order of their names.
pub fn programs(fixtures: &Path, tongue: Tongue) -> Vec<Vec<u8>> {
    let language = tongue.name();
    let mut out = Vec::new();
    for folder in ["lowering", "flows"] {
        let Ok(read) = std::fs::read_dir(fixtures.join(language).join(folder)) else {
            continue;
        };
        let mut pages: Vec<_> = read.filter_map(|e| Some(e.ok()?.path())).collect();
        pages.sort();
        for page in pages {
            let name = page.to_string_lossy().into_owned();
            let Ok(text) = std::fs::read_to_string(&page) else {
                continue;
            };
            let Ok(page) = crate::parse(&name, &text) else {
                continue;
            };
            for case in &page.cases {
                out.extend(case.files(language).map(|b| b.text.clone().into_bytes()));
            }
        }
    }
    out
}

/// Most bytes of a mutated program: what doubles is cut.
const MOST_BYTES: usize = 256 << 10;

/// Signs that open, close or end something, or are none in any language.
const SIGNS: [&[u8]; 24] = [
    b"(",
    b")",
    b"{",
    b"}",
    b"[",
    b"]",
    b";",
    b",",
    b"=>",
    b"...",
    b"`",
    b"\"",
    b"'",
    b"\\",
    b"\0",
    b"\xff",
    b"\xc3\x28",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\n",
    b"\r",
    b"/*",
    b"*/",
    b"${",
];

/// One of these programs with pieces flipped, cut out, doubled, swapped with others and repeated.
pub fn mutated(numbers: &mut Numbers, programs: &[Vec<u8>]) -> Vec<u8> {
    let mut text = programs[numbers.below(programs.len())].clone();
    for _ in 0..=numbers.below(6) {
        let (a, b) = (numbers.below(text.len() + 1), numbers.below(text.len() + 1));
        let (from, to) = (a.min(b), a.max(b).min(a.min(b) + 60));
        let piece = text[from..to].to_vec();
        match numbers.below(10) {
            0 => {
                text.drain(from..to);
            }
            1 => {
                let at = numbers.below(text.len() + 1);
                text.splice(at..at, piece);
            }
            2 | 3 => {
                let other = &programs[numbers.below(programs.len())];
                let start = numbers.below(other.len() + 1);
                let end = (start + numbers.below(400)).min(other.len());
                text.splice(from..to, other[start..end].iter().copied());
            }
            4 | 5 => {
                let sign = SIGNS[numbers.below(SIGNS.len())];
                text.splice(from..from, sign.iter().copied());
            }
            6 => {
                // One sign or piece, many times over.
                let sign = SIGNS[numbers.below(SIGNS.len())];
                let times = 1 << numbers.below(11);
                let what = if numbers.below(2) == 0 { sign } else { &piece };
                text.splice(from..from, what.repeat(times));
            }
            7 => {
                if let Some(byte) = text.get_mut(from) {
                    *byte ^= 1 << numbers.below(8);
                }
            }
            8 => {
                // A number, a name or a line far longer than anybody writes.
                let digit = [b'9', b'a', b' '][numbers.below(3)];
                let times = 1 << numbers.below(14);
                text.splice(from..from, std::iter::repeat_n(digit, times));
            }
            _ => text.truncate(to),
        }
        text.truncate(MOST_BYTES);
    }
    text
}
