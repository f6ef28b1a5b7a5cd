//! What a standby has seen of the lease, and whether it may take it.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

use super::Settings;
use crate::clock::{Clock, Moment};

/// The record of another holder that was seen last.
#[derive(Debug, Default)]
pub(super) struct Seen(Option<Held>);

#[derive(Debug)]
struct Held {
    holder: String,
    /// By the holder's clock: compared with nothing but others of the same holder's.
    renewed: Option<MicroTime>,
    lasts: Duration,
    /// When it was first seen so, by our clock.
    since: Moment,
    /// Whether it was found to be gone since, without having been released.
    is_gone: bool,
}

/// Who holds the lease; nobody, when it was released.
pub(super) fn holder(spec: &LeaseSpec) -> Option<&str> {
    let holder = spec.holder_identity.as_deref();
    holder.filter(|holder| !holder.is_empty())
}

impl Seen {
    /// Takes note of what was found just now. The error is who may still act.
    ///
    /// Whoever was seen to hold the lease is waited for, also when the record is suddenly gone or an older one:
    /// somebody may have deleted it, or restored the cluster from a backup. The holder does not know yet, and
    /// may have renewed it a moment before.
    pub(super) fn may_take(
        &mut self,
        found: Option<&LeaseSpec>,
        settings: &Settings,
        clock: &Clock,
    ) -> Result<(), String> {
        if let Some(spec) = found {
            match holder(spec) {
                Some(holder) if holder == settings.holder => return Ok(()),
                Some(holder) => self.note(holder, spec, settings, clock),
                None if self.was_released(spec) => return Ok(()),
                None => self.note_gone(clock),
            }
        } else {
            self.note_gone(clock);
        }
        match &self.0 {
            Some(held) if clock.at_least_since(held.since) < held.lasts => Err(held.holder.clone()),
            _ => Ok(()),
        }
    }

    fn note(&mut self, holder: &str, spec: &LeaseSpec, settings: &Settings, clock: &Clock) {
        let is_known = |held: &Held| held.holder == holder && held.renewed == spec.renew_time;
        if self.0.as_ref().is_some_and(is_known) {
            return;
        }
        let seconds = spec
            .lease_duration_seconds
            .and_then(|seconds| u64::try_from(seconds).ok());
        self.0 = Some(Held {
            holder: holder.to_owned(),
            renewed: spec.renew_time.clone(),
            lasts: seconds.map_or(settings.duration, Duration::from_secs),
            since: clock.moment(),
            is_gone: false,
        });
    }

    fn note_gone(&mut self, clock: &Clock) {
        if let Some(held) = self.0.as_mut().filter(|held| !held.is_gone) {
            held.is_gone = true;
            held.since = clock.moment();
        }
    }

    /// Whether it is the one that was seen to hold it that released it, and not one before it.
    fn was_released(&self, spec: &LeaseSpec) -> bool {
        let held = self.0.as_ref();
        held.is_none_or(|held| spec.renew_time >= held.renewed)
    }
}
