use larder::Action;

#[derive(Action)]
#[action("team.member.add", forgets("ratings", "team:{team}"))]
struct TeamMemberAdded {
    team_id: u64,
    user: String,
}

fn main() {}
