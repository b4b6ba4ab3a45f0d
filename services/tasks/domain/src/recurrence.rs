//! When things fall due: once, or by an RFC 5545 rule, in a time zone (K-1).
//!
//! Rules are expanded over local dates and times, as people read clocks, and only then laid onto the zone: "every day at
//! 08:00" stays 08:00 whatever daylight saving does. A local time that does not exist, because clocks went forward,
//! counts with the offset before the gap (RFC 5545, 3.3.5), so 02:30 becomes 03:30; one that exists twice is the first.

use callboard_kernel::{FieldViolation, Timestamp};
use chrono::{Datelike, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use rrule::{Frequency, RRule, RRuleSet, Unvalidated};
use serde::{Deserialize, Serialize};

/// The longest rule, in characters.
pub const MAX_RULE: usize = 400;
/// The most occurrences that a rule may count.
pub const MAX_COUNT: u32 = 1_000;
/// The longest interval.
pub const MAX_INTERVAL: u16 = 1_000;
/// Years that dates may lie in.
pub const YEARS: std::ops::RangeInclusive<i32> = 2000..=2200;
/// How missed occurrences are counted at most.
pub const MAX_MISSED: u32 = 1_000;

const LOCAL: &str = "%Y-%m-%dT%H:%M:%S";

/// One time at which something falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occurrence {
    /// As the clock on the wall has it, or would.
    pub local: NaiveDateTime,
    /// The moment.
    pub at: Timestamp,
}

/// A first date and time, and how it recurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    start: NaiveDateTime,
    rule: String,
    zone: Tz,
}

/// Reads a local date and time, to the second: `2026-03-29T08:00:00`.
pub fn parse_local(text: &str) -> Option<NaiveDateTime> {
    let local = NaiveDateTime::parse_from_str(text, LOCAL)
        .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M"))
        .ok()?;
    (YEARS.contains(&local.year()) && local.and_utc().timestamp_subsec_nanos() == 0).then_some(local)
}

/// Writes a local date and time.
pub fn local_text(local: NaiveDateTime) -> String {
    local.format(LOCAL).to_string()
}

/// A time zone by its IANA name; UTC for an empty or unknown one.
pub fn zone(name: &str) -> Tz {
    name.parse().unwrap_or(Tz::UTC)
}

/// The moment of a local date and time in a zone.
pub fn moment(zone: Tz, local: NaiveDateTime) -> Timestamp {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.to_utc(),
        LocalResult::None => {
            // Gaps are an hour as a rule, a day where a country crossed the date line.
            let before = (1..=25).find_map(|hours| {
                zone.offset_from_local_datetime(&(local - TimeDelta::hours(hours))).latest()
            });
            let offset = before.map_or(0, |offset| offset.fix().local_minus_utc());
            (local - TimeDelta::seconds(i64::from(offset))).and_utc()
        }
    }
}

fn wrong(rule: impl Into<String>) -> FieldViolation {
    FieldViolation::new("rule", rule)
}

impl Schedule {
    /// A schedule of what was checked before, as stored.
    pub fn stored(start: NaiveDateTime, rule: &str, zone: Tz) -> Self {
        Self { start, rule: rule.to_owned(), zone }
    }

    /// A schedule as somebody wrote it.
    ///
    /// # Errors
    /// What breaks a limit or RFC 5545; the fields are `start` and `rule`.
    pub fn parse(start: &str, rule: &str, zone: Tz) -> Result<Self, FieldViolation> {
        let start = parse_local(start).ok_or_else(|| {
            FieldViolation::new(
                "start",
                "a local date and time such as 2026-03-29T08:00:00, years 2000 to 2200",
            )
        })?;
        let rule = rule.trim().to_ascii_uppercase();
        let rule = rule.strip_prefix("RRULE:").unwrap_or(&rule).to_owned();
        let schedule = Self { start, rule, zone };
        if schedule.rule.is_empty() {
            return Ok(schedule);
        }
        let parsed = schedule.check()?;
        let first = (&parsed.limit()).into_iter().next();
        match first.map(|time| time.naive_utc()) {
            Some(first) if first == start => Ok(schedule),
            Some(first) => Err(FieldViolation::new(
                "start",
                format!("is no occurrence of the rule; the first one behind it is {}", local_text(first)),
            )),
            None => Err(wrong("has no occurrence")),
        }
    }

    /// The first date and time.
    pub const fn start(&self) -> NaiveDateTime {
        self.start
    }

    /// The rule, in upper case; empty: once.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// Parses the rule within our limits.
    fn check(&self) -> Result<RRuleSet, FieldViolation> {
        if self.rule.len() > MAX_RULE || !self.rule.is_ascii() {
            return Err(wrong("at most 400 ASCII characters"));
        }
        for part in self.rule.split(';') {
            let (name, value) =
                part.split_once('=').ok_or_else(|| wrong("parts are NAME=VALUE, with ; between"))?;
            match name {
                "FREQ" | "INTERVAL" | "COUNT" | "UNTIL" | "WKST" | "BYMONTH" | "BYMONTHDAY" | "BYYEARDAY"
                | "BYWEEKNO" | "BYDAY" | "BYHOUR" | "BYSETPOS" => {}
                "BYMINUTE" if value.contains(',') => return Err(wrong("BYMINUTE: at most one")),
                "BYMINUTE" => {}
                "BYSECOND" => return Err(wrong("BYSECOND is not taken")),
                _ => return Err(wrong(format!("{} is no part that is taken", short(name)))),
            }
        }
        let rule = self.read()?;
        if matches!(rule.get_freq(), Frequency::Minutely | Frequency::Secondly) {
            return Err(wrong("FREQ: HOURLY or slower"));
        }
        if rule.get_interval() == 0 || rule.get_interval() > MAX_INTERVAL {
            return Err(wrong("INTERVAL: 1 to 1,000"));
        }
        if rule.get_count().is_some_and(|count| count == 0 || count > MAX_COUNT) {
            return Err(wrong("COUNT: 1 to 1,000"));
        }
        if rule.get_until().is_some_and(|until| !YEARS.contains(&until.year())) {
            return Err(wrong("UNTIL: years 2000 to 2200"));
        }
        if rule.get_count().is_some() && rule.get_until().is_some() {
            return Err(wrong("either COUNT or UNTIL (RFC 5545, 3.3.10)"));
        }
        self.set(self.start).ok_or_else(|| wrong("breaks RFC 5545, 3.3.10"))
    }

    /// The rule with its end as a local time.
    fn read(&self) -> Result<RRule<Unvalidated>, FieldViolation> {
        let mut until = None;
        let mut rest = Vec::new();
        for part in self.rule.split(';') {
            match part.strip_prefix("UNTIL=") {
                Some(value) => until = Some(self.until(value)?),
                None => rest.push(part),
            }
        }
        let rule: RRule<Unvalidated> =
            rest.join(";").parse().map_err(|_| wrong("is no RFC 5545 recurrence rule"))?;
        Ok(match until {
            Some(until) => rule.until(rrule::Tz::UTC.from_utc_datetime(&until)),
            None => rule,
        })
    }

    /// `20261231`, `20261231T080000` or `20261231T070000Z`, as a local time.
    fn until(&self, value: &str) -> Result<NaiveDateTime, FieldViolation> {
        let time = |text| NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%S");
        let parsed = if let Some(utc) = value.strip_suffix('Z') {
            time(utc).map(|utc| self.zone.from_utc_datetime(&utc).naive_local())
        } else if value.contains('T') {
            time(value)
        } else {
            // The whole day counts.
            NaiveDate::parse_from_str(value, "%Y%m%d")
                .map(|day| day.and_time(NaiveTime::MIN) + TimeDelta::seconds(86_399))
        };
        parsed.map_err(|_| wrong("UNTIL: 20261231, 20261231T080000 or 20261231T070000Z"))
    }

    /// The occurrences from a local time on that is one itself.
    fn set(&self, from: NaiveDateTime) -> Option<RRuleSet> {
        let rule = self.read().ok()?;
        rule.build(rrule::Tz::UTC.from_utc_datetime(&from)).ok()
    }

    /// Occurrences in order. `anchor`: one that is known to be no later than what is looked for, so that a rule that
    /// has run for years is not run through again.
    fn occurrences(&self, anchor: Option<NaiveDateTime>) -> Box<dyn Iterator<Item = Occurrence> + '_> {
        let occurrence = |local| Occurrence { local, at: moment(self.zone, local) };
        if self.rule.is_empty() {
            return Box::new(std::iter::once(occurrence(self.start)));
        }
        // What is counted is counted from the start.
        let counted = self.rule.contains("COUNT=");
        let from = anchor.filter(|_| !counted).unwrap_or(self.start);
        let Some(set) = self.set(from) else { return Box::new(std::iter::empty()) };
        let set = set.limit();
        let mut previous = None;
        Box::new(
            (&set)
                .into_iter()
                .map(|time| time.naive_utc())
                .take_while(|local| YEARS.contains(&local.year()))
                .map(occurrence)
                // Two local times on both sides of a gap may be one moment.
                .filter(move |found| previous.replace(found.at) != Some(found.at)),
        )
    }

    /// The first occurrence behind a moment.
    pub fn next_after(&self, after: Timestamp, anchor: Option<NaiveDateTime>) -> Option<Occurrence> {
        self.occurrences(anchor).find(|occurrence| occurrence.at > after)
    }

    /// The first occurrence at or behind a moment, and how many of those after `from` lie before that.
    pub fn skip_to(&self, from: Occurrence, now: Timestamp) -> (Option<Occurrence>, u32) {
        let mut missed = 0;
        for occurrence in self.occurrences(Some(from.local)) {
            if occurrence.at > now {
                return (Some(occurrence), missed.min(MAX_MISSED));
            }
            if occurrence.at > from.at {
                missed += 1;
            }
        }
        (None, missed.min(MAX_MISSED))
    }

    /// Occurrences with `from` ≤ t < `to`, at most so many.
    pub fn between(
        &self,
        from: Timestamp,
        to: Timestamp,
        anchor: Option<NaiveDateTime>,
        most: usize,
    ) -> Vec<Occurrence> {
        // An anchor behind the span would lose what is before it.
        let anchor = anchor.filter(|anchor| moment(self.zone, *anchor) <= from);
        self.occurrences(anchor)
            .skip_while(|occurrence| occurrence.at < from)
            .take_while(|occurrence| occurrence.at < to)
            .take(most)
            .collect()
    }
}

fn short(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests;
