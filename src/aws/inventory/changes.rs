//! The objects that have something new to look at: each once, however often it changed.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// A set to put into from anywhere and to take out of at one place.
#[derive(Debug, Default)]
pub(super) struct Changes {
    objects: Mutex<BTreeSet<String>>,
    any: Notify,
}

impl Changes {
    /// These have changed.
    pub(super) fn add(&self, objects: impl IntoIterator<Item = String>) {
        let mut waiting = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(objects);
        if !waiting.is_empty() {
            self.any.notify_one();
        }
    }

    /// Waits for one that has changed, and takes it.
    pub(super) async fn next(&self) -> String {
        loop {
            let first = self
                .objects
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_first();
            match first {
                Some(object) => return object,
                None => self.any.notified().await,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_that_changed_twice_is_given_once() {
        let changes = Changes::default();
        changes.add(["a/b".to_owned(), "a/a".to_owned()]);
        changes.add(["a/b".to_owned()]);
        assert_eq!(changes.next().await, "a/a");
        assert_eq!(changes.next().await, "a/b");
        changes.add(["a/c".to_owned()]);
        assert_eq!(changes.next().await, "a/c");
    }
}
