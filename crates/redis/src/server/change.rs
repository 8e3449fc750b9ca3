//! What changes the records: captures, announcements, invalidations and turns, each by a script.

use std::time::Duration;

use larder_store::{StoreError, StoreErrorKind, Strength};
use redis::Script;

use super::answer::{nonsense, strings};
use super::{CHUNK, Captured, Records, Scope, Server};
use crate::failure::{failed, is_full};
use crate::protocol::{Generation, IntentId, Names, RecordId, Scripts, Stamp, Tally, Verdict, fingerprint};

impl Server {
    /// Takes the stamp of a fill, and makes the records that are missing.
    pub(crate) async fn capture(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
    ) -> Result<Captured, StoreError> {
        let mut values = self.run_capture(names, ids, time_to_live, "new", None).await?;
        // Every invalidation changes the sequence; the others are of these tags.
        let Tally(stamp) = Tally::parse(&values.remove(1).unwrap_or_default()).ok_or_else(nonsense)?;
        let fingerprint = fingerprint(values.iter().flatten().map(Vec::as_slice));
        Ok(Captured {
            stamp,
            fingerprint,
            is_valid: self.judge(stamp, &Records(values)) == Verdict::Valid,
        })
    }

    /// Makes the records of tags that only the response named, and says whether an entry with them and `stamp` is valid.
    pub(crate) async fn adopt(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
        stamp: Stamp,
    ) -> Result<Verdict, StoreError> {
        let mut values = self.run_capture(names, ids, time_to_live, "last", None).await?;
        values.remove(1);
        Ok(self.judge(stamp, &Records(values)))
    }

    async fn run_capture(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
        missing: &str,
        intent: Option<(IntentId, Duration)>,
    ) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let generation = random().map(Generation)?;
        let mut call = self.scripts.capture.prepare_invoke();
        call.key(names.root()).key(names.sequence());
        for id in ids {
            call.key(names.record(*id));
        }
        call.arg(&*self.life)
            .arg(&generation.0[..])
            .arg(millis(time_to_live))
            .arg(missing);
        if let Some((id, lasts)) = intent {
            call.arg(&id.0[..]).arg(millis(lasts));
        }
        let answer = call.invoke_async(&mut self.wire.clone()).await.map_err(failed)?;
        let values = strings(answer)?;
        if values.len() == ids.len() + 2 || missing == "last" && values.len() == 2 {
            Ok(values)
        } else {
            Err(nonsense())
        }
    }

    /// Announces a change of what these records stand for: until it is finished, or `lasts` is over, no entry with one of
    /// them is valid.
    pub(crate) async fn announce(
        &self,
        names: &Names,
        ids: &[RecordId],
        time_to_live: Duration,
        intent: (IntentId, Duration),
    ) -> Result<(), StoreError> {
        for ids in ids.chunks(CHUNK) {
            let ttl = time_to_live.max(intent.1 * 2);
            self.run_capture(names, ids, ttl, "new", Some(intent)).await?;
        }
        Ok(())
    }

    /// Forgets, and answers how many of the tags had a record.
    pub(crate) async fn forget(
        &self,
        names: &Names,
        scope: &Scope,
        strength: Strength,
        intent: Option<IntentId>,
    ) -> Result<usize, StoreError> {
        let Scope::Records(ids) = scope else {
            return self.run_forget(names, &[], strength, true, None).await;
        };
        let mut known = 0;
        for ids in ids.chunks(CHUNK) {
            known += self.run_forget(names, ids, strength, false, intent).await?;
        }
        Ok(known)
    }

    async fn run_forget(
        &self,
        names: &Names,
        ids: &[RecordId],
        strength: Strength,
        everything: bool,
        intent: Option<IntentId>,
    ) -> Result<usize, StoreError> {
        let mut call = self.scripts.forget.prepare_invoke();
        call.key(names.root()).key(names.sequence());
        for id in ids {
            call.key(names.record(*id));
        }
        call.arg(&*self.life)
            .arg(strength.as_str())
            .arg(if everything { "everything" } else { "" });
        if let Some(id) = intent {
            call.arg(&id.0[..]);
        }
        match call.invoke_async(&mut self.wire.clone()).await {
            Ok(known) => Ok(known),
            Err(error) if is_full(&error) => {
                // Which deletes nothing but forgets everything, and takes no memory.
                let mut delete = redis::cmd("DEL");
                delete.arg(names.root());
                let deleted = delete.query_async(&mut self.wire.clone()).await;
                deleted.map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Takes the turn to make what is called `id`; else answers for how long another has it.
    pub(crate) async fn take_turn(
        &self,
        names: &Names,
        id: u128,
        token: [u8; 16],
        lasts: Duration,
    ) -> Result<Option<Duration>, StoreError> {
        let mut call = self.scripts.take_turn.prepare_invoke();
        call.key(names.turn(id)).arg(&token[..]).arg(millis(lasts));
        let left: i64 = call.invoke_async(&mut self.wire.clone()).await.map_err(failed)?;
        Ok(u64::try_from(left).ok().map(Duration::from_millis))
    }

    /// Has the turn last for so long from now, if it is still that of `token`.
    pub(crate) async fn renew_turn(
        &self,
        names: &Names,
        id: u128,
        token: [u8; 16],
        lasts: Duration,
    ) -> Result<(), StoreError> {
        let mut call = self.scripts.renew_turn.prepare_invoke();
        call.key(names.turn(id)).arg(&token[..]).arg(millis(lasts));
        call.invoke_async(&mut self.wire.clone()).await.map_err(failed)
    }

    /// Ends the turn, if it is still that of `token`, and tells those who wait.
    pub(crate) async fn end_turn(
        &self,
        names: &Names,
        id: u128,
        token: [u8; 16],
        message: [u8; 17],
    ) -> Result<(), StoreError> {
        let mut call = self.scripts.end_turn.prepare_invoke();
        call.key(names.turn(id)).arg(&token[..]);
        call.arg(names.turns()).arg(&message[..]);
        call.invoke_async(&mut self.wire.clone()).await.map_err(failed)
    }

    /// Has the server learn the scripts, so that their first calls need no detour.
    pub(crate) async fn teach(&self) -> Result<(), StoreError> {
        let Scripts {
            capture,
            forget,
            take_turn,
            renew_turn,
            end_turn,
        } = &self.scripts;
        for script in [capture, forget, take_turn, renew_turn, end_turn] {
            self.load(script).await?;
        }
        Ok(())
    }

    async fn load(&self, script: &Script) -> Result<(), StoreError> {
        let loaded = script.load_async(&mut self.wire.clone()).await;
        loaded.map(drop).map_err(failed)
    }
}

pub(crate) fn random() -> Result<[u8; 16], StoreError> {
    let mut bytes = [0; 16];
    let none = |error: getrandom::Error| StoreError::new(StoreErrorKind::Unavailable, error.to_string());
    getrandom::fill(&mut bytes).map_err(none)?;
    Ok(bytes)
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 12)
}
