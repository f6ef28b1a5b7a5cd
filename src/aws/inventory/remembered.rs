//! What EC2 answered to a question about one thing, believed until it is too old.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// How long an answer that is too old is kept: longer than it takes until it is asked again.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// Answers by what was asked, each with until when it is believed.
#[derive(Debug)]
pub(super) struct Remembered<K, V>(Mutex<BTreeMap<K, (Timestamp, V)>>);

impl<K, V> Default for Remembered<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Ord, V: Clone> Remembered<K, V> {
    /// The answer, unless it is too old.
    pub(super) fn get(&self, key: &K, now: Timestamp) -> Option<V> {
        let answers = self.lock();
        let fresh = answers.get(key).filter(|(until, _)| now < *until);
        fresh.map(|(_, answer)| answer.clone())
    }

    /// The last answer, however old it is, if it is not long ago: for what is as harmless when it is old.
    pub(super) fn last(&self, key: &K) -> Option<V> {
        let answers = self.lock();
        answers.get(key).map(|(_, answer)| answer.clone())
    }

    /// All answers that are not too old.
    pub(super) fn all(&self, now: Timestamp) -> BTreeMap<K, V>
    where
        K: Clone,
    {
        let answers = self.lock();
        let fresh = answers.iter().filter(|(_, (until, _))| now < *until);
        fresh
            .map(|(key, (_, answer))| (key.clone(), answer.clone()))
            .collect()
    }

    /// Remembers an answer, and drops what has been too old for long: much of it is never asked again.
    pub(super) fn put(&self, key: K, answer: V, until: Timestamp, now: Timestamp) {
        let mut answers = self.lock();
        answers.retain(|_, (until, _)| now < *until + KEPT);
        answers.insert(key, (until, answer));
    }

    /// Changes an answer that is known, and until when it is believed.
    pub(super) fn change(&self, key: &K, until: Timestamp, change: impl FnOnce(&mut V)) {
        if let Some((believed, answer)) = self.lock().get_mut(key) {
            change(answer);
            *believed = until;
        }
    }

    /// Drops the answers to some questions.
    pub(super) fn forget(&self, which: impl Fn(&K) -> bool) {
        self.lock().retain(|key, _| !which(key));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<K, (Timestamp, V)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
