//! The HTTP date: a time in whole seconds, in the three written forms of RFC 9110 §5.6.7.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::HeaderValue;

use crate::value::{trim_ows, visible};

/// A time in whole seconds since 1970, of the years 0000 to 9999, which are those that can be written
/// (RFC 9110 §5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpDate {
    seconds: i64,
}

/// The bytes are none of the three forms of a date, or name a day or a time that does not exist
/// (RFC 9110 §5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date in one of the forms of HTTP")]
pub struct InvalidDate;

impl HttpDate {
    /// The first second that can be written: 1 January 0000.
    pub const MIN: Self = Self {
        seconds: -62_167_219_200,
    };
    /// The last second that can be written: 31 December 9999.
    pub const MAX: Self = Self {
        seconds: 253_402_300_799,
    };

    /// The date of a number of seconds since 1970; beyond [`HttpDate::MIN`] and [`HttpDate::MAX`] it is
    /// those.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        if seconds < Self::MIN.seconds {
            Self::MIN
        } else if seconds > Self::MAX.seconds {
            Self::MAX
        } else {
            Self { seconds }
        }
    }

    /// The seconds since 1970, negative before.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.seconds
    }

    /// Reads a date in any of the three forms (RFC 9110 §5.6.7).
    ///
    /// The two-digit year of the RFC 850 form is read by the clock of the machine, which is asked for that
    /// form only; [`HttpDate::parse_at`] takes the time instead.
    ///
    /// # Errors
    ///
    /// [`InvalidDate`], as for [`HttpDate::parse_at`].
    pub fn parse(value: &[u8]) -> Result<Self, InvalidDate> {
        read(value, || SystemTime::now().into())
    }

    /// Reads a date in any of the three forms, `now` deciding the century of a two-digit year: a date more
    /// than 50 years ahead is one of the past (RFC 9110 §5.6.7).
    ///
    /// Whitespace around the value is not part of it (§5.5); inside, every byte counts, but for the case of
    /// letters, in which a cache is to be lenient (RFC 9111 §4.2). The weekday must be that of the date. A leap
    /// second, 23:59:60, is the second after it.
    ///
    /// # Errors
    ///
    /// [`InvalidDate`] if the value is none of the forms, or no such day or time exists.
    pub fn parse_at(value: &[u8], now: Self) -> Result<Self, InvalidDate> {
        read(value, || now)
    }

    /// The date of a field that stands exactly once in `headers`, and is valid: a field of one date with two
    /// lines has no value to trust (RFC 9110 §5.3, §13.1.3, §13.1.4).
    #[must_use]
    pub fn of_field(headers: &http::HeaderMap, name: &http::HeaderName) -> Option<Self> {
        Self::parse(only_line(headers, name)?).ok()
    }

    /// The date of a field, as [`HttpDate::of_field`] reads it, `now` deciding the century of a two-digit year.
    #[must_use]
    pub fn of_field_at(headers: &http::HeaderMap, name: &http::HeaderName, now: Self) -> Option<Self> {
        Self::parse_at(only_line(headers, name)?, now).ok()
    }

    /// The date as a header value, in the form a sender must use (`IMF-fixdate`, RFC 9110 §5.6.7).
    #[must_use]
    pub fn to_header(self) -> HeaderValue {
        visible(Bytes::copy_from_slice(&self.imf_fixdate()))
    }

    fn imf_fixdate(self) -> [u8; 29] {
        let moment = Moment::of(self);
        let mut text = *b"www, dd ooo yyyy hh:mm:ss GMT";
        text[..3].copy_from_slice(&WEEKDAYS[moment.weekday()].as_bytes()[..3]);
        write_digits(&mut text[5..7], moment.day);
        text[8..11].copy_from_slice(MONTHS[moment.month as usize - 1]);
        write_digits(&mut text[12..16], moment.year);
        write_digits(&mut text[17..19], moment.hour);
        write_digits(&mut text[20..22], moment.minute);
        write_digits(&mut text[23..25], moment.second);
        text
    }
}

impl FromStr for HttpDate {
    type Err = InvalidDate;

    fn from_str(text: &str) -> Result<Self, InvalidDate> {
        Self::parse(text.as_bytes())
    }
}

/// The form a sender must use (`IMF-fixdate`, RFC 9110 §5.6.7).
impl fmt::Display for HttpDate {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.imf_fixdate();
        out.pad(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// The second a time lies in: parts of a second are cut off, before 1970 too.
impl From<SystemTime> for HttpDate {
    fn from(time: SystemTime) -> Self {
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            Err(before) => {
                let before = before.duration();
                let whole = i64::try_from(before.as_secs()).unwrap_or(i64::MAX - 1);
                -(whole + i64::from(before.subsec_nanos() > 0))
            }
        };
        Self::from_unix_seconds(seconds)
    }
}

/// A time that the system cannot hold (some begin in 1601) is 1970.
impl From<HttpDate> for SystemTime {
    fn from(date: HttpDate) -> Self {
        let distance = Duration::from_secs(date.seconds.unsigned_abs());
        let time = if date.seconds < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        time.unwrap_or(UNIX_EPOCH)
    }
}

const DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];
const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

// The forms of RFC 9110 §5.6.7, a lower-case letter for each letter or digit that is read: `w` weekday, `d`
// day, `o` month, `y` year, `h` `m` `s` time; `_` is a digit or a space. The RFC 850 form begins after the
// weekday.
const IMF_FIXDATE: &[u8] = b"www, dd ooo yyyy hh:mm:ss GMT";
const ASCTIME: &[u8] = b"www ooo _d hh:mm:ss yyyy";
const RFC_850: &[u8] = b", dd-ooo-yy hh:mm:ss GMT";

/// A date taken apart, of the calendar that reaches back before it was in use.
#[derive(Debug, Default, Clone, Copy)]
struct Moment {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Moment {
    /// The calendar is counted in years from March and cycles of 400 years, so that the leap day comes last.
    fn of(date: HttpDate) -> Self {
        let (days, time) = (date.seconds.div_euclid(DAY), date.seconds.rem_euclid(DAY));
        let shifted = days + 719_468;
        let (cycle, of_cycle) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year = (of_cycle - of_cycle / 1_460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
        let of_year = of_cycle - (365 * year + year / 4 - year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        Self {
            year: year + cycle * 400 + i64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            hour: time / 3_600,
            minute: time / 60 % 60,
            second: time % 60,
        }
    }

    fn days(&self) -> i64 {
        let year = self.year - i64::from(self.month <= 2);
        let (cycle, of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        cycle * 146_097 + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - 719_468
    }

    /// The place in [`WEEKDAYS`]; 1 January 1970 was a Thursday.
    fn weekday(&self) -> usize {
        usize::try_from((self.days() + 4).rem_euclid(7)).unwrap_or_default()
    }

    fn days_in_month(&self) -> i64 {
        match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0) => 29,
            2 => 28,
            _ => 31,
        }
    }

    /// The date, if the day and the time exist and the day has the place `weekday` in the week.
    fn date(&self, weekday: usize) -> Option<HttpDate> {
        let leap_second = (self.hour, self.minute, self.second) == (23, 59, 60);
        let exists = (1..=self.days_in_month()).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && (self.second < 60 || leap_second);
        if !exists || self.weekday() != weekday {
            return None;
        }
        let time = self.hour * 3_600 + self.minute * 60 + self.second;
        Some(HttpDate::from_unix_seconds(self.days() * DAY + time))
    }

    /// Gives a two-digit year its century: the last that is not more than 50 years after `now`.
    fn in_century_of(mut self, now: Self) -> Self {
        let latest = now.year + 50;
        self.year = latest - (latest - self.year).rem_euclid(100);
        let ago = Self {
            year: self.year - 50,
            ..self
        };
        if ago.in_order() > now.in_order() {
            self.year -= 100;
        }
        self
    }

    fn in_order(&self) -> [i64; 6] {
        [
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
        ]
    }
}

fn only_line<'h>(headers: &'h http::HeaderMap, name: &http::HeaderName) -> Option<&'h [u8]> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?;
    lines.next().is_none().then(|| line.as_bytes())
}

fn read(value: &[u8], now: impl FnOnce() -> HttpDate) -> Result<HttpDate, InvalidDate> {
    let value = trim_ows(value);
    four_digit_year(value)
        .or_else(|| two_digit_year(value, now))
        .ok_or(InvalidDate)
}

fn four_digit_year(value: &[u8]) -> Option<HttpDate> {
    let moment = fill(IMF_FIXDATE, value).or_else(|| fill(ASCTIME, value))?;
    moment.date(
        WEEKDAYS
            .iter()
            .position(|day| day.as_bytes()[..3].eq_ignore_ascii_case(&value[..3]))?,
    )
}

fn two_digit_year(value: &[u8], now: impl FnOnce() -> HttpDate) -> Option<HttpDate> {
    let comma = value.iter().position(|byte| *byte == b',')?;
    let (name, rest) = value.split_at(comma);
    let weekday = WEEKDAYS
        .iter()
        .position(|day| day.as_bytes().eq_ignore_ascii_case(name))?;
    let moment = fill(RFC_850, rest)?;
    moment.in_century_of(Moment::of(now())).date(weekday)
}

/// Reads a value by a form; the weekday is left to the caller.
fn fill(form: &[u8], value: &[u8]) -> Option<Moment> {
    if form.len() != value.len() {
        return None;
    }
    let mut moment = Moment::default();
    for (kind, byte) in form.iter().zip(value) {
        let place = match kind {
            b'w' | b'o' => continue,
            b'd' | b'_' => &mut moment.day,
            b'y' => &mut moment.year,
            b'h' => &mut moment.hour,
            b'm' => &mut moment.minute,
            b's' => &mut moment.second,
            literal if literal.eq_ignore_ascii_case(byte) => continue,
            _ => return None,
        };
        *place = *place * 10 + digit(*kind, *byte)?;
    }
    let month = form.iter().position(|kind| *kind == b'o')?;
    let name = value.get(month..month + 3)?;
    moment.month = i64::try_from(MONTHS.iter().position(|known| known.eq_ignore_ascii_case(name))?).ok()? + 1;
    Some(moment)
}

fn digit(kind: u8, byte: u8) -> Option<i64> {
    match byte {
        b'0'..=b'9' => Some(i64::from(byte - b'0')),
        b' ' if kind == b'_' => Some(0),
        _ => None,
    }
}

fn write_digits(place: &mut [u8], mut number: i64) {
    for byte in place.iter_mut().rev() {
        *byte = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The date of every example of RFC 9110 §5.6.7.
    const EXAMPLE: i64 = 784_111_777;
    const NOW: HttpDate = HttpDate::from_unix_seconds(1_780_000_000); // 28 May 2026, 20:26:40

    fn seconds(text: &str) -> Option<i64> {
        HttpDate::parse_at(text.as_bytes(), NOW)
            .ok()
            .map(HttpDate::unix_seconds)
    }

    #[test]
    fn the_three_forms_of_the_rfc_are_the_same_date() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            assert_eq!(seconds(text), Some(EXAMPLE), "{text}");
            assert_eq!(
                text.parse::<HttpDate>().unwrap().to_string(),
                "Sun, 06 Nov 1994 08:49:37 GMT"
            );
        }
        assert_eq!(seconds(" \tSun, 06 Nov 1994 08:49:37 GMT "), Some(EXAMPLE));
        assert_eq!(
            HttpDate::from_unix_seconds(EXAMPLE).to_header(),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
    }

    #[test]
    fn anything_else_is_an_error() {
        for text in [
            "",
            "0",
            "Sun, 06 Nov 1994 08:49:37 GMT;",
            "Sun, 06 Nov 1994 08:49:37 GMT; length=5",
            "Sun, 06 Nov 1994 08:49:37 GMT\n",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun,  6 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:60 GMT",
            "Sun, 06 Nov 1994 +8:49:37 GMT",
            "Tue, 00 Nov 1994 08:49:37 GMT",
            "Thu, 31 Nov 1994 08:49:37 GMT",
            "Wed, 29 Feb 2023 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
            "Sun Nov  6 08:49:37 1994 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 EST",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun 06 Nov 1994 08:49:37 GMT",
            "Sun,06 Nov 1994 08:49:37 GMT",
            "Sun,  06 Nov 1994 08:49:37 GMT",
            "Sun, 06  Nov  1994 08:49:37 GMT",
            "Sun, 06 Nov 1994  08:49:37 GMT",
            "Sun, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 08.49.37 GMT",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sunday, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 8:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 UTC",
            "Sunday 06-Nov-94 08:49:37 GMT",
            "Sunday, 06 Nov 94 08:49:37 GMT",
            "Sun Nov  6 8:49:37 1994",
            "Sun Nov  6 08:49:37 94",
            "Sun, Nov  6 08:49:37 1994",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "\"Sun, 06 Nov 1994 08:49:37 GMT\"",
            "784111777",
        ] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    /// RFC 9111 §4.2: "a cache recipient SHOULD match the field value case-insensitively".
    #[test]
    fn the_case_of_letters_means_nothing() {
        for text in [
            "SUN, 06 Nov 1994 08:49:37 GMT",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 NOV 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 gMT",
            "sUNDAY, 06-nOV-94 08:49:37 Gmt",
            "sun nov  6 08:49:37 1994",
        ] {
            assert_eq!(seconds(text), Some(EXAMPLE), "{text}");
        }
    }

    #[test]
    fn a_field_of_two_lines_has_no_date() {
        let mut headers = http::HeaderMap::new();
        let name = http::header::EXPIRES;
        let of = |headers: &http::HeaderMap| HttpDate::of_field_at(headers, &name, NOW);
        assert_eq!(of(&headers), None);
        headers.append(&name, HeaderValue::from_static("Sunday, 06-Nov-94 08:49:37 GMT"));
        assert_eq!(of(&headers), Some(HttpDate::from_unix_seconds(EXAMPLE)));
        assert_eq!(of(&headers), HttpDate::of_field(&headers, &name));
        headers.append(&name, HeaderValue::from_static("Sunday, 06-Nov-94 08:49:37 GMT"));
        assert_eq!(of(&headers), None);
        assert_eq!(HttpDate::of_field(&headers, &name), None);
    }

    #[test]
    fn a_leap_second_is_the_second_after_it() {
        assert_eq!(
            seconds("Sat, 31 Dec 2016 23:59:60 GMT"),
            seconds("Sun, 01 Jan 2017 00:00:00 GMT")
        );
        assert_eq!(
            seconds("Fri, 31 Dec 9999 23:59:60 GMT"),
            Some(HttpDate::MAX.unix_seconds())
        );
    }

    #[test]
    fn years_before_1970_and_the_bounds_are_dates() {
        assert_eq!(seconds("Wed, 31 Dec 1969 23:59:59 GMT"), Some(-1));
        for date in [HttpDate::MIN, HttpDate::MAX] {
            assert_eq!(date.to_string().parse(), Ok(date));
        }
        assert_eq!(HttpDate::MIN.to_string(), "Sat, 01 Jan 0000 00:00:00 GMT");
        assert_eq!(HttpDate::MAX.to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    /// "MUST interpret a timestamp that appears to be more than 50 years in the future as representing the
    /// most recent year in the past that had the same last two digits" (RFC 9110 §5.6.7).
    #[test]
    fn a_two_digit_year_is_at_most_fifty_years_ahead() {
        let year = |text: &str| HttpDate::parse_at(text.as_bytes(), NOW).map(|date| Moment::of(date).year);
        assert_eq!(year("Thursday, 28-May-76 20:26:40 GMT"), Ok(2076));
        assert_eq!(year("Friday, 28-May-76 20:26:41 GMT"), Ok(1976));
        assert_eq!(year("Wednesday, 01-Jan-70 00:00:00 GMT"), Ok(2070));
        assert_eq!(year("Saturday, 01-Jan-77 00:00:00 GMT"), Ok(1977));
        assert_eq!(year("Tuesday, 29-Feb-00 00:00:00 GMT"), Ok(2000));
        // The weekday of the other century does not move the date there.
        assert_eq!(year("Friday, 01-Jan-77 00:00:00 GMT"), Err(InvalidDate));

        let end_of_century = "Fri, 01 Jan 2077 00:00:00 GMT".parse().unwrap();
        let early = HttpDate::parse_at(b"Thursday, 01-Jan-05 00:00:00 GMT", end_of_century).unwrap();
        assert_eq!(Moment::of(early).year, 2105);
    }

    #[test]
    fn times_out_of_reach_are_the_nearest_date() {
        assert_eq!(HttpDate::from_unix_seconds(i64::MAX), HttpDate::MAX);
        assert_eq!(HttpDate::from_unix_seconds(i64::MIN), HttpDate::MIN);
        for seconds in [u64::MAX, 1 << 62, 1 << 40] {
            if let Some(time) = UNIX_EPOCH.checked_add(Duration::from_secs(seconds)) {
                assert_eq!(HttpDate::from(time), HttpDate::MAX);
            }
            if let Some(time) = UNIX_EPOCH.checked_sub(Duration::from_secs(seconds)) {
                assert_eq!(HttpDate::from(time), HttpDate::MIN);
            }
        }
    }

    #[test]
    fn parts_of_a_second_are_cut_off_downwards() {
        let half = Duration::from_millis(500);
        assert_eq!(HttpDate::from(UNIX_EPOCH + half).unix_seconds(), 0);
        assert_eq!(HttpDate::from(UNIX_EPOCH - half).unix_seconds(), -1);
        assert_eq!(
            HttpDate::from(UNIX_EPOCH - Duration::from_secs(1)).unix_seconds(),
            -1
        );
    }

    fn in_usual_case(text: &str) -> String {
        let mut usual = String::new();
        for letter in text.chars() {
            let first = !usual.ends_with(|before: char| before.is_ascii_alphabetic());
            usual.push(if first {
                letter.to_ascii_uppercase()
            } else {
                letter.to_ascii_lowercase()
            });
        }
        usual.replace("Gmt", "GMT")
    }

    proptest! {
        #[test]
        fn parse_undoes_print(seconds in HttpDate::MIN.seconds..=HttpDate::MAX.seconds) {
            let date = HttpDate::from_unix_seconds(seconds);
            prop_assert_eq!(HttpDate::parse_at(date.to_string().as_bytes(), NOW), Ok(date));
            prop_assert_eq!(HttpDate::from(SystemTime::from(date)), date);
        }

        #[test]
        fn the_httpdate_crate_prints_the_same(seconds in 0..=HttpDate::MAX.seconds) {
            let date = HttpDate::from_unix_seconds(seconds);
            prop_assert_eq!(httpdate::fmt_http_date(date.into()), date.to_string());
        }

        /// Near misses of the three forms: whatever is read must be read so by the other crate too, to which
        /// case matters.
        #[test]
        fn no_near_miss_is_read(form in 0..3usize, at in 0..30usize, byte in " 0123456789:,-GMTSunNov;\t") {
            let mut text = [
                "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
            ][form].to_owned();
            let at = at.min(text.len());
            text.replace_range(at..(at + 1).min(text.len()), &byte[..1]);
            if let Ok(date) = HttpDate::parse_at(text.as_bytes(), NOW) {
                let text = in_usual_case(&text);
                prop_assert_eq!(httpdate::parse_http_date(&text).map(HttpDate::from).ok(), Some(date));
            }
        }

        #[test]
        fn any_bytes_are_a_date_or_an_error(
            bytes: Vec<u8>,
            text in "[A-Z][a-z]{2,8}, [ -9]{0,2}[ -][A-Z][a-z]{2}[ -][0-9]{2,4} [0-9:]{8} GMT",
        ) {
            let _ = HttpDate::parse_at(&bytes, NOW);
            let _ = HttpDate::parse_at(text.as_bytes(), NOW);
        }
    }
}
