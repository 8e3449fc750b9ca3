//! All kinds of targets, fields of many types, a raw name, a generic and a struct without fields.
#![deny(warnings)]
#![allow(clippy::unwrap_used, reason = "a test ends with the first surprise")]

use std::fmt::Display;

use larder::{Action, ActionErrorKind, Actions, Tag};

#[derive(Action)]
#[action(
    "team.member.add",
    forgets(
        "team:{team_id}",
        "{{odd}}",
        tag("type:{type}"),
        identity("{user}"),
        prefix("/teams/{team_id}"),
        uri("/teams?owner={user}"),
        layer("newest"),
    )
)]
struct TeamMemberAdded<'a> {
    team_id: u64,
    r#type: char,
    user: &'a str,
}

#[derive(Action)]
#[action("shop.open", forgets("products"))]
struct ShopOpened;

#[derive(Action)]
#[action("thing.change", forgets("thing:{id}"))]
struct Changed<T: Display> {
    id: T,
}

#[test]
fn every_kind_of_target_and_field_is_taken() {
    let happened = TeamMemberAdded {
        team_id: 7,
        r#type: 'x',
        user: "ada",
    };
    assert_eq!(
        happened.tags().unwrap(),
        [
            Tag::new("team:7"),
            Tag::new("{odd}"),
            Tag::new("type:x"),
            Tag::identity("ada"),
            Tag::path("/teams/7"),
            Tag::uri("/teams?owner=ada"),
            Tag::all_searches("/teams"),
            Tag::layer("newest"),
        ]
    );
    let widening = TeamMemberAdded {
        team_id: 7,
        r#type: 'x',
        user: "a/b",
    };
    assert_eq!(widening.tags().unwrap_err().kind(), ActionErrorKind::BadValue);
    assert_eq!(Changed { id: "a" }.tags().unwrap(), [Tag::new("thing:a")]);
    assert_eq!(ShopOpened.tags().unwrap(), [Tag::new("products")]);

    let actions = Actions::new()
        .with_type::<TeamMemberAdded<'_>>()
        .with_type::<ShopOpened>();
    assert!(actions.rule("team.member.add").is_ok());
}
