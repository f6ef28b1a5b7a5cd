//! Worlds for many objects: accounts, regions, and a source for each object.

use ec2sim::{World, WorldFile};
use serde_json::{Value, json};

use crate::process::ACCESS_KEY;

/// The account whose credentials the controller has; the others are reached by a role.
pub const HOME: &str = "111122223333";

/// What an object is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Instance,
    Image,
}

/// A world that is being described.
pub struct Landscape {
    world: Value,
    sources: u64,
}

impl Landscape {
    /// Regions without anything in them, where every capture and every copy takes a minute.
    pub fn new(regions: &[&str]) -> Self {
        let regions: serde_json::Map<_, _> = regions
            .iter()
            .map(|region| ((*region).to_owned(), json!({})))
            .collect();
        let knobs = json!({
            "baseMilliseconds": 60_000,
            "millisecondsPerGib": 0,
            "emptyPagesPerMille": 0,
        });
        let home = json!({"accessKeys": [ACCESS_KEY]});
        Self {
            world: json!({"knobs": knobs, "regions": regions, "accounts": {HOME: home}}),
            sources: 0,
        }
    }

    pub fn knob(&mut self, name: &str, value: impl Into<Value>) {
        self.world["knobs"][name] = value.into();
    }

    /// An account with a role that the controller may assume, or may not.
    pub fn account(&mut self, id: &str, trusts: bool) {
        let trusted: &[&str] = if trusts { &[HOME] } else { &[] };
        self.world["accounts"][id]["roles"] = json!({"amity": {"trusts": trusted}});
    }

    /// Something new to make an image from: gives `spec.source`.
    pub fn source(&mut self, kind: Source, account: &str, region: &str) -> Value {
        self.sources += 1;
        let number = format!("{:017x}", self.sources);
        let place = &mut self.world["accounts"][account]["places"][region];
        match kind {
            Source::Instance => {
                let id = format!("i-{number}");
                place["instances"][&id] = json!({
                    "image": "ami-0a2b3c4d5e6f70819",
                    "rootDevice": "/dev/xvda",
                    "volumes": [{"device": "/dev/xvda", "size": 8}],
                });
                json!({"instance": {"region": region, "instanceId": id, "reboot": "Never"}})
            }
            Source::Image => {
                let id = format!("ami-{number}");
                place["images"][&id] = json!({
                    "name": format!("golden-{number}"),
                    "rootDevice": "/dev/xvda",
                    "devices": [{"name": "/dev/xvda", "snapshot": format!("snap-{number}"), "size": 8}],
                });
                json!({"image": {"region": region, "imageId": id}})
            }
        }
    }

    /// Something that an account has in a region: `what` is as in a world file.
    pub fn put(&mut self, account: &str, region: &str, what: &str, id: &str, value: Value) {
        self.world["accounts"][account]["places"][region][what][id] = value;
    }

    pub fn world(&self) -> World {
        let file: WorldFile = serde_json::from_value(self.world.clone()).expect("a world file");
        World::from_file(file).expect("a world")
    }
}
