//! Worlds, each kept as its regions and the rest: what differs from one to the next is mostly one region.

use ec2sim::World;
use ec2sim::state::Region;

use crate::ec2::REGIONS;
use crate::table::{Number, Table};

/// All worlds.
#[derive(Default)]
pub struct Worlds {
    whole: Table<(Number, [Number; 2])>,
    regions: Table<Region>,
    without_regions: Table<World>,
}

impl Worlds {
    /// The number of the world.
    pub fn number(&mut self, mut world: World) -> Number {
        let regions = REGIONS.map(|name| {
            let region = world.regions_mut().get_mut(name).map(std::mem::take);
            self.regions.number(region.expect("a region"))
        });
        let rest = self.without_regions.number(world);
        self.whole.number((rest, regions))
    }

    /// The world of a number.
    pub fn get(&self, number: Number) -> World {
        let (rest, regions) = *self.whole.get(number);
        let mut world = (*self.without_regions.get(rest)).clone();
        for (name, region) in REGIONS.iter().zip(regions) {
            let region = (*self.regions.get(region)).clone();
            world.regions_mut().insert((*name).to_owned(), region);
        }
        world
    }

    /// The number of one region of it.
    pub fn region(&self, number: Number, region: usize) -> Number {
        self.whole.get(number).1[region]
    }

    pub fn len(&self) -> usize {
        self.whole.len()
    }
}
