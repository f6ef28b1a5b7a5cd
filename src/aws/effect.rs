//! One step → one call. Whoever performs a step makes no choice: what to do is the planner's, whether to do
//! it again is the next reconcile's.

use amity_core::image::attributes::{AttributeChange, Protection};
use amity_core::image::desired::{Desired, Registration};
use amity_core::image::identity::Place;
use amity_core::image::observed::{Asked, Refusal};
use amity_core::image::plan::step::{Action, Step};
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::operation::register_image::builders::RegisterImageFluentBuilder;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    AttributeValue, BlockDeviceMapping, EbsBlockDevice, ResourceType, Tag, TagSpecification,
};
use futures::future::join_all;
use jiff::SignedDuration;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::Budget;
use super::calls::{self, EC2Calls};
use super::error::{Class, Failure};
use super::fence::Fence;
use super::inventory::{CopySlot, Inventory};
use super::session::Sessions;

/// How often a copy looks for a slot of its own accord.
const LOOKS_FOR_A_SLOT: SignedDuration = SignedDuration::from_mins(1);

/// How soon it is asked again whether this process may act: its lease is renewed more often than it runs out.
const ASKS_WHETHER_IT_MAY: SignedDuration = SignedDuration::from_secs(2);

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
    /// The id of the image that EC2 makes.
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
    /// EC2 makes an image of this id.
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
        join_all(in_places.map(|(place, step)| self.perform_one(desired, place, step))).await
    }

    async fn perform_one(&self, desired: &Desired, place: &Place, step: &Step) -> Outcome {
        let asked = Asked::of(place, &step.action);
        let outcome = |result| Outcome {
            step: step.clone(),
            result,
        };
        if let Some(refusal) = self.budget.remembers(desired, &asked) {
            return outcome(Err(refusal));
        }
        // From here to the call nothing waits.
        if !self.fence.is_open() {
            return outcome(Err(self.may_not_act(desired, place, &asked)));
        }
        let slot = match self.copy_slot(desired, place, &step.action, &asked) {
            Ok(slot) => slot,
            Err(refusal) => return outcome(Err(*refusal)),
        };
        if let Some(refusal) = self.budget.take(desired, &asked) {
            if let Some(slot) = slot {
                slot.keep_until(refusal.retry_at);
            }
            return outcome(Err(refusal));
        }
        let called = self.call(desired, place, &step.action).await;
        let result = called
            .clone()
            .or_else(|failure| already_made(&step.action, &failure).ok_or(failure));
        self.inventory
            .wrote(&desired.identity, place, &step.action, &result);
        if let Some(slot) = slot {
            slot.answered(&result);
        }
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
                let of = subject(&step.action);
                let refusal = self.budget.failed(desired, &asked, &of, &failure);
                outcome(result.map_err(|_| refusal))
            }
        }
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

    /// The call, in an account that is proven to be the right one.
    async fn call(
        &self,
        desired: &Desired,
        place: &Place,
        action: &Action,
    ) -> Result<Answer, Failure> {
        guard(action)?;
        let Some(session) = self
            .sessions
            .proven(&place.account)
            .filter(|session| session.account_id() == place.account)
        else {
            return Err(Failure::ours(format!(
                "account {} is not open",
                place.account
            )));
        };
        if action.creates() {
            self.inventory.will_create(&desired.identity.object);
        }
        let (ec2, calls) = (session.ec2(&place.region), self.sessions.calls());
        let fenced = ec2.config().to_builder().interceptor(self.fence.clone());
        let ec2 = Ec2::from_conf(fenced.build());
        let answer = self.fence.in_time(send(&ec2, calls, action)).await;
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
        Action::CopyImage { token, .. }
            if token.is_empty() || token.len() > 64 || !token.is_ascii() =>
        {
            complain("a token of 1 to 64 characters")
        }
        Action::CreateImage { tags, .. }
        | Action::RegisterImage { tags, .. }
        | Action::CopyImage { tags, .. }
        | Action::CreateTags { tags, .. }
            if tags.is_empty() =>
        {
            complain("tags")
        }
        Action::DeleteTags { keys, .. } if keys.is_empty() || keys.iter().any(String::is_empty) => {
            complain("keys")
        }
        Action::CreateTags { id, .. } | Action::DeleteTags { id, .. }
            if !is_id("ami-", id) && !is_id("snap-", id) =>
        {
            complain("an image or a snapshot")
        }
        Action::DeregisterImage { id } | Action::ModifyImage { id, .. } if !is_id("ami-", id) => {
            complain("an image")
        }
        Action::DeleteSnapshot { id } if !is_id("snap-", id) => complain("a snapshot"),
        Action::StoreFinalizer
        | Action::RecordCapture { .. }
        | Action::RecordDiscard { .. }
        | Action::WriteConfigMap { .. }
        | Action::DeleteConfigMap { .. }
        | Action::ReleaseFinalizer => complain("a place: it is a write to the object"),
        _ => Ok(()),
    }
}

async fn send(ec2: &Ec2, calls: &EC2Calls, action: &Action) -> Result<Answer, Failure> {
    let name = action.name();
    match action {
        Action::CreateImage {
            instance,
            name: image_name,
            description,
            no_reboot,
            without_devices,
            tags,
        } => {
            let request = ec2
                .create_image()
                .instance_id(instance)
                .name(image_name)
                .set_description(description.clone())
                .no_reboot(*no_reboot)
                .set_block_device_mappings(left_out(without_devices))
                .set_tag_specifications(Some(from_birth(tags)));
            made(
                name,
                calls::send(calls, name, request.send()).await?.image_id(),
            )
        }
        Action::RegisterImage {
            registration,
            name: image_name,
            description,
            tags,
        } => {
            let request = register(ec2, registration)
                .name(image_name)
                .set_description(description.clone())
                // The snapshots are the user's, and EC2 would refuse to tag them in this call.
                .tag_specifications(tagging(ResourceType::Image, tags));
            made(
                name,
                calls::send(calls, name, request.send()).await?.image_id(),
            )
        }
        Action::CopyImage {
            from,
            name: image_name,
            description,
            token,
            tags,
        } => {
            let request = ec2
                .copy_image()
                .source_region(&from.region)
                .source_image_id(&from.id)
                .client_token(token)
                .name(image_name)
                .set_description(description.clone())
                // The source's own tags, a seal among them, belong to the source.
                .copy_image_tags(false)
                .set_tag_specifications(Some(from_birth(tags)));
            made(
                name,
                calls::send(calls, name, request.send()).await?.image_id(),
            )
        }
        Action::CreateTags { id, tags } => {
            let request = ec2
                .create_tags()
                .resources(id)
                .set_tags(Some(ec2_tags(tags)));
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::DeleteTags { id, keys } => {
            // A key without a value is deleted whatever its value is (EC2 API, "DeleteTags").
            let keys = keys
                .iter()
                .map(|key| Tag::builder().key(key).build())
                .collect();
            let request = ec2.delete_tags().resources(id).set_tags(Some(keys));
            calls::send(calls, name, request.send())
                .await
                .map(|_| Answer::Changed)
        }
        Action::ModifyImage { id, change } => modify(ec2, calls, id, change)
            .await
            .map(|()| Answer::Changed),
        Action::DeregisterImage { id } => {
            let request = ec2.deregister_image().image_id(id);
            gone(calls::send(calls, name, request.send()).await)
        }
        Action::DeleteSnapshot { id } => {
            let request = ec2.delete_snapshot().snapshot_id(id);
            gone(calls::send(calls, name, request.send()).await)
        }
        Action::StoreFinalizer
        | Action::RecordCapture { .. }
        | Action::RecordDiscard { .. }
        | Action::WriteConfigMap { .. }
        | Action::DeleteConfigMap { .. }
        | Action::ReleaseFinalizer => {
            Err(Failure::ours("a write to the object is not a call to EC2"))
        }
    }
}

/// Each attribute has a call of its own, or takes one for itself (EC2 API, `ModifyImageAttribute`).
async fn modify(
    ec2: &Ec2,
    calls: &EC2Calls,
    id: &str,
    change: &AttributeChange,
) -> Result<(), Failure> {
    let name = change.action();
    let value = |text: &str| AttributeValue::builder().value(text).build();
    match change {
        AttributeChange::Description(text) => {
            let request = ec2
                .modify_image_attribute()
                .image_id(id)
                .description(value(text));
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::RequireImdsV2 => {
            let request = ec2
                .modify_image_attribute()
                .image_id(id)
                .imds_support(value("v2.0"));
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Deprecation(Some(at)) => {
            let request = ec2
                .enable_image_deprecation()
                .image_id(id)
                .deprecate_at(DateTime::from_secs(at.as_second()));
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Deprecation(None) => {
            let request = ec2.disable_image_deprecation().image_id(id);
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Protection(
            protection @ (Protection::Enabled | Protection::EnabledWithCooldown),
        ) => {
            let request = ec2
                .enable_image_deregistration_protection()
                .image_id(id)
                .with_cooldown(*protection == Protection::EnabledWithCooldown);
            calls::send(calls, name, request.send()).await.map(drop)
        }
        AttributeChange::Protection(Protection::Disabled | Protection::DisabledAfter(_)) => {
            let request = ec2.disable_image_deregistration_protection().image_id(id);
            calls::send(calls, name, request.send()).await.map(drop)
        }
    }
}

/// An id that is there and whole: an answer that was cut off may hold half of one.
fn made(action: &str, id: Option<&str>) -> Result<Answer, Failure> {
    match id {
        Some(id) if is_id("ami-", id) => Ok(Answer::Made(id.to_owned())),
        id => Err(Failure::unknown(format!(
            "{action} was answered without an image id ({})",
            id.unwrap_or("none")
        ))),
    }
}

/// A refusal that says that an earlier call, perhaps with a lost answer, made the image.
fn already_made(action: &Action, failure: &Failure) -> Option<Answer> {
    match action {
        Action::CreateImage { .. } | Action::RegisterImage { .. } if failure.is_name_taken() => {
            Some(Answer::NameTaken)
        }
        Action::CopyImage { .. } if failure.is_already_made() => Some(Answer::AlreadyMade),
        _ => None,
    }
}

/// What is not there any more need not be deleted.
fn gone<T>(answer: Result<T, Failure>) -> Result<Answer, Failure> {
    match answer {
        Ok(_) => Ok(Answer::Changed),
        Err(failure) if failure.is_not_there() => Ok(Answer::AlreadyGone),
        Err(failure) => Err(failure),
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

/// The same tags for the image and its snapshots, in the call that makes them: if EC2 cannot tag, it does not
/// make (EC2 User Guide, "Tag your resources").
fn from_birth(tags: &BTreeMap<String, String>) -> Vec<TagSpecification> {
    [ResourceType::Image, ResourceType::Snapshot]
        .into_iter()
        .map(|kind| tagging(kind, tags))
        .collect()
}

fn tagging(kind: ResourceType, tags: &BTreeMap<String, String>) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(ec2_tags(tags)))
        .build()
}

/// Everything is said: EC2's own defaults make images that do not start (EC2 API, `RegisterImage`).
fn register(ec2: &Ec2, registration: &Registration) -> RegisterImageFluentBuilder {
    let volume = |device: &str, snapshot: &str, delete_on_termination| {
        let ebs = EbsBlockDevice::builder()
            .snapshot_id(snapshot)
            .delete_on_termination(delete_on_termination)
            .build();
        BlockDeviceMapping::builder()
            .device_name(device)
            .ebs(ebs)
            .build()
    };
    let root = volume(&registration.root_device, &registration.snapshot, true);
    let others = registration
        .volumes
        .iter()
        .map(|one| volume(&one.device, &one.snapshot, one.delete_on_termination));
    ec2.register_image()
        .root_device_name(&registration.root_device)
        .architecture(registration.architecture.into())
        .virtualization_type("hvm")
        .ena_support(registration.ena_support)
        .set_boot_mode(registration.boot_mode.map(Into::into))
        .set_block_device_mappings(Some(std::iter::once(root).chain(others).collect()))
}

/// An empty `NoDevice` leaves the volume of a device out (EC2 API, `BlockDeviceMapping`).
fn left_out(devices: &[String]) -> Option<Vec<BlockDeviceMapping>> {
    let left_out = devices.iter().map(|device| {
        BlockDeviceMapping::builder()
            .device_name(device)
            .no_device("")
            .build()
    });
    (!devices.is_empty()).then(|| left_out.collect())
}

fn ec2_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}

/// What the step is about, for messages.
fn subject(action: &Action) -> String {
    match action {
        Action::CreateImage { instance, .. } => instance.clone(),
        Action::RegisterImage { registration, .. } => registration.snapshot.clone(),
        Action::CopyImage { from, .. } => from.to_string(),
        other => other.target().unwrap_or_default().to_owned(),
    }
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
        .unwrap_or_default();
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
