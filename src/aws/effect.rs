//! One step → one call. Whoever performs a step makes no choice: what to do is the planner's, whether to do
//! it again is the next reconcile's.

mod dry_run;
mod parameters;
mod send;

use std::sync::Arc;

use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::observed::{Asked, Refusal, Unreadable};
use amity_core::image::plan::step::{Action, Step};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ssm::Client as Ssm;
use futures::future::join_all;
use jiff::SignedDuration;
use tracing::{Instrument, Span, field};

use super::budget::Budget;
use super::error::{Class, Failure};
use super::fence::Fence;
use super::inventory::{CopySlot, Inventory};
use super::session::{Session, Sessions};
use crate::telemetry::traces::SPANS;
pub use dry_run::try_out;
use send::send;

/// How often a copy looks for a slot of its own accord.
const LOOKS_FOR_A_SLOT: SignedDuration = SignedDuration::from_mins(1);

/// How soon it is asked again whether this process may act: its lease is renewed more often than it runs out.
const ASKS_WHETHER_IT_MAY: SignedDuration = SignedDuration::from_secs(2);

/// The outcome of a step that was not sent, because something is to pass first.
const PUT_OFF: &str = "put_off";

/// Performs steps.
#[derive(Clone, Debug)]
pub struct Effects {
    sessions: Arc<Sessions>,
    inventory: Arc<Inventory>,
    budget: Arc<Budget>,
    fence: Fence,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The step.
    pub step: Step,
    /// How EC2 answered, or why it did not do it and when it is asked again.
    pub result: Result<Answer, Refusal>,
}

impl Outcome {
    /// The id of the image that EC2 makes, or of the machine that it launches.
    pub fn made(&self) -> Option<&str> {
        match &self.result {
            Ok(Answer::Made(id)) => Some(id),
            _ => None,
        }
    }

    /// Whether something in EC2 is otherwise than before.
    pub fn changed_the_world(&self) -> bool {
        matches!(self.result, Ok(Answer::Made(_) | Answer::Changed))
    }
}

/// An answer that is no failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// EC2 makes an image, or launches a machine, of this id.
    Made(String),
    /// Done.
    Changed,
    /// There was nothing to do: what was to go is gone.
    AlreadyGone,
    /// An image has the name already, perhaps our own, made by a call whose answer was lost. The inventory
    /// looks it up.
    NameTaken,
    /// The token was used already: the image is made, and lists will show it.
    AlreadyMade,
}

impl Effects {
    /// Effects through `sessions`, told to `inventory`, held back by `budget`, and sent only while `fence` is open.
    pub fn new(
        sessions: Arc<Sessions>,
        inventory: Arc<Inventory>,
        budget: Arc<Budget>,
        fence: Fence,
    ) -> Self {
        Self {
            sessions,
            inventory,
            budget,
            fence,
        }
    }

    /// Performs the steps of one object, which are of different places, at the same time. Writes to the
    /// object itself are not ours to perform and have no outcome here.
    pub async fn perform(&self, desired: &Desired, steps: Vec<&Step>) -> Vec<Outcome> {
        let in_places = steps
            .into_iter()
            .filter_map(|step| Some((step.place.as_ref()?, step)));
        let performed = in_places.map(|(place, step)| {
            let span = tracing::info_span!(
                target: SPANS,
                "effect",
                action = step.action.name(),
                account = place.account,
                region = place.region,
                why = %step.why,
                outcome = field::Empty,
                id = field::Empty,
                request_id = field::Empty,
            );
            self.perform_one(desired, place, step).instrument(span)
        });
        join_all(performed).await
    }

    async fn perform_one(&self, desired: &Desired, place: &Place, step: &Step) -> Outcome {
        let asked = Asked::of(place, &step.action);
        let outcome = |result| Outcome {
            step: step.clone(),
            result,
        };
        let put_off = |refusal| {
            self.tell(&step.action, PUT_OFF);
            outcome(Err(refusal))
        };
        if let Some(refusal) = self.budget.remembers(desired, &asked) {
            // It was told when it was put off.
            Span::current().record("outcome", PUT_OFF);
            return outcome(Err(refusal));
        }
        let session = match self.session(desired, place).await {
            Ok(session) => session,
            Err(unreadable) => {
                return put_off(self.budget.not_opened(desired, &asked, &unreadable));
            }
        };
        // From here to the call nothing waits.
        if !self.fence.is_open() {
            return put_off(self.may_not_act(desired, place, &asked));
        }
        let slot = match self.copy_slot(desired, place, &step.action, &asked) {
            Ok(slot) => slot,
            Err(refusal) => return put_off(*refusal),
        };
        if let Some(refusal) = self.budget.take(desired, &asked) {
            if let Some(slot) = slot {
                slot.keep_until(refusal.retry_at);
            }
            return put_off(refusal);
        }
        let called = self.call(&session, desired, place, &step.action).await;
        let result = called
            .clone()
            .or_else(|failure| already_made(&step.action, &failure).ok_or(failure));
        self.inventory
            .wrote(&desired.identity, place, &step.action, &result);
        if let Some(slot) = slot {
            slot.answered(&result);
        }
        self.tell(
            &step.action,
            match &result {
                Ok(Answer::Made(_) | Answer::Changed) => "changed",
                Ok(Answer::AlreadyGone | Answer::NameTaken | Answer::AlreadyMade) => {
                    "nothing_to_do"
                }
                Err(failure) => failure.class.label(),
            },
        );
        match called {
            Ok(answer) => {
                self.budget.succeeded(desired, &asked);
                let outcome = outcome(Ok(answer));
                log(desired, place, &outcome);
                outcome
            }
            // What is made already is no failure, but not to be asked for again before lists show it.
            Err(failure) => {
                let action = asked.action;
                tracing::debug!(object = desired.identity.object, %place, action, %failure, "not done");
                let of = step.action.subject().unwrap_or_default();
                let refusal = self.budget.failed(desired, &asked, &of, &failure);
                outcome(result.map_err(|_| refusal))
            }
        }
    }

    /// Counts what came of a step, and says so in its span.
    fn tell(&self, action: &Action, outcome: &'static str) {
        self.sessions.calls().record_effect(action.name(), outcome);
        Span::current().record("outcome", outcome);
    }

    /// Puts off what may not be sent, because another replica might act before it is answered. Nobody refused
    /// it: it counts for no back-off.
    fn may_not_act(&self, desired: &Desired, place: &Place, asked: &Asked) -> Refusal {
        let message = format!(
            "{} in {} (account {}) waits until this replica of Amity has renewed its lease, which it cannot while \
             the API server does not answer; it is sent by itself",
            asked.action, place.region, place.account
        );
        let soon = ASKS_WHETHER_IT_MAY;
        self.budget.hold(desired, asked, message, soon)
    }

    /// The slots that a copy needs, or why it is put off. The object is woken when there are some; it looks now
    /// and then in case that it missed that.
    fn copy_slot(
        &self,
        desired: &Desired,
        place: &Place,
        action: &Action,
        asked: &Asked,
    ) -> Result<Option<CopySlot>, Box<Refusal>> {
        let object = &desired.identity.object;
        let slot = self.inventory.take_copy_slot(object, place, action);
        slot.map_err(|message| {
            Box::new(self.budget.hold(desired, asked, message, LOOKS_FOR_A_SLOT))
        })
    }

    /// A session of the object in an account that is proven to be the right one.
    async fn session(&self, desired: &Desired, place: &Place) -> Result<Session, Unreadable> {
        let namespace = desired.identity.namespace();
        self.sessions.open_for(&place.account, namespace).await
    }

    /// The call, in a session of that account.
    async fn call(
        &self,
        session: &Session,
        desired: &Desired,
        place: &Place,
        action: &Action,
    ) -> Result<Answer, Failure> {
        guard(action)?;
        if session.account_id() != place.account {
            return Err(Failure::ours(format!(
                "account {} is not open",
                place.account
            )));
        }
        if action.creates() {
            self.inventory.will_create(&desired.identity.object);
        }
        let (region, calls) = (&place.region, self.sessions.calls());
        let answer = if let Action::PutParameter { .. }
        | Action::DeleteParameter { .. }
        | Action::TagParameter { .. } = action
        {
            if let Action::PutParameter { .. } = action {
                self.inventory.will_put(&desired.identity.object, place);
            }
            let fenced = session.ssm(region).config().to_builder();
            let ssm = Ssm::from_conf(fenced.interceptor(self.fence.clone()).build());
            self.fence
                .in_time(parameters::send(&ssm, calls, action))
                .await
        } else {
            let fenced = session.ec2(region).config().to_builder();
            let ec2 = Ec2::from_conf(fenced.interceptor(self.fence.clone()).build());
            self.fence.in_time(send(&ec2, calls, action)).await
        };
        answer.unwrap_or_else(|| {
            calls.record(action.name(), Class::Unknown.label());
            Err(Failure::unknown("AWS did not answer in time"))
        })
    }
}

/// What must not reach EC2: an empty list means everything there.
fn guard(action: &Action) -> Result<(), Failure> {
    let complain = |what: &str| {
        Err(Failure::ours(format!(
            "{} without {what}: a bug of Amity, nothing was done",
            action.name()
        )))
    };
    match action {
        Action::CreateImage { instance, .. } if !instance.starts_with("i-") => {
            complain("an instance")
        }
        Action::RegisterImage { registration, .. }
            if registration.snapshots().any(|id| !is_id("snap-", id)) =>
        {
            complain("a snapshot")
        }
        Action::CopyImage { from, .. } if !is_id("ami-", &from.id) || from.region.is_empty() => {
            complain("a source")
        }
        Action::CreateImage { name, .. }
        | Action::RegisterImage { name, .. }
        | Action::CopyImage { name, .. }
            if name.is_empty() =>
        {
            complain("a name")
        }
        Action::RunInstances { image, .. } if !is_id("ami-", image) => complain("an image"),
        Action::TerminateInstances { id } if !is_id("i-", id) => complain("a machine"),
        Action::CopyImage { token, .. }
        | Action::RunInstances { token, .. }
        | Action::CreateUsageReport { token, .. }
            if token.is_empty() || token.len() > 64 || !token.is_ascii() =>
        {
            complain("a token of 1 to 64 characters")
        }
        Action::CreateImage { tags, .. }
        | Action::RegisterImage { tags, .. }
        | Action::CopyImage { tags, .. }
        | Action::RunInstances { tags, .. }
        | Action::CreateUsageReport { tags, .. }
        | Action::CreateTags { tags, .. }
        | Action::Adopt { tags, .. }
            if tags.is_empty() =>
        {
            complain("tags")
        }
        Action::CreateImage { snapshot_tags, .. } | Action::CopyImage { snapshot_tags, .. }
            if snapshot_tags.is_empty() =>
        {
            complain("tags of the snapshots")
        }
        Action::DeleteTags { keys, .. } if keys.is_empty() || keys.iter().any(String::is_empty) => {
            complain("keys")
        }
        Action::CreateTags { id, .. }
        | Action::Adopt { id, .. }
        | Action::DeleteTags { id, .. }
        | Action::ChangePermissions { id, .. }
            if !is_id("ami-", id) && !is_id("snap-", id) =>
        {
            complain("an image or a snapshot")
        }
        Action::DeregisterImage { id }
        | Action::CreateUsageReport { id, .. }
        | Action::RestoreImage { id }
        | Action::EnableFastLaunch { id, .. }
        | Action::DisableFastLaunch { id }
        | Action::ModifyImage { id, .. }
            if !is_id("ami-", id) =>
        {
            complain("an image")
        }
        Action::DeleteSnapshot { id } | Action::RestoreSnapshot { id } if !is_id("snap-", id) => {
            complain("a snapshot")
        }
        Action::ChangePermissions { change, .. } if change.is_empty() => complain("a change"),
        Action::ChangePermissions { id, change }
            if is_id("snap-", id) && !change.add.is_empty() && !change.remove.is_empty() =>
        {
            complain("one direction, as snapshots take")
        }
        Action::ChangePermissions { id, change }
            if is_id("snap-", id)
                && change
                    .add
                    .iter()
                    .chain(&change.remove)
                    .any(|one| !one.is_account()) =>
        {
            complain("accounts only, as snapshots take")
        }
        Action::StoreFinalizer
        | Action::RecordCapture { .. }
        | Action::RecordLaunch { .. }
        | Action::RecordDiscard { .. }
        | Action::RecordAccounts { .. }
        | Action::WriteConfigMap { .. }
        | Action::DeleteConfigMap { .. }
        | Action::ReleaseFinalizer => complain("a place: it is a write to the object"),
        other => parameters::lacks(other).map_or(Ok(()), complain),
    }
}

/// A refusal that says that an earlier call, perhaps with a lost answer, made the image.
fn already_made(action: &Action, failure: &Failure) -> Option<Answer> {
    match action {
        Action::CreateImage { .. } | Action::RegisterImage { .. } if failure.is_name_taken() => {
            Some(Answer::NameTaken)
        }
        Action::PutParameter { .. } if failure.is_name_taken() => Some(Answer::NameTaken),
        Action::CopyImage { .. } | Action::RunInstances { .. } if failure.is_already_made() => {
            Some(Answer::AlreadyMade)
        }
        _ => None,
    }
}

/// Whether `id` is a whole id with this prefix: 8 or 17 hex digits.
pub(super) fn is_id(prefix: &str, id: &str) -> bool {
    id.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17)
            && digits
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// One line per change of the world.
fn log(desired: &Desired, place: &Place, outcome: &Outcome) {
    if !outcome.changed_the_world() {
        return;
    }
    let action = &outcome.step.action;
    let id = outcome
        .made()
        .or_else(|| action.target())
        .or_else(|| action.parameter())
        .unwrap_or_default();
    Span::current().record("id", id);
    tracing::info!(
        object = desired.identity.object,
        account = place.account,
        region = place.region,
        action = action.name(),
        id,
        why = %outcome.step.why,
        "done in EC2"
    );
}
