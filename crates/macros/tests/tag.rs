//! Tags with and without fields, by value and by reference, on a layer and in an invalidation.
#![deny(warnings)]
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

use larder::{Larder, Tag};

/// A team.
#[derive(Tag)]
#[tag("team:{team_id}:{r}")]
pub struct Team<'a> {
    team_id: u64,
    r: &'a str,
}

#[derive(Tag)]
#[tag("{{ratings}}")]
struct Ratings;

#[test]
fn a_tag_is_made_of_its_fields() {
    let team = Team { team_id: 7, r: "x" };
    assert_eq!(Tag::from(&team), Tag::new("team:7:x"));
    assert_eq!(Tag::from(team), Tag::new("team:7:x"));
    assert_eq!(Tag::from(Ratings), Tag::new("{ratings}"));
    assert_eq!(
        (Team::TEMPLATE, Ratings::TEMPLATE),
        ("team:{team_id}:{r}", "{{ratings}}")
    );

    let larder = Larder::in_memory(1 << 20);
    let _layer = larder
        .hot_cache("teams")
        .tag(Team::TEMPLATE)
        .tag(Tag::from(Ratings));
    let _invalidation = larder.invalidate_tag(Team { team_id: 7, r: "x" });
}
