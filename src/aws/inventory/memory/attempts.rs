//! Which attempts to make an image are dead: EC2 remembers their tokens, so that the next attempt needs
//! another one.

use std::collections::BTreeMap;

use amity_core::image::identity::tag;
use amity_core::image::observed::{Dead, Image};
use amity_core::image::tags::Tags;
use jiff::{SignedDuration, Timestamp};

use super::Entries;
use crate::aws::inventory::entry::Entry;
use crate::aws::inventory::pace;

/// What is known of attempts that left no image.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts {
    /// Images that EC2 gave out or listed and then denied, by object and id; a token stands for an id that no
    /// answer told.
    dead: BTreeMap<String, BTreeMap<String, Dead>>,
    /// The copies that EC2 says it made, by token: what lists must show, or else is dead.
    claims: BTreeMap<String, Claim>,
}

/// A copy that EC2 made for a token, of which the answer did not tell the id.
#[derive(Clone, Debug)]
struct Claim {
    tags: Tags,
    first_answer: Timestamp,
}

impl Claim {
    /// Whether this is the image. One that was known before is not: a failed attempt, say, with a token of
    /// its own.
    fn is_shown_by(&self, entry: &Entry<Image>) -> bool {
        let is_alike = |key: &&str| self.tags.get(key) == entry.tag(key);
        [tag::OBJECT, tag::REVISION].iter().all(is_alike) && entry.since() >= self.first_answer
    }
}

impl Attempts {
    /// An image with these tags is gone without our doing. Several tokens may have answered with it.
    pub(super) fn died(&mut self, id: String, tags: &Tags) {
        let Some(object) = tags.get(tag::OBJECT) else {
            return;
        };
        if let Some(dead) = Dead::with_tags(id, tags) {
            let known = self.dead.entry(object.to_owned()).or_default();
            let last = known.entry(dead.id.clone()).or_insert(dead.clone());
            last.attempt = last.attempt.max(dead.attempt);
        }
    }

    /// An image is listed, so that it is not dead; unless it was of another revision than that which it says it is of.
    pub(super) fn lives(&mut self, object: &str, id: &str, revision: Option<&str>) {
        if let Some(dead) = self.dead.get_mut(object) {
            let says = revision.map(Into::into);
            dead.retain(|known, dead| known != id || says.as_ref() != Some(&dead.revision));
            if dead.is_empty() {
                self.dead.remove(object);
            }
        }
    }

    /// Whether this image is known to be dead.
    pub(super) fn is_dead(&self, object: &str, id: &str) -> bool {
        self.dead
            .get(object)
            .is_some_and(|dead| dead.contains_key(id))
    }

    /// EC2 says that it made a copy for this token.
    pub(super) fn was_made(
        &mut self,
        token: &str,
        tags: &BTreeMap<String, String>,
        now: Timestamp,
    ) {
        let claim = || Claim {
            tags: tags.into(),
            first_answer: now,
        };
        self.claims.entry(token.to_owned()).or_insert_with(claim);
    }

    /// A copy that was made for a token is listed within the window, or it is dead.
    pub(super) fn settle(
        &mut self,
        images: &Entries<Image>,
        started: Timestamp,
        window: SignedDuration,
    ) {
        for (token, claim) in std::mem::take(&mut self.claims) {
            if images.values().any(|entry| claim.is_shown_by(entry)) {
                continue;
            }
            if started >= claim.first_answer + window {
                self.died(token, &claim.tags);
            } else {
                self.claims.insert(token, claim);
            }
        }
    }

    /// Whether no copy is looked for.
    pub(super) fn are_settled(&self) -> bool {
        self.claims.is_empty()
    }

    /// How long until a reading could show a copy that EC2 says it made.
    pub(super) fn next_change(
        &self,
        now: Timestamp,
        window: SignedDuration,
    ) -> Option<SignedDuration> {
        let claims = self.claims.values();
        claims
            .map(|claim| pace::until_settled(claim.first_answer, now, window))
            .min()
    }

    /// Forgets an object.
    pub(super) fn forget(&mut self, object: &str) {
        self.dead.remove(object);
        self.claims
            .retain(|_, claim| claim.tags.get(tag::OBJECT) != Some(object));
    }

    /// The dead attempts of one object.
    pub(super) fn of(&self, object: &str) -> Vec<Dead> {
        let dead = self.dead.get(object);
        dead.into_iter()
            .flat_map(BTreeMap::values)
            .cloned()
            .collect()
    }

    /// The objects that have dead attempts.
    pub(super) fn objects(&self) -> impl Iterator<Item = &String> {
        self.dead.keys()
    }
}
