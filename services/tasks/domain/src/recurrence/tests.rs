use proptest::prelude::*;

use super::*;
use crate::world::time;

fn schedule(start: &str, rule: &str, zone_name: &str) -> Schedule {
    Schedule::parse(start, rule, zone(zone_name)).expect("a schedule")
}

fn times(start: &str, rule: &str, zone_name: &str, most: usize) -> Vec<String> {
    schedule(start, rule, zone_name)
        .between(time("2000-01-01T00:00:00Z"), time("2199-01-01T00:00:00Z"), None, most)
        .iter()
        .map(|occurrence| occurrence.at.format("%Y-%m-%dT%H:%MZ").to_string())
        .collect()
}

fn refused(start: &str, rule: &str) -> String {
    let violation = Schedule::parse(start, rule, Tz::UTC).expect_err("refused");
    format!("{}: {}", violation.field, violation.description)
}

#[test]
fn k_1_a_local_hour_stays_when_clocks_go_forward_and_back() {
    // Clocks go forward on 29 March 2026 and back on 25 October 2026.
    let forward = times("2026-03-28T08:00:00", "FREQ=DAILY;COUNT=3", "Europe/Berlin", 9);
    assert_eq!(forward, ["2026-03-28T07:00Z", "2026-03-29T06:00Z", "2026-03-30T06:00Z"]);
    let back = times("2026-10-24T08:00:00", "FREQ=DAILY;COUNT=3", "Europe/Berlin", 9);
    assert_eq!(back, ["2026-10-24T06:00Z", "2026-10-25T07:00Z", "2026-10-26T07:00Z"]);
    // The southern half of the world does it the other way round.
    let sydney = times("2026-04-04T09:00:00", "FREQ=DAILY;COUNT=2", "Australia/Sydney", 9);
    assert_eq!(sydney, ["2026-04-03T22:00Z", "2026-04-04T23:00Z"]);
}

#[test]
fn k_1_an_hour_that_is_left_out_counts_with_the_offset_before_and_one_that_is_twice_counts_once() {
    // RFC 5545, 3.3.5: 02:30 does not exist on that day and is 03:30.
    let skipped = times("2026-03-28T02:30:00", "FREQ=DAILY;COUNT=3", "Europe/Berlin", 9);
    assert_eq!(skipped, ["2026-03-28T01:30Z", "2026-03-29T01:30Z", "2026-03-30T00:30Z"]);
    // 02:30 is there twice; the first counts.
    let twice = times("2026-10-24T02:30:00", "FREQ=DAILY;COUNT=3", "Europe/Berlin", 9);
    assert_eq!(twice, ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"]);
    // Hourly: 02:00 that is no hour and 03:00 are one moment, which falls due once.
    let hourly = times("2026-03-29T00:00:00", "FREQ=HOURLY;COUNT=5", "Europe/Berlin", 9);
    assert_eq!(hourly, ["2026-03-28T23:00Z", "2026-03-29T00:00Z", "2026-03-29T01:00Z", "2026-03-29T02:00Z"]);
    // A day that an island never had, when it crossed the date line: 30 December 2011 in Samoa.
    let samoa = times("2011-12-29T08:00:00", "FREQ=DAILY;COUNT=3", "Pacific/Apia", 9);
    assert_eq!(samoa, ["2011-12-29T18:00Z", "2011-12-30T18:00Z"]);
}

#[test]
fn k_1_ends_of_months_and_leap_days() {
    let last = times("2026-01-31T12:00:00", "FREQ=MONTHLY;BYMONTHDAY=-1", "UTC", 4);
    assert_eq!(last, ["2026-01-31T12:00Z", "2026-02-28T12:00Z", "2026-03-31T12:00Z", "2026-04-30T12:00Z"]);
    // The 31st only where there is one (RFC 5545, 3.3.10: other months are left out).
    let thirty_first = times("2026-01-31T12:00:00", "FREQ=MONTHLY", "UTC", 3);
    assert_eq!(thirty_first, ["2026-01-31T12:00Z", "2026-03-31T12:00Z", "2026-05-31T12:00Z"]);
    let leap = times("2028-02-29T12:00:00", "FREQ=YEARLY", "UTC", 2);
    assert_eq!(leap, ["2028-02-29T12:00Z", "2032-02-29T12:00Z"]);
    let last_friday = times("2026-01-30T12:00:00", "FREQ=MONTHLY;BYDAY=-1FR", "UTC", 3);
    assert_eq!(last_friday, ["2026-01-30T12:00Z", "2026-02-27T12:00Z", "2026-03-27T12:00Z"]);
    let last_workday =
        times("2026-01-30T12:00:00", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "UTC", 2);
    assert_eq!(last_workday, ["2026-01-30T12:00Z", "2026-02-27T12:00Z"]);
}

#[test]
fn k_1_until_is_local_or_utc_and_a_day_counts_whole() {
    let until =
        |end: &str| times("2026-06-01T08:00:00", &format!("FREQ=DAILY;UNTIL={end}"), "Europe/Berlin", 9);
    assert_eq!(until("20260602").len(), 2);
    assert_eq!(until("20260602T080000").len(), 2);
    assert_eq!(until("20260602T075959").len(), 1);
    // 08:00 in Berlin in summer is 06:00 UTC.
    assert_eq!(until("20260602T060000Z").len(), 2);
    assert_eq!(until("20260602T055959Z").len(), 1);
}

#[test]
fn k_1_rules_have_limits_and_are_told_what_is_wrong() {
    let start = "2026-01-01T08:00:00";
    for (rule, told) in [
        ("FREQ=MINUTELY", "rule: FREQ: HOURLY or slower"),
        ("FREQ=SECONDLY;COUNT=2", "rule: FREQ: HOURLY or slower"),
        ("FREQ=DAILY;COUNT=1001", "rule: COUNT: 1 to 1,000"),
        ("FREQ=DAILY;COUNT=0", "rule: COUNT: 1 to 1,000"),
        ("FREQ=DAILY;INTERVAL=0", "rule: INTERVAL: 1 to 1,000"),
        ("FREQ=DAILY;INTERVAL=2000", "rule: INTERVAL: 1 to 1,000"),
        ("FREQ=DAILY;UNTIL=22010101", "rule: UNTIL: years 2000 to 2200"),
        ("FREQ=DAILY;UNTIL=soon", "rule: UNTIL: 20261231, 20261231T080000 or 20261231T070000Z"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20270101", "rule: either COUNT or UNTIL (RFC 5545, 3.3.10)"),
        ("FREQ=DAILY;BYSECOND=1", "rule: BYSECOND is not taken"),
        ("FREQ=DAILY;BYMINUTE=0,30", "rule: BYMINUTE: at most one"),
        ("FREQ=DAILY;X-FOO=1", "rule: X-FOO is no part that is taken"),
        ("daily", "rule: parts are NAME=VALUE, with ; between"),
        ("FREQ=OFTEN", "rule: is no RFC 5545 recurrence rule"),
        ("FREQ=YEARLY;BYMONTH=13", "rule: is no RFC 5545 recurrence rule"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "rule: has no occurrence"),
        (
            "FREQ=WEEKLY;BYDAY=MO",
            "start: is no occurrence of the rule; the first one behind it is 2026-01-05T08:00:00",
        ),
    ] {
        assert_eq!(refused(start, rule), told, "{rule}");
    }
    assert!(refused(start, &"X".repeat(401)).contains("at most 400"));
    for wrong in ["", "today", "1999-12-31T08:00:00", "2201-01-01T00:00:00", "2026-02-30T08:00:00"] {
        assert!(refused(wrong, "").starts_with("start: "), "{wrong}");
    }
    assert_eq!(
        schedule(start, "rrule:freq=daily", "UTC").rule(),
        "RRULE:FREQ=DAILY".trim_start_matches("RRULE:")
    );
}

#[test]
fn k_3_what_passed_in_a_downtime_is_counted_and_the_next_is_found() {
    let weekly = schedule("2026-01-05T08:00:00", "FREQ=WEEKLY", "UTC");
    let first = weekly.next_after(time("2026-01-01T00:00:00Z"), None).expect("the first");
    let (next, missed) = weekly.skip_to(first, time("2026-01-28T00:00:00Z"));
    assert_eq!((next.map(|next| next.at), missed), (Some(time("2026-02-02T08:00:00Z")), 3));
    let counted = schedule("2026-01-05T08:00:00", "FREQ=WEEKLY;COUNT=3", "UTC");
    assert_eq!(
        counted.skip_to(first, time("2026-01-13T00:00:00Z")).0.map(|next| next.at),
        Some(time("2026-01-19T08:00:00Z"))
    );
    assert_eq!(counted.skip_to(first, time("2026-02-13T00:00:00Z")), (None, 2));
}

const RULES: [&str; 12] = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=HOURLY;INTERVAL=7",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,SU",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=1,-1",
    "FREQ=MONTHLY;BYDAY=1TH,-1TH",
    "FREQ=YEARLY",
    "FREQ=YEARLY;INTERVAL=2;BYMONTH=1,7",
    "FREQ=DAILY;BYHOUR=8,20",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1",
    "FREQ=DAILY;COUNT=40",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Running on from an occurrence gives what running from the start gives: the rule need not be run through again.
    #[test]
    fn an_anchor_changes_nothing(rule in 0..RULES.len(), nth in 0_usize..60, zone_at in 0..3_usize) {
        let zone_name = ["UTC", "Europe/Berlin", "America/New_York"][zone_at];
        let schedule = schedule("2026-01-01T08:00:00", RULES[rule], zone_name);
        let all = schedule.between(time("2000-01-01T00:00:00Z"), time("2200-01-01T00:00:00Z"), None, 80);
        let anchor = all[nth.min(all.len() - 1)];
        let end = time("2200-01-01T00:00:00Z");
        let on = schedule.between(anchor.at, end, Some(anchor.local), 80 - nth.min(all.len() - 1));
        prop_assert_eq!(&all[nth.min(all.len() - 1)..], &on[..]);
    }

    /// In order, each once, whatever the zone does.
    #[test]
    fn occurrences_rise(rule in 0..RULES.len(), zone_at in 0..4_usize) {
        let zone_name = ["Europe/London", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia"][zone_at];
        let all = schedule("2026-01-01T08:00:00", RULES[rule], zone_name)
            .between(time("2000-01-01T00:00:00Z"), time("2200-01-01T00:00:00Z"), None, 300);
        prop_assert!(all.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
