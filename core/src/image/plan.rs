//! From what is desired and observed to what is to be done, and why. A pure function.
//!
//! | file | concern |
//! | --- | --- |
//! | [`step`] | what a plan is made of |
//! | `view` | whose each image is, and what stands where |
//! | `seal` | marking as ours what EC2 proves to be |
//! | `adopt` | taking over what others made |
//! | `origin` | the capture or registration that everything is copied from |
//! | `build` | the machine that is launched to be captured |
//! | `recycle_bin` | restoring what somebody deregistered |
//! | `copies` | filling each place from any available image of the revision |
//! | `lending` | letting other accounts copy an image, for as long as that takes |
//! | `tagging` | bringing `spec.tags` into line, with the tags of regions and of snapshots |
//! | `attributes` | the same with description, IMDS, deprecation and protection |
//! | `publish` | when the revision becomes what users launch |
//! | `sharing` | who else may use the images |
//! | `fast_launch` | whether EC2 launches the published images fast |
//! | `parameters` | what names the published images in Systems Manager |
//! | `config_map` | what names the published images in the cluster |
//! | `retire` | what goes, and when it may |
//! | `restraint` | what is put off: held, used, too much at once, or refused of late |
//! | `usage` | who uses what is to go, in its account and elsewhere |
//! | `delete` | the end of the object |

mod adopt;
mod attributes;
mod build;
mod config_map;
mod copies;
mod delete;
mod fast_launch;
mod lending;
mod origin;
mod parameters;
mod publish;
mod recycle_bin;
mod restraint;
mod retire;
mod seal;
mod sharing;
pub mod step;
mod tagging;
mod usage;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use super::desired::{Desired, ImageName, Parameter, Published, Source};
use super::identity::{Place, Reference, Standing, is_sealed_snapshot, tag};
use super::observed::{ImageState, Known, Observed, Snapshot};
use crate::api::conditions;
pub use step::{Action, Finding, Plan, Step, WaitsFor, Why};
pub(crate) use view::{Owned, View};

/// What is to be done so that EC2 matches `desired`, given what is known of it at `now`.
pub fn plan(desired: &Desired, observed: &Observed, now: Timestamp) -> Plan {
    let view = View::new(desired, observed, now);
    let mut plan = Plan {
        notes: notes(&view),
        ..Plan::default()
    };
    if let Some(finding) = held_by_other_cluster(&view) {
        plan.findings.push(finding);
        if !(desired.is_being_deleted() && view.retains()) {
            return plan;
        }
    }
    if desired.is_being_deleted() {
        delete::delete(&view, &mut plan);
    } else if desired.suspended {
        plan.findings.push(Finding {
            reason: conditions::SUSPENDED,
            place: None,
            message: "spec.suspend is true: nothing is made, copied, tagged or retired".to_owned(),
        });
    } else {
        plan.findings.extend(desired.refusals.iter().cloned());
        seal::seal(&view, &mut plan);
        adopt::adopt_snapshots(&view, &mut plan);
        if adopt::adopt(&view, &mut plan) {
            origin::make(&view, &mut plan);
            recycle_bin::restore(&view, &mut plan);
            copies::fill(&view, &mut plan);
        }
        lending::take_back(&view, &mut plan);
        tagging::tag(&view, &mut plan);
        attributes::bring_into_line(&view, &mut plan);
        publish::publish(&view, &mut plan);
        sharing::share(&view, &mut plan);
        fast_launch::bring_into_line(&view, &mut plan);
        parameters::publish(&view, &mut plan);
        config_map::tell(&view, &mut plan);
        retire::retire(&view, &mut plan);
        build::end(&view, &mut plan);
        unreadable_places(&view, &mut plan);
    }
    restraint::hold_back(&view, &mut plan);
    note_accounts_again(&view, &mut plan);
    store_finalizer_first(&view, &mut plan);
    plan
}

/// What has to be read besides the lists before a plan can be made that waits for no reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reads {
    /// The source.
    pub source: Option<SourceQuery>,
    /// The images that are to be taken over.
    pub adoptions: BTreeSet<(Place, String)>,
    /// Whether the Recycle Bin has these images, and which of their snapshots.
    pub recycle_bin: BTreeMap<(Place, String), Vec<String>>,
    /// How copies to these places are encrypted by default.
    pub ebs_defaults: BTreeSet<Place>,
    /// What the source leads to now, once in an interval.
    pub follow: Option<SourceQuery>,
    /// Who uses these images.
    pub usage: BTreeSet<(Place, String)>,
    /// What the last report says of the other accounts that use these images.
    pub usage_reports: BTreeSet<(Place, String)>,
    /// Who else may use these images and snapshots.
    pub permissions: BTreeMap<(Place, String), When>,
    /// Which images launch fast in these places.
    pub fast_launches: BTreeMap<Place, When>,
    /// What the object's parameters are in these places.
    pub parameters: BTreeMap<Place, When>,
    /// Which machines the object has in these places.
    pub machines: BTreeMap<Place, When>,
    /// How much else of the account is about to go.
    pub departures: bool,
    /// How many more copies may be under way to these places.
    pub copy_slots: BTreeSet<Place>,
    /// Who has the ConfigMap of the name that the spec says.
    pub config_map: bool,
}

impl Reads {
    /// Adds what else has to be read. Whether that is anything new.
    pub fn add(&mut self, more: Self) -> bool {
        let before = self.clone();
        self.source = more.source.or(self.source.take());
        self.follow = more.follow.or(self.follow.take());
        self.adoptions.extend(more.adoptions);
        self.recycle_bin.extend(more.recycle_bin);
        self.ebs_defaults.extend(more.ebs_defaults);
        self.usage.extend(more.usage);
        self.usage_reports.extend(more.usage_reports);
        self.permissions.extend(more.permissions);
        self.fast_launches.extend(more.fast_launches);
        self.parameters.extend(more.parameters);
        self.machines.extend(more.machines);
        self.departures |= more.departures;
        self.copy_slots.extend(more.copy_slots);
        self.config_map |= more.config_map;
        *self != before
    }

    /// Everything now, for whoever looks only once and has no turns.
    pub fn read_now(&mut self) {
        let whens = self.permissions.values_mut();
        let whens = whens.chain(self.fast_launches.values_mut());
        let whens = whens.chain(self.parameters.values_mut());
        for when in whens.chain(self.machines.values_mut()) {
            *when = When::Now;
        }
    }
}

/// How soon something has to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Now, unless it was read of late.
    Now,
    /// When this time has come, and not before.
    After(Timestamp),
    /// When it is its turn among all that is looked at now and then.
    InTurn,
}

/// What to ask EC2 about the source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceQuery {
    /// An instance by its id.
    Instance(Reference),
    /// Snapshots of a region by their ids, the root's first.
    Snapshots(String, Vec<String>),
    /// An image by its id.
    Image(Reference),
    /// The newest available image of a name.
    NamedImage(ImageName),
    /// The image whose id a parameter holds.
    Parameter(Parameter),
    /// What another object has published, which the lists tell.
    Published(Published),
}

/// What is asked for, as the user reads it.
impl fmt::Display for SourceQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(at) | Self::Image(at) => f.write_str(&at.id),
            Self::Snapshots(_, ids) => f.write_str(&ids.join(" and ")),
            Self::NamedImage(named) => write!(
                f,
                "available image {:?} of owner {}",
                named.name, named.owner
            ),
            Self::Parameter(parameter) => write!(f, "parameter {}", parameter.name),
            Self::Published(published) => write!(f, "published image of {}", published.object),
        }
    }
}

/// What has to be read for the plan that follows `plan`, which is that of the same desire and observation.
pub fn reads(desired: &Desired, observed: &Observed, plan: &Plan, now: Timestamp) -> Reads {
    let steps = &plan.steps;
    let usage = steps
        .iter()
        .filter_map(|step| match (&step.place, &step.waits_for) {
            (Some(place), Some(WaitsFor::Usage(id))) => Some((place.clone(), id.clone())),
            _ => None,
        });
    let usage_reports = steps
        .iter()
        .filter_map(|step| match (&step.place, &step.waits_for) {
            (Some(place), Some(WaitsFor::UsageReport(id))) => Some((place.clone(), id.clone())),
            _ => None,
        });
    let view = View::new(desired, observed, now);
    Reads {
        adoptions: adopt::reads(&view),
        recycle_bin: recycle_bin::reads(&view),
        ebs_defaults: steps
            .iter()
            .filter(|step| step.waits_for == Some(WaitsFor::EbsDefaults))
            .filter_map(|step| step.place.clone())
            .collect(),
        usage: usage.collect(),
        usage_reports: usage_reports.collect(),
        permissions: permissions(&view, plan),
        fast_launches: fast_launch::reads(&view, plan),
        parameters: parameters::reads(&view, plan),
        machines: build::reads(&view, plan),
        copy_slots: steps
            .iter()
            .filter(|step| matches!(step.action, Action::CopyImage { .. }))
            .filter(|step| matches!(step.waits_for, None | Some(WaitsFor::CopySlot)))
            .filter_map(|step| step.place.clone())
            .collect(),
        departures: steps
            .iter()
            .any(|step| step.waits_for == Some(WaitsFor::Departures)),
        config_map: steps
            .iter()
            .any(|step| matches!(step.waits_for, Some(WaitsFor::ConfigMap(_)))),
        source: needs_source(&view).then(|| source_query(&view)),
        follow: (desired.follow.is_some() && is_in_sync(&view, plan))
            .then(|| anew(&desired.source))
            .flatten(),
    }
}

fn permissions(view: &View<'_>, plan: &Plan) -> BTreeMap<(Place, String), When> {
    if view.desired.is_being_deleted() || view.desired.suspended {
        return BTreeMap::new();
    }
    let mut reads = sharing::reads(view);
    reads.extend(lending::reads(view, plan));
    reads
}

/// Whether EC2 matches the spec. A place that is not wanted and cannot be read, or whoever still uses an old
/// image, holds up what is to go, for as long as it takes, but not what users launch.
pub(crate) fn is_in_sync(view: &View<'_>, plan: &Plan) -> bool {
    let is_held_up = |step: &Step| match (&step.action, &step.waits_for) {
        (Action::DeregisterImage { .. }, Some(WaitsFor::Readable(places))) => {
            !places.iter().any(|place| view.desired.wants(place))
        }
        (
            Action::DeregisterImage { .. },
            Some(
                WaitsFor::Usage(_)
                | WaitsFor::UsageReport(_)
                | WaitsFor::Departures
                | WaitsFor::Unused { .. }
                | WaitsFor::Parameters(_)
                | WaitsFor::ParameterGone { .. },
            ),
        )
        | (Action::CreateUsageReport { .. }, _) => true,
        _ => false,
    };
    !view.desired.is_being_deleted()
        && plan.findings.is_empty()
        && plan.steps.iter().all(is_held_up)
        && view.is_published_everywhere()
}

/// Whether the plan may need to know what the source looks like: while a wanted place lacks an image of
/// the revision and something could be made for it.
fn needs_source(view: &View<'_>) -> bool {
    let desired = view.desired;
    !desired.is_being_deleted()
        && !desired.suspended
        && desired.refusals.is_empty()
        && desired.undecided.is_empty()
        && desired.discarded.is_none()
        && desired
            .places
            .iter()
            .any(|place| view.keeper(place).is_none())
        && (desired.source.is_image() || !view.has_sibling())
}

/// What to ask to find out which image a source leads to now.
fn anew(source: &Source) -> Option<SourceQuery> {
    match source.looked_up() {
        Source::NamedImage(named) => Some(SourceQuery::NamedImage(named.clone())),
        Source::Parameter(parameter) => Some(SourceQuery::Parameter(parameter.clone())),
        Source::Published(published) => Some(SourceQuery::Published(published.clone())),
        Source::Instance { .. } | Source::Snapshot { .. } | Source::Image(_) | Source::Build(_) => {
            None
        }
    }
}

fn source_query(view: &View<'_>) -> SourceQuery {
    let resolved = view.desired.resolved.is_some();
    let origin = view.origin.as_ref();
    let settled = origin.filter(|origin| origin.is_settled || resolved);
    match (view.desired.source.looked_up(), settled) {
        (Source::Instance { at, .. }, _) => SourceQuery::Instance(at.clone()),
        (
            Source::Snapshot {
                region,
                registration,
            },
            _,
        ) => {
            let ids = registration.snapshots().map(str::to_owned).collect();
            SourceQuery::Snapshots(region.clone(), ids)
        }
        (Source::Image(image), _) => SourceQuery::Image(image.clone()),
        (Source::NamedImage(_) | Source::Parameter(_) | Source::Published(_), Some(origin)) => {
            SourceQuery::Image(origin.reference.clone())
        }
        (Source::NamedImage(named), None) => SourceQuery::NamedImage(named.clone()),
        (Source::Parameter(parameter), None) => SourceQuery::Parameter(parameter.clone()),
        (Source::Published(published), None) => SourceQuery::Published(published.clone()),
        (Source::Build(_), _) => unreachable!("what is looked up is what it is built from"),
    }
}

/// The finalizer is stored before the first effect (design: "Deleting"), and again where it got lost, as by a backup
/// of the cluster from before: else the object would go and leave behind what is in EC2.
fn store_finalizer_first(view: &View<'_>, plan: &mut Plan) {
    let desired = view.desired;
    let takes_effect = || plan.steps.iter().any(|step| step.waits_for.is_none());
    if !desired.has_finalizer
        && !desired.is_being_deleted()
        && (takes_effect() || view.has_something())
    {
        plan.steps.insert(
            0,
            Step::on_object(Action::StoreFinalizer, Why::NothingMayBeLeftBehind),
        );
    }
}

/// The names of the accounts that have images of the object are noted again where the note got lost, as by a backup of the
/// cluster from before: else they would be forgotten when the spec no longer names them.
fn note_accounts_again(view: &View<'_>, plan: &mut Plan) {
    let desired = view.desired;
    let forgotten = view
        .ours()
        .map(|owned| owned.place)
        .filter(|place| !desired.is_at_home(place) && desired.accounts.contains_key(&place.account))
        .map(|place| desired.account_name(place))
        .filter(|name| !desired.recorded_accounts.contains(*name));
    let mut names: BTreeSet<_> = forgotten.map(str::to_owned).collect();
    if !names.is_empty() && !desired.is_being_deleted() {
        names.extend(desired.recorded_accounts.iter().cloned());
        plan.steps.insert(
            0,
            Step::on_object(
                Action::RecordAccounts { names },
                Why::NothingMayBeLeftBehind,
            ),
        );
    }
}

/// A place that cannot be read is left alone, and the user reads why if it is wanted or holds up the capture.
fn unreadable_places(view: &View<'_>, plan: &mut Plan) {
    if view.desired.account_id.is_none() {
        return;
    }
    let holds_up_the_capture = plan.steps.iter().any(|step| {
        matches!(
            (&step.action, &step.waits_for),
            (action, Some(WaitsFor::Readable(_))) if action.creates_origin()
        )
    });
    for (place, unreadable) in view.observed.unreadable() {
        if view.desired.wants(place) || holds_up_the_capture {
            plan.findings.push(Finding {
                reason: unreadable.reason,
                place: Some(place.clone()),
                message: unreadable.message.clone(),
            });
        }
    }
}

/// Images that another cluster sealed for the same owner and object are not touched.
fn held_by_other_cluster(view: &View<'_>) -> Option<Finding> {
    view.claimed.iter().find_map(|owned| match &owned.standing {
        Standing::OtherCluster(uid) => Some(Finding {
            reason: conditions::HELD_BY_OTHER_CLUSTER,
            place: Some(owned.place.clone()),
            message: format!(
                "{} in {} was made for this object from another cluster, whose namespace kube-system has uid {uid}: \
                 if this cluster was rebuilt from that one, start Amity once with --take-over-from={uid}; else give \
                 each installation an --owner-id of its own, or {}",
                owned.image.id,
                owned.place.region,
                if view.desired.is_being_deleted() { delete::WAY_OUT } else { "delete the object there" }
            ),
        }),
        _ => None,
    })
}

/// Images and snapshots that carry our tags but are not proven ours: reported, never touched.
fn notes(view: &View<'_>) -> Vec<Finding> {
    let foreign = view
        .claimed
        .iter()
        .filter_map(|owned| match owned.standing {
            Standing::Foreign(why) => Some(Finding {
                reason: conditions::FOREIGN_IMAGE,
                place: Some(owned.place.clone()),
                message: format!(
                    "{} in {} carries this object's tags, but is left alone: {why}",
                    owned.image.id, owned.place.region
                ),
            }),
            _ => None,
        });
    foreign
        .chain(adopt::not_needed(view))
        .chain(view.desired.cannot_follow(view.observed))
        .chain(sharing::ageing(view))
        .chain(
            view.observed
                .known()
                .flat_map(|(place, known)| strays(view, place, known)),
        )
        .collect()
}

/// Snapshots with our tags that no image of ours was seen to use.
fn strays<'a>(
    view: &'a View<'_>,
    place: &'a Place,
    known: &'a Known,
) -> impl Iterator<Item = Finding> + 'a {
    let identity = &view.desired.identity;
    known
        .snapshots
        .iter()
        .filter(|snapshot| identity.is_claimed_by(&snapshot.tags))
        .filter(|snapshot| {
            !is_sealed_snapshot(snapshot, identity) && !snapshot.tags.contains_key(tag::RETAINED)
        })
        .filter(move |snapshot| {
            !view
                .claimed
                .iter()
                .any(|owned| owned.place == place && may_use(owned, snapshot))
        })
        .map(move |snapshot| Finding {
            reason: conditions::FOREIGN_IMAGE,
            place: Some(place.clone()),
            message: format!(
                "{} in {} carries this object's tags, but is left alone: {}",
                snapshot.id,
                place.region,
                why_not_ours(view, snapshot)
            ),
        })
}

fn why_not_ours(view: &View<'_>, snapshot: &Snapshot) -> String {
    let identity = &view.desired.identity;
    match snapshot.tags.get(tag::CLUSTER) {
        Some(uid) if !identity.is_of_cluster(&snapshot.tags) => format!(
            "it was made from another cluster, whose namespace kube-system has uid {uid} (if this cluster was rebuilt \
             from that one, start Amity once with --take-over-from={uid})"
        ),
        _ => "no image of this object was seen to use it".to_owned(),
    }
}

/// Whether the snapshot is the image's, or may yet turn out to be: which snapshots a copy gets shows late.
fn may_use(owned: &Owned<'_>, snapshot: &Snapshot) -> bool {
    let is_unfinished = matches!(
        owned.image.state,
        ImageState::Pending | ImageState::Missing { .. }
    );
    let is_alike = owned.image.tags.get(tag::REVISION) == snapshot.tags.get(tag::REVISION);
    !matches!(owned.standing, Standing::Foreign(_))
        && (owned.image.snapshots.contains(&snapshot.id) || is_unfinished && is_alike)
}
