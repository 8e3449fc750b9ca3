use larder::{Action, Tag};

#[derive(Action)]
#[action(forgets("ratings"))]
struct NoName;

#[derive(Action)]
#[action("ratings.change")]
struct NoTargets;

#[derive(Action)]
#[action("ratings.change", forgets())]
struct Nothing;

#[derive(Action)]
#[action("ratings.change", forget("ratings"))]
struct AnotherWord;

#[derive(Action)]
#[action("ratings.change", forgets(path("/ratings")))]
struct NoKind;

#[derive(Action)]
#[action("ratings.change", forgets(prefix("ratings")))]
struct NoPath;

#[derive(Action)]
#[action("ratings.change", forgets(layer("{id}")))]
struct LayerOf {
    id: u64,
}

#[derive(Tag)]
#[tag("team:{id")]
struct Brace {
    id: u64,
}

#[derive(Tag)]
#[tag("")]
struct Empty;

fn main() {}
