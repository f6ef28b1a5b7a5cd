//! What EC2 holds and which calls it took, as `ec2sim` itself knows it: whether its readers see it
//! yet or not.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Ec2Sim, Error};

/// The tag that whatever Amity makes carries from birth.
const OURS: &str = "amity.dev/owner";

/// Everything that EC2 holds and held, in all accounts and regions.
#[derive(Debug, Clone, Default)]
pub struct Holdings {
    /// Images; those that were deregistered too.
    pub images: Vec<HeldImage>,
    /// Snapshots; those that were deleted too.
    pub snapshots: Vec<HeldSnapshot>,
    instances: BTreeMap<String, Value>,
}

/// An image.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldImage {
    /// Whose it is.
    #[serde(skip)]
    pub account: String,
    /// Where it is.
    #[serde(skip)]
    pub region: String,
    /// Its id.
    #[serde(skip)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// EC2's word: pending, available, failed, deregistered.
    pub state: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its description.
    pub description: Option<String>,
    /// From when on it is deprecated.
    pub deprecation: Option<String>,
    /// EC2's words for whether it can be deregistered.
    pub deregistration_protection: String,
    /// `v2.0`, or none.
    pub imds_support: Option<String>,
    /// How its owner launches it fast, if so.
    pub fast_launch: Option<HeldFastLaunch>,
    devices: Vec<Device>,
}

/// A snapshot.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldSnapshot {
    /// Whose it is.
    #[serde(skip)]
    pub account: String,
    /// Where it is.
    #[serde(skip)]
    pub region: String,
    /// Its id.
    #[serde(skip)]
    pub id: String,
    /// When it was deleted, if it was.
    pub deleted: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// How an image is launched fast.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeldFastLaunch {
    /// EC2's word: enabling, enabled, disabling.
    pub state: String,
    /// How many snapshots are kept.
    pub target_resource_count: u32,
    /// How many instances are launched at a time.
    pub max_parallel_launches: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct Device {
    snapshot: Option<String>,
}

/// One call that reached EC2.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// When, by EC2's clock.
    pub time: String,
    /// Whose credentials they were; none where nobody has them.
    pub account: Option<String>,
    /// The access key that signed it.
    pub access_key_id: Option<String>,
    /// The region that was asked.
    pub region: String,
    /// The action.
    pub action: String,
    /// `ok`, or the code of the error.
    pub outcome: String,
    /// The ids that the request names, and then those of what it made.
    pub ids: Vec<String>,
}

/// A call that the policies of who made it do not allow.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Denial {
    /// When, by EC2's clock.
    pub time: String,
    /// Who called.
    pub principal: String,
    /// The region of the call.
    pub region: String,
    /// What is not allowed, such as `ec2:CreateTags`.
    pub action: String,
    /// The resource, or `*`.
    pub resource: String,
    /// Whether the resource is not there: it has no tags then that could allow anything.
    pub missing: bool,
}

impl HeldImage {
    /// Whether it can be seen and launched, or soon.
    pub fn is_there(&self) -> bool {
        self.state != "deregistered"
    }

    /// Whether users should launch it, and can.
    pub fn is_published(&self) -> bool {
        self.state == "available" && self.tags.contains_key("amity.dev/published")
    }

    /// Whether it was made for the `MachineImage` `namespace/name`.
    pub fn is_of(&self, object: &str) -> bool {
        has(&self.tags, "amity.dev/object", object)
    }

    /// The revision that it belongs to; empty for what is not Amity's.
    pub fn revision(&self) -> &str {
        self.tags
            .get("amity.dev/revision")
            .map_or("", String::as_str)
    }

    /// The snapshots that it consists of.
    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        self.devices
            .iter()
            .filter_map(|device| device.snapshot.as_deref())
    }
}

impl HeldSnapshot {
    /// Whether it is there.
    pub fn is_there(&self) -> bool {
        self.deleted.is_none()
    }

    /// Whether it was made for the `MachineImage` `namespace/name`.
    pub fn is_of(&self, object: &str) -> bool {
        has(&self.tags, "amity.dev/object", object)
    }
}

impl Call {
    /// Whether it may have changed something.
    pub fn is_write(&self) -> bool {
        !["Describe", "Get", "Assume"]
            .iter()
            .any(|read| self.action.starts_with(read))
    }

    /// Whether EC2 did what was asked.
    pub fn succeeded(&self) -> bool {
        self.outcome == "ok"
    }
}

impl Holdings {
    /// The images that are there of the `MachineImage` `namespace/name`.
    pub fn images_of(&self, object: &str) -> Vec<&HeldImage> {
        let found = self.images.iter();
        found
            .filter(|image| image.is_there() && image.is_of(object))
            .collect()
    }

    /// The snapshots that are there of the `MachineImage` `namespace/name`.
    pub fn snapshots_of(&self, object: &str) -> Vec<&HeldSnapshot> {
        let found = self.snapshots.iter();
        found
            .filter(|snapshot| snapshot.is_there() && snapshot.is_of(object))
            .collect()
    }

    /// What users, and not Amity, brought and did, to be compared with what it was: images,
    /// snapshots, and instances with their restarts.
    pub fn of_users(&self) -> Value {
        let mut all = self.instances.clone();
        for image in self
            .images
            .iter()
            .filter(|one| !one.tags.contains_key(OURS))
        {
            let snapshots: Vec<_> = image.snapshots().collect();
            let seen = json!([image.name, image.state, image.tags, snapshots]);
            all.insert(format!("{}/{}", image.region, image.id), seen);
        }
        for snapshot in self
            .snapshots
            .iter()
            .filter(|one| !one.tags.contains_key(OURS))
        {
            let seen = json!([snapshot.deleted, snapshot.tags]);
            all.insert(format!("{}/{}", snapshot.region, snapshot.id), seen);
        }
        json!(all)
    }

    fn read(world: Value) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct World {
            accounts: BTreeMap<String, Account>,
        }
        #[derive(Deserialize)]
        struct Account {
            regions: BTreeMap<String, Place>,
        }
        #[derive(Deserialize)]
        struct Place {
            images: BTreeMap<String, HeldImage>,
            snapshots: BTreeMap<String, HeldSnapshot>,
            instances: BTreeMap<String, Value>,
        }
        let mut holdings = Self::default();
        let world: World = serde_json::from_value(world)?;
        for (account, Account { regions }) in world.accounts {
            for (region, place) in regions {
                let (account, region) = (&account, &region);
                let images = place.images.into_iter().map(|(id, image)| HeldImage {
                    account: account.clone(),
                    region: region.clone(),
                    id,
                    ..image
                });
                holdings.images.extend(images);
                let snapshots = place
                    .snapshots
                    .into_iter()
                    .map(|(id, snapshot)| HeldSnapshot {
                        account: account.clone(),
                        region: region.clone(),
                        id,
                        ..snapshot
                    });
                holdings.snapshots.extend(snapshots);
                holdings.instances.extend(place.instances);
            }
        }
        Ok(holdings)
    }
}

impl Ec2Sim {
    /// What EC2 holds now.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn holdings(&self) -> Result<Holdings, Error> {
        Holdings::read(self.world()?).map_err(|error| self.unlike("world", &error))
    }

    /// The calls so far, the oldest first.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn call_log(&self) -> Result<Vec<Call>, Error> {
        serde_json::from_value(self.calls()?).map_err(|error| self.unlike("calls", &error))
    }

    /// The calls that were denied so far by policies, the oldest first.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn denials(&self) -> Result<Vec<Denial>, Error> {
        let denials = self.policies()?["denials"].take();
        serde_json::from_value(denials).map_err(|error| self.unlike("policies", &error))
    }

    fn unlike(&self, page: &str, error: &serde_json::Error) -> Error {
        Error::Http {
            url: format!("{}/_ec2sim/{page}", self.endpoint()),
            reason: error.to_string(),
        }
    }
}

fn has(tags: &BTreeMap<String, String>, key: &str, value: &str) -> bool {
    tags.get(key).is_some_and(|found| found == value)
}
