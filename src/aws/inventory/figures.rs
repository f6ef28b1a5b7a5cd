//! How things stand in each place, for whoever looks at the process as a whole.

use std::collections::BTreeMap;

use amity_core::image::identity::Place;

use super::{Inventory, Slots};

/// What goes on in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PlaceFigures {
    /// How many seconds ago it was read completely; or the inventory begun, if it never was.
    pub age: f64,
    /// How many snapshots are copied into it.
    pub slots_used: usize,
    /// How many more may be.
    pub slots_free: usize,
    /// How many copies wait for a slot.
    pub copies_waiting: usize,
    /// How many actions EC2 throttled of late, and did not take since.
    pub throttled: usize,
    /// What is stored there at most.
    pub stored_bytes: u64,
}

impl Inventory {
    /// How things stand in each place that is read, from memory.
    pub fn figures(&self) -> BTreeMap<Place, PlaceFigures> {
        let now = self.clock.now();
        let throttled = self.budget.throttled();
        let state = self.state();
        let places = state.places.iter().map(|(place, known)| {
            let free = self.free_slots(&state, place, "");
            let read = known.memory.as_of().unwrap_or(state.started);
            let slots = state.slots.get(place);
            let figures = PlaceFigures {
                age: now.duration_since(read).as_secs_f64(),
                slots_used: self.settings.copy_slots.saturating_sub(free),
                slots_free: free,
                copies_waiting: slots.map_or(0, Slots::waiting),
                throttled: throttled.get(place).copied().unwrap_or_default(),
                stored_bytes: known.memory.stored_bytes(),
            };
            (place.clone(), figures)
        });
        places.collect()
    }
}
