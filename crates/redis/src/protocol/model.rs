//! The protocol in every order of its steps, with every fault at every moment: nothing stale is ever valid.
//!
//! Two keys, two tags, three nodes that fill and write. All entries that were ever made are kept, wherever they may be: on
//! the server, in the memory of any node, in a snapshot; and in each state each of them is judged by [`judge`], the function
//! that decides in production. It may be valid only if it shows all that completed invalidations made known. The changes of
//! the records are those of [`Table`], which the differential test holds to the scripts.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use super::record::{Generation, INTENT, IntentId, Record, Root, Stamp, Tally};
use super::table::{Forget, Missing, Table, bytes};
use super::{Verdict, fingerprint, judge};

const TAGS: usize = 2;
const NODES: usize = 3;

/// What is wrong with the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// The stamp is taken when the fill is stored (a version read at store time; a time at the end of the load).
    StampAtStore,
    /// A record that is missing forbids nothing (a marker that is evicted).
    MissingIsValid,
    /// A lost counter begins again at one, in the same generation (`INCR`).
    CounterRestarts,
    /// A root that is lost is made again with the generation of before.
    GenerationComesBack,
    /// The process of the server is not asked for (a restart from a snapshot; the promotion of a replica).
    AnyProcess,
    /// The number is taken in one step and written in another.
    TornInvalidation,
    /// The record of a tag that only the response named is made under the number that the fill captured.
    MadeAtCaptured,
    /// The server is full, and an invalidation that it refused is taken for done.
    FullIsIgnored,
    /// The server is full, and the tag's record is deleted, but not the root.
    FullDeletesTheTagAlone,
    /// A soft invalidation writes the field of the hard one, with a mark that it is soft.
    SoftOverHard,
    /// An invalidation throws the announcements of others away.
    IntentsOverwritten,
    /// An announcement that is past its deadline is forgotten without a number.
    IntentExpiresSilently,
    /// The change goes on when its announcement is past its deadline.
    IntentOutlived,
    /// A 304 gives the entry the stamps of its arrival.
    FreshenedOnArrival,
    /// A request joins a fill by its key, whatever stamps it saw.
    JoinsByKey,
    /// An invalidation is stamped by a clock that is behind: no later than what was captured before.
    ClockBehind,
    /// There are no stamps: an entry is listed under its tags, and an invalidation deletes what is listed.
    Listed(Order),
}

/// In what order an entry is kept and listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    KeptFirst,
    ListedFirst,
    AtOnce,
}

/// What a world is made of.
#[derive(Debug, Clone, Copy, Default)]
struct Scenario {
    /// What each node fills: the tags that are known before, and those that the response names.
    fills: [Option<(&'static [usize], &'static [usize])>; NODES],
    /// What each node writes: the tags whose data change and are forgotten.
    writes: [Option<(&'static [usize], How)>; NODES],
    /// A node's fill validates an entry that is there instead of making one.
    freshens: bool,
    /// A request that waits for the first node's fill.
    waits: bool,
    /// Each at most once.
    loses_root: bool,
    loses_sequence: bool,
    loses_tags: bool,
    goes_back: bool,
    fills_up: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Hard,
    /// Softly, without a change of the data.
    Soft,
    Everything,
    /// Announced, changed, finished; or the writer dies between.
    Announced,
}

/// What is at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    table: Table,
    snapshot: Option<Table>,
    run: u8,
    generations: u8,
    full: bool,
    /// The data, and what completed invalidations made known: one version for each tag.
    data: [u8; TAGS],
    floor: [u8; TAGS],
    fills: [Fill; NODES],
    writes: [Write; NODES],
    entries: Vec<Entry>,
    /// By tag, where there are no stamps.
    listed: [Vec<Entry>; TAGS],
    waiter: Waiter,
    left: Left,
}

/// Faults that may happen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Left {
    root: bool,
    sequence: bool,
    tags: [bool; TAGS],
    back: bool,
    full: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Fill {
    step: u8,
    stamp: Option<Stamp>,
    fingerprint: u64,
    body: [u8; TAGS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Write {
    step: u8,
    /// A number that was taken and is not written yet.
    taken: Option<Stamp>,
    dead: bool,
    /// The version that it made of each tag.
    made: [u8; TAGS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Entry {
    stamp: Stamp,
    /// A mark for each tag.
    tags: [bool; TAGS],
    body: [u8; TAGS],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Waiter {
    step: u8,
    fingerprint: u64,
    floor: [u8; TAGS],
    answer: Option<[u8; TAGS]>,
}

/// Who took a step, and which.
type Step = (usize, &'static str);

/// The steps that led to a world, the last first.
struct Path(Step, Option<Rc<Path>>);

impl Path {
    fn told(&self) -> String {
        let (who, what) = self.0;
        let before = self.1.as_ref().map(|before| format!("{}, ", before.told()));
        format!("{}{who} {what}", before.unwrap_or_default())
    }
}

/// What a search came to.
#[derive(Debug, Default)]
struct Found {
    states: usize,
    stale: Option<String>,
    /// A valid entry that shows a change.
    fresh: usize,
    /// An entry that was overtaken before it was stored.
    born_dead: usize,
}

struct Model {
    scenario: Scenario,
    flaw: Flaw,
}

impl Model {
    fn start(&self) -> World {
        let scenario = self.scenario;
        World {
            table: Table {
                tags: vec![None; TAGS],
                now: 10,
                ..Table::default()
            },
            snapshot: None,
            run: 1,
            generations: 0,
            full: false,
            data: [0; TAGS],
            floor: [0; TAGS],
            fills: [Fill::default(); NODES],
            writes: [Write::default(); NODES],
            entries: Vec::new(),
            listed: Default::default(),
            waiter: Waiter::default(),
            left: Left {
                root: scenario.loses_root,
                sequence: scenario.loses_sequence,
                tags: [scenario.loses_tags; TAGS],
                back: scenario.goes_back,
                full: scenario.fills_up,
            },
        }
    }

    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// All worlds that can come next, and what happened.
    fn next(&self, world: &World) -> Vec<(Step, World)> {
        let mut all = Vec::new();
        for node in 0..NODES {
            self.fill(world, node, &mut all);
            self.write(world, node, &mut all);
        }
        self.wait(world, &mut all);
        self.faults(world, &mut all);
        all
    }

    fn capture(
        &self,
        world: &mut World,
        tags: &[usize],
        intent: Option<(IntentId, u64)>,
    ) -> Option<(Stamp, u64)> {
        if world.full {
            return None;
        }
        let run = [world.run];
        // Only what makes a generation takes a name.
        let fresh = world.table.generation(&run).is_none();
        world.generations += u8::from(fresh && !self.is(Flaw::GenerationComesBack));
        let generation = Generation([world.generations; 16]);
        if self.is(Flaw::IntentExpiresSilently) {
            forget_expired(&mut world.table);
        }
        if self.is(Flaw::CounterRestarts)
            && let (Some(root), None) = (
                world.table.root.as_deref().and_then(Root::parse),
                &world.table.seq,
            )
        {
            world.table.seq = Some(
                Stamp {
                    generation: root.generation,
                    sequence: 1,
                }
                .to_bytes()
                .to_vec(),
            );
        }
        let values = world.table.capture(tags, &run, generation, Missing::New, intent);
        let Tally(stamp) = Tally::parse(values[1].as_deref()?)?;
        let records = values.iter().enumerate().filter(|(at, _)| *at != 1);
        Some((
            stamp,
            fingerprint(records.filter_map(|(_, value)| value.as_deref())),
        ))
    }

    /// Capture, read the data of one tag after the other, adopt what the response named, store.
    fn fill(&self, world: &World, node: usize, all: &mut Vec<(Step, World)>) {
        let Some((known, named)) = self.scenario.fills[node] else {
            return;
        };
        let mut next = world.clone();
        let fill = world.fills[node];
        let what = match fill.step {
            0 => {
                let Some((stamp, print)) = self.capture(&mut next, known, None) else {
                    return;
                };
                next.fills[node].stamp = Some(stamp);
                next.fills[node].fingerprint = print;
                "captures"
            }
            step @ 1..=2 => {
                let tag = usize::from(step) - 1;
                next.fills[node].body[tag] = world.data[tag];
                "reads"
            }
            3 => {
                self.store(&mut next, node, known, named);
                "stores"
            }
            4 if matches!(self.flaw, Flaw::Listed(Order::KeptFirst | Order::ListedFirst)) => {
                self.store(&mut next, node, known, named);
                "stores the rest"
            }
            _ => return,
        };
        next.fills[node].step += 1;
        all.push(((node, what), next));
    }

    /// The first node makes the entry, and the others validate it.
    fn freshens(&self, node: usize) -> bool {
        self.scenario.freshens && node > 0
    }

    fn store(&self, world: &mut World, node: usize, known: &[usize], named: &[usize]) {
        let fill = world.fills[node];
        let Some(mut stamp) = fill.stamp else { return };
        let run = [world.run];
        let again = self.is(Flaw::StampAtStore) || self.is(Flaw::FreshenedOnArrival) && self.freshens(node);
        if again && let Some((now, _)) = self.capture(world, known, None) {
            stamp = now;
        }
        let mut body = fill.body;
        if self.freshens(node) {
            // The origin says 304 where what is there is the response; what is kept is the old body.
            let Some(entry) = world.entries.first() else {
                return;
            };
            if entry.body != fill.body {
                return;
            }
            body = entry.body;
        }
        if !named.is_empty() && !world.full {
            for tag in named {
                if self.is(Flaw::MadeAtCaptured) && world.table.tags[*tag].is_none() {
                    world.table.tags[*tag] = Some(bytes(stamp.generation, stamp.sequence, 0, &[]));
                }
            }
            let fresh = Generation([0; 16]);
            world.table.capture(named, &run, fresh, Missing::Last, None);
        }
        let mut tags = [false; TAGS];
        for tag in known.iter().chain(named) {
            tags[*tag] = true;
        }
        let entry = Entry { stamp, tags, body };
        let (keeps, lists) = match self.flaw {
            Flaw::Listed(Order::KeptFirst) => (fill.step == 3, fill.step == 4),
            Flaw::Listed(Order::ListedFirst) => (fill.step == 4, fill.step == 3),
            Flaw::Listed(Order::AtOnce) => (true, true),
            _ => (true, false),
        };
        if keeps && !world.entries.contains(&entry) {
            world.entries.push(entry);
        }
        for tag in (0..TAGS).filter(|tag| lists && tags[*tag]) {
            world.listed[tag].push(entry);
        }
    }

    /// Change the data, forget, say so.
    fn write(&self, world: &World, node: usize, all: &mut Vec<(Step, World)>) {
        let Some((tags, how)) = self.scenario.writes[node] else {
            return;
        };
        let write = world.writes[node];
        if write.dead {
            return;
        }
        let mut next = world.clone();
        next.writes[node].step += 1;
        let what = match (write.step, how) {
            (0, How::Announced) => {
                let id = IntentId([node as u8 + 1; 16]);
                if self.capture(&mut next, tags, Some((id, 5))).is_none() {
                    return;
                }
                "announces"
            }
            (1, How::Announced) | (0, _) => {
                // Who changes after the deadline has nobody to blame but the bound of its transaction.
                if how == How::Announced && !self.is(Flaw::IntentOutlived) && world.table.now > 10 {
                    return;
                }
                for tag in tags {
                    next.data[*tag] += u8::from(how != How::Soft);
                    next.writes[node].made[*tag] = next.data[*tag];
                }
                "changes"
            }
            (2, How::Announced) | (1, _) => {
                if !self.forget(&mut next, node, tags, how) {
                    next.writes[node].step -= 1;
                    all.push(((node, "takes a number"), next));
                    return;
                }
                "forgets"
            }
            (3, How::Announced) | (2, _) => {
                for tag in tags {
                    if how != How::Soft {
                        next.floor[*tag] = next.floor[*tag].max(write.made[*tag]);
                    }
                }
                "is done"
            }
            _ => return,
        };
        all.push(((node, what), next));
        if how == How::Announced && write.step == 2 {
            // Dies with its change made and not forgotten; what it announced makes that known in the end.
            let mut dead = world.clone();
            dead.writes[node].dead = true;
            all.push(((node, "dies"), dead));
        }
    }

    /// Whether the invalidation is complete, and not just begun.
    fn forget(&self, world: &mut World, node: usize, tags: &[usize], how: How) -> bool {
        let run = [world.run];
        if world.full {
            if self.is(Flaw::FullDeletesTheTagAlone) {
                for tag in tags {
                    world.table.tags[*tag] = None;
                }
            } else if !self.is(Flaw::FullIsIgnored) {
                world.table.root = None;
            }
            return true;
        }
        if self.is(Flaw::TornInvalidation) {
            return torn(world, node, tags);
        }
        if matches!(self.flaw, Flaw::Listed(_)) {
            let listed: Vec<Entry> = tags
                .iter()
                .flat_map(|tag| std::mem::take(&mut world.listed[*tag]))
                .collect();
            world.entries.retain(|entry| !listed.contains(entry));
            return true;
        }
        if self.is(Flaw::CounterRestarts)
            && let (Some(root), None) = (
                world.table.root.as_deref().and_then(Root::parse),
                &world.table.seq,
            )
        {
            let began = Stamp {
                generation: root.generation,
                sequence: 0,
            };
            world.table.seq = Some(began.to_bytes().to_vec());
        }
        let everything = how == How::Everything;
        let intent = (how == How::Announced).then_some(IntentId([node as u8 + 1; 16]));
        let tags = if everything { &[][..] } else { tags };
        let hard = how != How::Soft;
        world.table.forget(
            &run,
            Forget {
                tags,
                hard,
                everything,
                intent,
            },
        );
        for tag in tags {
            let Some(record) = world.table.tags[*tag].clone() else {
                continue;
            };
            let Some(record) = Record::parse(&record) else {
                continue;
            };
            if self.is(Flaw::IntentsOverwritten) {
                world.table.tags[*tag] = Some(bytes(record.generation, record.hard, record.soft, &[]));
            }
            if self.is(Flaw::ClockBehind) {
                let behind = record.hard.saturating_sub(1);
                world.table.tags[*tag] = Some(bytes(record.generation, behind, record.soft, record.intents));
            }
            if self.is(Flaw::SoftOverHard) && !hard {
                // One number, and a mark that it is of a soft one.
                world.table.tags[*tag] = Some(bytes(record.generation, 0, record.soft, record.intents));
            }
        }
        true
    }

    /// A request that comes at some time, and takes what the first node's fill makes.
    fn wait(&self, world: &World, all: &mut Vec<(Step, World)>) {
        let (Some((known, _)), true) = (self.scenario.fills[0], self.scenario.waits) else {
            return;
        };
        let mut next = world.clone();
        let (fill, waiter) = (world.fills[0], world.waiter);
        match waiter.step {
            0 => {
                let Some((_, print)) = self.capture(&mut next, known, None) else {
                    return;
                };
                (next.waiter.fingerprint, next.waiter.floor) = (print, world.floor);
            }
            1 => {
                let joins = fill.stamp.is_some()
                    && (self.is(Flaw::JoinsByKey) || waiter.fingerprint == fill.fingerprint);
                if !joins {
                    return;
                }
            }
            2 if fill.step == 4 => next.waiter.answer = Some(fill.body),
            _ => return,
        }
        next.waiter.step += 1;
        all.push(((0, "has a waiter that goes on"), next));
    }

    fn faults(&self, world: &World, all: &mut Vec<(Step, World)>) {
        let mut add = |what: &'static str, change: &dyn Fn(&mut World)| {
            let mut next = world.clone();
            change(&mut next);
            all.push(((NODES, what), next));
        };
        if world.left.root {
            add("the root is lost", &|next| {
                (next.table.root, next.left.root) = (None, false);
            });
        }
        if world.left.sequence {
            add("the sequence is lost", &|next| {
                (next.table.seq, next.left.sequence) = (None, false);
            });
        }
        for tag in 0..TAGS {
            if world.left.tags[tag] {
                add("a tag is lost", &|next| {
                    (next.table.tags[tag], next.left.tags[tag]) = (None, false);
                });
            }
        }
        if world.left.back {
            match &world.snapshot {
                None => add("a snapshot is made", &|next| {
                    next.snapshot = Some(next.table.clone());
                }),
                Some(old) => add("the server goes back", &|next| {
                    next.table = old.clone();
                    (next.run, next.left.back) = (next.run + 1, false);
                }),
            }
        }
        if world.left.full {
            add("the server is full", &|next| {
                (next.full, next.left.full) = (true, false);
            });
        } else if world.full {
            add("there is room again", &|next| next.full = false);
        }
        if world.table.now == 10
            && self
                .scenario
                .writes
                .iter()
                .flatten()
                .any(|(_, how)| *how == How::Announced)
        {
            add("the deadlines pass", &|next| next.table.now = 20);
        }
    }

    /// What the records say of an entry.
    fn verdict(&self, world: &World, entry: &Entry) -> Verdict {
        if matches!(self.flaw, Flaw::Listed(_)) {
            return Verdict::Valid;
        }
        let root = world.table.root.as_deref();
        let of_root = root.and_then(Root::parse).map(|root| root.run_id.to_vec());
        let run = if self.is(Flaw::AnyProcess) {
            of_root.unwrap_or_default()
        } else {
            vec![world.run]
        };
        let carried = (0..TAGS)
            .filter(|tag| entry.tags[*tag])
            .map(|tag| world.table.tags[tag].as_deref());
        if self.is(Flaw::MissingIsValid) {
            return judge(entry.stamp, &run, root, carried.filter(Option::is_some));
        }
        judge(entry.stamp, &run, root, carried)
    }

    fn is_stale(&self, world: &World, found: &mut Found) -> bool {
        let late = |body: [u8; TAGS], tags: [bool; TAGS], floor: [u8; TAGS]| {
            (0..TAGS).any(|tag| tags[tag] && body[tag] < floor[tag])
        };
        for entry in &world.entries {
            let verdict = self.verdict(world, entry);
            // Soft is served too, where the policy allows it.
            let served = matches!(verdict, Verdict::Valid | Verdict::Soft);
            let mut floor = world.floor;
            for (node, write) in world.writes.iter().enumerate() {
                // Once the deadline has passed, what a dead writer changed must be seen as well.
                if write.dead
                    && world.table.now > 10
                    && let Some((tags, _)) = self.scenario.writes[node]
                {
                    tags.iter()
                        .for_each(|tag| floor[*tag] = floor[*tag].max(write.made[*tag]));
                }
            }
            if served && late(entry.body, entry.tags, floor) {
                return true;
            }
            found.fresh +=
                usize::from(verdict == Verdict::Valid && entry.body.iter().any(|version| *version > 0));
            found.born_dead += usize::from(verdict == Verdict::Forgotten);
        }
        let waiter = world.waiter;
        waiter
            .answer
            .is_some_and(|body| late(body, [true; TAGS], waiter.floor))
    }

    fn search(&self) -> Found {
        let mut found = Found::default();
        let mut seen = HashSet::new();
        let mut stack: Vec<(World, Option<Rc<Path>>)> = vec![(self.start(), None)];
        while let Some((world, path)) = stack.pop() {
            let mut hasher = DefaultHasher::new();
            world.hash(&mut hasher);
            if !seen.insert(hasher.finish()) {
                continue;
            }
            found.states += 1;
            if self.is_stale(&world, &mut found) {
                found.stale = Some(path.map(|path| path.told()).unwrap_or_default());
                return found;
            }
            for (step, next) in self.next(&world) {
                stack.push((next, Some(Rc::new(Path(step, path.clone())))));
            }
        }
        found
    }
}

fn torn(world: &mut World, node: usize, tags: &[usize]) -> bool {
    match world.writes[node].taken {
        None => {
            let Some((generation, last)) = world.table.generation(&[world.run]) else {
                world.table.root = None;
                return true;
            };
            let stamp = Stamp {
                generation,
                sequence: last + 1,
            };
            world.table.seq = Some(stamp.to_bytes().to_vec());
            world.writes[node].taken = Some(stamp);
            false
        }
        Some(stamp) => {
            for tag in tags {
                if world.table.tags[*tag].is_some() {
                    world.table.tags[*tag] = Some(bytes(stamp.generation, stamp.sequence, 0, &[]));
                }
            }
            true
        }
    }
}

fn forget_expired(table: &mut Table) {
    let now = table.now.to_be_bytes();
    for tag in table.tags.iter_mut().flatten() {
        let open: Vec<u8> = tag[32..]
            .chunks(INTENT)
            .filter(|one| one[16..] > now[..])
            .flatten()
            .copied()
            .collect();
        tag.truncate(32);
        tag.extend(open);
    }
}

const A: &[usize] = &[0];
const B: &[usize] = &[1];
const AB: &[usize] = &[0, 1];

/// Races of fills and invalidations, with tags known before and after, and everything forgotten in between.
const RACES: Scenario = Scenario {
    fills: [Some((A, B)), Some((AB, &[])), None],
    writes: [None, Some((A, How::Hard)), Some((AB, How::Everything))],
    ..NOTHING
};
const NOTHING: Scenario = Scenario {
    fills: [None; NODES],
    writes: [None; NODES],
    freshens: false,
    waits: false,
    loses_root: false,
    loses_sequence: false,
    loses_tags: false,
    goes_back: false,
    fills_up: false,
};
/// Two writers of one tag, which only the response names.
const WRITERS: Scenario = Scenario {
    fills: [Some((A, B)), None, Some((A, B))],
    writes: [Some((B, How::Hard)), Some((B, How::Hard)), None],
    ..NOTHING
};
const LOSSES: Scenario = Scenario {
    fills: [Some((A, B)), None, Some((A, &[]))],
    writes: [None, Some((B, How::Hard)), None],
    loses_root: true,
    loses_sequence: true,
    loses_tags: true,
    ..NOTHING
};
const BACK: Scenario = Scenario {
    fills: [Some((A, B)), Some((AB, &[])), None],
    writes: [None, Some((A, How::Hard)), None],
    goes_back: true,
    ..NOTHING
};
const FULL: Scenario = Scenario {
    fills: [Some((A, B)), Some((A, B)), None],
    writes: [None, None, Some((B, How::Hard))],
    fills_up: true,
    loses_tags: true,
    ..NOTHING
};
const SOFT: Scenario = Scenario {
    fills: [Some((A, B)), None, None],
    writes: [None, Some((B, How::Hard)), Some((B, How::Soft))],
    ..NOTHING
};
const ANNOUNCED: Scenario = Scenario {
    fills: [Some((A, &[])), None, None],
    writes: [Some((A, How::Announced)), Some((A, How::Announced)), None],
    ..NOTHING
};
/// A writer that dies, and a fill before and after.
const DYING: Scenario = Scenario {
    fills: [Some((A, &[])), Some((A, &[])), None],
    writes: [None, None, Some((A, How::Announced))],
    ..NOTHING
};
/// An announcement and an invalidation that knows nothing of it.
const BESIDE: Scenario = Scenario {
    fills: [Some((A, &[])), None, None],
    writes: [Some((A, How::Announced)), None, Some((A, How::Soft))],
    ..NOTHING
};
const FRESHENING: Scenario = Scenario {
    freshens: true,
    fills: [Some((A, &[])), Some((A, &[])), None],
    writes: [None, None, Some((A, How::Hard))],
    ..NOTHING
};
/// One fill, one invalidation.
const ALONE: Scenario = Scenario {
    fills: [Some((A, &[])), None, None],
    writes: [None, Some((A, How::Hard)), None],
    ..NOTHING
};
const WAITING: Scenario = Scenario {
    fills: [Some((AB, &[])), None, None],
    writes: [None, Some((A, How::Hard)), Some((B, How::Hard))],
    waits: true,
    ..NOTHING
};

fn holds(name: &str, scenario: Scenario) {
    let found = Model {
        scenario,
        flaw: Flaw::None,
    }
    .search();
    println!(
        "{name}: {} states, {} fresh hits, {} dead entries",
        found.states, found.fresh, found.born_dead
    );
    assert_eq!(found.stale, None, "{name}");
    assert!(
        found.fresh > 0,
        "{name}: a cache that never hits keeps any promise"
    );
    assert!(found.born_dead > 0, "{name}: no fill was overtaken");
}

#[test]
fn nothing_stale_is_valid_in_any_order_of_steps_and_faults() {
    for (name, scenario) in [
        ("races", RACES),
        ("two writers", WRITERS),
        ("losses", LOSSES),
        ("back in time", BACK),
        ("full", FULL),
        ("soft", SOFT),
        ("announced", ANNOUNCED),
        ("announced, and dies", DYING),
        ("announced, and another", BESIDE),
        ("freshening", FRESHENING),
        ("one fill, one invalidation", ALONE),
        ("waiting", WAITING),
    ] {
        holds(name, scenario);
    }
}

/// Each flaw that others have, or that looks right, must be found by the search: what does not find it proves nothing.
#[test]
fn each_flaw_is_found() {
    for (flaw, scenario) in [
        (Flaw::StampAtStore, RACES),
        (Flaw::MissingIsValid, LOSSES),
        (Flaw::CounterRestarts, LOSSES),
        (Flaw::GenerationComesBack, LOSSES),
        (Flaw::AnyProcess, BACK),
        (Flaw::TornInvalidation, WRITERS),
        (Flaw::MadeAtCaptured, LOSSES),
        (Flaw::FullIsIgnored, FULL),
        (Flaw::FullDeletesTheTagAlone, FULL),
        (Flaw::SoftOverHard, SOFT),
        (Flaw::IntentsOverwritten, BESIDE),
        (Flaw::IntentExpiresSilently, DYING),
        (Flaw::IntentOutlived, BESIDE),
        (Flaw::FreshenedOnArrival, FRESHENING),
        (Flaw::JoinsByKey, WAITING),
        (Flaw::ClockBehind, ALONE),
        (Flaw::Listed(Order::KeptFirst), ALONE),
        (Flaw::Listed(Order::ListedFirst), ALONE),
        (Flaw::Listed(Order::AtOnce), ALONE),
    ] {
        let found = Model { scenario, flaw }.search();
        let path = found
            .stale
            .unwrap_or_else(|| panic!("{flaw:?} was not found in {} states", found.states));
        println!("{flaw:?}: {path}");
    }
}
