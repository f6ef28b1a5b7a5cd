//! What becomes of an instance by itself: it starts, stops and goes (docs: UG ec2-instance-lifecycle).
//!
//! Each change of state is an episode; what an earlier one had still to come does not happen any more. Where a knob is 0,
//! stopping and terminating have no state in between.

use crate::chance::{Stream, after};
use crate::state::{
    ConsoleLine, DetachedVolume, GuestFault, Instance, InstanceState, ShutdownBehavior, StateReason,
};
use crate::wire::response::iso;
use crate::world::{Due, World};

/// What an instance comes to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
    /// It runs.
    Running,
    /// Its user data is done.
    Ready,
    /// Sysprep is done; the machine goes down, or not.
    Sysprepped {
        /// Whether it does.
        shuts_down: bool,
    },
    /// It is down.
    Stopped,
    /// It is gone.
    Terminated,
    /// It is no longer listed.
    Vanished,
    /// EC2 takes a spot instance back.
    Interrupted,
    /// The agent takes a command of Systems Manager.
    Command(String),
}

/// Why an instance goes down: the codes and texts of the model's `StateReason`.
pub(super) struct Cause {
    pub code: &'static str,
    pub text: &'static str,
    /// How `reason` begins, which is for persons.
    pub transition: &'static str,
}

/// A call.
pub(super) const BY_A_CALL: Cause = Cause {
    code: "Client.UserInitiatedShutdown",
    text: "Client.UserInitiatedShutdown: User initiated shutdown",
    transition: "User initiated",
};
/// The system of the machine itself.
pub(super) const FROM_WITHIN: Cause = Cause {
    code: "Client.InstanceInitiatedShutdown",
    text: "Client.InstanceInitiatedShutdown: Instance initiated shutdown",
    transition: "",
};
/// EC2 needs what a spot instance has.
const INTERRUPTED: Cause = Cause {
    code: "Server.SpotInstanceTermination",
    text: "Server.SpotInstanceTermination: Spot instance termination",
    transition: "Server.SpotInstanceTermination",
};

/// A volume cannot be encrypted: the launch was taken, and ends so (hashicorp/packer#12683).
const KEY_DOES_NOT_WORK: Cause = Cause {
    code: "Client.InternalError",
    text: "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
    transition: "Client.InternalError",
};

impl World {
    pub(crate) fn machine(&self, region: &str, id: &str) -> Option<&Instance> {
        self.regions.get(region)?.instances.get(id)
    }

    pub(super) fn machine_mut(&mut self, region: &str, id: &str) -> Option<&mut Instance> {
        self.regions.get_mut(region)?.instances.get_mut(id)
    }

    /// Has something come in so much time, unless the state changes before.
    pub(crate) fn will(&mut self, region: &str, id: &str, milliseconds: u64, turn: Turn) {
        let Some(episode) = self.machine(region, id).map(|machine| machine.episode) else {
            return;
        };
        let due = Due::Machine {
            region: region.to_owned(),
            id: id.to_owned(),
            episode,
            key: format!("{id} {episode} {turn:?}"),
            turn,
        };
        self.schedule(after(self.now, milliseconds), due);
    }

    /// What was to come has come.
    pub(crate) fn machine_turns(&mut self, region: &str, id: &str, episode: u32, turn: &Turn) {
        let is_due = self
            .machine(region, id)
            .is_some_and(|machine| machine.episode == episode);
        if !is_due {
            return;
        }
        match turn {
            Turn::Running => self.runs(region, id),
            Turn::Ready => self.user_data_ends(region, id),
            Turn::Sysprepped { shuts_down } => self.sysprep_ends(region, id, *shuts_down),
            Turn::Stopped => self.changes(region, id, InstanceState::Stopped),
            Turn::Terminated => self.terminated(region, id),
            Turn::Vanished => self.vanishes(region, id),
            Turn::Interrupted => self.goes_down(region, id, &INTERRUPTED, true),
            Turn::Command(command) => self.command_begins(region, id, command),
        }
    }

    /// The beginning of a first or a later start.
    pub(super) fn starts(&mut self, region: &str, id: &str) {
        self.changes(region, id, InstanceState::Pending);
        if let Some(machine) = self.machine_mut(region, id) {
            machine.reason = None;
            machine.transition.clear();
        }
        self.will(region, id, self.knobs.launch_milliseconds, Turn::Running);
    }

    fn runs(&mut self, region: &str, id: &str) {
        if !self.keys_work(region, id) {
            self.goes_down(region, id, &KEY_DOES_NOT_WORK, true);
            return;
        }
        self.changes(region, id, InstanceState::Running);
        let (now, knobs) = (self.now, &self.knobs);
        let (usual, most) = (
            knobs.user_data_milliseconds,
            knobs.spot_interruptions_per_mille,
        );
        let Some(machine) = self.machine_mut(region, id) else {
            return;
        };
        machine.booted = Some(now);
        machine.boots += 1;
        // The first start after Sysprep makes the machine one of its own again.
        machine.generalised = None;
        machine.scheduled = false;
        let (guest, spot) = (&machine.guest, machine.asked.spot.is_some());
        let ready = guest.user_data_milliseconds.unwrap_or(usual);
        let never = matches!(guest.fault, Some(GuestFault::Hangs | GuestFault::Impaired));
        let boots = if machine.machine.platform.is_windows() {
            format!("{}: Windows is starting", iso(now))
        } else {
            "[    0.000000] Linux version 6.1.0 (ec2sim)".to_owned()
        };
        self.says(region, id, boots);
        if !never {
            self.will(region, id, ready, Turn::Ready);
        }
        if spot && self.chance.happens(Stream::Guest, most) {
            let milliseconds = self.chance.between(Stream::Guest, 0, 2 * ready);
            self.will(region, id, milliseconds, Turn::Interrupted);
        }
    }

    /// Whether the owner can use the keys of all volumes.
    fn keys_work(&self, region: &str, id: &str) -> bool {
        self.machine(region, id).is_none_or(|machine| {
            let mut keys = machine
                .volumes
                .iter()
                .filter_map(|volume| volume.key.as_ref());
            keys.all(|key| self.key_works(key, &machine.owner, region))
        })
    }

    /// Writes on the console.
    pub(super) fn says(&mut self, region: &str, id: &str, text: impl Into<String>) {
        let at = self.now;
        if let Some(machine) = self.machine_mut(region, id) {
            let text = text.into();
            machine.console.push(ConsoleLine { at, text });
        }
    }

    /// The system shuts the machine down. What becomes of a one-time spot instance then, which cannot be stopped, nobody
    /// could say: it is gone, unless `facts: oneTimeSpotsStopFromWithin`.
    pub(super) fn shuts_itself_down(&mut self, region: &str, id: &str) {
        let Some(machine) = self.machine(region, id) else {
            return;
        };
        if machine.guest.fault == Some(GuestFault::NeverStops) {
            return;
        }
        let one_time = machine.asked.is_one_time() && !self.facts.one_time_spots_stop_from_within;
        let terminates = one_time
            || machine.asked.shutdown_behavior() == ShutdownBehavior::Terminate
            || machine.guest.fault == Some(GuestFault::TerminatesItself);
        if !machine.machine.platform.is_windows() {
            self.says(region, id, "reboot: Power down");
        }
        self.goes_down(region, id, &FROM_WITHIN, terminates);
    }

    /// On its way to be stopped, or gone.
    pub(super) fn goes_down(&mut self, region: &str, id: &str, cause: &Cause, for_good: bool) {
        let (passing, end, milliseconds) = if for_good {
            (
                InstanceState::ShuttingDown,
                Turn::Terminated,
                self.knobs.terminate_milliseconds,
            )
        } else {
            (
                InstanceState::Stopping,
                Turn::Stopped,
                self.knobs.stop_milliseconds,
            )
        };
        let was_stopped = self
            .machine(region, id)
            .is_some_and(|machine| machine.state == InstanceState::Stopped);
        self.silence(region, id);
        self.changes(region, id, passing);
        let at = self.now.strftime("%Y-%m-%d %H:%M:%S GMT").to_string();
        if let Some(machine) = self.machine_mut(region, id) {
            machine.reason = Some(StateReason {
                code: cause.code.to_owned(),
                message: cause.text.to_owned(),
            });
            machine.transition = match cause.transition {
                "" => String::new(),
                words => format!("{words} ({at})"),
            };
        }
        if (milliseconds == 0 || was_stopped) && self.by_step.is_none() {
            let episode = self.machine(region, id).map(|machine| machine.episode);
            self.machine_turns(region, id, episode.unwrap_or_default(), &end);
        } else {
            self.will(region, id, milliseconds, end);
        }
    }

    /// Its volumes go with it, or stay without it; it is listed for a while.
    fn terminated(&mut self, region: &str, id: &str) {
        self.changes(region, id, InstanceState::Terminated);
        let seconds = self.knobs.terminated_visible_seconds;
        let Some(place) = self.regions.get_mut(region) else {
            return;
        };
        if let Some(machine) = place.instances.get_mut(id) {
            let (owner, zone) = (machine.owner.clone(), machine.zone.clone());
            for volume in std::mem::take(&mut machine.volumes) {
                if volume.delete_on_termination {
                    place.tags.remove(&volume.id);
                } else {
                    let left = DetachedVolume {
                        owner: owner.clone(),
                        zone: zone.clone(),
                        created: machine.launched,
                        volume,
                    };
                    place.detached_volumes.insert(left.volume.id.clone(), left);
                }
            }
        }
        if self.by_step.is_none() {
            self.will(region, id, seconds.saturating_mul(1000), Turn::Vanished);
        }
    }

    fn vanishes(&mut self, region: &str, id: &str) {
        if let Some(region) = self.regions.get_mut(region) {
            region.instances.remove(id);
            region.tags.remove(id);
            region.seen_from.remove(id);
        }
    }

    fn changes(&mut self, region: &str, id: &str, state: InstanceState) {
        if let Some(machine) = self.machine_mut(region, id) {
            machine.state = state;
            machine.episode += 1;
            if state != InstanceState::Running {
                machine.booted = None;
            }
        }
    }
}
