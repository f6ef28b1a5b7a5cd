//! What the conditions of an object say, in the few bytes that are kept of each of ten thousand.

use amity_core::api::conditions::{REASONS, TYPES};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::telemetry::figures;

/// The values of a condition's status.
const STATUSES: [&str; 3] = ["True", "False", "Unknown"];

/// What stands for a reason of another version of Amity.
const OTHER: &str = "other";

/// For each type of condition, in their order, what it says; nothing where it is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Says([Option<Said>; TYPES.len()]);

/// A status and a reason, by their places in the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Said {
    status: u8,
    /// One more than the last for a reason that is not in the list.
    reason: u8,
}

const _: () = assert!(REASONS.len() < 255, "a byte is enough");

impl Says {
    pub(super) fn of<'a>(conditions: impl IntoIterator<Item = &'a Condition>) -> Self {
        let mut says = Self::default();
        for condition in conditions {
            let mut types = TYPES.iter().zip(&mut says.0);
            let Some((_, said)) = types.find(|((name, _), _)| *name == condition.type_) else {
                continue;
            };
            let mut statuses = STATUSES.iter();
            let status = statuses.position(|status| *status == condition.status);
            let mut reasons = REASONS.iter();
            let reason = reasons.position(|reason| reason.name == condition.reason);
            let byte = |place: usize| u8::try_from(place).unwrap_or(u8::MAX);
            *said = Some(Said {
                // What it may be besides is as good as unknown.
                status: byte(status.unwrap_or(2)),
                reason: byte(reason.unwrap_or(REASONS.len())),
            });
        }
        says
    }

    /// As an object of this kind says it.
    pub(super) fn all(self, kind: &'static str) -> impl Iterator<Item = figures::Condition> {
        let said = TYPES.iter().zip(self.0);
        said.filter_map(move |((r#type, _), said)| {
            let said = said?;
            let reason = REASONS.get(usize::from(said.reason));
            Some(figures::Condition {
                kind,
                r#type,
                status: STATUSES[usize::from(said.status)],
                reason: reason.map_or(OTHER, |reason| reason.name),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn condition(type_: &str, status: &str, reason: &str) -> Condition {
        let condition = json!({
            "type": type_, "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-06-01T12:00:00Z",
        });
        serde_json::from_value(condition).expect("a condition")
    }

    #[test]
    fn what_is_kept_says_the_same_and_what_is_not_known_is_another_reason() {
        let says = Says::of(&[
            condition("Stalled", "True", "NotGranted"),
            condition("Ready", "False", "OfAnotherVersion"),
            condition("OfAnotherVersion", "True", "InSync"),
        ]);
        let all: Vec<_> = says.all("MachineImage").collect();
        let said: Vec<_> = all
            .iter()
            .map(|one| (one.r#type, one.status, one.reason))
            .collect();
        assert_eq!(
            said,
            [
                ("Ready", "False", "other"),
                ("Stalled", "True", "NotGranted")
            ]
        );
    }
}
