//! How times, durations and counts are written.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// UTC with microseconds, as in the logs of 2022.
pub fn time(utc_ns: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_nanos(utc_ns);
    humantime::format_rfc3339_micros(time).to_string()
}

/// Now, in nanoseconds since 1970.
pub fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A moment of the system's clock, in nanoseconds since 1970.
pub fn since_1970_ns(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// A duration with three digits or so: `1.23 ms`.
pub fn duration(ns: u64) -> String {
    // What rounds to 1000 of a unit is one of the next.
    let (value, unit) = match ns {
        0..1_000 => return format!("{ns} ns"),
        1_000..999_500 => (ns as f64 / 1e3, "µs"),
        999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        _ => (ns as f64 / 1e9, "s"),
    };
    if unit == "s" && value >= 120.0 {
        let text = humantime::format_duration(Duration::from_secs(ns / 1_000_000_000)).to_string();
        // Of days, the hours are enough.
        let parts = if text.contains("day") { 2 } else { 3 };
        return text.split(' ').take(parts).collect::<Vec<_>>().join(" ");
    }
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

/// A pause between two looks: with its unit, or a number of seconds.
pub fn pause(text: &str) -> Result<Duration, String> {
    let seconds = || Duration::try_from_secs_f64(text.parse().ok()?).ok();
    let pause = humantime::parse_duration(text).ok().or_else(seconds);
    pause.filter(|pause| !pause.is_zero()).ok_or_else(|| {
        format!("expected a time above 0, as 10s, 500ms or a number of seconds, found {text:?}")
    })
}

/// A count with a mark at each thousand: `1,234,567`.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count of things: `1 line`, `1,234 lines`.
pub fn things(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", count(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_people_write_them() {
        let seed_ns = 1_651_603_072_139_518_000;
        assert_eq!(time(seed_ns), "2022-05-03T18:37:52.139518Z");
        let texts = [999, 1_234, 12_345, 99_960, 999_600, 1_999_999, 61_200_000_000];
        let expected = ["999 ns", "1.23 µs", "12.3 µs", "100 µs", "1.00 ms", "2.00 ms", "61.2 s"];
        assert_eq!(texts.map(duration), expected);
        assert_eq!(duration(7_265_000_000_000), "2h 1m 5s");
        assert_eq!(duration(180_065_000_000_000), "2days 2h");
        assert_eq!([1, 1_000].map(|number| things(number, "line")), ["1 line", "1,000 lines"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    }
}
