use larder::{Action, Tag};

#[derive(Action)]
struct Happened {
    id: u64,
}

#[derive(Tag)]
struct Team {
    id: u64,
}

fn main() {}
