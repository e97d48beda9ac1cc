//! Calendar months, in UTC.

use std::fmt;

use solvent_base::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// One month of the Gregorian calendar.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Month {
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
}

impl Month {
    /// The month that holds `time`.
    pub fn of(time: Timestamp) -> Self {
        let (year, month) = civil(time.0.div_euclid(DAY_MS));
        Self { year, month }
    }

    /// Reads `2026-08`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let month = month.parse().ok().filter(|m| (1..=12).contains(m))?;
        let year = year.parse().ok().filter(|y| (0..=9999).contains(y))?;
        Some(Self { year, month })
    }

    /// Its first millisecond.
    pub fn start(self) -> Timestamp {
        Timestamp(days(self.year, self.month, 1) * DAY_MS)
    }

    /// The first millisecond after it.
    pub fn end(self) -> Timestamp {
        self.plus(1).start()
    }

    /// This many months later; earlier when negative.
    pub fn plus(self, months: i32) -> Self {
        let all = self.year * 12 + i32::from(self.month) - 1 + months;
        Self {
            year: all.div_euclid(12),
            month: (all.rem_euclid(12) + 1) as u8,
        }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// A day `YYYY-MM-DD` as its first millisecond.
pub(crate) fn day(text: &str) -> Option<Timestamp> {
    let (month, day) = text.rsplit_once('-')?;
    let month = Month::parse(month)?;
    let day = day.parse().ok().filter(|d| (1..=31).contains(d))?;
    Some(Timestamp(days(month.year, month.month, day) * DAY_MS))
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms",
/// `days_from_civil`).
fn days(year: i32, month: u8, day: u8) -> i64 {
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year and month of a day since 1970-01-01 (`civil_from_days` of the same source).
fn civil(days: i64) -> (i32, u8) {
    // Commit times are 64-bit numbers of anyone's choice: years outside 0 to 9999 become those.
    let days = days.clamp(-719_468, 2_932_896) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(text: &str) -> Month {
        Month::parse(text).unwrap()
    }

    #[test]
    fn months_begin_and_end_where_calendars_say() {
        // date -u -d 2024-02-01 +%s, and 2024-03-01
        assert_eq!(month("2024-02").start().0, 1_706_745_600_000);
        assert_eq!(month("2024-02").end().0, 1_709_251_200_000);
        assert_eq!(month("2000-03").start().0, 951_868_800_000);
        assert_eq!(day("2023-01-01"), Some(Timestamp(1_672_531_200_000)));
        assert_eq!(Month::of(Timestamp(1_709_251_199_999)), month("2024-02"));
        assert_eq!(Month::of(Timestamp(1_709_251_200_000)), month("2024-03"));
        assert_eq!(Month::of(Timestamp(-1)), month("1969-12"));
        assert_eq!(month("2026-01").plus(-1), month("2025-12"));
        assert_eq!(month("2025-11").plus(14), month("2027-01"));
    }

    #[test]
    fn every_month_is_its_own_over_four_centuries() {
        let mut at = month("1800-01");
        while at < month("2200-01") {
            assert_eq!(Month::of(at.start()), at);
            assert_eq!(Month::of(Timestamp(at.end().0 - 1)), at);
            at = at.plus(1);
        }
    }

    #[test]
    fn times_beyond_any_calendar_do_not_break() {
        assert_eq!(Month::of(Timestamp(i64::MAX)), month("9999-12"));
        assert_eq!(Month::of(Timestamp(i64::MIN)).year, 0);
    }
}
