//! All records follow one contract: one suite, run on those in memory and on those on a Redis server.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use larder_idempotency::{
    Claim, Claimed, FencingToken, Fingerprint, Finish, Hold, KeptResponse, NotKeptReason, Owner, Record,
    RecordKey, RecordState, Records, Release, Renewal, RunResult, Spend,
};
use larder_store::Timestamp;
use support::soon;

const LEASE: Duration = Duration::from_secs(300);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn claim(key: u8, owner: u8, token: u64) -> Claim {
    Claim::new(
        RecordKey::from_bytes([key; 32]),
        Fingerprint::from_bytes([key; 32]),
        Owner::from_bytes([owner; 20]),
        FencingToken::from_u64(token),
        LEASE,
        DAY,
    )
}

fn taking_over(key: u8, owner: u8, token: u64, lost: u64) -> Claim {
    let mut claim = claim(key, owner, token);
    claim.take_over = Some(FencingToken::from_u64(lost));
    claim
}

fn response(text: &'static str) -> RunResult {
    let mut headers = HeaderMap::new();
    headers.append(
        "x-odd",
        HeaderValue::from_bytes(b"\xff\x01".get(..1).unwrap()).unwrap(),
    );
    headers.append("link", HeaderValue::from_static("a"));
    headers.append("link", HeaderValue::from_static("b"));
    RunResult::Response(KeptResponse {
        status: StatusCode::CREATED,
        headers,
        body: Bytes::from_static(text.as_bytes()),
    })
}

async fn state(records: &dyn Records, claim: &Claim) -> RecordState {
    match records.claim(claim).await.unwrap() {
        Claimed::Found(Record { fingerprint, state }) => {
            assert_eq!(fingerprint, claim.fingerprint);
            state
        }
        other => panic!("{other:?}"),
    }
}

async fn lose(records: &dyn Records, claim: &Claim) {
    let renewal = Renewal::of(claim, Duration::ZERO);
    assert_eq!(records.renew(&renewal).await.unwrap(), Hold::Held);
}

async fn a_claim_is_one_and_its_result_stays(records: &dyn Records) {
    let (first, second) = (claim(1, 1, 10), claim(1, 2, 20));
    assert_eq!(records.claim(&first).await.unwrap(), Claimed::Granted);
    let RecordState::Running { remaining } = state(records, &second).await else {
        panic!("it runs")
    };
    assert!(remaining <= LEASE && remaining > LEASE / 2, "{remaining:?}");
    // Not even by who takes over what is not lost.
    let early = taking_over(1, 2, 20, 10);
    assert!(matches!(
        state(records, &early).await,
        RecordState::Running { .. }
    ));

    // Only its owner does anything with it.
    assert_eq!(
        records.renew(&Renewal::of(&second, LEASE)).await.unwrap(),
        Hold::Gone
    );
    let theirs = Finish::of(&second, response("theirs"));
    assert_eq!(records.finish(&theirs).await.unwrap(), Hold::Gone);
    assert_eq!(
        records.release(&Release::of(&second, false)).await.unwrap(),
        Hold::Gone
    );
    assert_eq!(
        records.renew(&Renewal::of(&first, LEASE)).await.unwrap(),
        Hold::Held
    );
    let ours = Finish::of(&first, response("ours"));
    assert_eq!(records.finish(&ours).await.unwrap(), Hold::Held);

    // What finished it once stays.
    let again = Finish::of(&first, response("again"));
    assert_eq!(records.finish(&again).await.unwrap(), Hold::Held);
    assert_eq!(
        records.release(&Release::of(&first, false)).await.unwrap(),
        Hold::Gone
    );
    assert_eq!(
        records.renew(&Renewal::of(&first, Duration::ZERO)).await.unwrap(),
        Hold::Gone
    );
    assert_eq!(
        state(records, &taking_over(1, 2, 20, 10)).await,
        RecordState::Finished(response("ours"))
    );

    // Nothing is known of what is not there.
    let absent = claim(2, 1, 10);
    assert_eq!(
        records.renew(&Renewal::of(&absent, LEASE)).await.unwrap(),
        Hold::Gone
    );
    let finish = Finish::of(&absent, response("absent"));
    assert_eq!(records.finish(&finish).await.unwrap(), Hold::Gone);
    assert_eq!(
        records.release(&Release::of(&absent, false)).await.unwrap(),
        Hold::Gone
    );
    assert_eq!(records.claim(&absent).await.unwrap(), Claimed::Granted);
}

async fn what_was_not_begun_is_free(records: &dyn Records) {
    let first = claim(3, 1, 10);
    assert_eq!(records.claim(&first).await.unwrap(), Claimed::Granted);
    assert_eq!(
        records.release(&Release::of(&first, false)).await.unwrap(),
        Hold::Held
    );
    assert_eq!(records.claim(&claim(3, 2, 5)).await.unwrap(), Claimed::Granted);
    assert_eq!(
        records.release(&Release::of(&first, false)).await.unwrap(),
        Hold::Gone
    );
}

async fn what_is_lost_is_taken_over_once(records: &dyn Records) {
    let large = (1 << 60) + 1;
    let first = claim(4, 1, large);
    assert_eq!(records.claim(&first).await.unwrap(), Claimed::Granted);
    lose(records, &first).await;
    let lost = RecordState::Lost {
        token: FencingToken::from_u64(large),
    };
    // Not without saying what, nor with a token that is not higher: also where a double cannot tell them apart.
    assert_eq!(state(records, &claim(4, 2, large + 5)).await, lost);
    assert_eq!(
        state(records, &taking_over(4, 2, large + 1, large - 1)).await,
        lost
    );
    assert_eq!(state(records, &taking_over(4, 2, large, large)).await, lost);
    let second = taking_over(4, 2, large + 1, large);
    assert_eq!(records.claim(&second).await.unwrap(), Claimed::Granted);
    assert!(matches!(
        state(records, &taking_over(4, 3, large + 2, large)).await,
        RecordState::Running { .. }
    ));
    // The one that was lost has no say any more.
    let late = Finish::of(&first, response("late"));
    assert_eq!(records.finish(&late).await.unwrap(), Hold::Gone);
    let finish = Finish::of(&second, response("second"));
    assert_eq!(records.finish(&finish).await.unwrap(), Hold::Held);
    assert_eq!(
        state(records, &first).await,
        RecordState::Finished(response("second"))
    );
}

async fn the_owner_of_what_is_lost_may_still_finish(records: &dyn Records) {
    let first = claim(5, 1, 10);
    assert_eq!(records.claim(&first).await.unwrap(), Claimed::Granted);
    lose(records, &first).await;
    assert_eq!(
        records.renew(&Renewal::of(&first, LEASE)).await.unwrap(),
        Hold::Held
    );
    assert!(matches!(
        state(records, &first).await,
        RecordState::Running { .. }
    ));
    lose(records, &first).await;
    for reason in NotKeptReason::ALL {
        let result = RunResult::NotKept {
            status: StatusCode::OK,
            reason,
        };
        let other = claim(10 + reason as u8, 1, 10);
        assert_eq!(records.claim(&other).await.unwrap(), Claimed::Granted);
        let finish = Finish::of(&other, result.clone());
        assert_eq!(records.finish(&finish).await.unwrap(), Hold::Held);
        assert_eq!(state(records, &other).await, RecordState::Finished(result));
    }
    let finish = Finish::of(&first, response("after all"));
    assert_eq!(records.finish(&finish).await.unwrap(), Hold::Held);
    assert_eq!(
        state(records, &first).await,
        RecordState::Finished(response("after all"))
    );
}

async fn leases_and_retentions_end(records: &dyn Records) {
    let mut brief = claim(6, 1, 10);
    brief.lease = Duration::from_millis(20);
    assert_eq!(records.claim(&brief).await.unwrap(), Claimed::Granted);
    soon(async {
        while !matches!(state(records, &claim(6, 2, 20)).await, RecordState::Lost { .. }) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    let mut finish = Finish::of(&brief, response("brief"));
    finish.retention = Duration::from_millis(20);
    assert_eq!(records.finish(&finish).await.unwrap(), Hold::Held);
    soon(async {
        while records.claim(&claim(6, 2, 20)).await.unwrap() != Claimed::Granted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

async fn nonces_are_fresh_once(records: &dyn Records) {
    let spend = |number: u8, now: u64| {
        let nonce = RecordKey::from_bytes([number; 32]);
        Spend::new(nonce, DAY, Timestamp::from_millis(now))
    };
    let first = records.spend(&spend(100, 1)).await.unwrap();
    assert!(first.fresh);
    // The memory began before, and its beginning stays.
    assert!(first.since > Timestamp::from_millis(1_600_000_000_000));
    for now in [1, u64::MAX >> 12] {
        let again = records.spend(&spend(100, now)).await.unwrap();
        assert_eq!((again.fresh, again.since), (false, first.since));
    }
    assert!(records.spend(&spend(101, 1)).await.unwrap().fresh);
    let mut brief = spend(102, 1);
    brief.retention = Duration::from_millis(20);
    assert!(records.spend(&brief).await.unwrap().fresh);
    soon(async {
        while !records.spend(&brief).await.unwrap().fresh {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

async fn suite(records: &dyn Records) {
    a_claim_is_one_and_its_result_stays(records).await;
    what_was_not_begun_is_free(records).await;
    what_is_lost_is_taken_over_once(records).await;
    the_owner_of_what_is_lost_may_still_finish(records).await;
    leases_and_retentions_end(records).await;
    nonces_are_fresh_once(records).await;
}

#[tokio::test]
async fn records_in_memory() {
    suite(&support::memory()).await;
    suite(&std::sync::Arc::new(support::memory())).await;
}

#[cfg(all(unix, feature = "redis"))]
mod redis {
    use super::*;
    use larder_idempotency::RedisRecords;
    use larder_testkit::RedisServer;

    #[tokio::test]
    async fn records_on_a_server() {
        let server = RedisServer::start();
        suite(&RedisRecords::connect(server.url()).await.unwrap()).await;
        let socket = format!("unix://{}", server.socket().display());
        let other = RedisRecords::connect_with_prefix(socket, "other").await.unwrap();
        suite(&other).await;
    }

    /// A claim may have been on its way for long when it arrives.
    #[tokio::test]
    async fn a_claim_that_was_given_up_is_refused_when_it_arrives() {
        let server = RedisServer::start();
        let records = RedisRecords::connect(server.url()).await.unwrap();
        let late = claim(1, 1, 10);
        assert_eq!(
            records.release(&Release::of(&late, true)).await.unwrap(),
            Hold::Gone
        );
        assert_eq!(records.claim(&late).await.unwrap(), Claimed::TooLate);
        assert_eq!(records.claim(&claim(1, 2, 10)).await.unwrap(), Claimed::Granted);
        assert_eq!(
            records
                .release(&Release::of(&claim(1, 2, 10), true))
                .await
                .unwrap(),
            Hold::Held
        );
    }
}
