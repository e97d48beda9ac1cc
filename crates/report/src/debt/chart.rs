//! What the drawings over time share: slots, scales, and a frame that keeps its letters at one size.
//!
//! A chart is an `svg` as wide as the page. Places along it are percentages, so that text and strokes never
//! scale; only paths stand in an inner drawing of 1000 units that is stretched.

use std::fmt::Write as _;

use crate::words;

/// Time slots of equal width.
#[derive(Clone, Copy)]
pub struct Slots {
    pub count: usize,
}

impl Slots {
    /// Percent of the width; the middle of slot `n`.
    pub fn middle(self, n: usize) -> f64 {
        (n as f64 + 0.5) * self.width()
    }

    pub fn left(self, n: usize) -> f64 {
        n as f64 * self.width()
    }

    /// Percent of the width.
    pub fn width(self) -> f64 {
        100.0 / self.count.max(1) as f64
    }
}

/// A scale of counts from nothing to a round top.
#[derive(Clone, Copy)]
pub struct Scale {
    pub top: u64,
    pub step: u64,
    /// Pixels from the top of the drawing to the top and to the foot of the scale.
    pub high: f64,
    pub foot: f64,
}

impl Scale {
    /// A round top not under `most`, in at most `steps` steps of 1, 2 or 5 times a power of ten.
    pub fn new(most: u64, steps: u64, high: f64, foot: f64) -> Self {
        let mut step: u64 = 1;
        let mut factors = [2_u64, 5, 10].iter().cycle();
        let mut power: u64 = 1;
        while most.div_ceil(step) > steps.max(1) {
            let factor = *factors.next().unwrap_or(&10);
            step = power.saturating_mul(factor);
            if factor == 10 {
                power = step;
            }
            if step == u64::MAX {
                break;
            }
        }
        let top = most.div_ceil(step).max(1).saturating_mul(step);
        Self {
            top,
            step,
            high,
            foot,
        }
    }

    /// Pixels from the top of the drawing.
    pub fn y(self, value: u64) -> f64 {
        let part = value.min(self.top) as f64 / self.top as f64;
        self.foot - part * (self.foot - self.high)
    }

    /// Lines with their values to the left of the drawing.
    pub fn grid(self, out: &mut String) {
        let mut value = 0_u64;
        for _ in 0..=self.top / self.step {
            let y = self.y(value);
            let class = if value == 0 { "axis" } else { "grid" };
            let _ = write!(
                out,
                "<line class=\"{class}\" x1=\"0\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/><text class=\"scale\" x=\"0\" y=\"{y:.1}\" dx=\"-8\" dy=\"4\">{}</text>",
                short(value)
            );
            value = value.saturating_add(self.step);
        }
    }
}

/// `940`, `1.2k`, `3M`: for the margin of a drawing.
pub fn short(n: u64) -> String {
    for (unit, sign) in [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")] {
        if n >= unit {
            let tenths = u128::from(n) * 10 / u128::from(unit);
            return if tenths % 10 == 0 {
                format!("{}{sign}", tenths / 10)
            } else {
                format!("{}.{}{sign}", tenths / 10, tenths % 10)
            };
        }
    }
    n.to_string()
}

/// Begins a drawing; `id` is ours, title and description are escaped.
pub fn open(out: &mut String, id: &str, height: u32, title: &str, description: &str) {
    let _ = write!(
        out,
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\" width=\"100%\" height=\"{height}\"><title id=\"{id}-t\">{title}</title><desc id=\"{id}-d\">{description}</desc>"
    );
}

/// A drawing inside the drawing, stretched: 1000 units wide, as high as the outer one.
pub fn stretched(out: &mut String, height: u32, paths: &str) {
    if paths.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<svg x=\"0\" y=\"0\" width=\"100%\" height=\"{height}\" viewBox=\"0 0 1000 {height}\" preserveAspectRatio=\"none\">{paths}</svg>"
    );
}

/// A bar between two heights in pixels, in the middle of a slot.
pub fn bar(out: &mut String, class: &str, slots: Slots, n: usize, from: f64, to: f64) {
    let wide = slots.width() * 0.62;
    let x = slots.middle(n) - wide / 2.0;
    let (high, low) = if from < to { (from, to) } else { (to, from) };
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{x:.2}%\" y=\"{high:.1}\" width=\"{wide:.2}%\" height=\"{:.1}\"/>",
        low - high
    );
}

/// Names of months under a drawing that has no years. On a phone only every third is shown.
pub fn names<'a>(out: &mut String, slots: Slots, months: impl Iterator<Item = &'a str>) {
    out.push_str("<svg class=\"plot\" aria-hidden=\"true\" width=\"100%\" height=\"18\">");
    for (n, month) in months.enumerate() {
        let name = words::month_parts(month).map_or("", |(_, name)| name);
        let class = if n % 3 == 0 {
            "mid tick"
        } else {
            "mid tick roomy"
        };
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{:.2}%\" y=\"13\">{name}</text>",
            slots.middle(n)
        );
    }
    out.push_str("</svg>\n");
}

/// Something to point at over slot `n`: it says `words`, which are escaped, and leads to `anchor`.
pub fn hit(out: &mut String, slots: Slots, n: usize, foot: f64, words: &str, anchor: Option<&str>) {
    let shape = format!(
        "<title>{words}</title><rect class=\"hit\" x=\"{:.2}%\" y=\"0\" width=\"{:.2}%\" height=\"{foot:.0}\"/>",
        slots.left(n),
        slots.width(),
    );
    let _ = match anchor {
        Some(anchor) => write!(out, "<a href=\"#{anchor}\" tabindex=\"-1\">{shape}</a>"),
        None => write!(out, "<g>{shape}</g>"),
    };
}

/// A hatched column for a slot of which nothing is known.
pub fn unknown(out: &mut String, slots: Slots, n: usize, scale: Scale) {
    bar(out, "s-unknown", slots, n, scale.high, scale.foot);
}

#[cfg(test)]
mod tests {
    use super::{Scale, short};

    #[test]
    fn scales_end_on_round_figures() {
        for (most, top, step) in [
            (0, 1, 1),
            (3, 3, 1),
            (7, 8, 2),
            (41, 60, 20),
            (100, 100, 50),
            (2_047, 3_000, 1_000),
        ] {
            let scale = Scale::new(most, 4, 0.0, 100.0);
            assert_eq!((scale.top, scale.step), (top, step), "{most}");
        }
        let scale = Scale::new(41, 4, 10.0, 110.0);
        assert_eq!((scale.top, scale.step), (60, 20));
        assert!((scale.y(0) - 110.0).abs() < 1e-9 && (scale.y(60) - 10.0).abs() < 1e-9);
    }

    #[test]
    fn no_count_is_too_large_for_a_scale() {
        for most in [u64::MAX, u64::MAX - 1, u64::MAX / 2] {
            let scale = Scale::new(most, 4, 0.0, 1.0);
            let mut out = String::new();
            scale.grid(&mut out);
            assert!(out.matches("<line").count() <= 6 && scale.y(most).is_finite());
        }
    }

    #[test]
    fn margins_hold_short_figures() {
        assert_eq!(short(940), "940");
        assert_eq!(short(1_250), "1.2k");
        assert_eq!(short(2_000_000), "2M");
    }
}
