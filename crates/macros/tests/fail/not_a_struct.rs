use larder::{Action, Tag};

#[derive(Action)]
#[action("shop.purchase", forgets("products"))]
enum Purchase {
    Done,
}

#[derive(Tag)]
#[tag("team:{0}")]
struct Team(u64);

fn main() {}
