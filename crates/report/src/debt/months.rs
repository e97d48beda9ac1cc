//! Twelve months: how many are open, what came and went, how old the oldest open critical is, and where
//! that leads at present rates.

use std::fmt::Write as _;

use solvent_protocol::debt::{DebtReport, Forecast, ForecastMonth, Measured, Month, MonthScan};

use super::chart::{self, Scale, Slots};
use super::link::Links;
use super::not_known;
use crate::sheet::escape::{attribute, sentence, text};
use crate::words;

/// Columns that a drawing shows, of the past and of the future; of more only the newest, the nearest.
const MAX_MONTHS: usize = 24;
const MAX_AHEAD: usize = 24;

/// Heights in pixels of the three drawings, which stand on one time axis.
const OPEN_HIGH: u32 = 200;
const FLOW_HIGH: u32 = 132;
const AGE_HIGH: u32 = 104;

struct Time<'a> {
    months: &'a [Month],
    /// Anchors of `months`.
    anchors: Vec<String>,
    forecast: Option<&'a Forecast>,
    ahead: usize,
    slots: Slots,
}

impl<'a> Time<'a> {
    fn scans(&self) -> impl Iterator<Item = (usize, &'a MonthScan)> {
        self.months
            .iter()
            .enumerate()
            .filter_map(|(n, m)| m.scan.known().map(|scan| (n, scan)))
    }

    /// The newest month that was scanned.
    fn newest(&self) -> Option<(usize, &'a MonthScan)> {
        self.scans().last()
    }

    fn most(&self, of: impl Fn(&MonthScan) -> u64) -> u64 {
        self.scans().map(|(_, scan)| of(scan)).max().unwrap_or(0)
    }
}

pub fn months<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<h2>Twelve months</h2>\n");
    let first = report.months.len().saturating_sub(MAX_MONTHS);
    let forecast = report.forecast.known();
    let ahead = forecast.map_or(0, |f| f.months.len().min(MAX_AHEAD));
    let time = Time {
        months: &report.months[first..],
        anchors: links.months[first..].to_vec(),
        forecast,
        ahead,
        slots: Slots {
            count: report.months.len() - first + ahead,
        },
    };
    if time.newest().is_none() {
        let why = report
            .months
            .iter()
            .find_map(|m| m.scan.why())
            .unwrap_or("no revision of the past was looked at");
        not_known(out, "the past", why);
    } else {
        summary(out, &time, links);
        out.push_str("<figure class=\"chart\">\n");
        open(out, &time);
        flow(out, &time);
        age(out, &time, links);
        axis(out, &time);
        out.push_str("<figcaption>Each column is the newest revision of the mainline in that month, read again with today's models. A hatched column was not scanned; a question mark is a month that was, and of which it is not known what came and went. <a href=\"#months\">The same in figures</a>.</figcaption>\n</figure>\n");
    }
    match &report.forecast {
        Measured::Known(_) => {}
        Measured::Unmeasured(why) => not_known(out, "forecast", why),
    }
}

/// What the drawings say, in a sentence.
fn summary<'a>(out: &mut String, time: &Time<'a>, links: &mut Links<'a>) {
    let Some((_, newest)) = time.newest() else {
        return;
    };
    let total = |of: &dyn Fn(&'a MonthScan) -> Option<u64>| {
        let known: Vec<u64> = time.scans().filter_map(|(_, scan)| of(scan)).collect();
        (
            known.iter().copied().fold(0, u64::saturating_add),
            known.len() as u64,
        )
    };
    let (came, months) = total(&|scan| scan.inflow.known().map(|f| f.count));
    let (went, _) = total(&|scan| scan.outflow.known().map(|f| f.count));
    let open = links.number("Open at the end of the newest month", &newest.open);
    let _ = write!(
        out,
        "<p>{open} {} of our own analysis {} open at the end of {}; what other tools reported in older months is not known, so none of theirs is counted here. ",
        if newest.open.count == 1 {
            "finding"
        } else {
            "findings"
        },
        if newest.open.count == 1 { "is" } else { "are" },
        time.newest()
            .and_then(|(n, _)| time.months.get(n))
            .map_or_else(String::new, |m| text(&words::month(&m.month))),
    );
    if months > 0 {
        let _ = write!(
            out,
            "Over {} whose movement is known, <a class=\"ev\" href=\"#months\">{}</a> came and <a class=\"ev\" href=\"#months\">{}</a> went. ",
            words::count(months, "month", "months"),
            words::number(came),
            words::number(went),
        );
    }
    if let Some(forecast) = time.forecast
        && let Some(last) = forecast.months.last()
    {
        let shown = format!(
            "{} ({} to {})",
            words::number(last.median),
            words::number(last.low),
            words::number(last.high)
        );
        let _ = write!(
            out,
            "At present rates {} would be <a class=\"ev\" href=\"#forecast\">{shown}</a>, in {} of the outcomes that were drawn.",
            text(&words::month(&last.month)),
            words::share(forecast.band),
        );
    }
    out.push_str("</p>\n");
}

fn open(out: &mut String, time: &Time<'_>) {
    out.push_str("<h3>Open <span class=\"key\"><svg aria-hidden=\"true\" viewBox=\"0 0 16 10\"><path class=\"line-open\" d=\"M0 5h16\"/></svg>of our own analysis: reachable or undecided</span>");
    if time.forecast.is_some() {
        out.push_str(" <span class=\"key\"><svg aria-hidden=\"true\" viewBox=\"0 0 16 10\"><rect class=\"band\" width=\"16\" height=\"10\"/><path class=\"line-ahead\" d=\"M0 5h16\"/></svg>forecast and its band</span>");
    }
    out.push_str("</h3>\n");
    let ahead_most = time.forecast.map_or(0, |f| {
        f.months
            .iter()
            .map(|m| m.high.max(m.median))
            .max()
            .unwrap_or(0)
    });
    let most = time.most(|scan| scan.open.count).max(ahead_most);
    let scale = Scale::new(most, 4, 14.0, f64::from(OPEN_HIGH) - 8.0);
    chart::open(
        out,
        "open",
        OPEN_HIGH,
        "Open findings by month",
        &attribute(&description(time, |scan| words::number(scan.open.count))),
    );
    scale.grid(out);
    for (n, month) in time.months.iter().enumerate() {
        if month.scan.known().is_none() {
            chart::unknown(out, time.slots, n, scale);
        }
    }
    let x = |n: usize| time.slots.middle(n) * 10.0;
    let mut paths = String::new();
    ahead(&mut paths, time, scale);
    // A month that was not scanned breaks the line: nothing is drawn over what is not known.
    let mut line = String::new();
    let mut before = None;
    for (n, scan) in time.scans() {
        let joined = before.is_some_and(|b: usize| b + 1 == n);
        let _ = write!(
            line,
            "{}{:.1} {:.1}",
            if joined { "L" } else { "M" },
            x(n),
            scale.y(scan.open.count)
        );
        before = Some(n);
    }
    let _ = write!(paths, "<path class=\"line-open\" d=\"{line}\"/>");
    chart::stretched(out, OPEN_HIGH, &paths);
    if time.ahead > 0 {
        let at = time.slots.left(time.months.len());
        let _ = write!(
            out,
            "<line class=\"now\" x1=\"{at:.2}%\" x2=\"{at:.2}%\" y1=\"0\" y2=\"{:.1}\"/>",
            scale.foot
        );
    }
    for (n, scan) in time.scans() {
        let y = scale.y(scan.open.count);
        let _ = write!(
            out,
            "<circle class=\"dot\" cx=\"{:.2}%\" cy=\"{y:.1}\" r=\"3.5\"/>",
            time.slots.middle(n)
        );
    }
    if let Some((n, scan)) = time.newest() {
        value(
            out,
            time.slots.middle(n),
            scale.y(scan.open.count) - 10.0,
            "mid",
            &chart::short(scan.open.count),
        );
    }
    if let Some(last) = time
        .forecast
        .and_then(|f| f.months.get(time.ahead.wrapping_sub(1)))
    {
        let y = scale.y(last.median);
        let at = time.slots.middle(time.months.len() + time.ahead - 1);
        let _ = write!(
            out,
            "<circle class=\"ring\" cx=\"{at:.2}%\" cy=\"{y:.1}\" r=\"3.5\"/>"
        );
        value(out, at, y - 10.0, "mid", &chart::short(last.median));
        ends(out, at, y, scale, last);
    }
    hits(out, time, scale, |scan| {
        format!("{} open", words::number(scan.open.count))
    });
    out.push_str("</svg>\n");
}

/// The ends of the band at the horizon, where they do not lie on the middle's own figure.
fn ends(out: &mut String, at: f64, middle: f64, scale: Scale, last: &ForecastMonth) {
    let (high, low) = (scale.y(last.high) - 5.0, scale.y(last.low) + 14.0);
    if high < middle - 24.0 {
        value(out, at, high, "mid later", &chart::short(last.high));
    }
    if low > middle + 16.0 {
        value(out, at, low, "mid later", &chart::short(last.low));
    }
}

/// The band and its middle, from the newest scan on.
fn ahead(paths: &mut String, time: &Time<'_>, scale: Scale) {
    let (Some(forecast), Some((n, scan))) = (time.forecast, time.newest()) else {
        return;
    };
    let x = |n: usize| time.slots.middle(n) * 10.0;
    let start = (x(n), scale.y(scan.open.count));
    let months = || {
        forecast
            .months
            .iter()
            .take(time.ahead)
            .enumerate()
            .map(|(i, month)| (x(time.months.len() + i), month))
    };
    let mut band = format!("M{:.1} {:.1}", start.0, start.1);
    for (x, month) in months() {
        let _ = write!(band, "L{x:.1} {:.1}", scale.y(month.high));
    }
    let lower: Vec<_> = months().collect();
    for (x, month) in lower.iter().rev() {
        let _ = write!(band, "L{x:.1} {:.1}", scale.y(month.low));
    }
    let mut middle = format!("M{:.1} {:.1}", start.0, start.1);
    for (x, month) in months() {
        let _ = write!(middle, "L{x:.1} {:.1}", scale.y(month.median));
    }
    let _ = write!(
        paths,
        "<path class=\"band\" d=\"{band}Z\"/><path class=\"line-ahead\" d=\"{middle}\"/>"
    );
}

fn flow(out: &mut String, time: &Time<'_>) {
    out.push_str("<h3>Came and went <span class=\"key\"><svg aria-hidden=\"true\" viewBox=\"0 0 10 10\"><rect class=\"s-in\" width=\"10\" height=\"10\"/></svg>came, above the line</span> <span class=\"key\"><svg aria-hidden=\"true\" viewBox=\"0 0 10 10\"><rect class=\"s-out\" width=\"10\" height=\"10\"/></svg>went, below it</span></h3>\n");
    let came = |scan: &MonthScan| scan.inflow.known().map_or(0, |f| f.count);
    let went = |scan: &MonthScan| scan.outflow.known().map_or(0, |f| f.count);
    let (most_in, most_out) = (time.most(came), time.most(went));
    let most = most_in.max(most_out).max(1);
    // One scale for both; the line lies where both sides have room for their bars and numbers.
    let room = f64::from(FLOW_HIGH) - 36.0;
    let total = (most_in as f64 + most_out as f64).max(1.0);
    let line = (18.0 + room * most_in as f64 / total).round();
    let unit = room / total;
    chart::open(
        out,
        "flow",
        FLOW_HIGH,
        "Findings that came and went by month",
        &attribute(&description(time, |scan| {
            format!(
                "{} in, {} out",
                measured(&scan.inflow),
                measured(&scan.outflow)
            )
        })),
    );
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"0\" x2=\"100%\" y1=\"{line:.1}\" y2=\"{line:.1}\"/><text class=\"scale\" x=\"0\" y=\"{line:.1}\" dx=\"-8\" dy=\"4\">0</text>"
    );
    let class = if most > 99 { "mid roomy" } else { "mid" };
    for (n, month) in time.months.iter().enumerate() {
        let middle = time.slots.middle(n);
        let Some(scan) = month.scan.known() else {
            chart::bar(out, "s-unknown", time.slots, n, line - 14.0, line + 14.0);
            continue;
        };
        let (inflow, outflow) = (scan.inflow.known(), scan.outflow.known());
        if inflow.is_none() && outflow.is_none() {
            // It was scanned, and what moved is not known for want of the month before.
            value(out, middle, line - 4.0, "mid", "?");
            continue;
        }
        if let Some(inflow) = inflow.filter(|f| f.count > 0) {
            let high = line - (inflow.count as f64 * unit).max(1.5);
            chart::bar(out, "s-in", time.slots, n, high, line);
            value(out, middle, high - 4.0, class, &chart::short(inflow.count));
        }
        if let Some(outflow) = outflow.filter(|f| f.count > 0) {
            let low = line + (outflow.count as f64 * unit).max(1.5);
            chart::bar(out, "s-out", time.slots, n, line, low);
            value(out, middle, low + 12.0, class, &chart::short(outflow.count));
        }
    }
    let scale = Scale::new(most, 1, 0.0, f64::from(FLOW_HIGH));
    hits(out, time, scale, |scan| {
        format!(
            "{} in, {} out",
            measured(&scan.inflow),
            measured(&scan.outflow)
        )
    });
    out.push_str("</svg>\n");
}

fn age<'a>(out: &mut String, time: &Time<'a>, links: &mut Links<'a>) {
    out.push_str("<h3>Age of the oldest open critical, in days");
    if let Some((_, scan)) = time.newest() {
        match &scan.oldest_open_critical {
            Some(age) => {
                let shown = format!(
                    "{}{} days",
                    if age.at_least { "at least " } else { "" },
                    words::number(age.days)
                );
                let _ = write!(
                    out,
                    " <span class=\"key\">now {}</span>",
                    links.derived("The oldest open critical", &shown, &age.evidence)
                );
            }
            None => out.push_str(" <span class=\"key\">now none is open</span>"),
        }
    }
    out.push_str("</h3>\n");
    let days = |scan: &MonthScan| scan.oldest_open_critical.as_ref().map_or(0, |a| a.days);
    let most = time.most(days);
    let scale = Scale::new(most, 2, 14.0, f64::from(AGE_HIGH) - 8.0);
    let say = |scan: &MonthScan| match &scan.oldest_open_critical {
        None => "none open".to_owned(),
        Some(age) => format!(
            "{}{} days",
            if age.at_least { "at least " } else { "" },
            words::number(age.days)
        ),
    };
    chart::open(
        out,
        "age",
        AGE_HIGH,
        "Age in days of the oldest open critical finding, by month",
        &attribute(&description(time, say)),
    );
    scale.grid(out);
    for (n, month) in time.months.iter().enumerate() {
        let Some(scan) = month.scan.known() else {
            chart::unknown(out, time.slots, n, scale);
            continue;
        };
        let middle = time.slots.middle(n);
        let Some(age) = &scan.oldest_open_critical else {
            let _ = write!(
                out,
                "<circle class=\"ring\" cx=\"{middle:.2}%\" cy=\"{:.1}\" r=\"3\"/>",
                scale.foot - 5.0
            );
            continue;
        };
        let y = scale.y(age.days).min(scale.foot - 1.5);
        chart::bar(out, "s-age", time.slots, n, y, scale.foot);
        if age.at_least {
            // An arrow: it may be older than what was looked at.
            let _ = write!(
                out,
                "<text class=\"mid value\" x=\"{middle:.2}%\" y=\"{:.1}\">≥</text>",
                y - 4.0
            );
        } else if time.newest().is_some_and(|(last, _)| last == n) {
            value(out, middle, y - 4.0, "mid", &chart::short(age.days));
        }
    }
    hits(out, time, scale, say);
    out.push_str("</svg>\n");
}

/// Names of the months under all three drawings. On a phone only every third is shown.
fn axis(out: &mut String, time: &Time<'_>) {
    let _ = write!(
        out,
        "<svg class=\"plot\" aria-hidden=\"true\" width=\"100%\" height=\"34\">"
    );
    let ahead = time.forecast.map_or(&[][..], |f| &f.months[..time.ahead]);
    let names = time
        .months
        .iter()
        .map(|m| m.month.as_str())
        .chain(ahead.iter().map(|m| m.month.as_str()));
    let mut shown_year = "";
    for (n, month) in names.enumerate() {
        let Some((year, name)) = words::month_parts(month) else {
            continue;
        };
        let class = match (n % 3 == 0, n < time.months.len()) {
            (true, true) => "mid tick",
            (false, true) => "mid tick roomy",
            (true, false) => "mid tick later",
            (false, false) => "mid tick later roomy",
        };
        let middle = time.slots.middle(n);
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{middle:.2}%\" y=\"13\">{name}</text>"
        );
        if n % 3 == 0 && shown_year != year {
            let _ = write!(
                out,
                "<text class=\"mid tick year\" x=\"{middle:.2}%\" y=\"29\">{year}</text>"
            );
            shown_year = year;
        }
    }
    out.push_str("</svg>\n");
}

/// Over every month something to point at, that says its figures and leads to its row.
fn hits(out: &mut String, time: &Time<'_>, scale: Scale, say: impl Fn(&MonthScan) -> String) {
    for (n, month) in time.months.iter().enumerate() {
        let words = match &month.scan {
            Measured::Known(scan) => say(scan),
            Measured::Unmeasured(why) => format!("not scanned: {why}"),
        };
        let words = format!("{}: {words}", words::month(&month.month));
        chart::hit(
            out,
            time.slots,
            n,
            scale.foot,
            &attribute(&words),
            Some(&time.anchors[n]),
        );
    }
}

fn value(out: &mut String, at: f64, y: f64, class: &str, shown: &str) {
    let _ = write!(
        out,
        "<text class=\"value {class}\" x=\"{at:.2}%\" y=\"{y:.1}\">{shown}</text>"
    );
}

fn measured(figure: &Measured<solvent_protocol::debt::Figure>) -> String {
    figure
        .known()
        .map_or_else(|| "unknown".to_owned(), |f| words::number(f.count))
}

/// The drawing in words, for who cannot see it.
fn description(time: &Time<'_>, say: impl Fn(&MonthScan) -> String) -> String {
    let months: Vec<String> = time
        .months
        .iter()
        .map(|month| match &month.scan {
            Measured::Known(scan) => format!("{}: {}", words::month(&month.month), say(scan)),
            Measured::Unmeasured(_) => format!("{}: not scanned", words::month(&month.month)),
        })
        .collect();
    months.join("; ")
}

/// Month by month, which is what every point of the drawings leads to.
pub fn table<'a>(out: &mut String, report: &'a DebtReport, links: &mut Links<'a>) {
    out.push_str("<h2 id=\"months\">Month by month</h2>\n");
    if report.months.is_empty() {
        out.push_str("<p>No revision of the past was looked at.</p>\n");
        return;
    }
    out.push_str("<table class=\"table stack dense months\">\n<thead><tr><th>Month</th><th>Revision</th><th class=\"num\">Lines</th><th class=\"num\">Own open</th><th class=\"num\">Came</th><th class=\"num\">Went</th><th class=\"num\">Critical</th><th class=\"num\">Oldest critical</th></tr></thead>\n<tbody>\n");
    for (n, month) in report.months.iter().enumerate() {
        let anchor = &links.months[n].clone();
        let name = text(&words::month(&month.month));
        let scan = match &month.scan {
            Measured::Known(scan) => scan,
            Measured::Unmeasured(why) => {
                let _ = writeln!(
                    out,
                    "<tr id=\"{anchor}\"><td><b>{name}</b></td><td class=\"wide\" colspan=\"7\"><span class=\"tag unknown\">not scanned</span> {}</td></tr>",
                    sentence(why)
                );
                continue;
            }
        };
        let revision = links.reference(&solvent_protocol::debt::evidence::commit(&scan.revision));
        let open = links.number(&format!("Open, {}", month.month), &scan.open);
        let inflow = moved(links, "Came", month, &scan.inflow);
        let outflow = moved(links, "Went", month, &scan.outflow);
        let critical = links.number(
            &format!("Open critical, {}", month.month),
            &scan.open_critical,
        );
        let oldest = match &scan.oldest_open_critical {
            None => "none".to_owned(),
            Some(age) => {
                let shown = format!(
                    "{}{} d",
                    if age.at_least { "≥ " } else { "" },
                    words::number(age.days)
                );
                links.derived(
                    &format!("Oldest open critical, {}", month.month),
                    &shown,
                    &age.evidence,
                )
            }
        };
        let _ = writeln!(
            out,
            "<tr id=\"{anchor}\"><td><b>{name}</b></td><td>{revision}</td><td class=\"num\" data-label=\"lines\">{}</td><td class=\"num\" data-label=\"own open\">{open}</td><td class=\"num\" data-label=\"came\">{inflow}</td><td class=\"num\" data-label=\"went\">{outflow}</td><td class=\"num\" data-label=\"critical\">{critical}</td><td class=\"num\" data-label=\"oldest critical\">{oldest}</td></tr>",
            words::number(scan.lines)
        );
    }
    out.push_str("</tbody>\n</table>\n");
}

fn moved<'a>(
    links: &mut Links<'a>,
    what: &str,
    month: &Month,
    figure: &'a Measured<solvent_protocol::debt::Figure>,
) -> String {
    match figure {
        Measured::Known(figure) => links.number(&format!("{what}, {}", month.month), figure),
        Measured::Unmeasured(why) => {
            format!(
                "<span class=\"soft\" title=\"{}\">unknown</span>",
                attribute(why)
            )
        }
    }
}
