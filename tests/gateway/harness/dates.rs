//! Dates in the lines of a case, relative to its clock: `{date}`, `{date-100}`, `{rfc850+50}`, `{asctime}`.

use std::time::{Duration, UNIX_EPOCH};

/// The text with each `{…}` in it put into words; `now` in seconds.
///
/// # Panics
/// Where something else stands within braces.
pub(crate) fn fill(text: &str, now: u64) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, after) = after.split_once('}').expect("a brace that closes");
        filled.push_str(before);
        filled.push_str(&date(inside, now));
        rest = after;
    }
    filled + rest
}

fn date(inside: &str, now: u64) -> String {
    let at = inside.find(['+', '-']).unwrap_or(inside.len());
    let (form, offset) = inside.split_at(at);
    let offset: i64 = match offset {
        "" => 0,
        offset => offset.parse().expect("a number of seconds"),
    };
    let moment = UNIX_EPOCH + Duration::from_secs(now.saturating_add_signed(offset));
    let imf = httpdate::fmt_http_date(moment);
    match form {
        "date" => imf,
        "rfc850" => rfc850(&imf),
        "asctime" => asctime(&imf),
        _ => panic!("no form of a date: {form:?}"),
    }
}

/// `Sunday, 06-Nov-94 08:49:37 GMT`.
fn rfc850(imf: &str) -> String {
    let [weekday, day, month, year, time, _] = parts(imf);
    let weekday = match weekday {
        "Tue" => "Tuesday",
        "Wed" => "Wednesday",
        "Thu" => "Thursday",
        "Sat" => "Saturday",
        "Sun" => "Sunday",
        "Mon" => "Monday",
        _ => "Friday",
    };
    format!("{weekday}, {day}-{month}-{} {time} GMT", &year[2..])
}

/// `Sun Nov  6 08:49:37 1994`.
fn asctime(imf: &str) -> String {
    let [weekday, day, month, year, time, _] = parts(imf);
    let day = day.strip_prefix('0').unwrap_or(day);
    format!("{weekday} {month} {day:>2} {time} {year}")
}

fn parts(imf: &str) -> [&str; 6] {
    let parts: Vec<&str> = imf.split([' ', ',']).filter(|part| !part.is_empty()).collect();
    parts.try_into().expect("the six parts of a date")
}
