//! How the response of a fill is kept: judged by its head, then whole, or copied while it is passed on.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Response, response};
use larder_store::Tag;

use crate::admit;
use crate::body::{Body, Copy};
use crate::fill::{Making, Mode};
use crate::freshness::{self, Admission, Load};
use crate::headers;
use crate::hide::varies_by_hidden;
use crate::hints::CacheHints;
use crate::metrics::rare;
use crate::recipe::{Recipe, Searched, now_or_in_background};
use crate::status::{Outcome, UncacheableReason};
use crate::{groups, key, search};

impl Making {
    /// How the response is to be kept, if it may be as far as its head tells.
    pub(crate) fn recipe(&self, parts: &mut response::Parts) -> Result<Recipe, UncacheableReason> {
        let hints = parts.extensions.remove::<CacheHints>().unwrap_or_default();
        let hints = hints.settled(&self.layer.engine.core().ttls);
        let (policy, authorized) = (&self.layer.policy, self.asked.authorized);
        let capture = self.fill.capture.clone().ok_or(UncacheableReason::StoreError)?;
        let headers = &parts.headers;
        let admitted = admit::response(parts.status, headers, hints, policy, self.shared, authorized)?;
        let load = Load {
            began: self.began,
            ended: self.layer.engine.core().clock.now(),
        };
        let admission = Admission {
            status: parts.status,
            headers,
            admitted: &admitted,
            policy,
            shared: self.shared,
            load,
        };
        let lifetime = freshness::lifetime(&admission, fastrand::f64())?;
        if let Some(error) = &self.unfilled {
            // Not to be overlooked: the layer keeps nothing of this route.
            let cache = &*policy.name;
            tracing::error!(cache, url.path = self.path, %error, "a tag has no value, so the response is not kept");
            return Err(UncacheableReason::UnresolvedTag);
        }
        let mut tags = self.tags.clone();
        let left_out = admit::left_out(&admitted.directives, policy);
        tags.extend(admitted.hints.tags);
        if policy.rules.groups {
            let groups = groups::groups(headers).map_err(|_| UncacheableReason::Groups)?;
            tags.extend(groups.iter().map(|group| Tag::group(&self.origin, group)));
        }
        let searched = self.searched(headers);
        let primary = match &searched {
            None => self.fill.primary.clone(),
            Some(searched) => {
                tags.push(Tag::searches(&self.origin, &self.path));
                tags.push(Tag::all_searches(&self.path));
                searched.key.clone()
            }
        };
        let names = key::varied_by(headers, policy);
        if varies_by_hidden(&names, policy) {
            return Err(UncacheableReason::HiddenVary);
        }
        let key = if names.is_empty() {
            primary.clone()
        } else {
            key::of_variant(primary.as_bytes(), &names, &self.headers, policy)
                .as_slice()
                .into()
        };
        Ok(Recipe {
            layer: Arc::clone(&self.layer),
            asked: self.fill.primary.clone(),
            primary,
            searched,
            left_out,
            key,
            names,
            tags,
            lifetime,
            capture,
        })
    }

    /// Which other queries the response answers, and the key for all of them.
    fn searched(&self, headers: &HeaderMap) -> Option<Searched> {
        let search = self.search.as_ref()?;
        let variance = search::variance(headers)?;
        let key = key::of_search(search.path.as_bytes(), &variance, search.query.as_deref());
        Some(Searched {
            path: search.path.clone(),
            variance,
            key: key.as_slice().into(),
        })
    }

    /// Keeps a response whose body is complete, and answers with it.
    pub(crate) async fn keep<B: http_body::Body>(
        mut self,
        parts: response::Parts,
        recipe: Recipe,
        body: Bytes,
    ) -> Response<Body<B>> {
        let layer = Arc::clone(&self.layer);
        let left_out = recipe.left_out.clone();
        let (entry, kept) = recipe.keep(&parts, body, self.leader.take()).await;
        let now = layer.engine.core().clock.now();
        let status = self.status(self.answered);
        let made = if self.answered == parts.status && !self.asked.head {
            Outcome::Miss
        } else {
            Outcome::Revalidated
        };
        let (outcome, status) = match UncacheableReason::of(kept) {
            None => (made, status.stored().ttl(&entry.entry().lifetime, now)),
            Some(reason) => (Outcome::Uncacheable, self.uncacheable(status, reason)),
        };
        if self.mode == Mode::Background {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = parts.status;
            return response;
        }
        let mut response = layer.answer(&entry, self.asker(), now, outcome, &status);
        headers::after_others(response.headers_mut(), &parts.headers);
        // What is not kept is for the one whose request it answers.
        for name in left_out {
            for value in parts.headers.get_all(&name) {
                response.headers_mut().append(name.clone(), value.clone());
            }
        }
        // What the handler told the layers around goes on, this time: the handler ran.
        *response.extensions_mut() = parts.extensions;
        response
    }

    /// Passes the body on chunk by chunk, while a copy is taken.
    pub(crate) fn copy<B: http_body::Body>(
        mut self,
        mut parts: response::Parts,
        recipe: Recipe,
        body: B,
    ) -> Response<Body<B>> {
        let policy = &self.layer.policy;
        // What is kept is the handler's word alone: the layer's own is said anew of each answer.
        let mut head = Response::new(());
        *head.status_mut() = parts.status;
        head.headers_mut().clone_from(&parts.headers);
        let (head, ()) = head.into_parts();
        headers::client_caching(&mut parts.headers, policy, 0);
        let status = self.status(self.answered);
        headers::outcome_headers(&mut parts.headers, policy, Outcome::Miss, &status);
        self.count(Outcome::Miss);
        let limit = policy.max_body;
        let leader = self.leader.take();
        let layer = Arc::clone(&self.layer);
        let finish = Box::new(move |copied: Result<Bytes, UncacheableReason>| match copied {
            Ok(bytes) => {
                let keeping = async move {
                    recipe.keep(&head, bytes, leader).await;
                };
                now_or_in_background(layer.engine.core(), keeping);
            }
            Err(reason) => {
                rare::uncacheable(&layer.policy.name, reason);
                tracing::debug!(cache = &*layer.policy.name, reason = reason.as_str(), "not kept");
                let core = layer.engine.core();
                core.loners.mark(key::loner_hash(&recipe.asked), core.clock.now());
                if let Some(leader) = leader {
                    leader.release();
                }
            }
        });
        Response::from_parts(parts, Body::copied(body, Copy::new(limit, finish)))
    }
}
