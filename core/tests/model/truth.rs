//! What must be true of EC2 itself, whatever Amity knows of it and whatever its own invariants say.

use std::collections::{BTreeMap, BTreeSet};

use amity_core::image::desired::Desired;
use amity_core::image::identity::tag;
use amity_core::image::plan::Action;
use ec2sim::World;
use ec2sim::state::{Image, ImageState, Region};

use crate::ec2::{ACCOUNT, Answer, REGIONS};
use crate::look::Look;
use crate::parts::Past;

/// The ids of what is somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Strangers {
    /// It never was Amity's.
    theirs: BTreeSet<String>,
    /// Somebody took the tags from it. Amity may touch it once more, by what it read before.
    taken: BTreeSet<String>,
}

impl Strangers {
    pub fn have(&mut self, id: impl Into<String>) {
        self.theirs.insert(id.into());
    }

    pub fn take(&mut self, id: impl Into<String>) {
        self.taken.insert(id.into());
    }

    pub fn contains(&self, id: &str) -> bool {
        self.theirs.contains(id) || self.taken.contains(id)
    }

    /// Whether Amity must never touch it.
    pub fn always_had(&self, id: &str) -> bool {
        self.theirs.contains(id)
    }
}

/// An image that Amity made and that is there.
pub struct Ours<'a> {
    pub region: &'static str,
    pub image: &'a Image,
    pub tags: BTreeMap<String, String>,
}

impl Ours<'_> {
    fn says(&self, key: &str, value: &str) -> bool {
        self.tags.get(key).is_some_and(|said| said == value)
    }

    pub fn is_of(&self, desired: &Desired) -> bool {
        self.says(tag::REVISION, desired.revision.as_str())
    }

    fn is_published(&self) -> bool {
        self.tags.contains_key(tag::PUBLISHED)
    }
}

/// Everything that Amity made and that is there, failed images too.
pub fn ours<'a>(world: &'a World, strangers: &Strangers) -> Vec<Ours<'a>> {
    let mut all = Vec::new();
    for name in REGIONS {
        let region = &world.regions()[name];
        let there = region
            .images
            .values()
            .filter(|image| image.deregistered.is_none());
        all.extend(
            there
                .filter(|image| !strangers.contains(&image.id))
                .map(|image| Ours {
                    region: name,
                    image,
                    tags: region.tags(&image.id, ACCOUNT),
                }),
        );
    }
    all
}

/// Two images of one revision that are or may become available in one region.
pub fn doubled(world: &World, strangers: &Strangers) -> Option<String> {
    let mut seen = BTreeMap::new();
    let alive = ours(world, strangers).into_iter();
    for one in alive.filter(|one| one.image.state != ImageState::Failed) {
        let revision = one.tags.get(tag::REVISION).cloned();
        if let Some(other) = seen.insert((one.region, revision), &one.image.id) {
            return Some(format!(
                "{other} and {} in {} are of one revision",
                one.image.id, one.region
            ));
        }
    }
    None
}

/// The regions in which something that is published can be launched.
pub fn served(world: &World, strangers: &Strangers) -> BTreeSet<&'static str> {
    let all = ours(world, strangers).into_iter();
    all.filter(|one| one.is_published() && world.can_launch(ACCOUNT, one.region, &one.image.id))
        .map(|one| one.region)
        .collect()
}

/// Something of Amity's that is left: an image, or a snapshot that no image of others uses. Where others did
/// something, a snapshot whose image went before it was seen to be its own is theirs to delete.
pub fn left(world: &World, strangers: &Strangers, others_did: bool) -> Option<String> {
    let image = ours(world, strangers)
        .first()
        .map(|one| one.image.id.clone());
    let id = image.or_else(|| unused_snapshot(world, strangers, others_did))?;
    Some(format!("{id} is left"))
}

fn unused_snapshot(world: &World, strangers: &Strangers, others_did: bool) -> Option<String> {
    let unused = |region: &Region, id: &String| !region.images.values().any(|image| image.uses(id));
    let mut all = world
        .regions()
        .values()
        .flat_map(|region| region.snapshots.values().map(move |one| (region, one)));
    let found = all.find(|(region, snapshot)| {
        let is_sealed = || region.tags(&snapshot.id, ACCOUNT).contains_key(tag::SELF);
        let is_there = snapshot.deleted.is_none() && !strangers.contains(&snapshot.id);
        is_there && unused(region, &snapshot.id) && (!others_did || is_sealed())
    });
    found.map(|(_, snapshot)| snapshot.id.clone())
}

/// What is otherwise than the spec says: in each wanted region one image of the revision, available, sealed and
/// published, and nothing else of Amity's.
pub fn mismatch(
    world: &World,
    strangers: &Strangers,
    others_did: bool,
    desired: &Desired,
) -> Option<String> {
    let mut missing: Vec<_> = desired
        .places
        .iter()
        .map(|place| place.region.as_str())
        .collect();
    for one in ours(world, strangers) {
        let id = one.image.id.as_str();
        let is_as_it_should_be = one.is_of(desired)
            && one.image.state == ImageState::Available
            && one.is_published()
            && one.says(tag::SELF, id)
            && desired.tags.iter().all(|(key, value)| one.says(key, value));
        let place = missing.iter().position(|region| *region == one.region);
        match place.filter(|_| is_as_it_should_be) {
            Some(place) => drop(missing.remove(place)),
            None => {
                return Some(format!(
                    "{id} in {} is not as the spec says: {:?}",
                    one.region, one.tags
                ));
            }
        }
    }
    if let Some(region) = missing.first() {
        return Some(format!("nothing is published in {region}"));
    }
    unused_snapshot(world, strangers, others_did).map(|id| format!("{id} is of no image"))
}

/// What no call of Amity's may do, whatever its own invariants say.
pub fn check(
    before: &World,
    after: &World,
    past: &Past,
    look: &Look,
    action: &Action,
    answer: &Answer,
) -> Result<(), String> {
    let strangers = &past.strangers;
    if let Some(target) = action
        .target()
        .filter(|target| strangers.always_had(target))
    {
        return Err(format!("{target} is somebody else's"));
    }
    if let Answer::Made(_) = answer {
        let captures = matches!(action, Action::CreateImage { .. });
        if captures && past.captured.contains(look.desired.revision.as_str()) {
            return Err("the revision was captured before".to_owned());
        }
        if let Some(doubled) = doubled(after, strangers) {
            return Err(doubled);
        }
    }
    // What others did at the same moment is not for Amity to know.
    if past.others_did || look.desired.is_being_deleted() {
        return Ok(());
    }
    let served_after = served(after, strangers);
    let mut before = served(before, strangers).into_iter();
    let is_wanted = |region: &str| {
        look.desired
            .places
            .iter()
            .any(|place| place.region == region)
    };
    match before.find(|region| is_wanted(region) && !served_after.contains(region)) {
        Some(region) => Err(format!(
            "nothing that is published can be launched any more in {region}"
        )),
        None => Ok(()),
    }
}
