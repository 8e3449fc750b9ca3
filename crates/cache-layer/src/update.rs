//! What an answer about a stored response makes of it: a 304, or any answer to a HEAD (RFC 9111 §4.3.4, §4.3.5).

use http::{Response, StatusCode, response};
use larder_store::{Strength, Tag, TagKind};

use crate::body::Body;
use crate::cached::Cached;
use crate::fill::Making;
use crate::recipe::now_or_in_background;
use crate::status::UncacheableReason;
use crate::validate;

impl Making {
    /// What becomes of an answer about what was stored before: a 304, or any to a HEAD (RFC 9111 §4.3.4, §4.3.5).
    pub(crate) async fn update<B>(mut self, mut parts: response::Parts, body: B) -> Response<Body<B>>
    where
        B: http_body::Body + Send + 'static,
    {
        let unchanged = self.validating && self.answered == StatusCode::NOT_MODIFIED;
        let before = match self.fill.before.take() {
            Some(before) if unchanged || self.is_confirmed(&before, &parts) => before,
            other => {
                if other.is_some_and(|before| validate::contradicts(before.response(), &parts)) {
                    self.outdated(Strength::Soft);
                }
                return self.pass(parts, Body::passed(body), UncacheableReason::Head);
            }
        };
        let stored = before.response();
        let is_about = validate::is_about(stored, &parts.headers);
        parts.status = stored.status;
        parts.headers = if is_about {
            validate::updated(stored, &parts.headers)
        } else {
            // Asked about the same again it would say the same again: the next request is for the whole.
            self.outdated(Strength::Hard);
            stored.header_map(2)
        };
        let recipe = if is_about {
            self.recipe(&mut parts).map(|mut recipe| {
                validate::keep_tags(&mut recipe.tags, &before.entry().tags);
                recipe
            })
        } else {
            Err(UncacheableReason::Validator)
        };
        match recipe {
            Ok(recipe) => self.keep(parts, recipe, stored.body.clone()).await,
            Err(_) if self.asked.head => self.pass(parts, Body::empty(), UncacheableReason::Head),
            Err(reason) => self.pass(parts, Body::full(stored.body.clone()), reason),
        }
    }

    /// Whether the answer to a HEAD updates what is stored. RFC 9111 asks only that nothing contradicts; but then who
    /// asks often enough keeps an old response for ever.
    fn is_confirmed(&self, before: &Cached, answer: &response::Parts) -> bool {
        let stored = before.response();
        let proved = self.layer.policy.rules.transparent || validate::proves(stored, &answer.headers);
        self.renewable && proved && validate::confirms(stored, answer)
    }

    /// What is stored was contradicted, and is stale, or gone, from now on. Nobody waits for that: whoever comes before it
    /// is done is answered as if this answer had come a little later.
    fn outdated(&self, strength: Strength) {
        let is_target = |tag: &&Tag| tag.kind() == TagKind::Target;
        let target: Vec<Tag> = self.tags.iter().filter(is_target).cloned().collect();
        if !target.is_empty() {
            let engine = self.layer.engine.clone();
            now_or_in_background(self.layer.engine.core(), async move {
                // Where it fails, what is stored ends at its own time, as it would have without this answer.
                let _ = engine.forget(&target, strength).await;
            });
        }
    }
}
