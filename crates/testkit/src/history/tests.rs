//! That the checker finds what is wrong, and nothing else.

use super::*;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A row 1 whose versions 1 and 2 were written at 10 and 30 ms and acknowledged at 20 and 40 ms.
fn written() -> History {
    let mut history = History::new();
    for version in [1, 2] {
        history.begin(1, version, ms(20 * version - 10));
        history.acknowledge(1, version, ms(20 * version));
    }
    history
}

fn read(sent: u64, answered: u64, version: u64) -> Read {
    Read {
        row: 1,
        sent: ms(sent),
        answered: ms(answered),
        seen: Seen { row: 1, version },
        source: Source::Own,
    }
}

fn wrong(read: Read, bound: Duration) -> Option<Wrong> {
    let mut history = written();
    history.read(read);
    let verdict = history.check(bound);
    assert_eq!(verdict.violations, verdict.shown.len());
    verdict.shown.first().map(|violation| violation.wrong)
}

fn stale(owed: u64, late: u64) -> Option<Wrong> {
    let late = ms(late);
    Some(Wrong::Stale { owed, late })
}

#[test]
fn less_than_was_acknowledged_before_the_request_is_stale() {
    assert_eq!(wrong(read(21, 22, 0), ms(0)), stale(1, 1));
    assert_eq!(wrong(read(45, 46, 1), ms(0)), stale(2, 5));
    // What is missed longest counts.
    assert_eq!(wrong(read(45, 46, 0), ms(0)), stale(2, 25));
    assert_eq!(wrong(read(21, 22, 1), ms(0)), None);
    assert_eq!(wrong(read(45, 46, 2), ms(0)), None);
}

#[test]
fn a_request_that_was_sent_before_the_acknowledgement_came_may_get_either() {
    for version in [0, 1] {
        assert_eq!(wrong(read(5, 100, version), ms(0)), None);
        assert_eq!(wrong(read(20, 21, version), ms(0)), None);
    }
    assert_eq!(wrong(read(39, 100, 1), ms(0)), None);
    assert_eq!(wrong(read(39, 100, 0), ms(0)), stale(1, 19));
}

#[test]
fn within_its_bound_an_answer_may_be_old() {
    assert_eq!(wrong(read(30, 31, 0), ms(10)), None);
    assert_eq!(wrong(read(31, 32, 0), ms(10)), stale(1, 11));
    // Older than the write before the last is not excused by the last.
    assert_eq!(wrong(read(45, 46, 0), ms(10)), stale(1, 25));
    assert_eq!(wrong(read(45, 46, 0), ms(1000)), None);
}

#[test]
fn a_version_that_nobody_wrote_and_another_row_are_found() {
    assert_eq!(wrong(read(11, 12, 1), ms(0)), None, "written, not acknowledged");
    assert_eq!(wrong(read(8, 9, 1), ms(0)), Some(Wrong::Unwritten));
    assert_eq!(wrong(read(45, 46, 3), ms(0)), Some(Wrong::Unwritten));
    let mut other = read(45, 46, 2);
    other.seen.row = 2;
    assert_eq!(wrong(other, ms(1000)), Some(Wrong::OtherRow));
}

#[test]
fn acknowledgements_are_put_in_order() {
    // Told late, and one that overtook another.
    let mut history = History::new();
    history.begin(1, 2, ms(2));
    history.begin(1, 1, ms(1));
    history.acknowledge(1, 2, ms(3));
    history.acknowledge(1, 1, ms(4));
    history.read(read(5, 6, 1));
    history.read(read(5, 6, 2));
    let verdict = history.check(ms(0));
    assert_eq!(verdict.violations, 1);
    assert_eq!(Some(verdict.shown[0].wrong), stale(2, 2));
}

#[test]
fn what_was_done_is_counted() {
    let mut history = written();
    let from = |source, read| Read { source, ..read };
    history.read(from(Source::Handler, read(1, 2, 0)));
    history.read(from(Source::Handler, read(15, 25, 0)));
    history.read(from(Source::Handler, read(15, 25, 1)));
    history.read(from(Source::Own, read(25, 26, 1)));
    history.read(from(Source::Other, read(43, 44, 1)));
    let verdict = history.check(ms(10));
    assert_eq!(verdict.violations, 0);
    assert_eq!((verdict.reads, verdict.checked), (5, 2));
    assert_eq!((verdict.own, verdict.others, verdict.hits()), (1, 1, 2));
    assert_eq!(verdict.born_dead, 1);
    assert_eq!(verdict.latest, ms(3));
    assert!(
        verdict
            .to_string()
            .starts_with("0 violations; 5 reads, 2 of them owed something; 1 hits")
    );
}

#[test]
fn all_violations_are_counted_and_the_first_are_shown() {
    let mut history = written();
    (0..200).for_each(|n| history.read(read(50 + n, 300, 0)));
    assert_eq!(history.reads(), 200);
    let verdict = history.check(ms(0));
    assert_eq!((verdict.violations, verdict.shown.len()), (200, SHOWN));
    let text = verdict.to_string();
    let line = text.lines().nth(1).unwrap();
    assert_eq!(
        line,
        "  stale: row 1 sent at 50.0000ms, answered at 300.0000ms by Own with version 0 of row 1; version 2 was due, \
         the next since 30.0000ms"
    );
}
