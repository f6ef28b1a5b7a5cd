//! What the user of a story writes: sources of all kinds, regions, tags and retention, and changes of them.

use serde_json::{Value, json};

use crate::chance::Chance;
use crate::regions;

/// An image that its publisher replaces by newer ones under the same name.
pub const UPSTREAM: (&str, &str) = ("us-east-1", "al2023");

/// What the user has written, and wrote before.
pub struct Plot {
    chance: Chance,
    /// The spec as it is now.
    pub spec: Value,
    /// `source` and `rebuild` of specs that were published, the latest last.
    past: Vec<Content>,
}

/// What makes a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    source: Value,
    rebuild: Value,
}

impl Content {
    pub fn of(spec: &Value) -> Self {
        Self {
            source: spec["source"].clone(),
            rebuild: spec["rebuild"].clone(),
        }
    }
}

impl Plot {
    pub fn new(chance: &Chance) -> Self {
        let mut spec = json!({
            "source": source(chance),
            "regions": regions(chance.pick::<&[&str]>(&[
                &["us-east-1", "eu-west-1", "ap-northeast-1"],
                &["eu-west-1", "ap-northeast-1"],
                &["us-east-1"],
            ])),
            "tags": {"team": "web"},
        });
        if let Some(retention) = retention(chance) {
            spec["retention"] = retention;
        }
        Self {
            chance: chance.clone(),
            spec,
            past: Vec::new(),
        }
    }

    /// The spec as it stands was published. `retained` are the contents that can be had again.
    pub fn was_published(&mut self, retained: Vec<Content>) {
        self.past = retained;
    }

    /// The user wants it made anew.
    pub fn rebuild(&mut self) {
        self.spec["rebuild"] = json!(format!("again {}", self.chance.next()));
    }

    /// The user changes something, and says what.
    pub fn change(&mut self) -> &'static str {
        let chance = self.chance.clone();
        let new_rebuild = || json!(format!("again {}", chance.next()));
        let choice = chance.next() % 8;
        let spec = &mut self.spec;
        match (choice, self.past.last()) {
            (0 | 1, Some(_)) => {
                let Content { source, rebuild } = chance.pick(&self.past).clone();
                (spec["source"], spec["rebuild"]) = (source, rebuild);
                "reverted"
            }
            (0 | 2, _) => {
                spec["rebuild"] = new_rebuild();
                "rebuilt"
            }
            (1 | 3, _) => {
                (spec["source"], spec["rebuild"]) = (source(&chance), new_rebuild());
                "made from another source"
            }
            (4, _) => {
                spec["regions"] = regions(chance.pick::<&[&str]>(&[
                    &["us-east-1", "eu-west-1", "ap-southeast-2"],
                    &["ap-northeast-1"],
                ]));
                "wanted elsewhere"
            }
            (5, _) => {
                spec["tags"] = json!({"team": "api", "stage": "prod"});
                "tagged"
            }
            (6, _) => {
                spec["retention"] = retention(&chance).unwrap_or_else(|| json!({"revisions": 0}));
                spec["rebuild"] = new_rebuild();
                "retained otherwise"
            }
            _ => {
                spec["rebuild"] = new_rebuild();
                spec["regions"] = regions(&["us-west-2", "eu-west-1"]);
                spec["tags"] = json!({});
                "changed all over"
            }
        }
    }
}

fn source(chance: &Chance) -> Value {
    let instance = |reboot: &str| json!({"region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": reboot});
    match chance.next() % 6 {
        0 => json!({"instance": instance("Once")}),
        1 => json!({"instance": instance("Never")}),
        2 => {
            let mut instance = instance("Never");
            instance["volumes"] = json!("RootOnly");
            json!({"instance": instance})
        }
        3 => json!({"snapshot": {
            "region": "us-east-1",
            "snapshotId": "snap-0bac0bac0bac0bac0",
            "rootDeviceName": "/dev/xvda",
            "architecture": "x86_64",
        }}),
        4 => json!({"image": {"region": "us-east-1", "imageId": "ami-0feedfacefeedface"}}),
        _ => json!({"image": {"region": UPSTREAM.0, "owner": "amazon", "name": UPSTREAM.1}}),
    }
}

/// None for the default. No age is such that it ends within a story.
fn retention(chance: &Chance) -> Option<Value> {
    match chance.next() % 5 {
        0 | 1 => Some(json!({"revisions": 0})),
        2 => Some(json!({"revisions": 2})),
        3 => Some(json!({"revisions": 0, "minAge": "8760h"})),
        _ => None,
    }
}
