//! The world file: how a world begins, as YAML. `examples/world.yaml` explains every field.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::check_id;
use crate::kms;
use crate::knobs::Knobs;
use crate::lag::Lag;
use crate::state::{
    Account, Device, Ebs, Image, ImageState, Instance, InstanceState, Machine, Place, Principal,
    Region, Role, Snapshot, SnapshotState, Tags, Volume,
};
use crate::world::World;

/// The world that the server serves when it is given none.
pub const EXAMPLE: &str = include_str!("../examples/world.yaml");

/// Why a world file is not one.
#[derive(Debug, thiserror::Error)]
pub enum WorldFileError {
    /// It is not YAML, or not of this shape.
    #[error("{0}")]
    Shape(String),
    /// It contradicts itself.
    #[error("{place}: {reason}")]
    Content {
        /// Which item.
        place: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A world as it is written down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WorldFile {
    /// Where all chance comes from.
    pub seed: u64,
    /// How slow, how late, how unreliable it is.
    pub knobs: Knobs,
    /// The regions there are.
    pub regions: BTreeMap<String, RegionFile>,
    /// The accounts by id.
    pub accounts: BTreeMap<String, AccountFile>,
}

/// A region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RegionFile {
    /// Whether an account must enable it first.
    pub opt_in: bool,
}

/// An account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AccountFile {
    /// What EC2 calls it as an owner, such as `amazon`.
    pub alias: Option<String>,
    /// The ids of its long-lived access keys.
    pub access_keys: BTreeSet<String>,
    /// The opt-in regions that it has enabled.
    pub opted_in: BTreeSet<String>,
    /// Its roles by name.
    pub roles: BTreeMap<String, Role>,
    /// What it has, by region.
    pub places: BTreeMap<String, PlaceFile>,
}

/// What an account has in a region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PlaceFile {
    /// Whether EBS encryption by default is on.
    pub encryption_by_default: bool,
    /// The key for it: id, alias or ARN; absent: `aws/ebs`.
    pub default_key: Option<String>,
    /// Keys that a copy takes and then fails with: ids, aliases or ARNs.
    pub broken_keys: BTreeSet<String>,
    /// Snapshots by id.
    pub snapshots: BTreeMap<String, SnapshotFile>,
    /// Images by id.
    pub images: BTreeMap<String, ImageFile>,
    /// Instances by id.
    pub instances: BTreeMap<String, InstanceFile>,
}

/// A snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SnapshotFile {
    /// In GiB.
    pub size: u64,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// The volume it was made from.
    #[serde(default)]
    pub volume: Option<String>,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The key; implies `encrypted`.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// When it was made.
    #[serde(default)]
    pub started: Option<Timestamp>,
    /// Whether everybody may use it.
    #[serde(default)]
    pub public: bool,
    /// The accounts that may use it.
    #[serde(default)]
    pub shared_with: BTreeSet<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// An image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageFile {
    /// Its name.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: Option<String>,
    /// `x86_64` if absent.
    #[serde(default)]
    pub architecture: Option<String>,
    /// Whether it runs Windows.
    #[serde(default)]
    pub windows: bool,
    /// How it boots.
    #[serde(default)]
    pub boot_mode: Option<String>,
    /// `/dev/xvda` if absent.
    #[serde(default)]
    pub root_device: Option<String>,
    /// `available` if absent; not `pending` and not `deregistered`.
    #[serde(default)]
    pub state: Option<ImageState>,
    /// When it was made.
    #[serde(default)]
    pub created: Option<Timestamp>,
    /// Whether everybody may launch it.
    #[serde(default)]
    pub public: bool,
    /// The accounts that may launch it.
    #[serde(default)]
    pub shared_with: BTreeSet<String>,
    /// Whether those who may launch it may also copy it: their right to the snapshots that are
    /// not listed under `snapshots`.
    #[serde(default = "yes")]
    pub storage_shared: bool,
    /// The instance it was captured from.
    #[serde(default)]
    pub source_instance: Option<String>,
    /// The image it comes from.
    #[serde(default)]
    pub source_image: Option<SourceImageFile>,
    /// Its block devices.
    pub devices: Vec<DeviceFile>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// Where an image comes from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceImageFile {
    /// The region of the source.
    pub region: String,
    /// Its id.
    pub id: String,
}

/// A block device of an image.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceFile {
    /// Such as `/dev/xvda`.
    pub name: String,
    /// Its snapshot; one that is not listed under `snapshots` is made with this size.
    pub snapshot: String,
    /// In GiB; that of the snapshot if absent.
    #[serde(default)]
    pub size: Option<u64>,
    /// `gp3` if absent.
    #[serde(default, rename = "type")]
    pub volume_type: Option<String>,
    /// Whether it goes with the instance.
    #[serde(default = "yes")]
    pub delete_on_termination: bool,
    /// Whether a snapshot that is made for it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The key of a snapshot that is made for it; implies `encrypted`.
    #[serde(default)]
    pub kms_key: Option<String>,
}

/// An instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InstanceFile {
    /// `running` if absent.
    #[serde(default)]
    pub state: InstanceState,
    /// The image it was launched from; it need not be in the world any more.
    pub image: String,
    /// `t3.micro` if absent.
    #[serde(default, rename = "type")]
    pub instance_type: Option<String>,
    /// `x86_64` if absent.
    #[serde(default)]
    pub architecture: Option<String>,
    /// Whether it runs Windows.
    #[serde(default)]
    pub windows: bool,
    /// How it boots.
    #[serde(default)]
    pub boot_mode: Option<String>,
    /// `/dev/xvda` if absent.
    #[serde(default)]
    pub root_device: Option<String>,
    /// When it was launched.
    #[serde(default)]
    pub launched: Option<Timestamp>,
    /// Its volumes.
    pub volumes: Vec<VolumeFile>,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A volume of an instance.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeFile {
    /// Such as `/dev/xvda`.
    pub device: String,
    /// In GiB.
    pub size: u64,
    /// `vol-…`; made from the instance's id if absent.
    #[serde(default)]
    pub id: Option<String>,
    /// `gp3` if absent.
    #[serde(default, rename = "type")]
    pub volume_type: Option<String>,
    /// Whether it goes with the instance.
    #[serde(default = "yes")]
    pub delete_on_termination: bool,
    /// Whether it is encrypted.
    #[serde(default)]
    pub encrypted: bool,
    /// The key; implies `encrypted`.
    #[serde(default)]
    pub kms_key: Option<String>,
}

fn yes() -> bool {
    true
}

impl World {
    /// The world of [`EXAMPLE`].
    pub fn example() -> Result<Self, WorldFileError> {
        Self::from_yaml(EXAMPLE)
    }

    /// Reads a world file.
    ///
    /// # Errors
    /// Where it is not one; the text names the place.
    pub fn from_yaml(text: &str) -> Result<Self, WorldFileError> {
        let file: WorldFile = serde_saphyr::from_str(text)
            .map_err(|error| WorldFileError::Shape(error.to_string()))?;
        Self::from_file(file)
    }

    /// Makes the world that a file describes.
    ///
    /// # Errors
    /// Where it contradicts itself.
    pub fn from_file(file: WorldFile) -> Result<Self, WorldFileError> {
        let mut world = Self::empty(file.seed, file.knobs);
        for (name, region) in file.regions {
            world.regions.insert(
                name,
                Region {
                    opt_in: region.opt_in,
                    ..Region::default()
                },
            );
        }
        for (id, account) in file.accounts {
            world.add_account(id, account)?;
        }
        Ok(world)
    }

    fn add_account(&mut self, id: String, file: AccountFile) -> Result<(), WorldFileError> {
        if id.len() != 12 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong(&id, "an account id has twelve digits"));
        }
        for (number, key) in file.access_keys.into_iter().enumerate() {
            let user = if number == 0 {
                "ec2sim".to_owned()
            } else {
                format!("ec2sim-{number}")
            };
            let principal = Principal {
                account: id.clone(),
                arn: format!("arn:aws:iam::{id}:user/{user}"),
                user_id: format!("AIDA{:016X}0", crate::chance::digest(&key)),
                session: None,
            };
            if self.principals.insert(key.clone(), principal).is_some() {
                return Err(wrong(&key, "this access key belongs to two accounts"));
            }
        }
        let mut places = BTreeMap::new();
        for (name, place) in file.places {
            let region = self.regions.get_mut(&name);
            let region =
                region.ok_or_else(|| wrong(&format!("{id}/{name}"), "there is no such region"))?;
            let mut loader = Loader {
                region,
                account: &id,
                name: &name,
            };
            places.insert(name.clone(), loader.load(place)?);
        }
        let account = Account {
            alias: file.alias,
            opted_in: file.opted_in,
            roles: file.roles,
            places,
        };
        self.accounts.insert(id, account);
        Ok(())
    }
}

fn wrong(place: &str, reason: impl Into<String>) -> WorldFileError {
    WorldFileError::Content {
        place: place.to_owned(),
        reason: reason.into(),
    }
}

/// Fills what one account has in one region.
struct Loader<'a> {
    region: &'a mut Region,
    account: &'a str,
    name: &'a str,
}

impl Loader<'_> {
    fn load(&mut self, place: PlaceFile) -> Result<Place, WorldFileError> {
        for (id, snapshot) in place.snapshots {
            self.snapshot(&id, snapshot)?;
        }
        for (id, image) in place.images {
            self.image(&id, image)?;
        }
        for (id, instance) in place.instances {
            self.instance(&id, instance)?;
        }
        let broken_keys: Result<_, _> = place.broken_keys.iter().map(|key| self.key(key)).collect();
        Ok(Place {
            encryption_by_default: place.encryption_by_default,
            default_key: place.default_key.map(|key| self.key(&key)).transpose()?,
            broken_keys: broken_keys?,
        })
    }

    fn key(&self, name: &str) -> Result<String, WorldFileError> {
        kms::resolve(name, self.account, self.name).ok_or_else(|| {
            wrong(
                name,
                "write a key of this region as its id, as alias/NAME, or as the ARN of either",
            )
        })
    }

    /// The ARN of the key of something encrypted.
    fn key_of(
        &self,
        encrypted: bool,
        key: Option<&String>,
    ) -> Result<Option<String>, WorldFileError> {
        match key {
            Some(name) => self.key(name).map(Some),
            None => Ok(encrypted.then(|| kms::aws_managed(self.account, self.name))),
        }
    }

    fn snapshot(&mut self, id: &str, file: SnapshotFile) -> Result<(), WorldFileError> {
        check(id, "snap")?;
        let started = file.started.unwrap_or(Timestamp::UNIX_EPOCH);
        let snapshot = Snapshot {
            id: id.to_owned(),
            owner: self.account.to_owned(),
            volume: file.volume.unwrap_or_else(|| "vol-ffffffff".to_owned()),
            size_gib: file.size,
            description: file.description,
            key: self.key_of(file.encrypted, file.kms_key.as_ref())?,
            started,
            ends: started,
            state: SnapshotState::Completed,
            message: None,
            public: file.public,
            shared_with: file.shared_with,
            deleted: None,
            born: Lag::none(Timestamp::MIN),
            gone: None,
            copied: false,
        };
        self.region.born_with_tags(id, self.account, file.tags);
        match self.region.snapshots.insert(id.to_owned(), snapshot) {
            None => Ok(()),
            Some(_) => Err(wrong(id, "this id is there twice")),
        }
    }

    fn image(&mut self, id: &str, file: ImageFile) -> Result<(), WorldFileError> {
        check(id, "ami")?;
        let state = file.state.unwrap_or(ImageState::Available);
        if matches!(state, ImageState::Pending | ImageState::Deregistered) {
            return Err(wrong(
                id,
                "an image of a world file is available, failed or disabled",
            ));
        }
        let created = file.created.unwrap_or(Timestamp::UNIX_EPOCH);
        let mut devices = Vec::new();
        for device in &file.devices {
            if !self.region.snapshots.contains_key(&device.snapshot) {
                let size = device.size.ok_or_else(|| {
                    wrong(
                        id,
                        format!(
                            "{} has no size, and {} is not listed",
                            device.name, device.snapshot
                        ),
                    )
                })?;
                let snapshot = SnapshotFile {
                    size,
                    description: format!("Snapshot of {id}"),
                    volume: None,
                    encrypted: device.encrypted,
                    kms_key: device.kms_key.clone(),
                    started: Some(created),
                    public: file.storage_shared && file.public,
                    shared_with: if file.storage_shared {
                        file.shared_with.clone()
                    } else {
                        BTreeSet::new()
                    },
                    tags: Tags::new(),
                };
                self.snapshot(&device.snapshot, snapshot)?;
            }
            devices.push(self.device(device));
        }
        let image = Image {
            id: id.to_owned(),
            owner: self.account.to_owned(),
            name: file.name,
            description: file.description,
            machine: machine(
                file.architecture,
                file.windows,
                file.boot_mode,
                file.root_device,
            ),
            created,
            state,
            reason: None,
            devices,
            source_instance: file.source_instance,
            source_image: file.source_image.map(|source| (source.region, source.id)),
            public: file.public,
            shared_with: file.shared_with,
            deregistered: None,
            born: Lag::none(Timestamp::MIN),
            work: None,
        };
        self.region.born_with_tags(id, self.account, file.tags);
        match self.region.images.insert(id.to_owned(), image) {
            None => Ok(()),
            Some(_) => Err(wrong(id, "this id is there twice")),
        }
    }

    fn device(&self, file: &DeviceFile) -> Device {
        let snapshot = self.region.snapshots.get(&file.snapshot);
        let ebs = Ebs {
            snapshot: Some(file.snapshot.clone()),
            size_gib: file
                .size
                .or(snapshot.map(|snapshot| snapshot.size_gib))
                .unwrap_or_default(),
            volume_type: file.volume_type.clone().unwrap_or_else(|| "gp3".to_owned()),
            delete_on_termination: file.delete_on_termination,
            encrypted: snapshot.is_some_and(|snapshot| snapshot.key.is_some()),
        };
        Device {
            name: file.name.clone(),
            ebs: Some(ebs),
            virtual_name: None,
        }
    }

    fn instance(&mut self, id: &str, file: InstanceFile) -> Result<(), WorldFileError> {
        check(id, "i")?;
        let mut volumes = Vec::new();
        for volume in file.volumes {
            let made = || {
                format!(
                    "vol-0{:016x}",
                    crate::chance::digest(&format!("{id}{}", volume.device))
                )
            };
            volumes.push(Volume {
                id: volume.id.clone().unwrap_or_else(made),
                size_gib: volume.size,
                volume_type: volume.volume_type.unwrap_or_else(|| "gp3".to_owned()),
                delete_on_termination: volume.delete_on_termination,
                key: self.key_of(volume.encrypted, volume.kms_key.as_ref())?,
                device: volume.device,
            });
        }
        let instance = Instance {
            id: id.to_owned(),
            owner: self.account.to_owned(),
            state: file.state,
            image: file.image,
            instance_type: file.instance_type.unwrap_or_else(|| "t3.micro".to_owned()),
            machine: machine(
                file.architecture,
                file.windows,
                file.boot_mode,
                file.root_device,
            ),
            launched: file.launched.unwrap_or(Timestamp::UNIX_EPOCH),
            volumes,
            reboots: Vec::new(),
        };
        self.region.born_with_tags(id, self.account, file.tags);
        match self.region.instances.insert(id.to_owned(), instance) {
            None => Ok(()),
            Some(_) => Err(wrong(id, "this id is there twice")),
        }
    }
}

fn machine(
    architecture: Option<String>,
    windows: bool,
    boot_mode: Option<String>,
    root_device: Option<String>,
) -> Machine {
    Machine {
        architecture: architecture.unwrap_or_else(|| "x86_64".to_owned()),
        windows,
        root_device: root_device.unwrap_or_else(|| "/dev/xvda".to_owned()),
        boot_mode,
    }
}

fn check(id: &str, prefix: &str) -> Result<(), WorldFileError> {
    check_id(prefix, id).map_err(|error| wrong(id, error.message))
}
