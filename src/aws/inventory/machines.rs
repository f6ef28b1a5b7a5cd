//! The machines that were launched for an object in a place: read for that object alone, every half minute while one lives,
//! at once after one was launched or ended, and else once in an interval. Source: EC2 API, `DescribeInstances`.

use amity_core::image::identity::{Identity, Place, tag};
use amity_core::image::machines::{Machine, MachineState, Machines, MachinesView};
use amity_core::image::observed::Unreadable;
use amity_core::image::plan::When;
use amity_core::image::plan::step::Action;
use aws_sdk_ec2::Client as Ec2;
use aws_sdk_ec2::types::{Filter, Instance, InstanceStateName, Reservation};
use jiff::{SignedDuration, Timestamp};

use super::Inventory;
use super::read::{Pages, filter, tags_of};
use crate::aws::calls::{self, EC2Calls};
use crate::aws::effect::Answer;
use crate::aws::error::Failure;

const ACTION: &str = "DescribeInstances";

/// How long what was read before a write is believed, with that laid over it.
const AFTER_A_WRITE: SignedDuration = SignedDuration::from_secs(5);

/// How long an answer is believed while a machine lives, and a failure.
const SOON: SignedDuration = SignedDuration::from_secs(25);

impl Inventory {
    /// Whether the object's machines are known well enough, or need not be before its turn comes.
    pub(super) fn knows_machines(&self, place: &Place, when: When, object: &str) -> bool {
        let now = self.clock.now();
        let known = self.known_machines(place, object);
        let as_of = known.as_ref().map(|view| match view {
            MachinesView::Known(machines) => machines.as_of,
            // It is asked again when that is no longer believed.
            MachinesView::Unknown(_) => now,
        });
        match when {
            When::Now => as_of.is_some_and(|as_of| now < as_of + SOON),
            When::After(time) => as_of.is_some_and(|as_of| as_of >= time || now < time),
            When::InTurn => {
                let key = (place.clone(), format!("{ACTION} {object}"));
                as_of.is_some() || now < self.first_turn(&key)
            }
        }
    }

    /// What EC2 said of them, unless that is too long ago.
    pub(super) fn known_machines(&self, place: &Place, object: &str) -> Option<MachinesView> {
        if let Some(unreadable) = self.state().why_unreadable(place, object) {
            return Some(MachinesView::Unknown(unreadable));
        }
        let key = (place.clone(), object.to_owned());
        self.machines.get(&key, self.clock.now())
    }

    /// Reads them, and remembers what came of it.
    pub(super) async fn read_machines(&self, place: &Place, object: &str) {
        let answer = self.ask_for_machines(place, object).await;
        let now = self.clock.now();
        let (view, until) = match answer {
            Ok(known) => {
                let lives = known.all.iter().any(|machine| machine.state.is_alive());
                let believed = if lives {
                    SOON
                } else {
                    self.settings.permissions_interval
                };
                (MachinesView::Known(known), now + believed)
            }
            Err(unreadable) => (MachinesView::Unknown(unreadable), now + SOON),
        };
        let key = (place.clone(), object.to_owned());
        self.machines.put(key, view, until, now);
    }

    /// What was launched is there, and what was ended is gone, whatever EC2 lists in the next seconds. What may have been is
    /// not known.
    pub(super) fn wrote_machine(
        &self,
        identity: &Identity,
        place: &Place,
        action: &Action,
        result: &Result<Answer, Failure>,
    ) {
        if !action.is_of_a_machine() {
            return;
        }
        let key = (place.clone(), identity.object.clone());
        let now = self.clock.now();
        let Ok(answer) = result else {
            self.machines.forget(|other| *other == key);
            return;
        };
        self.machines.change(&key, now + AFTER_A_WRITE, |view| {
            let MachinesView::Known(machines) = view else {
                return;
            };
            match (action, answer) {
                (Action::RunInstances { token, tags, .. }, Answer::Made(id)) => {
                    machines.all.retain(|machine| machine.id != *id);
                    machines.all.push(Machine {
                        id: id.clone(),
                        state: MachineState::Pending,
                        launched: now,
                        token: token.clone(),
                        state_reason: None,
                        tags: tags.into(),
                    });
                }
                (Action::TerminateInstances { id }, _) => {
                    let ended = machines.all.iter_mut().filter(|machine| machine.id == *id);
                    ended.for_each(|machine| machine.state = MachineState::Terminated);
                }
                _ => {}
            }
        });
    }

    async fn ask_for_machines(&self, place: &Place, object: &str) -> Result<Machines, Unreadable> {
        let session = self
            .sessions
            .proven(&place.account)
            .ok_or_else(|| self.why_closed(place))?;
        let as_of = self.clock.now();
        let of_tag = |key: &str, value: &str| filter(&format!("tag:{key}"), [value.to_owned()]);
        let filters = [of_tag(tag::OWNER, &self.owner), of_tag(tag::OBJECT, object)];
        let (ec2, calls) = (session.ec2(&place.region), self.sessions.calls());
        let listed = self
            .in_turn(place, ACTION, list(&ec2, calls, &filters))
            .await?;
        let all = listed.map_err(|failure| failure.unreadable(ACTION, place))?;
        Ok(Machines { all, as_of })
    }
}

async fn list(ec2: &Ec2, calls: &EC2Calls, filters: &[Filter]) -> Result<Vec<Machine>, Failure> {
    let (mut pages, mut all) = (Pages::default(), Vec::new());
    loop {
        let request = ec2
            .describe_instances()
            .set_filters(Some(filters.to_vec()))
            .max_results(1000)
            .set_next_token(pages.token().map(str::to_owned));
        let page = calls::read(calls, ACTION, || request.clone().send()).await?;
        let instances = page.reservations().iter();
        all.extend(
            instances
                .flat_map(Reservation::instances)
                .filter_map(machine),
        );
        if pages.is_last(page.next_token())? {
            all.sort_unstable_by(|one: &Machine, other| one.id.cmp(&other.id));
            return Ok(all);
        }
    }
}

fn machine(instance: &Instance) -> Option<Machine> {
    let reason = instance.state_reason().and_then(|reason| reason.message());
    Some(Machine {
        id: instance.instance_id()?.to_owned(),
        state: state(instance.state().and_then(|state| state.name())),
        launched: instance
            .launch_time()
            .and_then(|time| Timestamp::from_second(time.secs()).ok())
            .unwrap_or_default(),
        token: instance.client_token().unwrap_or_default().to_owned(),
        state_reason: reason.filter(|text| !text.is_empty()).map(str::to_owned),
        tags: tags_of(instance.tags()),
    })
}

/// What EC2 may invent besides lives: it is not taken for gone.
fn state(name: Option<&InstanceStateName>) -> MachineState {
    match name {
        Some(InstanceStateName::Pending) => MachineState::Pending,
        Some(InstanceStateName::Stopping) => MachineState::Stopping,
        Some(InstanceStateName::Stopped) => MachineState::Stopped,
        Some(InstanceStateName::ShuttingDown | InstanceStateName::Terminated) => {
            MachineState::Terminated
        }
        _ => MachineState::Running,
    }
}
