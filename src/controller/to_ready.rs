//! How long users wait for `Ready`: from the creation of an object, or from when a change of its spec was seen, until
//! EC2 matches it. Memory of this process: what another process saw begin is not counted, rather than counted wrong.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use amity_core::api::{MachineImage, MachineImageStatus, conditions};
use amity_core::image::desired::FINALIZER;
use jiff::Timestamp;
use kube::ResourceExt;

use crate::telemetry::metrics::Waited;

/// The objects whose spec was not met yet.
#[derive(Debug, Default)]
pub struct ToReady(Mutex<BTreeMap<String, Waiting>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    generation: i64,
    since: Timestamp,
    why: Waited,
}

impl ToReady {
    /// Takes note of an object that is looked at, before anything is done.
    pub(super) fn look(&self, image: &MachineImage, now: Timestamp) {
        let Some(begun) = begun(image, now) else {
            return;
        };
        let mut waiting = self.lock();
        let before = waiting.get(&image.key());
        if before.is_none_or(|before| before.generation != begun.generation) {
            waiting.insert(image.key(), begun);
        }
    }

    /// Takes note of a status that was written; how long somebody waited for it, if it is the one.
    pub(super) fn wrote(
        &self,
        image: &MachineImage,
        status: &MachineImageStatus,
        now: Timestamp,
    ) -> Option<(Waited, Duration)> {
        status.says(conditions::READY)?;
        let waited = self.lock().remove(&image.key())?;
        if waited.generation != status.observed_generation {
            return None;
        }
        let time = Duration::try_from(now.duration_since(waited.since));
        Some((waited.why, time.unwrap_or_default()))
    }

    /// Forgets an object that is gone.
    pub(super) fn forget(&self, object: &str) {
        self.lock().remove(object);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What begins with this copy of an object: nothing, unless it is new, or its spec was changed since it was looked at.
fn begun(image: &MachineImage, now: Timestamp) -> Option<Waiting> {
    let generation = image.metadata.generation.unwrap_or_default();
    let observed = image
        .status
        .as_ref()
        .map_or(-1, |status| status.observed_generation);
    let (since, why) = if image.is_being_deleted() || observed == generation {
        return None;
    } else if observed != -1 {
        (now, Waited::SinceChange)
    } else {
        // One whose status was deleted has the finalizer.
        let is_new = !image.finalizers().iter().any(|name| name == FINALIZER);
        let created = image.metadata.creation_timestamp.as_ref()?.0;
        is_new.then_some((created, Waited::SinceCreation))?
    };
    Some(Waiting {
        generation,
        since,
        why,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn image(generation: i64, status: &Value, finalizers: &[&str]) -> MachineImage {
        let image = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {
                "namespace": "team", "name": "web", "generation": generation, "finalizers": finalizers,
                "creationTimestamp": "2026-06-01T12:00:00Z",
            },
            "spec": {
                "source": {"instance": {"region": "eu-west-1", "instanceId": "i-1", "reboot": "Never"}},
                "regions": [{"name": "eu-west-1"}],
            },
            "status": status,
        });
        serde_json::from_value(image).expect("an object")
    }

    fn status(generation: i64, ready: &str) -> Value {
        json!({"observedGeneration": generation, "conditions": [{
            "type": "Ready", "status": ready, "reason": "InSync", "message": "",
            "lastTransitionTime": "2026-06-01T12:00:00Z",
        }]})
    }

    fn said(generation: i64, ready: &str) -> MachineImageStatus {
        serde_json::from_value(status(generation, ready)).expect("a status")
    }

    fn at(minutes: i64) -> Timestamp {
        let noon: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a time");
        noon + jiff::SignedDuration::from_mins(minutes)
    }

    #[test]
    fn a_new_object_is_waited_for_since_its_creation() {
        let waits = ToReady::default();
        let new = image(1, &json!({"observedGeneration": -1}), &[]);
        waits.look(&new, at(1));
        let held = image(1, &json!({"observedGeneration": -1}), &[FINALIZER]);
        waits.look(&held, at(2));
        assert_eq!(waits.wrote(&held, &said(1, "False"), at(3)), None);
        let waited = (Waited::SinceCreation, Duration::from_mins(4));
        assert_eq!(waits.wrote(&held, &said(1, "True"), at(4)), Some(waited));
        assert_eq!(waits.wrote(&held, &said(1, "True"), at(5)), None);
    }

    #[test]
    fn a_change_is_waited_for_since_it_was_seen_and_the_last_one_counts() {
        let waits = ToReady::default();
        waits.look(&image(2, &status(1, "True"), &[FINALIZER]), at(10));
        waits.look(&image(2, &status(1, "True"), &[FINALIZER]), at(11));
        let changed = image(3, &status(2, "False"), &[FINALIZER]);
        waits.look(&changed, at(12));
        let waited = (Waited::SinceChange, Duration::from_mins(3));
        assert_eq!(
            waits.wrote(&changed, &said(3, "True"), at(15)),
            Some(waited)
        );
    }

    #[test]
    fn nobody_waits_for_what_drifted_nor_for_a_status_that_was_deleted() {
        let waits = ToReady::default();
        let drifted = image(2, &status(2, "False"), &[FINALIZER]);
        waits.look(&drifted, at(1));
        let wiped = image(2, &json!({"observedGeneration": -1}), &[FINALIZER]);
        waits.look(&wiped, at(2));
        assert_eq!(waits.wrote(&wiped, &said(2, "True"), at(3)), None);
    }
}
