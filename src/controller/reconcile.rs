//! One reconcile of one `MachineImage`, from what is desired to the status. The story fits on a screen, and
//! each line of it is a door to one file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use amity_core::account::Claims;
use amity_core::api::{MachineImage, MachineImageStatus, conditions};
use amity_core::image::desired::{AccountReference, Desired, Installation, References};
use amity_core::image::invariants::Checked;
use amity_core::image::observed::{Departures, Observed};
use amity_core::image::plan::{Action, Finding, Plan, Reads, Step, plan, reads};
use amity_core::image::report::report;
use tracing::Span;

use super::config_maps::ConfigMaps;
use super::events::Events;
use super::objects::{Error, Objects};
use super::plans::{self, Plans};
use super::to_ready::ToReady;
use crate::aws::effect::{Effects, Outcome};
use crate::aws::inventory::Inventory;
use crate::clock::Clock;
use crate::telemetry::Metrics;

/// After a step was taken it is looked again at once: what was written is laid over what EC2 lists, so
/// that the next step is known already.
const AFTER_A_STEP: Duration = Duration::from_millis(100);

/// While the plan waits for EC2, a difference in the inventory wakes the object; this is for the case that
/// one is missed.
const WHILE_WAITING: Duration = Duration::from_mins(1);

/// While a fresh list is awaited: it may show nothing new, and then it wakes nobody.
const AFTER_A_FRESH_LIST: Duration = Duration::from_secs(2);

/// While another object is awaited that this one is made of, which wakes nobody. It costs no call to EC2.
const WHILE_ANOTHER_IS_MADE: Duration = Duration::from_secs(10);

/// The same for an object at rest. It costs no call to EC2.
const AT_REST: Duration = Duration::from_mins(10);

/// What a reconcile needs of the process.
pub struct Context {
    /// Who makes images here.
    pub installation: Installation,
    /// What EC2 has.
    pub inventory: Arc<Inventory>,
    /// What is done to EC2.
    pub effects: Effects,
    /// What is written to Kubernetes.
    pub objects: Objects,
    /// What names the published images in the cluster.
    pub config_maps: ConfigMaps,
    /// What is told about transitions.
    pub events: Events,
    /// What every object asks for.
    pub claims: Box<dyn Fn() -> Claims + Send + Sync>,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
    /// What was planned last.
    pub plans: Plans,
    /// Who waits for `Ready`.
    pub to_ready: ToReady,
}

/// How a reconcile ended that met no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// There was nothing to do.
    AtRest,
    /// A step was taken, or tried.
    Acted,
    /// It goes on by itself.
    Waits,
    /// It goes on when somebody did something.
    Stalled,
    /// The plan would have broken an invariant.
    Refused,
}

impl Ended {
    /// The metric label.
    pub fn label(self) -> &'static str {
        match self {
            Self::AtRest => "at_rest",
            Self::Acted => "acted",
            Self::Waits => "waits",
            Self::Stalled => "stalled",
            Self::Refused => "refused",
        }
    }
}

/// What of the cluster a spec refers to, as the caches have it.
#[derive(Clone, Debug, Default)]
pub struct Referred {
    /// The `AwsAccount`s that the object names, by their names.
    pub accounts: BTreeMap<String, AccountReference>,
    /// The labels of the object's namespace.
    pub namespace_labels: BTreeMap<String, String>,
    /// The other images that it is made of, one after another.
    pub machine_images: Vec<MachineImage>,
}

/// Brings EC2 one step nearer to what `image` asks for, and says so in its status. Gives how that ended, and when to look
/// again at the latest.
///
/// # Errors
/// Kubernetes refused a write. What EC2 refuses is no error here, but part of the status.
pub async fn reconcile(
    image: &MachineImage,
    referred: &Referred,
    cx: &Context,
) -> Result<(Ended, Duration), Error> {
    cx.to_ready.look(image, cx.clock.now());
    let mut desired = desired(image, referred, cx);
    let (observed, plan) = observe_and_plan(image, &mut desired, cx).await;
    Span::current().record("revision", desired.revision.as_str());
    let performed = perform(image, &desired, &plan, cx).await?;
    if !performed.changed_the_object {
        let status = report(image, &desired, &observed, &plan, cx.clock.now());
        cx.events.tell_of_effects(image, &performed.outcomes).await;
        write(image, &status, cx).await?;
        cx.events.tell_of_status(image, &status).await;
    }
    remember(image, &plan, cx);
    let look_again_in = look_again_in(&plan, &performed, cx);
    let page = plans::page(&desired, &observed, &plan, cx.clock.now(), look_again_in);
    cx.plans.keep(&page);
    Ok((ended(&plan, &performed), look_again_in))
}

async fn write(
    image: &MachineImage,
    status: &MachineImageStatus,
    cx: &Context,
) -> Result<(), Error> {
    let now = cx.clock.now();
    if cx.objects.replace_status(image, status, now).await?
        && let Some((waited, time)) = cx.to_ready.wrote(image, status, now)
    {
        cx.metrics.became_ready(waited, time);
    }
    Ok(())
}

fn ended(plan: &Checked, performed: &Performed) -> Ended {
    let stalls = |finding: &Finding| finding.reason.stalls();
    if !plan.broken().is_empty() {
        Ended::Refused
    } else if performed.changed_the_object || !performed.outcomes.is_empty() {
        Ended::Acted
    } else if plan.is_at_rest() {
        Ended::AtRest
    } else if plan.findings.iter().any(stalls) {
        Ended::Stalled
    } else {
        Ended::Waits
    }
}

fn desired(image: &MachineImage, referred: &Referred, cx: &Context) -> Desired {
    let references = References {
        accounts: &referred.accounts,
        namespace_labels: &referred.namespace_labels,
        machine_images: &referred.machine_images,
    };
    Desired::of(image, &cx.installation, references)
}

/// What EC2 has, with what the plan needs to know besides the lists: the source, who uses what is to go, and how
/// much else of the account is to go. A plan says what it needs, and is made anew with it. Which revision is wanted of
/// a source that may lead to another image by now is known only then.
async fn observe_and_plan(
    image: &MachineImage,
    desired: &mut Desired,
    cx: &Context,
) -> (Observed, Checked) {
    let mut read = Reads::default();
    loop {
        let mut observed = cx.inventory.observe(desired, &read).await;
        observed.config_maps = cx.config_maps.of(image, read.config_map).await;
        if read.departures {
            observed.departures = departures(desired, &(cx.claims)(), &cx.inventory);
        }
        desired.settle(&observed);
        let now = cx.clock.now();
        let plan = plan(desired, &observed, now);
        if !read.add(reads(desired, &observed, &plan, now)) {
            let checked = plan.checked(desired, &observed, now);
            return (observed, checked);
        }
    }
}

/// How much of each account is to go. What was not read may be about to go, too: then it is not counted.
pub(crate) fn departures(
    desired: &Desired,
    claims: &Claims,
    inventory: &Inventory,
) -> BTreeMap<String, Departures> {
    let counted = desired.accounts.iter().filter_map(|(id, account)| {
        let holdings = inventory.holdings(id);
        let is_whole = holdings.unreadable.is_empty();
        is_whole.then(|| (id.clone(), claims.departures(&account.name, &holdings)))
    });
    counted.collect()
}

/// What came of the steps that were taken.
struct Performed {
    changed_the_object: bool,
    outcomes: Vec<Outcome>,
}

async fn perform(
    image: &MachineImage,
    desired: &Desired,
    plan: &Checked,
    cx: &Context,
) -> Result<Performed, Error> {
    let steps = plan.next_steps();
    if let [step] = steps.as_slice()
        && step.place.is_none()
    {
        match &step.action {
            Action::WriteConfigMap { name, data } => {
                if cx.config_maps.write(image, name, data).await? {
                    log(image, step, name);
                }
            }
            Action::DeleteConfigMap { name } => {
                if cx.config_maps.delete(image, name).await? {
                    log(image, step, name);
                }
            }
            action => cx.objects.perform(image, action, cx.clock.now()).await?,
        }
        if matches!(step.action, Action::ReleaseFinalizer) {
            cx.inventory.forget(&image.key());
            cx.objects.forget(&image.key());
        }
        return Ok(Performed {
            changed_the_object: true,
            outcomes: Vec::new(),
        });
    }
    let outcomes = cx.effects.perform(desired, steps).await;
    Ok(Performed {
        changed_the_object: false,
        outcomes,
    })
}

/// One line per change of what others may read.
fn log(image: &MachineImage, step: &Step, name: &str) {
    tracing::info!(
        object = image.key(),
        action = step.action.name(),
        id = name,
        why = %step.why,
        "done in Kubernetes"
    );
}

fn remember(image: &MachineImage, plan: &Checked, cx: &Context) {
    if plan.is_at_rest() {
        cx.inventory.at_rest(&image.key());
    }
    for place in plan.wants_listed() {
        cx.inventory.poke(place);
    }
    for place in plan.wants_copy_slots() {
        cx.inventory.await_copy_slot(place, &image.key());
    }
    for invariant in plan.broken() {
        cx.metrics.invariant_broken(*invariant);
    }
    for finding in plan
        .findings
        .iter()
        .filter(|finding| finding.reason == conditions::INVARIANT_BROKEN)
    {
        tracing::error!(
            object = image.key(),
            message = finding.message,
            "a plan was refused: this is a bug of Amity"
        );
    }
}

fn look_again_in(plan: &Plan, performed: &Performed, cx: &Context) -> Duration {
    if performed.changed_the_object || !performed.outcomes.is_empty() {
        return AFTER_A_STEP;
    }
    if plan.is_at_rest() {
        return AT_REST;
    }
    let until = plan
        .wakes_at()
        .map(|time| time.duration_since(cx.clock.now()));
    let until = until
        .and_then(|left| Duration::try_from(left).ok())
        .unwrap_or(WHILE_WAITING);
    let longest = match plan.wants_listed().next() {
        _ if plan.awaits_status() => AFTER_A_STEP,
        Some(_) => AFTER_A_FRESH_LIST,
        None if awaits_another(plan) => WHILE_ANOTHER_IS_MADE,
        None => WHILE_WAITING,
    };
    until.clamp(AFTER_A_STEP, longest)
}

fn awaits_another(plan: &Plan) -> bool {
    let mut findings = plan.findings.iter();
    findings.any(|finding| finding.reason == conditions::SOURCE_NOT_PUBLISHED)
}
