//! The machines that images are built on. That their user data does what it shall is taken for granted.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::ec2::{Ec2, MADE};
use super::estimate;
use crate::image::identity::Place;
use crate::image::machines::{Machine, MachineState, Machines, MachinesView};

impl Ec2 {
    /// What runs already will have stopped some time.
    pub(super) fn find_machines(&mut self) {
        let now = self.now;
        let all = self.observed.machines.values().flat_map(|view| match view {
            MachinesView::Known(machines) => machines.all.as_slice(),
            MachinesView::Unknown(_) => &[],
        });
        let running = all.filter(|machine| machine.state < MachineState::Stopped);
        self.stops = running
            .map(|machine| {
                let stops_at = machine.launched + estimate::BUILD;
                let soon = now + estimate::BUILD / 10;
                (machine.id.clone(), stops_at.max(soon))
            })
            .collect();
    }

    /// EC2 launches a machine.
    pub(super) fn launch(&mut self, place: &Place, token: &str, tags: &BTreeMap<String, String>) {
        self.made += 1;
        let machine = Machine {
            id: format!("i-{MADE}{}", self.made),
            state: MachineState::Running,
            launched: self.now,
            token: token.to_owned(),
            state_reason: None,
            tags: tags.into(),
        };
        self.stops
            .insert(machine.id.clone(), self.now + estimate::BUILD);
        if let Some(machines) = self.machines_mut(place) {
            machines.all.push(machine);
        }
    }

    /// EC2 terminates a machine.
    pub(super) fn terminate(&mut self, place: &Place, id: &str) {
        self.stops.remove(id);
        self.change(place, id, MachineState::Terminated);
    }

    /// Those whose time has come stop themselves.
    pub(super) fn stop_machines(&mut self) {
        let now = self.now;
        let (stop, rest) = std::mem::take(&mut self.stops)
            .into_iter()
            .partition(|(_, at)| *at <= now);
        self.stops = rest;
        let stop: BTreeMap<String, Timestamp> = stop;
        let places: Vec<_> = self.observed.machines.keys().cloned().collect();
        for (id, place) in stop
            .keys()
            .flat_map(|id| places.iter().map(move |place| (id, place)))
        {
            self.change(place, id, MachineState::Stopped);
        }
    }

    /// Read again, they are what was made of them.
    pub(super) fn read_machines(&mut self, place: &Place) {
        let now = self.now;
        if let Some(machines) = self.machines_mut(place) {
            machines.as_of = now;
        }
    }

    fn change(&mut self, place: &Place, id: &str, state: MachineState) {
        let machines = self.machines_mut(place).map(|machines| &mut machines.all);
        let mut all = machines.into_iter().flatten();
        if let Some(machine) = all.find(|machine| machine.id == id) {
            machine.state = state;
        }
    }

    fn machines_mut(&mut self, place: &Place) -> Option<&mut Machines> {
        match self.observed.machines.get_mut(place)? {
            MachinesView::Known(machines) => Some(machines),
            MachinesView::Unknown(_) => None,
        }
    }
}
