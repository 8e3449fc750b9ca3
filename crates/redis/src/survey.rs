//! Which tags the entries on a server carry: for maintenance, and not on the path of a request.

use std::collections::HashSet;

use bytes::Bytes;
use larder_store::{Frame, FrameError, StoreError, Survey, Wanted};
use redis::aio::ConnectionLike;

use crate::failure::failed;
use crate::pack::{is_packed, unpack};
use crate::protocol::Names;

/// The first bytes of an entry, in which its tags are as a rule; and of how many they are asked for at once.
const START: usize = 4096;
const SURVEYED: usize = 200;

/// Looks at about `most` keys of one server from `from` on, and at the tags of those that are entries, of at most `largest`
/// bytes each.
pub(crate) async fn survey<C: ConnectionLike + Send>(
    connection: &mut C,
    names: &Names,
    wanted: &Wanted,
    (from, most): (u64, usize),
    largest: usize,
) -> Result<Survey, StoreError> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(from).arg("MATCH").arg(names.all_entries());
    scan.arg("COUNT").arg(most);
    let (next, keys): (u64, Vec<Vec<u8>>) = scan.query_async(connection).await.map_err(failed)?;
    let mut survey = Survey::default();
    survey.next = (next != 0).then_some(next);
    survey.seen = keys.len();
    let mut tags = HashSet::new();
    // In portions, however many keys the server names at once.
    for keys in keys.chunks(SURVEYED) {
        let mut pipe = redis::pipe();
        for key in keys {
            pipe.cmd("GETRANGE").arg(&key[..]).arg(0).arg(START - 1);
        }
        let starts: Vec<Vec<u8>> = pipe.query_async(connection).await.map_err(failed)?;
        for (key, start) in keys.iter().zip(starts) {
            let start = Bytes::from(start);
            let mut found = Frame::tags(&start);
            if found == Err(FrameError::Truncated) || is_packed(&start) {
                let mut get = redis::cmd("GET");
                let whole: Vec<u8> = get.arg(&key[..]).query_async(connection).await.map_err(failed)?;
                found = Frame::tags(&unpack(whole.into(), largest));
            }
            // What is no entry has none, and is nobody's.
            tags.extend(found.unwrap_or_default().into_iter().filter(|tag| wanted(tag)));
        }
    }
    survey.tags = tags.into_iter().collect();
    Ok(survey)
}
