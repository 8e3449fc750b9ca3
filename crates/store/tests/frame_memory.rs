//! What frames cost in memory: one allocation to write one, and a small multiple of its length to read one, whatever it says.

use std::alloc::System;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use larder_store::{Content, Entry, Frame, Lifetime, StoredResponse, Tag, Timestamp};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use xxhash_rust::xxh3::xxh3_64;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How many bytes a byte of a frame may cost to read. The dearest are lists without names: 32 bytes for each two.
const MULTIPLE: usize = 16;

/// One test and not three: what the harness allocates for one must not be counted in another.
#[test]
fn frames_cost_little_memory() {
    to_read_a_frame_costs_a_small_multiple_of_it();
    what_a_frame_only_claims_costs_nothing();
    a_frame_is_written_into_one_piece_of_memory();
}

/// A frame under the empty key, without stamps, in which `tail` follows its lifetime.
fn frame(tail: &[u8]) -> Bytes {
    let length = 14 + 4 + 4 + 45 + tail.len() + 8;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(b"LRDR\x01\x00");
    bytes.extend_from_slice(&(length as u64).to_le_bytes());
    bytes.extend_from_slice(&[0; 4 + 4 + 45]);
    bytes.extend_from_slice(tail);
    let checksum = xxh3_64(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes.into()
}

fn to_read_a_frame_costs_a_small_multiple_of_it() {
    let many = |number: u16, part: &[u8]| [&number.to_le_bytes()[..], &part.repeat(number.into())].concat();
    let content = |kind: u8, rest: &[u8]| frame(&[&[0, 0, kind], rest].concat());
    let response = |lines: &[u8]| content(1, &[&200u16.to_le_bytes(), &[0u8][..], lines].concat());
    let frames = [
        (
            "tags without text",
            frame(&[&many(4096, b"\x01\0\0\0\0\0\0\0\0")[..], &[2, 0, 0]].concat()),
        ),
        ("lists without names", content(2, &many(4096, &[0, 0]))),
        (
            "the shortest names",
            content(2, &[&1u16.to_le_bytes()[..], &many(4096, b"\x01\0a")].concat()),
        ),
        ("rules without names", content(3, &many(4096, &[0, 0]))),
        (
            "parameters without names",
            content(3, &[&[1, 0, 0, 1][..], &many(4096, &[0; 4])].concat()),
        ),
        ("lines without values", response(&many(4096, b"\x01\0a\0\0\0\0"))),
    ];
    for (what, bytes) in frames {
        let region = Region::new(HEAP);
        let frame = Frame::decode(&bytes, b"");
        let cost = region.change().bytes_allocated;
        assert!(frame.is_ok(), "{what}: {frame:?}");
        assert!(
            cost <= MULTIPLE * bytes.len(),
            "{what}: {cost} for {}",
            bytes.len()
        );
    }
}

fn what_a_frame_only_claims_costs_nothing() {
    let claims = [
        ("stamps of 4 GiB", {
            let mut bytes = frame(&[]).to_vec();
            bytes.truncate(bytes.len() - 8);
            bytes[14..18].fill(0xff);
            let checksum = xxh3_64(&bytes);
            bytes.extend_from_slice(&checksum.to_le_bytes());
            bytes.into()
        }),
        ("65,535 tags", frame(&[0xff, 0xff])),
        ("a tag of 4 GiB", frame(b"\x01\0\x01\0\0\0\0\xff\xff\xff\xff")),
        ("65,535 header lines", frame(b"\0\0\x01\xc8\0\0\xff\xff")),
        ("4,096 header lines", frame(b"\0\0\x01\xc8\0\0\0\x10")),
        (
            "a value of 4 GiB",
            frame(b"\0\0\x01\xc8\0\0\x01\0\x01\0a\xff\xff\xff\xff"),
        ),
        ("4,096 lists", frame(b"\0\0\x02\0\x10")),
        ("4,096 names", frame(b"\0\0\x02\x01\0\0\x10")),
        ("4,096 parameters", frame(b"\0\0\x03\x01\0\0\x01\0\x10")),
    ];
    for (what, bytes) in claims {
        let region = Region::new(HEAP);
        assert!(Frame::decode(&bytes, b"").is_err(), "{what}");
        assert!(region.change().bytes_allocated < 256, "{what}");
    }
}

fn a_frame_is_written_into_one_piece_of_memory() {
    let mut headers = HeaderMap::new();
    headers.append("content-type", HeaderValue::from_static("text/plain"));
    let response = StoredResponse::new(StatusCode::OK, &headers, Bytes::from(vec![0; 100_000]));
    let lifetime = Lifetime::fresh(Timestamp::from_millis(0), Duration::from_secs(1));
    let tags = Tag::of_target("/jam/plum?spoons=2").collect();
    let entry = Entry::new(lifetime, Content::Response(response), tags);

    let region = Region::new(HEAP);
    let bytes = Frame::encode(b"key", &entry, b"stamps");
    let change = region.change();
    let bytes = bytes.unwrap_or_default();
    assert_eq!((change.allocations, change.reallocations), (1, 0));
    assert_eq!(change.bytes_allocated, bytes.len());
}
