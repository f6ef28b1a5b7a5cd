//! What others may do in the account, at any moment.

use std::fmt;

use amity_core::image::identity::tag;
use ec2sim::state::{ImageState, InstanceState};
use ec2sim::{Request, World};

use crate::ec2::{ACCOUNT, GOLDEN, HOME, INSTANCE, REGIONS, SNAPSHOT, call};
use crate::truth::{Strangers, ours};

/// One deed, by the region and the id that it is done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    kind: Hand,
    region: &'static str,
    id: String,
}

/// The kinds of deeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hand {
    /// Deregisters an image of ours.
    Deregister,
    /// Takes all tags from an image of ours: it is theirs from now on.
    StripTags,
    /// Takes only the seal.
    TakeSeal,
    /// Copies an image of ours with its tags.
    CopyWithTags,
    /// Deletes a snapshot of ours that no image uses.
    DeleteSnapshot,
    /// Takes all tags from a snapshot of ours.
    StripSnapshot,
    /// Registers an image over a snapshot of ours.
    RegisterOver,
    /// Says that an image of ours must stay.
    Hold,
    /// Terminates the instance that is captured.
    Terminate,
    /// Deregisters the image that is copied.
    DeregisterSource,
    /// Has an image of the name that ours is to have.
    TakeName,
}

pub const HANDS: [Hand; 11] = [
    Hand::Deregister,
    Hand::StripTags,
    Hand::TakeSeal,
    Hand::CopyWithTags,
    Hand::DeleteSnapshot,
    Hand::StripSnapshot,
    Hand::RegisterOver,
    Hand::Hold,
    Hand::Terminate,
    Hand::DeregisterSource,
    Hand::TakeName,
];

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "somebody: {:?} {} in {}",
            self.kind, self.id, self.region
        )
    }
}

/// What may be done with this world, in which an image of ours is to have `name`.
pub fn deeds(world: &World, strangers: &Strangers, kinds: &[Hand], name: &str) -> Vec<Deed> {
    let mut all = Vec::new();
    for kind in kinds.iter().copied() {
        let mut add = |region: &'static str, id: &str| {
            all.push(Deed {
                kind,
                region,
                id: id.to_owned(),
            });
        };
        match kind {
            Hand::Deregister | Hand::StripTags | Hand::TakeSeal | Hand::Hold => {
                let images = ours(world, strangers);
                for one in &images {
                    add(one.region, &one.image.id);
                }
            }
            Hand::CopyWithTags => {
                let images = ours(world, strangers);
                let available = images
                    .iter()
                    .filter(|one| one.image.state == ImageState::Available);
                available.for_each(|one| add(one.region, &one.image.id));
            }
            Hand::DeleteSnapshot | Hand::StripSnapshot | Hand::RegisterOver => {
                for region in REGIONS {
                    let all = world.regions()[region].snapshots.values();
                    let there =
                        all.filter(|one| one.deleted.is_none() && !strangers.contains(&one.id));
                    there.for_each(|one| add(region, &one.id));
                }
            }
            Hand::Terminate => add(HOME, INSTANCE),
            Hand::DeregisterSource => add(HOME, GOLDEN),
            Hand::TakeName => add(HOME, name),
        }
    }
    all
}

impl Deed {
    /// Does it, and adds what is somebody else's from then on. None if EC2 refuses it.
    pub fn done(&self, world: &World, strangers: &Strangers) -> Option<(World, Strangers)> {
        let (mut world, mut strangers) = (world.clone(), strangers.clone());
        let id = self.id.as_str();
        let request = match self.kind {
            Hand::Terminate => {
                let region = world.regions_mut().get_mut(self.region)?;
                region.instances.get_mut(id)?.state = InstanceState::Terminated;
                return Some((world, strangers));
            }
            Hand::Deregister | Hand::DeregisterSource => {
                Request::new("DeregisterImage", &[("ImageId", id)])
            }
            Hand::DeleteSnapshot => Request::new("DeleteSnapshot", &[("SnapshotId", id)]),
            Hand::StripTags | Hand::StripSnapshot => {
                strangers.take(id);
                Request::new("DeleteTags", &[("ResourceId.1", id)])
            }
            Hand::TakeSeal => Request::new(
                "DeleteTags",
                &[("ResourceId.1", id), ("Tag.1.Key", tag::SELF)],
            ),
            Hand::Hold => Request::new(
                "CreateTags",
                &[
                    ("ResourceId.1", id),
                    ("Tag.1.Key", tag::HOLD),
                    ("Tag.1.Value", "me"),
                ],
            ),
            Hand::CopyWithTags => Request::new(
                "CopyImage",
                &[
                    ("SourceRegion", self.region),
                    ("SourceImageId", id),
                    ("Name", "a copy of somebody's"),
                    ("CopyImageTags", "true"),
                ],
            ),
            Hand::RegisterOver => register("somebody's", id),
            Hand::TakeName => register(id, SNAPSHOT),
        };
        let answer = call(&mut world, self.region, &request);
        if answer.error.is_some() {
            return None;
        }
        for made in answer.made {
            let region = &world.regions()[self.region];
            if self.kind == Hand::CopyWithTags {
                region.images[&made]
                    .snapshot_ids()
                    .for_each(|id| strangers.have(id));
            }
            strangers.have(made);
        }
        Some((world, strangers))
    }

    /// The revision whose only lock it takes away: the name of an image that Amity has not even sealed, or whose
    /// capture may yet be repeated.
    pub fn unlocks(&self, world: &World, may_be_repeated: bool) -> Option<String> {
        let tags = world.regions()[self.region].tags(&self.id, ACCOUNT);
        let is_locked = tags.contains_key(tag::SELF) && !may_be_repeated;
        let revision = tags
            .get(tag::REVISION)
            .filter(|_| self.kind == Hand::Deregister);
        revision.filter(|_| !is_locked).cloned()
    }
}

fn register(name: &str, snapshot: &str) -> Request {
    Request::new(
        "RegisterImage",
        &[
            ("Name", name),
            ("RootDeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.Ebs.SnapshotId", snapshot),
        ],
    )
}

/// What is needed to see that an image is held.
pub fn is_held(world: &World, strangers: &Strangers) -> bool {
    ours(world, strangers)
        .iter()
        .any(|one| one.tags.contains_key(tag::HOLD))
}

/// Whether somebody else's image has this name.
pub fn has_name(world: &World, strangers: &Strangers, name: &str) -> bool {
    let images = world.regions()[HOME].images.values();
    let mut there = images.filter(|image| image.deregistered.is_none() && image.owner == ACCOUNT);
    there.any(|image| image.name == name && strangers.contains(&image.id))
}
