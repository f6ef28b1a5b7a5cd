//! Instances: one file for each thing that is done with them, `life` for what becomes of them by themselves, and
//! `script` for what runs in them.

mod attributes;
mod console;
mod data;
mod describe;
mod disks;
mod guest;
mod life;
mod power;
mod run;
mod script;
mod status;
mod types;
mod volumes;
mod wanted;

use crate::error::{ApiError, check_id};
use crate::state::{Instance, Region};
use crate::world::{Call, World};

pub(crate) use data::{take_data, take_template_data, write_template_data};
pub(crate) use guest::keeps_the_agent_waiting;
pub(crate) use life::Turn;

impl Region {
    /// An instance of an account, as far as this read sees.
    pub(crate) fn instance_seen(&self, call: &Call, id: &str) -> Option<&Instance> {
        let found = self.instances.get(id);
        found.filter(|one| one.owner == call.account && self.sees(id, call.view))
    }
}

impl World {
    /// Refuses ids of which one is none or is not the caller's. A read may not see what is there already; what changes
    /// an instance finds it at once.
    fn check_instances(&self, call: &Call, ids: &[String], reads: bool) -> Result<(), ApiError> {
        ids.iter().try_for_each(|id| check_id("i", id))?;
        let region = self.region(&call.region)?;
        let is_there = |id: &String| {
            if reads {
                region.instance_seen(call, id).is_some()
            } else {
                let found = region.instances.get(id);
                found.is_some_and(|one| one.owner == call.account)
            }
        };
        let missing: Vec<String> = ids.iter().filter(|id| !is_there(id)).cloned().collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ApiError::instances_not_found(&missing))
        }
    }
}
