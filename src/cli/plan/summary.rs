//! What a forecast says, in the words and the order in which a reader wants it: first what goes, and only what matters.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::api::{DeletionPolicy, MachineImage};
use amity_core::image::attributes::AttributeChange;
use amity_core::image::forecast::{Forecast, Foreseen};
use amity_core::image::identity::{Place, tag};
use amity_core::image::money::{Price, gib};
use amity_core::image::permissions::Grantee;
use amity_core::image::plan::step::{Action, Finding, Step};
use jiff::Timestamp;
use serde::Serialize;

use crate::cli::look::Refused;

/// The plans of all objects.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Each object.
    pub objects: Vec<ObjectPlan>,
    /// How many steps there are of each kind.
    pub total: BTreeMap<Kind, usize>,
}

/// What becomes of one object.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectPlan {
    /// `namespace/name`
    pub object: String,
    /// Whether it is made, changed or deleted.
    pub change: Change,
    /// The revision that is wanted.
    pub revision: Option<String>,
    /// What is done, what goes first.
    pub steps: Vec<PlannedStep>,
    /// What waits for somebody.
    pub waits: Vec<Wait>,
    /// What stands in the way.
    pub findings: Vec<Obstacle>,
    /// What the reader should know besides.
    pub notes: Vec<Obstacle>,
    /// What EC2 refused when it was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Vec<Obstacle>>,
    /// Seconds until EC2 matches, if it takes as long as it usually does; none, if somebody has to act first.
    pub seconds: Option<i64>,
    /// What is stored, in GiB at most, before and after.
    pub stored: Stored,
}

/// What a plan does to the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// It is new.
    Create,
    /// It is there.
    Update,
    /// It is deleted.
    Delete,
}

/// What is stored.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stored {
    /// GiB now.
    pub now: i64,
    /// GiB when it is done; none, where it is not known how much something holds that is made.
    pub then: Option<i64>,
    /// What that costs in a month now, where a price is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_now: Option<String>,
    /// What it costs when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_then: Option<String>,
}

/// One step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedStep {
    /// What kind of step.
    pub kind: Kind,
    /// EC2's name of the call, or Kubernetes' of the object.
    pub action: String,
    /// Where; none for a write to the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Where; none for a write to the cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// In a sentence.
    pub text: String,
    /// Why.
    pub why: String,
    /// Seconds from now.
    pub after_seconds: i64,
}

/// A step that waits for somebody.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Wait {
    /// In a sentence.
    pub text: String,
    /// For what it waits.
    pub waits_for: String,
    /// Why.
    pub why: String,
}

/// Something that stands in the way.
#[derive(Debug, Serialize)]
pub struct Obstacle {
    /// The reason, as conditions have it.
    pub reason: String,
    /// What and what to do.
    pub message: String,
}

/// Kinds of steps, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// An image goes.
    Deregister,
    /// A snapshot goes.
    DeleteSnapshot,
    /// An image is captured or registered.
    Create,
    /// An image is copied.
    Copy,
    /// A machine is launched to be captured.
    Launch,
    /// A machine ends.
    Terminate,
    /// Something is taken over, or brought back.
    Adopt,
    /// Who may use something changes.
    Share,
    /// What users find changes.
    Publish,
    /// Something else changes of what is there.
    Change,
    /// What Amity notes for itself; not shown to people.
    Note,
}

impl Summary {
    /// Of all objects.
    pub fn of(objects: Vec<ObjectPlan>) -> Self {
        let mut total = BTreeMap::new();
        for step in objects.iter().flat_map(|object| &object.steps) {
            *total.entry(step.kind).or_default() += 1;
        }
        Self { objects, total }
    }

    /// Whether anything would be done.
    pub fn changes_something(&self) -> bool {
        self.total.keys().any(|kind| *kind != Kind::Note)
    }

    /// Whether everything was found out that the plan depends on, and EC2 would not refuse it.
    pub fn is_known(&self) -> bool {
        let is_known = |object: &ObjectPlan| {
            let refused = object.refused.as_ref();
            object.findings.is_empty() && refused.is_none_or(Vec::is_empty)
        };
        self.objects.iter().all(is_known)
    }
}

impl ObjectPlan {
    /// What becomes of `image` from `now` on.
    pub fn of(
        image: &MachineImage,
        forecast: &Forecast,
        is_new: bool,
        now: Timestamp,
        price: Option<Price>,
    ) -> Self {
        let mut names = BTreeMap::new();
        let mut steps = Vec::new();
        for foreseen in &forecast.steps {
            if let (Some(id), Some(place)) = (&foreseen.makes, &foreseen.step.place) {
                names.insert(id.clone(), format!("the new image in {}", place.region));
            }
            steps.push(PlannedStep::of(image, foreseen, &names, now));
        }
        steps.sort_by_key(|step| step.kind);
        let sum = |stored: &BTreeMap<Place, u64>| stored.values().sum::<u64>();
        let (before, after) = (sum(&forecast.stored), forecast.will_store.as_ref().map(sum));
        let cost = |bytes: u64| price.map(|price| price.of(bytes));
        Self {
            object: image.key(),
            change: match () {
                () if image.is_being_deleted() => Change::Delete,
                () if is_new && forecast.stored.is_empty() => Change::Create,
                () => Change::Update,
            },
            revision: revision(forecast),
            steps,
            waits: waits(image, forecast, &names),
            findings: forecast.left.findings.iter().map(Obstacle::of).collect(),
            notes: forecast.left.notes.iter().map(Obstacle::of).collect(),
            refused: None,
            seconds: forecast.done.map(|done| done.duration_since(now).as_secs()),
            stored: Stored {
                now: gib(before),
                then: after.map(gib),
                cost_now: cost(before),
                cost_then: after.and_then(cost),
            },
        }
    }
}

fn revision(forecast: &Forecast) -> Option<String> {
    let status = &forecast.status;
    let progressing = status.progressing.as_ref().map(|one| &one.revision);
    let published = status.published.as_ref().map(|one| &one.revision);
    progressing.or(published).cloned()
}

/// What is left, and waits for somebody: not what is only a consequence of another wait.
fn waits(image: &MachineImage, forecast: &Forecast, names: &BTreeMap<String, String>) -> Vec<Wait> {
    let steps = forecast.left.steps.iter();
    let waiting = steps.filter_map(|step| Some((step, step.waits_for.as_ref()?)));
    waiting
        .filter(|(step, _)| kind(&step.action) != Kind::Note)
        .map(|(step, waits_for)| Wait {
            text: text(image, step, names),
            waits_for: named(&waits_for.to_string(), names),
            why: step.why.to_string(),
        })
        .collect()
}

impl Obstacle {
    /// What EC2 would not do.
    pub fn of_refused(refused: &Refused) -> Self {
        Self {
            reason: refused.action.to_owned(),
            message: format!(
                "in {} of account {}: {}",
                refused.place.region, refused.place.account, refused.message
            ),
        }
    }

    fn of(finding: &Finding) -> Self {
        Self {
            reason: finding.reason.name.to_owned(),
            message: finding.message.clone(),
        }
    }
}

impl PlannedStep {
    fn of(
        image: &MachineImage,
        Foreseen { at, step, .. }: &Foreseen,
        names: &BTreeMap<String, String>,
        now: Timestamp,
    ) -> Self {
        let place = step.place.as_ref();
        Self {
            kind: kind(&step.action),
            action: step.action.name().to_owned(),
            account: place.map(|place| place.account.clone()),
            region: place.map(|place| place.region.clone()),
            text: text(image, step, names),
            why: named(&step.why.to_string(), names),
            after_seconds: at.duration_since(now).as_secs(),
        }
    }
}

fn kind(action: &Action) -> Kind {
    let of_keys = |keys: Vec<&String>| match () {
        () if keys.iter().any(|key| *key == tag::PUBLISHED) => Kind::Publish,
        () if keys.iter().all(|key| key.starts_with(tag::PREFIX)) => Kind::Note,
        () => Kind::Change,
    };
    match action {
        Action::DeregisterImage { .. } => Kind::Deregister,
        Action::DeleteSnapshot { .. } => Kind::DeleteSnapshot,
        Action::CreateImage { .. } | Action::RegisterImage { .. } => Kind::Create,
        Action::CopyImage { .. } => Kind::Copy,
        Action::RunInstances { .. } => Kind::Launch,
        Action::TerminateInstances { .. } => Kind::Terminate,
        Action::Adopt { .. } | Action::RestoreImage { .. } | Action::RestoreSnapshot { .. } => {
            Kind::Adopt
        }
        Action::ChangePermissions { .. }
        | Action::ModifyImage {
            change: AttributeChange::Public(_),
            ..
        } => Kind::Share,
        Action::PutParameter { .. }
        | Action::DeleteParameter { .. }
        | Action::WriteConfigMap { .. }
        | Action::DeleteConfigMap { .. } => Kind::Publish,
        Action::CreateTags { tags, .. } => of_keys(tags.keys().collect()),
        Action::DeleteTags { keys, .. } => of_keys(keys.iter().collect()),
        Action::ModifyImage { .. }
        | Action::EnableFastLaunch { .. }
        | Action::DisableFastLaunch { .. } => Kind::Change,
        Action::StoreFinalizer
        | Action::ReleaseFinalizer
        | Action::RecordCapture { .. }
        | Action::RecordLaunch { .. }
        | Action::RecordDiscard { .. }
        | Action::RecordAccounts { .. }
        | Action::TagParameter { .. }
        | Action::CreateUsageReport { .. } => Kind::Note,
    }
}

/// A step in a sentence, with the names of what is made only meanwhile.
fn text(image: &MachineImage, step: &Step, names: &BTreeMap<String, String>) -> String {
    let place = step.place.as_ref();
    let at = place.map_or(String::new(), |place| format!(" in {}", place.region));
    let text = match &step.action {
        Action::DeregisterImage { id } => format!("deregister {id}{at}"),
        Action::DeleteSnapshot { id } => format!("delete {id}{at}"),
        Action::CreateImage {
            instance,
            no_reboot,
            ..
        } => {
            let restart = if *no_reboot {
                "without a restart"
            } else {
                "which is restarted"
            };
            format!("capture {instance}{at}, {restart}")
        }
        Action::RegisterImage { registration, .. } => {
            format!("register {}{at}", registration.snapshot)
        }
        Action::RunInstances {
            image: parent,
            launch,
            ..
        } => format!(
            "launch a {} of {parent}{at} to build on",
            launch.instance_type
        ),
        Action::TerminateInstances { id } => format!("terminate {id}{at}"),
        Action::CopyImage {
            from, encryption, ..
        } => {
            let to = place.map_or(String::new(), |place| format!(" to {}", place.region));
            let how = encryption.as_ref().map(|how| format!(", {how}"));
            format!("copy {}{to}{}", from, how.unwrap_or_default())
        }
        Action::Adopt { id, .. } => format!("take over {id}{at}"),
        Action::RestoreImage { id } | Action::RestoreSnapshot { id } => {
            format!("restore {id}{at} from the Recycle Bin")
        }
        Action::ChangePermissions { id, change } => {
            let said = |grantees: &BTreeSet<Grantee>| {
                let ids: Vec<_> = grantees.iter().map(Grantee::id).collect();
                ids.join(", ")
            };
            let (added, removed) = (said(&change.add), said(&change.remove));
            match (added.as_str(), removed.as_str()) {
                (added, "") => format!("let {added} use {id}{at}"),
                ("", removed) => format!("no longer let {removed} use {id}{at}"),
                (added, removed) => format!("let {added} use {id}{at}, and {removed} no longer"),
            }
        }
        Action::CreateTags { id, tags } if tags.contains_key(tag::PUBLISHED) => {
            format!("publish {id}{at}")
        }
        Action::CreateTags { id, tags } if tags.contains_key(tag::SUPERSEDED) => {
            format!("mark {id}{at} as superseded")
        }
        Action::CreateTags { id, tags } => {
            let tags = tags.iter().filter(|(key, _)| !key.starts_with(tag::PREFIX));
            let tags: Vec<_> = tags.map(|(key, value)| format!("{key}={value}")).collect();
            format!("tag {id}{at}: {}", tags.join(" "))
        }
        Action::DeleteTags { id, keys } => {
            let keys = keys.iter().filter(|key| !key.starts_with(tag::PREFIX));
            let keys: Vec<_> = keys.map(String::as_str).collect();
            match keys.as_slice() {
                [] => format!("no longer publish {id}{at}"),
                keys => format!("untag {id}{at}: {}", keys.join(" ")),
            }
        }
        Action::ModifyImage { id, change } => format!("change {id}{at}: {change}"),
        Action::PutParameter { name, image, .. } => {
            format!("let parameter {name}{at} name {image}")
        }
        Action::DeleteParameter { name } => format!("delete parameter {name}{at}"),
        Action::WriteConfigMap { name, .. } => format!("write ConfigMap {name}"),
        Action::DeleteConfigMap { name } => format!("delete ConfigMap {name}"),
        Action::EnableFastLaunch { id, .. } => format!("let {id}{at} launch fast"),
        Action::DisableFastLaunch { id } => format!("no longer let {id}{at} launch fast"),
        Action::CreateUsageReport { id, .. } => {
            format!("ask which other accounts use {id}{at}")
        }
        other => other.to_string(),
    };
    let retained = match step.action {
        Action::CreateTags { .. }
            if image.is_being_deleted() && image.spec.deletion_policy == DeletionPolicy::Retain =>
        {
            " (it is retained)"
        }
        _ => "",
    };
    let text = named(&text, names) + retained;
    // What is made has its region in its name.
    text.replacen(&format!("{at}{at}"), &at, usize::from(!at.is_empty()))
}

/// Says of what is only made by the plan which it is.
fn named(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut words: Vec<&str> = Vec::new();
    for word in text.split(' ') {
        let id = word.trim_end_matches([',', ':']);
        let id = id.rsplit_once('/').map_or(id, |(_, id)| id);
        match names.get(id) {
            Some(name) => words.push(name),
            None if id.starts_with("snap-new-") => words.push("a snapshot of the new image"),
            None => words.push(word),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_only_meanwhile_has_a_name() {
        let names = BTreeMap::from([(
            "ami-new-1".to_owned(),
            "the new image in us-east-1".to_owned(),
        )]);
        assert_eq!(
            named("copy us-east-1/ami-new-1 to eu-west-1", &names),
            "copy the new image in us-east-1 to eu-west-1"
        );
        assert_eq!(named("ami-1, which", &names), "ami-1, which");
    }
}
