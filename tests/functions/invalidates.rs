//! `#[invalidates]` with an action: what happens, in place of the names that it makes stale.

use std::sync::atomic::{AtomicUsize, Ordering};

use larder::{Action, Larder, cached, invalidates};

use crate::support::cache;

#[derive(Action)]
#[action("recruiter.change", forgets("recruiters", "recruiter:{id}"))]
struct RecruiterChanged {
    id: String,
}

#[derive(Action)]
#[action("recruiter.see", forgets("seen:{by}"))]
struct RecruiterSeen<'a> {
    by: &'a str,
}

#[derive(Action)]
#[action("page.change", forgets(prefix("/pages/{name}")))]
struct PageChanged {
    name: String,
}

impl PageChanged {
    fn of(name: String) -> Self {
        Self { name }
    }
}

struct Recruiter {
    id: String,
}

/// How often it ran, for each of the tags.
static RUNS: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

#[cached(tags = ["{tag}"])]
async fn run(larder: &Larder, index: usize, tag: &str) -> usize {
    let _ = tag;
    RUNS[index].fetch_add(1, Ordering::SeqCst) + 1
}

async fn runs(larder: &Larder) -> [usize; 4] {
    [
        run(larder, 0, "recruiters").await,
        run(larder, 1, "recruiter:7").await,
        run(larder, 2, "seen:ada").await,
        run(larder, 3, "list").await,
    ]
}

/// The arguments are the action's and the function's, which takes them apart.
#[invalidates(action = RecruiterChanged { id: recruiter.id }, action = RecruiterSeen { by }, "list")]
async fn save(larder: &Larder, recruiter: Recruiter, by: &str, succeeds: bool) -> Result<String, String> {
    let Recruiter { id } = recruiter;
    if succeeds {
        Ok(format!("{by} {id}"))
    } else {
        Err(id)
    }
}

/// A copy of the argument goes into the action, however it is made.
#[invalidates(action = PageChanged::of(name))]
async fn write(larder: &Larder, mut name: String) -> String {
    name.push('!');
    name
}

struct Repository {
    larder: Larder,
    tenant: String,
}

impl Repository {
    #[invalidates(larder = self.larder, action = RecruiterChanged { id: self.tenant })]
    async fn leave(self) -> Option<String> {
        // Not an `Err`: it succeeded.
        None
    }
}

#[tokio::test]
async fn an_action_forgets_what_it_makes_stale_after_success_alone() {
    let (larder, _) = cache(1 << 20);
    assert_eq!(runs(&larder).await, [1; 4]);
    let recruiter = |id: &str| Recruiter { id: id.to_owned() };
    assert_eq!(
        save(&larder, recruiter("7"), "ada", false).await,
        Err("7".to_owned())
    );
    assert_eq!(runs(&larder).await, [1; 4], "nothing happened");
    assert_eq!(
        save(&larder, recruiter("7"), "ada", true).await,
        Ok("ada 7".to_owned())
    );
    assert_eq!(runs(&larder).await, [2; 4]);
    save(&larder, recruiter("8"), "grace", true).await.unwrap();
    assert_eq!(
        runs(&larder).await,
        [3, 2, 2, 3],
        "another recruiter, seen by another"
    );
    let repository = Repository {
        larder: larder.clone(),
        tenant: "7".to_owned(),
    };
    assert_eq!(repository.leave().await, None);
    assert_eq!(runs(&larder).await, [4, 3, 2, 3]);
}

/// The others are forgotten all the same.
#[tokio::test]
async fn an_action_that_cannot_be_named_is_no_failure_of_the_function() {
    static RAN: AtomicUsize = AtomicUsize::new(0);

    #[cached(tags = ["list"])]
    async fn count(larder: &Larder) -> usize {
        RAN.fetch_add(1, Ordering::SeqCst) + 1
    }

    let (larder, _) = cache(1 << 20);
    assert_eq!(count(&larder).await, 1);
    assert_eq!(write(&larder, "news".to_owned()).await, "news!");
    // A slash would widen the prefix.
    assert_eq!(write(&larder, "../a".to_owned()).await, "../a!");
    let nameless = Recruiter { id: String::new() };
    assert_eq!(save(&larder, nameless, "ada", true).await, Ok("ada ".to_owned()));
    assert_eq!(count(&larder).await, 2);
}

#[tokio::test]
async fn a_function_that_is_dropped_or_panics_forgets_nothing() {
    static RAN: AtomicUsize = AtomicUsize::new(0);

    #[cached(tags = ["recruiters"])]
    async fn count(larder: &Larder) -> usize {
        RAN.fetch_add(1, Ordering::SeqCst) + 1
    }

    #[invalidates("recruiters")]
    async fn never(larder: &Larder) {
        std::future::pending().await
    }

    #[invalidates("recruiters")]
    async fn panics(larder: &Larder) {
        panic!("on purpose");
    }

    let (larder, _) = cache(1 << 20);
    assert_eq!(count(&larder).await, 1);
    tokio::select! {
        biased;
        () = never(&larder) => unreachable!(),
        () = std::future::ready(()) => {}
    }
    let other = larder.clone();
    tokio::spawn(async move { panics(&other).await })
        .await
        .unwrap_err();
    assert_eq!(count(&larder).await, 1);
}
