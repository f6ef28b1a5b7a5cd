//! What there is to make images from, and what makes a revision.

use amity_core::api::Source;
use amity_core::image::identity::{Reference, Revision};
use serde_json::{Value, json};

use crate::cast::{Account, Key};
use crate::chance::Chance;

/// An image that its publisher replaces by newer ones under the same name.
pub const UPSTREAM: (&str, &str) = ("us-east-1", "al2023");

/// The parameter of each account that holds the id of the newest.
pub const UPSTREAM_PARAMETER: &str = "/upstream/al2023";

/// What an image is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Instance,
    Snapshot,
    Image,
    Upstream,
    Parameter,
    /// What another object has published.
    Published,
}

impl Kind {
    /// What a spec makes its image from.
    pub fn of(spec: &Value) -> Self {
        let source = &spec["source"];
        let image = &source["image"];
        match () {
            () if !source["instance"].is_null() => Self::Instance,
            () if !source["snapshot"].is_null() => Self::Snapshot,
            () if !image["ssmParameter"].is_null() => Self::Parameter,
            () if !image["machineImageName"].is_null() => Self::Published,
            () if !image["name"].is_null() => Self::Upstream,
            () => Self::Image,
        }
    }

    /// Whether it may lead to another image later.
    pub fn can_be_followed(self) -> bool {
        self.is_of_publisher() || self == Self::Published
    }

    /// Whether it leads to what the publisher says.
    pub fn is_of_publisher(self) -> bool {
        matches!(self, Self::Upstream | Self::Parameter)
    }
}

/// What makes a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    pub source: Value,
    pub rebuild: Value,
    /// The image to which the source was followed; none for the first revision of what is written.
    followed_to: Option<String>,
}

impl Content {
    /// The first of a spec.
    pub fn of(spec: &Value) -> Self {
        Self {
            source: spec["source"].clone(),
            rebuild: spec["rebuild"].clone(),
            followed_to: None,
        }
    }

    /// That of a spec of which the source was followed to another image.
    pub fn following(spec: &Value, image: &str) -> Self {
        Self {
            followed_to: Some(image.to_owned()),
            ..Self::of(spec)
        }
    }

    /// Whether it is the first of this spec, or follows it.
    pub fn is_of(&self, spec: &Value) -> bool {
        self.source == spec["source"] && self.rebuild == spec["rebuild"]
    }

    /// Its revision.
    pub fn revision(&self) -> Revision {
        let source: Source = serde_json::from_value(self.source.clone()).expect("a source");
        let region = source.region().to_owned();
        let source = serde_json::to_value(source).expect("a source");
        let rebuild = self.rebuild.as_str();
        match &self.followed_to {
            None => Revision::of(&source, rebuild),
            Some(image) => Revision::following(&source, rebuild, &Reference::new(region, image)),
        }
    }
}

/// What an object can be made from.
pub struct Sources {
    account: &'static Account,
    /// The object, if any, whose images it can be made from.
    before: Option<String>,
    kinds: Vec<Kind>,
}

impl Sources {
    pub fn new(account: &'static Account, before: Option<&Key>) -> Self {
        use Kind::{Image, Instance, Parameter, Published, Snapshot, Upstream};
        let mut kinds = vec![
            Instance, Instance, Instance, Snapshot, Image, Upstream, Parameter,
        ];
        if before.is_some() {
            kinds.extend([Published; 7]);
        }
        Self {
            account,
            before: before.map(|key| key.name.clone()),
            kinds,
        }
    }

    /// Whether there is something of the kind.
    pub fn have(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// There is nothing of the kind any more.
    pub fn lose(&mut self, kind: Kind) {
        self.kinds.retain(|other| *other != kind);
    }

    /// One of them, as `spec.source` says it.
    pub fn any(&self, chance: &Chance) -> Value {
        self.of(*chance.pick(&self.kinds), chance)
    }

    fn of(&self, kind: Kind, chance: &Chance) -> Value {
        match kind {
            Kind::Instance => {
                let mut instance = json!({
                    "region": "us-east-1",
                    "instanceId": self.account.instance,
                    "reboot": chance.pick(&["Once", "Never"]),
                });
                if chance.per_mille(300) {
                    instance["volumes"] = json!("RootOnly");
                }
                json!({"instance": instance})
            }
            Kind::Snapshot => {
                let mut snapshot = json!({
                    "region": "us-east-1",
                    "snapshotId": self.account.snapshot,
                    "rootDeviceName": "/dev/xvda",
                    "architecture": "x86_64",
                });
                if chance.per_mille(300) {
                    snapshot["bootMode"] = "uefi".into();
                    snapshot["enaSupport"] = "Disabled".into();
                    snapshot["platformDetails"] = "Linux/UNIX".into();
                }
                if chance.per_mille(300) {
                    snapshot["volumes"] = json!([
                        {"deviceName": "/dev/sdf", "snapshotId": self.account.snapshot},
                        {"deviceName": "/dev/sdg", "snapshotId": self.account.snapshot, "deleteOnTermination": false},
                    ]);
                }
                json!({"snapshot": snapshot})
            }
            Kind::Image => json!({"image": {"region": "us-east-1", "imageId": self.account.image}}),
            Kind::Upstream => {
                let mut image =
                    json!({"region": UPSTREAM.0, "owner": "amazon", "name": UPSTREAM.1});
                if chance.per_mille(300) {
                    image["architecture"] = "x86_64".into();
                }
                json!({"image": image})
            }
            Kind::Parameter => {
                json!({"image": {"region": UPSTREAM.0, "ssmParameter": UPSTREAM_PARAMETER}})
            }
            Kind::Published => {
                json!({"image": {"region": "us-east-1", "machineImageName": self.before}})
            }
        }
    }
}
