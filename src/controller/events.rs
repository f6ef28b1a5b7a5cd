//! What `kubectl describe` shows under Events: what was done to EC2, and when the object changed for better
//! or worse. Transitions only, never the same thing at every reconcile.

use std::hash::{DefaultHasher, Hash, Hasher};

use amity_core::api::{MachineImage, MachineImageStatus, conditions};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use super::objects::{counted, in_time};
use crate::aws::effect::Outcome;
use crate::telemetry::Metrics;

/// A note longer than 1,024 characters is refused by the API server.
const LONGEST_NOTE: usize = 1000;

/// Tells about transitions.
pub struct Events {
    recorder: Recorder,
    metrics: Metrics,
}

impl Events {
    /// Events that are reported as the controller's.
    pub fn new(client: Client, metrics: Metrics) -> Self {
        let reporter = Reporter {
            controller: "amity".to_owned(),
            instance: None,
        };
        Self {
            recorder: Recorder::new(client, reporter),
            metrics,
        }
    }

    /// Tells what was done.
    pub async fn tell_of_effects(&self, image: &MachineImage, outcomes: &[Outcome]) {
        for outcome in outcomes {
            if let Some(event) = effect(outcome) {
                self.publish(image, event).await;
            }
        }
    }

    /// Tells how `status`, which was written, differs from the one that `image` has. One that could not be written is
    /// not told of, or it would be told of at every attempt.
    pub async fn tell_of_status(&self, image: &MachineImage, status: &MachineImageStatus) {
        let news = [
            published(image.status.as_ref(), status),
            worse(image.status.as_ref(), status),
        ];
        for event in news.into_iter().flatten() {
            self.publish(image, event).await;
        }
    }

    /// An event that cannot be written is logged, and nothing else: it is never a reason to stop.
    async fn publish(&self, image: &MachineImage, event: Event) {
        let object = image.object_ref(&());
        let written = in_time(self.recorder.publish(&event, &object)).await;
        if let Err(error) = counted(&self.metrics, "events", written) {
            tracing::debug!(object = image.key(), %error, "an event could not be written");
        }
    }
}

/// What makes, brings back or destroys an image or a snapshot is told; tags are not.
fn effect(outcome: &Outcome) -> Option<Event> {
    let action = &outcome.step.action;
    let region = outcome
        .step
        .place
        .as_ref()
        .map(|place| place.region.as_str())
        .unwrap_or_default();
    let is_told =
        action.creates() || action.restores() || action.destroys() || action.is_of_a_machine();
    if !outcome.changed_the_world() || !is_told {
        return None;
    }
    let made = outcome
        .made()
        .map(|id| format!(" → {id}"))
        .unwrap_or_default();
    let note = format!("{action} in {region}{made}: {}", outcome.step.why);
    Some(event(EventType::Normal, action.name(), &note))
}

fn published(before: Option<&MachineImageStatus>, after: &MachineImageStatus) -> Option<Event> {
    let is_ready = |status: &MachineImageStatus| {
        condition(status, conditions::READY).is_some_and(|c| c.status == "True")
    };
    let revision = |status: &MachineImageStatus| {
        status
            .published
            .as_ref()
            .map(|published| published.revision.clone())
    };
    let news = is_ready(after)
        && (!before.is_some_and(is_ready) || before.and_then(revision) != revision(after));
    let message = &condition(after, conditions::READY)?.message;
    news.then(|| event(EventType::Normal, conditions::IN_SYNC.name, message))
}

/// A reason of `Ready` that was not there before, or is still there after the user changed or deleted the object,
/// and is not just progress.
fn worse(before: Option<&MachineImageStatus>, after: &MachineImageStatus) -> Option<Event> {
    let ready = condition(after, conditions::READY)?;
    let harmless = [
        conditions::PROGRESSING,
        conditions::WAITING_FOR_INVENTORY,
        conditions::DELETING,
    ];
    let known = before
        .filter(|before| before.observed_generation == after.observed_generation)
        .and_then(|status| condition(status, conditions::READY))
        .is_some_and(|old| old.reason == ready.reason);
    if ready.status == "True" || known || harmless.iter().any(|reason| reason.name == ready.reason)
    {
        return None;
    }
    Some(event(EventType::Warning, &ready.reason, &ready.message))
}

fn condition<'a>(status: &'a MachineImageStatus, type_: &str) -> Option<&'a Condition> {
    status
        .conditions
        .iter()
        .find(|condition| condition.type_ == type_)
}

/// Events of the same reason and action are counted as one, of which only the first note is kept: what is told
/// in other words has another action.
fn event(type_: EventType, reason: &str, note: &str) -> Event {
    let mut words = DefaultHasher::new();
    note.hash(&mut words);
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note.chars().take(LONGEST_NOTE).collect()),
        action: format!("Reconcile-{:016x}", words.finish()),
        secondary: None,
    }
}

#[cfg(test)]
mod tests {
    use amity_core::api::conditions::Reason;

    use super::*;

    fn status(generation: i64, reason: Reason, message: &str) -> MachineImageStatus {
        let ready = serde_json::json!({
            "type": "Ready", "status": "False", "reason": reason.name, "message": message,
            "lastTransitionTime": "2026-03-01T12:00:00Z",
        });
        MachineImageStatus {
            observed_generation: generation,
            conditions: vec![serde_json::from_value(ready).expect("a condition")],
            ..MachineImageStatus::default()
        }
    }

    #[test]
    fn what_is_still_in_the_way_is_told_once() {
        let before = status(1, conditions::REGION_UNREADABLE, "eu-west-1 cannot be read");
        assert!(worse(None, &before).is_some());
        let later = status(1, conditions::REGION_UNREADABLE, "it still cannot be read");
        assert!(worse(Some(&before), &later).is_none());
    }

    #[test]
    fn a_deletion_that_waits_is_told_although_the_region_could_not_be_read_before() {
        let before = status(1, conditions::REGION_UNREADABLE, "eu-west-1 cannot be read");
        let message =
            "deletion waits: eu-west-1 cannot be read; or set spec.deletionPolicy to Retain";
        let after = status(2, conditions::REGION_UNREADABLE, message);
        let event = worse(Some(&before), &after).expect("an event");
        assert!(matches!(event.type_, EventType::Warning));
        assert_eq!(event.note.as_deref(), Some(message));
    }

    #[test]
    fn progress_is_no_event() {
        let after = status(
            2,
            conditions::PROGRESSING,
            "CopyImage waits for a copy slot",
        );
        assert!(worse(None, &after).is_none());
    }
}
