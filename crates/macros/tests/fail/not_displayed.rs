use larder::{Action, Tag};

#[derive(Action)]
#[action("team.member.add", forgets("team:{team_id}"))]
struct TeamMemberAdded {
    team_id: Option<u64>,
}

#[derive(Tag)]
#[tag("team:{team_id}")]
struct Team {
    team_id: Vec<u64>,
}

fn main() {}
