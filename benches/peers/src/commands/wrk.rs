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
}

pub(super) fn drive(port: u16, etag: Option<&str>, seconds: u64, connections: u32) -> Outcome<Load> {
    let mut command = Command::new("wrk");
    command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s")]);
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
    let per_second = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"))
        .map(str::trim);
    let (Some(requests), Some(per_second)) = (requests, per_second) else {
        return Err(format!("wrk said nothing to be read: {text}").into());
    };
    Ok(Load {
        requests: requests.parse()?,
        per_second: per_second.parse()?,
    })
}

#[cfg(test)]
mod tests {
    use super::{Load, read};

    #[test]
    fn totals_are_read() {
        let text = "Running 1s test\n  1 threads and 50 connections\n  98765 requests in 1.00s, 1.0GB read\nRequests/sec:  98700.12\n";
        assert_eq!(
            read(text).unwrap(),
            Load {
                requests: 98765.0,
                per_second: 98700.12
            }
        );
    }

    #[test]
    fn failed_responses_fail_the_run() {
        let text = "  10 requests in 1.00s, 1.0KB read\n  Non-2xx or 3xx responses: 10\nRequests/sec: 10.0\n";
        assert!(read(text).is_err());
    }
}
