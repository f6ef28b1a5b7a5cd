//! One look of the controller: from what a process remembers to the steps of the plan, as `src/controller/reconcile.rs`
//! does it. It depends on nothing but the object, the memory and the source.

use std::collections::BTreeMap;
use std::rc::Rc;

use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::identity::Place;
use amity_core::image::invariants::violations;
use amity_core::image::observed::{
    Departures, Known, Observed, PlaceView, SourceImage, SourceInstance, SourceSnapshot,
    SourceView, Unreadable, Usage,
};
use amity_core::image::plan::{Action, Plan, Reads, SourceQuery, Step, reads};
use ec2sim::{Request, World};
use jiff::Timestamp;

use crate::ec2::{ACCOUNT, GOLDEN, HOME, INSTANCE, REGIONS, request};
use crate::time::{LONG_AGO, NOW};

/// What makes a plan: the real planner, or one that is broken on purpose.
pub type Planner = fn(&Desired, &Observed, Timestamp) -> Plan;

/// What was decided.
pub struct Look {
    pub desired: Rc<Desired>,
    pub plan: Plan,
    /// What is to be written to the object.
    pub on_object: Option<Action>,
    /// What is to be asked of EC2, at most one call a region.
    pub calls: Vec<Call>,
    /// The invariants that the plan breaks.
    pub broken: Vec<String>,
}

/// One call.
pub struct Call {
    /// The number of the region.
    pub region: usize,
    pub action: Action,
    pub request: Request,
}

/// What a process knows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Process {
    /// When a creating call was last made, or the process started.
    pub last_creation: Timestamp,
    /// Whether it started before the capture was recorded, and so has heard what EC2 said of it.
    pub recorded_the_capture: bool,
}

impl Process {
    /// A process that starts now.
    pub const NEW: Self = Self {
        last_creation: NOW,
        recorded_the_capture: false,
    };

    /// A time before or after the record, which is all that matters of it.
    fn started(self) -> Timestamp {
        if self.recorded_the_capture {
            LONG_AGO
        } else {
            NOW
        }
    }
}

/// Whether the instance can be captured and the image copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceState {
    runs: bool,
    is_there: bool,
}

impl SourceState {
    pub fn of(world: &World) -> Self {
        let region = &world.regions()[HOME];
        let golden = region.images.get(GOLDEN);
        Self {
            runs: region.instances[INSTANCE].state == ec2sim::state::InstanceState::Running,
            is_there: golden.is_some_and(|image| image.deregistered.is_none()),
        }
    }

    fn view(self, query: &SourceQuery) -> SourceView {
        match query {
            SourceQuery::Instance(_) => SourceView::Instance(SourceInstance {
                state: if self.runs { "running" } else { "terminated" }.to_owned(),
                tags: [].into(),
                data_devices: Vec::new(),
                unsupported: None,
            }),
            SourceQuery::Snapshots(_, ids) => {
                let snapshot = |id: &String| SourceSnapshot {
                    id: id.clone(),
                    state: "completed".to_owned(),
                    owner: ACCOUNT.to_owned(),
                    tags: [].into(),
                };
                SourceView::Snapshots(ids.iter().map(snapshot).collect())
            }
            SourceQuery::Image(at) if self.is_there => SourceView::Image(SourceImage {
                id: at.id.clone(),
                name: "golden".to_owned(),
                architecture: "x86_64".to_owned(),
                state: amity_core::image::observed::ImageState::Available,
                owner: ACCOUNT.to_owned(),
                owner_alias: None,
                object: None,
                size_gib: None,
            }),
            SourceQuery::Image(_)
            | SourceQuery::NamedImage(_)
            | SourceQuery::Parameter(_)
            | SourceQuery::Published(_) => SourceView::Missing {
                message: "it is gone".to_owned(),
            },
        }
    }
}

impl Look {
    /// Looks at what is known of the regions; none of one that cannot be read.
    pub fn at(
        desired: Rc<Desired>,
        known: [Option<Known>; 2],
        source: SourceState,
        process: Process,
        planner: Planner,
    ) -> Self {
        let places = REGIONS.iter().zip(known).map(|(region, known)| {
            let view =
                known.map_or_else(|| PlaceView::Unreadable(unread(region)), PlaceView::Known);
            (Place::new(ACCOUNT, *region), view)
        });
        let mut observed = Observed {
            places: places.collect(),
            started: process.started(),
            last_creation: process.last_creation,
            ..Observed::default()
        };
        let mut needed = Reads::default();
        let plan = loop {
            let plan = planner(&desired, &observed, NOW);
            if !needed.add(reads(&desired, &observed, &plan, NOW)) {
                break plan;
            }
            if let Some(query) = &needed.source {
                observed.source = source.view(query);
            }
            let usage = needed
                .usage
                .iter()
                .map(|asked| (asked.clone(), Usage::By(Vec::new())));
            observed.usage = usage.collect();
            let counted = Departures {
                going: 1,
                published: 10,
            };
            let counted = needed.departures.then(|| (ACCOUNT.to_owned(), counted));
            observed.departures = counted.into_iter().collect();
        };
        let broken = violations(&plan, &desired, &observed, NOW);
        let next = next_steps(&plan, &desired, &observed);
        let on_object = next.iter().find(|step| step.place.is_none());
        let calls = next.iter().filter_map(|step| {
            let place = step.place.as_ref()?;
            Some(Call {
                region: REGIONS.iter().position(|region| *region == place.region)?,
                action: step.action.clone(),
                request: request(&step.action),
            })
        });
        Self {
            on_object: on_object.map(|step| step.action.clone()),
            calls: calls.collect(),
            broken: broken.iter().map(ToString::to_string).collect(),
            plan,
            desired,
        }
    }
}

/// As `Checked::next_steps`, also of a plan that breaks an invariant, to see what would come of it.
fn next_steps(plan: &Plan, desired: &Desired, observed: &Observed) -> Vec<Step> {
    let checked = plan.clone().checked(desired, observed, NOW);
    if !checked.steps.is_empty() {
        return checked.next_steps().into_iter().cloned().collect();
    }
    let ready = || plan.steps.iter().filter(|step| step.waits_for.is_none());
    if let Some(on_object) = ready().find(|step| step.place.is_none()) {
        return vec![on_object.clone()];
    }
    // The last of each place that is put in is the first of the plan.
    let of_places: BTreeMap<_, _> = ready().rev().map(|step| (&step.place, step)).collect();
    of_places.into_values().cloned().collect()
}

fn unread(region: &str) -> Unreadable {
    Unreadable {
        reason: conditions::WAITING_FOR_INVENTORY,
        message: format!("{region} has not been read"),
    }
}
