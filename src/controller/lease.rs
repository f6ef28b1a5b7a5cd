//! By a Lease (`coordination.k8s.io/v1`) one of several replicas acts, and the others stand by.
//!
//! It is acquired, renewed, lost and released much as client-go does it, and nothing here compares the clocks of
//! two machines: a standby takes over when it has seen the holder's record unchanged for its whole
//! duration ([`seen`]), and the holder counts from before it sent the renewal that was answered last. Every
//! write carries the resource version that was read, so that of two who write one is refused.
//!
//! It may read and write the one Lease, and tells whoever asks how long it will surely be held
//! ([`Term::outlasts`]): no crate does, and what is asked of EC2 needs to know.

mod seen;
mod term;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client, ResourceExt};
use tokio::task::JoinSet;

use self::seen::{Seen, holder};
pub use self::term::Term;
use super::objects::{Error, FIELD_MANAGER, within};
use crate::aws::session::CALL_TIMEOUT;
use crate::clock::{Clock, Moment};

/// What the Lease is called.
pub const NAME: &str = "amity";

/// How often a release is tried.
const RELEASE_TRIES: usize = 3;

/// Why a lease is lost that nobody took.
const RAN_OUT: &str = "it ran out before it could be renewed";

/// Who wants the lease, where it is, and for how long it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The namespace of the Lease (`--lease-namespace`).
    pub namespace: String,
    /// Who this is: no two processes have the same, not even one after the other.
    pub holder: String,
    /// How long another replica waits for one that fell silent (`--lease-duration`): whole seconds.
    pub duration: Duration,
}

impl Settings {
    /// How long a call that changes EC2 may take: half of the lease, so that most of the time between two renewals,
    /// and some more when one of them fails, is left for sending calls.
    pub fn call_timeout(&self) -> Duration {
        (self.duration / 2).min(CALL_TIMEOUT)
    }

    /// How often the lease is renewed, and how long a call to the API server may take: two may fail in a row.
    fn renewal(&self) -> Duration {
        self.duration / 4
    }

    /// How often a standby looks, and how soon a failed renewal is tried again.
    fn look(&self) -> Duration {
        self.duration / 30
    }

    /// For how long a renewal surely holds. The clocks of two machines do not run at quite the same rate.
    fn surely(&self) -> Duration {
        self.duration / 20 * 19
    }
}

/// A replica that wants to act.
#[derive(Clone)]
pub struct Candidate {
    api: Api<Lease>,
    clock: Clock,
    settings: Settings,
}

/// The lease, held and renewed until this is dropped or it is lost. Dropped without [`Leadership::release`], as by
/// a crash, it stays taken until it has run out.
pub struct Leadership {
    candidate: Candidate,
    term: Arc<Term>,
    /// Renews, and ends with why the lease is lost.
    renewing: JoinSet<String>,
}

impl Candidate {
    /// A candidate with the rights of `client`.
    pub fn new(client: Client, clock: Clock, settings: Settings) -> Self {
        Self {
            api: Api::namespaced(client, &settings.namespace),
            clock,
            settings,
        }
    }

    /// Waits until this replica may act.
    pub async fn acquire(&self) -> Leadership {
        let mut seen = Seen::default();
        let mut told = String::new();
        loop {
            let mut pause = self.settings.look();
            let news = match self.try_to_acquire(&mut seen).await {
                Ok(Ok(leadership)) => return leadership,
                Ok(Err(holder)) => format!("{holder} leads"),
                Err(error) if is_conflict(&error) => "another was quicker".to_owned(),
                Err(error) => {
                    pause = self.settings.renewal();
                    let namespace = &self.settings.namespace;
                    format!("Lease {namespace}/{NAME} cannot be had: {error}")
                }
            };
            if news != told {
                tracing::info!("standing by: {news}");
                told = news;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The lease, or who has it.
    async fn try_to_acquire(&self, seen: &mut Seen) -> Result<Result<Leadership, String>, Error> {
        let found = self.read().await?;
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        if let Err(holder) = seen.may_take(spec, &self.settings, &self.clock) {
            return Ok(Err(holder));
        }
        let sent = self.clock.moment();
        let lease = self.write(found, |before, now| self.taken(&before, now));
        Ok(Ok(Leadership::begin(self.clone(), lease.await?, sent)))
    }

    fn taken(&self, before: &LeaseSpec, now: Timestamp) -> LeaseSpec {
        let is_mine = holder(before) == Some(&self.settings.holder);
        let transitions = before.lease_transitions.unwrap_or_default();
        LeaseSpec {
            holder_identity: Some(self.settings.holder.clone()),
            lease_duration_seconds: Some(whole_seconds(self.settings.duration)),
            acquire_time: Some(MicroTime(now)),
            lease_transitions: Some(transitions.saturating_add(i32::from(!is_mine))),
            ..LeaseSpec::default()
        }
    }

    async fn read(&self) -> Result<Option<Lease>, Error> {
        within(self.settings.renewal(), self.api.get_opt(NAME)).await
    }

    /// Writes what `change` makes of what was found; refused as stale if somebody else wrote since.
    async fn write(
        &self,
        found: Option<Lease>,
        change: impl FnOnce(LeaseSpec, Timestamp) -> LeaseSpec,
    ) -> Result<Lease, Error> {
        let now = self.clock.now();
        let before = found.as_ref().and_then(|lease| lease.spec.clone());
        let spec = LeaseSpec {
            renew_time: Some(MicroTime(now)),
            ..change(before.unwrap_or_default(), now)
        };
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let limit = self.settings.renewal();
        let metadata = found.map(|lease| lease.metadata);
        let is_new = metadata.is_none();
        let lease = Lease {
            metadata: metadata.unwrap_or_else(|| ObjectMeta {
                name: Some(NAME.to_owned()),
                ..ObjectMeta::default()
            }),
            spec: Some(spec),
        };
        if is_new {
            within(limit, self.api.create(&params, &lease)).await
        } else {
            within(limit, self.api.replace(NAME, &params, &lease)).await
        }
    }

    /// Renews until the lease is lost, and says why it is.
    async fn renew(self, term: Arc<Term>, mut lease: Lease) -> String {
        let mut pause = self.settings.renewal();
        loop {
            tokio::time::sleep(pause).await;
            // As for one that was stopped, and goes on an hour later.
            if term.is_over() {
                return RAN_OUT.to_owned();
            }
            let sent = self.clock.moment();
            let renewed = self.write(Some(lease.clone()), |before, _| before).await;
            match renewed {
                Ok(renewed) => {
                    lease = renewed;
                    term.renewed(sent);
                    let took = self.clock.at_most_since(sent);
                    pause = self.settings.renewal().saturating_sub(took);
                    continue;
                }
                // Somebody else wrote, or we did and were not told.
                Err(error) if error.is_stale() => match self.read().await {
                    Ok(found) => match self.still_mine(&lease, found) {
                        Ok(found) => {
                            lease = found;
                            pause = Duration::ZERO;
                            continue;
                        }
                        Err(why) => return why,
                    },
                    Err(error) => tracing::warn!(%error, "the lease cannot be read"),
                },
                Err(error) => tracing::warn!(%error, "the lease cannot be renewed"),
            }
            pause = self.settings.look();
        }
    }

    /// What was found is what this process has written last or, where it got no answer, later.
    ///
    /// A record that is older than that comes from a backup of the cluster: what this process remembers of the cluster
    /// is no longer true, and it begins anew.
    fn still_mine(&self, written: &Lease, found: Option<Lease>) -> Result<Lease, String> {
        let Some(found) = found else {
            return Err("somebody deleted it".to_owned());
        };
        let spec = |lease: &Lease| lease.spec.clone().unwrap_or_default();
        let (spec, written) = (spec(&found), spec(written));
        match holder(&spec) {
            Some(holder) if holder != self.settings.holder => Err(format!("{holder} took it")),
            Some(_) if spec.renew_time < written.renew_time => Err(
                "it is older than what was written: the cluster was restored from a backup"
                    .to_owned(),
            ),
            Some(_) => Ok(found),
            None => Err("somebody released it".to_owned()),
        }
    }
}

impl Leadership {
    fn begin(candidate: Candidate, lease: Lease, since: Moment) -> Self {
        let holder = &candidate.settings.holder;
        tracing::info!(holder, version = lease.resource_version(), "leading");
        let clock = candidate.clock.clone();
        let term = Arc::new(Term::begin(clock, candidate.settings.surely(), since));
        // A task of its own: it must not wait for its turn behind ten thousand objects.
        let mut renewing = JoinSet::new();
        renewing.spawn(candidate.clone().renew(term.clone(), lease));
        Self {
            candidate,
            term,
            renewing,
        }
    }

    /// How long this replica may act, for whoever needs to know.
    pub fn term(&self) -> Arc<Term> {
        self.term.clone()
    }

    /// Waits until the lease is lost, and says why. From then on the term is over.
    pub async fn lost(&mut self) -> String {
        let why = tokio::select! {
            biased;
            ended = self.renewing.join_next() => match ended {
                Some(Ok(why)) => why,
                ended => format!("its renewal ended, which is a bug: {ended:?}"),
            },
            () = self.term.runs_out() => RAN_OUT.to_owned(),
        };
        self.term.end();
        why
    }

    /// Lets a standby take over at once. Nothing may be under way any more that needs the lease.
    pub async fn release(mut self) {
        self.term.end();
        self.renewing.shutdown().await;
        for _ in 0..RELEASE_TRIES {
            match self.candidate.give_up().await {
                Ok(()) => return tracing::info!("the lease is released"),
                // A renewal that was cut off was written all the same.
                Err(error) if error.is_stale() => {}
                Err(error) => {
                    return tracing::warn!(%error, "the lease is not released: the others wait until it runs out");
                }
            }
        }
    }
}

impl Drop for Leadership {
    fn drop(&mut self) {
        self.term.end();
    }
}

impl Candidate {
    async fn give_up(&self) -> Result<(), Error> {
        let found = self.read().await?;
        let spec = found.as_ref().and_then(|lease| lease.spec.as_ref());
        if spec.and_then(holder) != Some(&self.settings.holder) {
            return Ok(());
        }
        let released = self.write(found, |before, _| LeaseSpec {
            holder_identity: None,
            ..before
        });
        released.await.map(drop)
    }
}

/// Somebody else wrote it since it was read.
fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Kubernetes(kube::Error::Api(status)) if status.code == 409)
}

/// Rounded up: who waits for it must not wait too short a time.
fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_millis().div_ceil(1000);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests;
