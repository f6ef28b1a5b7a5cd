//! Making a world of a world file, with ids, names and keys checked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::error::check_id;
use crate::kms;
use crate::lag::Lag;
use crate::state::{
    Account, Device, Ebs, Image, ImageState, Instance, InstanceProfile, InstanceState, Key,
    Machine, Place, Platform, Principal, Protection, Region, Snapshot, SnapshotState, Tags,
    UsedProfile, Volume, is_organization, is_unit,
};
use crate::world::World;
use crate::world_file::network::{profiles, zones};
use crate::world_file::{
    AccountFile, DeviceFile, EXAMPLE, ImageFile, InstanceFile, PlaceFile, SnapshotFile, WorldFile,
    WorldFileError,
};

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
        let mut world = Self::empty(file.seed, file.knobs, file.facts);
        for (name, region) in file.regions {
            let region_name = name.clone();
            world.regions.insert(
                name,
                Region {
                    zones: zones(&region_name, region.zones),
                    instance_types: region.instance_types,
                    opt_in: region.opt_in,
                    ..Region::default()
                },
            );
        }
        for (id, account) in file.accounts {
            world.add_account(id, account)?;
        }
        for (id, organization) in &file.organizations {
            world.add_organization(id, organization)?;
        }
        world.load_policies(file.iam)?;
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
                tags: Tags::new(),
            };
            if self.principals.insert(key.clone(), principal).is_some() {
                return Err(wrong(&key, "this access key belongs to two accounts"));
            }
        }
        let profiles = profiles(&id, file.instance_profiles);
        let mut places = BTreeMap::new();
        for (name, place) in file.places {
            let region = self.regions.get_mut(&name);
            let region =
                region.ok_or_else(|| wrong(&format!("{id}/{name}"), "there is no such region"))?;
            let mut loader = Loader {
                region,
                account: &id,
                name: &name,
                keys: BTreeMap::new(),
                profiles: &profiles,
            };
            places.insert(name.clone(), loader.load(place)?);
        }
        let account = Account {
            alias: file.alias,
            opted_in: file.opted_in,
            roles: file.roles,
            instance_profiles: profiles,
            member_of: BTreeSet::new(),
            places,
        };
        self.accounts.insert(id, account);
        Ok(())
    }
}

pub(super) fn wrong(place: &str, reason: impl Into<String>) -> WorldFileError {
    WorldFileError::Content {
        place: place.to_owned(),
        reason: reason.into(),
    }
}

/// Fills what one account has in one region.
pub(super) struct Loader<'a> {
    pub(super) region: &'a mut Region,
    pub(super) account: &'a str,
    pub(super) name: &'a str,
    pub(super) keys: BTreeMap<String, Key>,
    pub(super) profiles: &'a BTreeMap<String, InstanceProfile>,
}

impl Loader<'_> {
    fn load(&mut self, place: PlaceFile) -> Result<Place, WorldFileError> {
        self.keys = self.kms_keys(place.kms_keys)?;
        for (id, snapshot) in place.snapshots {
            self.snapshot(&id, snapshot)?;
        }
        for (id, image) in place.images {
            self.image(&id, image)?;
        }
        for (id, instance) in place.instances {
            self.instance(&id, instance)?;
        }
        for (id, template) in place.launch_templates {
            self.launch_template(&id, template)?;
        }
        self.parameters(place.parameters)?;
        let network = self.network(place.vpcs, place.key_pairs)?;
        let broken_keys: Result<_, _> = place.broken_keys.iter().map(|key| self.key(key)).collect();
        Ok(Place {
            encryption_by_default: place.encryption_by_default,
            default_key: place.default_key.map(|key| self.key(&key)).transpose()?,
            keys: std::mem::take(&mut self.keys),
            broken_keys: broken_keys?,
            allows_public_images: place.allows_public_images,
            allows_public_images_from: None,
            network,
            recycle_bin_days: place.recycle_bin_days,
            snapshot_recycle_bin_days: place.snapshot_recycle_bin_days,
        })
    }

    pub(super) fn key(&self, name: &str) -> Result<String, WorldFileError> {
        let mut named = self.keys.iter();
        if let Some((arn, _)) = named.find(|(_, key)| key.aliases.contains(name)) {
            return Ok(arn.clone());
        }
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
        if file.full_bytes.is_some_and(|bytes| bytes > file.size << 30) {
            return Err(wrong(id, "more was written than it has room for"));
        }
        let started = file.started.unwrap_or(Timestamp::UNIX_EPOCH);
        let snapshot = Snapshot {
            id: id.to_owned(),
            owner: self.account.to_owned(),
            volume: file.volume.unwrap_or_else(|| "vol-ffffffff".to_owned()),
            size_gib: file.size,
            full_bytes: file.full_bytes,
            platform: file.platform,
            billing_metadata: file.billing_metadata,
            description: file.description,
            key: self.key_of(file.encrypted, file.kms_key.as_ref())?,
            started,
            ends: started,
            state: SnapshotState::Completed,
            message: None,
            public: file.public,
            shared_with: file.shared_with,
            deleted: None,
            recycled_until: None,
            born: Lag::none(Timestamp::MIN),
            gone: None,
            copied: false,
            timed: None,
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
        let mut organizations = file.shared_with_organizations.iter();
        if let Some(arn) = organizations.find(|arn| !is_organization(arn) && !is_unit(arn)) {
            return Err(wrong(
                id,
                format!("{arn} is not the whole ARN of an organization or a unit"),
            ));
        }
        let created = file.created.unwrap_or(Timestamp::UNIX_EPOCH);
        let protection = protection(id, file.protected, file.cooldown)?;
        let machine = Machine {
            imds_v2: file.imds_support.is_some(),
            ..machine(
                file.architecture,
                file.platform,
                file.boot_mode,
                file.root_device,
            )
        };
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
                    full_bytes: None,
                    platform: if device.name == machine.root_device {
                        file.platform
                    } else {
                        Platform::Linux
                    },
                    billing_metadata: true,
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
            machine,
            created,
            state,
            reason: None,
            devices,
            source_instance: file.source_instance,
            source_image: file.source_image.map(|source| (source.region, source.id)),
            public: file.public,
            shared_with: file.shared_with,
            shared_with_organizations: file.shared_with_organizations,
            deprecation: file.deprecation,
            protection,
            deregistered: None,
            guest: file.guest,
            generalised: None,
            born: Lag::none(Timestamp::MIN),
            sourced: Lag::none(Timestamp::MIN),
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
                snapshot: None,
            });
        }
        let launched = file.launched.unwrap_or(Timestamp::UNIX_EPOCH);
        let of_image = self
            .region
            .images
            .get(&file.image)
            .map(|image| image.guest.clone());
        let profile = match &file.instance_profile {
            None => None,
            Some(name) => {
                let found = self.profiles.get(name);
                let found =
                    found.ok_or_else(|| wrong(name, "there is no such instance profile"))?;
                Some(UsedProfile {
                    arn: format!("arn:aws:iam::{}:instance-profile/{name}", self.account),
                    id: found.id.clone(),
                    systems_manager: found.systems_manager,
                })
            }
        };
        let instance = Instance {
            id: id.to_owned(),
            owner: self.account.to_owned(),
            state: file.state,
            image: file.image,
            instance_type: file.instance_type.unwrap_or_else(|| "t3.micro".to_owned()),
            machine: machine(
                file.architecture,
                file.platform,
                file.boot_mode,
                file.root_device,
            ),
            launched,
            volumes,
            zone: match file.zone {
                Some(zone) => zone,
                None => self.first_zone(),
            },
            booted: (file.state == InstanceState::Running).then_some(launched),
            boots: 1,
            guest: file.guest.unwrap_or_else(|| of_image.unwrap_or_default()),
            profile,
            ..Instance::new()
        };
        self.region.born_with_tags(id, self.account, file.tags);
        match self.region.instances.insert(id.to_owned(), instance) {
            None => Ok(()),
            Some(_) => Err(wrong(id, "this id is there twice")),
        }
    }
}

fn protection(
    id: &str,
    protected: bool,
    with_cooldown: bool,
) -> Result<Protection, WorldFileError> {
    match (protected, with_cooldown) {
        (false, true) => Err(wrong(id, "the cooldown is that of a protected image")),
        (false, false) => Ok(Protection::Disabled),
        (true, with_cooldown) => Ok(Protection::Enabled { with_cooldown }),
    }
}

fn machine(
    architecture: Option<String>,
    platform: Platform,
    boot_mode: Option<String>,
    root_device: Option<String>,
) -> Machine {
    let usual = Machine::of(platform);
    Machine {
        architecture: architecture.unwrap_or(usual.architecture),
        root_device: root_device.unwrap_or(usual.root_device),
        boot_mode,
        ..usual
    }
}

pub(super) fn check(id: &str, prefix: &str) -> Result<(), WorldFileError> {
    check_id(prefix, id).map_err(|error| wrong(id, error.message))
}
