//! `ASYNC_IO_DUMP_EVERY`: a time, as the tool `ticks` takes one.

use std::time::Duration;

/// Looking more often would slow the program down, and show no more.
const SHORTEST: Duration = Duration::from_millis(10);

/// A number with its unit, several of them, or a number of seconds: `10s`, `500ms`, `1m 30s`, `2.5`.
pub(super) fn parse(value: &str) -> Result<Duration, String> {
    let period = seconds(value.trim()).and_then(|it| Duration::try_from_secs_f64(it).ok());
    period.filter(|period| *period >= SHORTEST).ok_or_else(|| {
        format!(
            "ASYNC_IO_DUMP_EVERY is {value:?}; expected a time of at least 10ms, as 10s, 500ms, 1m 30s or a \
             number of seconds; nothing is printed now and then"
        )
    })
}

fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let (mut rest, mut sum) = (text, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|it: char| !it.is_ascii_digit() && it != '.')?;
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let end = after.find(|it: char| !it.is_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        sum += number.parse::<f64>().ok()? * unit_s(name)?;
        rest = after.trim_start();
    }
    Some(sum)
}

fn unit_s(name: &str) -> Option<f64> {
    Some(match name {
        "ns" | "nsec" => 1e-9,
        "us" | "µs" | "usec" => 1e-6,
        "ms" | "msec" | "millis" => 1e-3,
        "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
        "d" | "day" | "days" => 86_400.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        let times = ["10s", "500ms", "1m 30s", "1m30s", "2.5", " 3 min ", "1h", "0.5s"];
        let expected_ms = [10_000, 500, 90_000, 90_000, 2_500, 180_000, 3_600_000, 500];
        for (text, ms) in times.into_iter().zip(expected_ms) {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_named() {
        for text in
            ["0", "0s", "-1s", "nan", "inf", "1e400", "ten", "10x", "s", "5ms", "1..5s", "9e30"]
        {
            let why = parse(text).expect_err(text);
            assert!(why.contains(&format!("{text:?}")) && why.contains("as 10s"), "{why}");
        }
    }
}
