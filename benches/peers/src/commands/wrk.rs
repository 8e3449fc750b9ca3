//! One run of `wrk`, and what it says.

use std::process::Command;

use larder_peers::{
    Outcome,
    request::{HEADERS, TARGET},
};

/// The totals of one run.
#[derive(Debug, PartialEq)]
pub(super) struct Load {
    pub(super) requests: f64,
    pub(super) per_second: f64,
    /// Half of the requests were answered within so many milliseconds.
    pub(super) p50_ms: f64,
    /// And 99 of 100 within so many.
    pub(super) p99_ms: f64,
}

pub(super) fn drive(port: u16, etag: Option<&str>, seconds: u64, connections: u32) -> Outcome<Load> {
    let mut command = Command::new("wrk");
    command.args([
        "-t1",
        &format!("-c{connections}"),
        &format!("-d{seconds}s"),
        "--latency",
    ]);
    for (name, value) in HEADERS {
        command.args(["-H", &format!("{name}: {value}")]);
    }
    if let Some(tag) = etag {
        command.args(["-H", &format!("if-none-match: {tag}")]);
    }
    let output = command.arg(format!("http://127.0.0.1:{port}{TARGET}")).output()?;
    read(&String::from_utf8_lossy(&output.stdout))
}

fn read(text: &str) -> Outcome<Load> {
    if let Some(trouble) = text
        .lines()
        .find(|line| line.contains("Non-2xx") || line.contains("Socket errors"))
    {
        return Err(format!("wrk: {}", trouble.trim()).into());
    }
    let requests = text
        .lines()
        .find_map(|line| line.split_once(" requests in "))
        .map(|(count, _)| count.trim());
    let per_second = value(text, "Requests/sec:");
    let (p50, p99) = (
        value(text, "50%").and_then(millis),
        value(text, "99%").and_then(millis),
    );
    let (Some(requests), Some(per_second), Some(p50_ms), Some(p99_ms)) = (requests, per_second, p50, p99)
    else {
        return Err(format!("wrk said nothing to be read: {text}").into());
    };
    Ok(Load {
        requests: requests.parse()?,
        per_second: per_second.parse()?,
        p50_ms,
        p99_ms,
    })
}

/// What follows `name` on its line.
fn value<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.trim_start().strip_prefix(name))
        .map(str::trim)
}

/// A time as wrk writes it, in milliseconds.
fn millis(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        _ => return None,
    };
    Some(digits.parse::<f64>().ok()? * unit)
}

#[cfg(test)]
mod tests {
    use super::{Load, read};

    #[test]
    fn totals_are_read() {
        let text = "Running 1s test\n  1 threads and 50 connections\n  Latency Distribution\n     50%  512.00us\n     75%    1.00ms\n     90%    1.10ms\n     99%    1.50s\n  98765 requests in 1.00s, 1.0GB read\nRequests/sec:  98700.12\n";
        assert_eq!(
            read(text).unwrap(),
            Load {
                requests: 98765.0,
                per_second: 98700.12,
                p50_ms: 0.512,
                p99_ms: 1500.0,
            }
        );
    }

    #[test]
    fn failed_responses_fail_the_run() {
        let text = "  10 requests in 1.00s, 1.0KB read\n  Non-2xx or 3xx responses: 10\nRequests/sec: 10.0\n";
        assert!(read(text).is_err());
    }
}
