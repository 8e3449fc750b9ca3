//! A store outside the process: values come back as bytes, and those of another release are not read.

use larder::store::{
    Answer, Capture, Entry, Forgotten, Frame, Key, Lookup, Put, SharedEntry, StoreError, Strength, Validity,
};
use larder::{FillPolicy, Larder, MemoryStore, Size, Store, Tag, Values};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Keeps what it is given, and hands out only what comes of its bytes, as a store outside the process does.
#[derive(Debug)]
struct Outside(MemoryStore);

impl Outside {
    fn through_bytes(entry: &SharedEntry) -> Lookup {
        let Ok(bytes) = Frame::encode(b"key", entry, b"") else {
            return Lookup::Absent;
        };
        let frame = Frame::decode(&bytes, b"key").expect("what was just written");
        Lookup::Found(frame.entry.into())
    }
}

impl Store for Outside {
    fn name(&self) -> &'static str {
        "outside"
    }

    fn lookup(&self, key: &[u8]) -> Answer<Result<Lookup, StoreError>> {
        match self.0.lookup(key) {
            Answer::Ready(Ok(Lookup::Found(entry))) => Answer::Ready(Ok(Self::through_bytes(&entry))),
            other => other,
        }
    }

    fn capture(&self, tags: &[Tag]) -> Answer<Result<Capture, StoreError>> {
        self.0.capture(tags)
    }

    fn put(&self, key: Key, entry: Entry, capture: Capture) -> Answer<Put> {
        self.0.put(key, entry, capture)
    }

    fn validity(&self, entry: &SharedEntry) -> Answer<Result<Validity, StoreError>> {
        self.0.validity(entry)
    }

    fn forget(&self, tags: &[Tag], strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.0.forget(tags, strength)
    }

    fn forget_everything(&self, strength: Strength) -> Answer<Result<Forgotten, StoreError>> {
        self.0.forget_everything(strength)
    }

    fn size(&self) -> Size {
        self.0.size()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Jar {
    of: String,
    grams: u32,
}

/// The type as another release has it.
mod next {
    use super::{Deserialize, Serialize};

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    pub(super) struct Jar {
        pub(super) of: String,
        #[serde(default)]
        pub(super) grams: u64,
    }
}

fn json<T: Serialize + DeserializeOwned + Send + Sync + 'static>(policy: FillPolicy) -> Values<T> {
    policy.json()
}

fn postcard<T: Serialize + DeserializeOwned + Send + Sync + 'static>(policy: FillPolicy) -> Values<T> {
    policy.postcard()
}

#[tokio::test]
async fn a_value_comes_back_and_that_of_another_release_does_not() {
    let larder = Larder::new(Outside(MemoryStore::with_capacity(1 << 20)));
    let policy = || FillPolicy::new("jars");
    let jar = Jar {
        of: "plums".to_owned(),
        grams: 250,
    };
    for (name, here, there, newer) in [
        (
            "json",
            json::<Jar>(policy()),
            json::<next::Jar>(policy()),
            json::<Jar>(policy().version(1)),
        ),
        (
            "postcard",
            postcard::<Jar>(policy()),
            postcard::<next::Jar>(policy()),
            postcard::<Jar>(policy().version(1)),
        ),
    ] {
        assert!(larder.put(name, &here, jar.clone()).await);
        assert_eq!(larder.get(name, &here).await.as_ref(), Some(&jar), "{name}");
        assert_eq!(
            larder.get(name, &there).await,
            None,
            "{name}: its fields are others"
        );
        assert_eq!(
            larder.get(name, &newer).await,
            None,
            "{name}: its version is another"
        );
    }
    let (json, postcard) = (json::<Jar>(policy()), postcard::<Jar>(policy()));
    larder.put("one", &json, jar.clone()).await;
    assert_eq!(larder.get("one", &postcard).await, None, "its codec is another");
}

#[tokio::test]
async fn what_has_no_bytes_stays_in_the_process() {
    let larder = Larder::new(Outside(MemoryStore::with_capacity(1 << 20)));
    let values: Values<u8> = FillPolicy::new("here").in_process(|_| 1);
    larder.put(1, &values, 1).await;
    assert_eq!(larder.get(1, &values).await, None);
}

/// Counts how often it is written and read.
#[derive(Debug, Clone, PartialEq)]
struct Counted;

static WRITTEN: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

impl Serialize for Counted {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        WRITTEN.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer).map(|()| Self)
    }
}

#[tokio::test]
async fn in_memory_a_value_is_measured_once_and_never_written() {
    let larder = Larder::in_memory(1 << 20);
    let values: Values<Counted> = FillPolicy::new("counted").json();
    larder.put(1, &values, Counted).await;
    for _ in 0..10 {
        assert_eq!(larder.get(1, &values).await, Some(Counted));
    }
    assert_eq!(
        WRITTEN.load(std::sync::atomic::Ordering::SeqCst),
        1,
        "to count its bytes"
    );
}
