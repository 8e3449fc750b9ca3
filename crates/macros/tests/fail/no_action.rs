use larder::Larder;

struct TeamMemberAdded;

fn main() {
    let larder = Larder::in_memory(1 << 20);
    let _ = larder.invalidate_for(&TeamMemberAdded);
}
