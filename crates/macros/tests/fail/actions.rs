#![allow(unused_imports, dead_code, reason = "what is refused uses nothing")]

use larder::{Action, Larder, invalidates};

#[derive(Action)]
#[action("recruiter.change", forgets("recruiter:{id}"))]
struct RecruiterChanged {
    id: u64,
}

struct NoAction {
    id: u64,
}

#[invalidates(action = NoAction { id })]
async fn no_action(larder: &Larder, id: u64) {}

#[invalidates(action = RecruiterChanged { id })]
async fn no_argument(larder: &Larder) {}

#[invalidates(action = RecruiterChanged { name: id })]
async fn no_field(larder: &Larder, id: u64) {}

#[invalidates(action = RecruiterChanged { id })]
async fn another_type(larder: &Larder, id: &str) {}

#[invalidates(action("recruiter.change"))]
async fn by_name(larder: &Larder) {}

#[invalidates(actions = [RecruiterChanged { id }])]
async fn another_word(larder: &Larder, id: u64) {}

#[invalidates(action = RecruiterChanged { id: recruiter.0 })]
fn not_async(larder: &Larder, recruiter: (u64,)) {}

#[invalidates("")]
async fn nameless(larder: &Larder) {}

fn main() {}
