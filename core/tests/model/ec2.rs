//! Between Amity and the simulated EC2: what a step is as a request, and what a reading shows. It stands for
//! `src/aws/effect.rs` and `src/aws/inventory/read.rs`, without the SDK.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use amity_core::image::identity::{Reference, tag};
use amity_core::image::observed::{Image, ImageState, Registered, Snapshot};
use amity_core::image::plan::Action;
use ec2sim::state::{self, SnapshotState};
use ec2sim::{Answer as Ec2Answer, Caller, ImageSeen, Knobs, Request, World};

use crate::time::{NOW, WINDOW};
use crate::truth::Strangers;

pub const ACCOUNT: &str = "111122223333";
const ACCESS_KEY: &str = "AKIAEC2SIMHOME000001";

/// Where the source is, and the other region.
pub const HOME: &str = "us-east-1";
pub const AWAY: &str = "eu-west-1";
pub const REGIONS: [&str; 2] = [HOME, AWAY];

/// What an object may name as its source.
pub const INSTANCE: &str = "i-0a1b2c3d4e5f60718";
pub const GOLDEN: &str = "ami-0feedfacefeedface";
pub const SNAPSHOT: &str = "snap-0bac0bac0bac0bac0";

const WORLD: &str = "
regions: {us-east-1: {}, eu-west-1: {}}
accounts:
  '111122223333':
    accessKeys: [AKIAEC2SIMHOME000001]
    places:
      us-east-1:
        instances:
          i-0a1b2c3d4e5f60718: {image: ami-0feedfacefeedface, volumes: [{device: /dev/xvda, size: 8}]}
        snapshots:
          snap-0bac0bac0bac0bac0: {size: 8}
        images:
          ami-0feedfacefeedface: {name: golden, devices: [{name: /dev/xvda, snapshot: snap-0feedfacefeedface, size: 8}]}
";

/// The world at the beginning. `sources_lag`: what an image was made from is shown a window later.
pub fn world(sources_lag: bool) -> World {
    let mut world = World::from_yaml(WORLD)
        .expect("a world")
        .with_knobs(Knobs {
            max_source_lag_seconds: u64::from(sources_lag),
            ..Knobs::calm()
        })
        .step_by_step(WINDOW);
    world.advance(NOW);
    world
}

/// The ids of what others have at the beginning.
pub fn strangers(world: &World) -> Strangers {
    let mut strangers = Strangers::default();
    for region in world.regions().values() {
        let ids = region.images.keys().chain(region.snapshots.keys());
        ids.for_each(|id| strangers.have(id));
    }
    strangers
}

/// An answer that changes what the process remembers, or none that does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    Made(String),
    Done,
    NameTaken,
    AlreadyMade,
    Refused(String),
}

/// Calls EC2 for Amity or for anybody else of the account.
pub fn call(world: &mut World, region: &str, request: &Request) -> Ec2Answer {
    world.call(NOW, &Caller::ec2(ACCESS_KEY, region), request)
}

/// What came of a step.
pub fn answer(action: &Action, answer: Ec2Answer) -> Answer {
    let gone = [
        "InvalidAMIID.NotFound",
        "InvalidAMIID.Unavailable",
        "InvalidSnapshot.NotFound",
    ];
    match (action, answer.error.as_deref()) {
        (_, None) => answer
            .made
            .into_iter()
            .next()
            .map_or(Answer::Done, Answer::Made),
        (_, Some("InvalidAMIName.Duplicate")) => Answer::NameTaken,
        (_, Some("IdempotentParameterMismatch")) => Answer::AlreadyMade,
        (_, Some(code)) if action.destroys() && gone.contains(&code) => Answer::Done,
        (_, Some(code)) => Answer::Refused(code.to_owned()),
    }
}

/// A step as it is asked of EC2.
pub fn request(action: &Action) -> Request {
    let given = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut parameters = BTreeMap::new();
    match action {
        Action::CreateImage {
            instance,
            name,
            no_reboot,
            tags,
            snapshot_tags,
            ..
        } => {
            parameters.extend([
                given("InstanceId", instance),
                given("Name", name),
                given("NoReboot", &no_reboot.to_string()),
            ]);
            parameters.extend(from_birth(&[("image", tags), ("snapshot", snapshot_tags)]));
        }
        Action::RegisterImage {
            registration,
            name,
            tags,
            ..
        } => {
            parameters.extend([
                given("Name", name),
                given("RootDeviceName", &registration.root_device),
                given("Architecture", "x86_64"),
                given("VirtualizationType", "hvm"),
                given("BlockDeviceMapping.1.DeviceName", &registration.root_device),
                given(
                    "BlockDeviceMapping.1.Ebs.SnapshotId",
                    &registration.snapshot,
                ),
            ]);
            parameters.extend(from_birth(&[("image", tags)]));
        }
        Action::CopyImage {
            from,
            name,
            token,
            tags,
            snapshot_tags,
            ..
        } => {
            parameters.extend([
                given("SourceRegion", &from.region),
                given("SourceImageId", &from.id),
                given("Name", name),
            ]);
            // A planner that is broken on purpose may have none.
            parameters.extend((!token.is_empty()).then(|| given("ClientToken", token)));
            parameters.extend(from_birth(&[("image", tags), ("snapshot", snapshot_tags)]));
        }
        Action::CreateTags { id, tags } => {
            parameters.extend([given("ResourceId.1", id)]);
            parameters.extend(numbered("", tags));
        }
        Action::DeleteTags { id, keys } => {
            parameters.extend([given("ResourceId.1", id)]);
            let keys = (1..).zip(keys);
            parameters.extend(keys.map(|(number, key)| (format!("Tag.{number}.Key"), key.clone())));
        }
        Action::DeregisterImage { id } => parameters.extend([given("ImageId", id)]),
        Action::DeleteSnapshot { id } => parameters.extend([given("SnapshotId", id)]),
        on_object => panic!("{on_object} is no call"),
    }
    Request {
        parameters,
        ..Request::new(action.name(), &[])
    }
}

fn from_birth(kinds: &[(&str, &BTreeMap<String, String>)]) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::new();
    for (number, (kind, tags)) in (1..).zip(kinds) {
        let path = format!("TagSpecification.{number}.");
        parameters.insert(format!("{path}ResourceType"), (*kind).to_owned());
        parameters.extend(numbered(&path, tags));
    }
    parameters
}

fn numbered(path: &str, tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let all = (1..).zip(tags).flat_map(|(number, (key, value))| {
        [
            (format!("{path}Tag.{number}.Key"), key.clone()),
            (format!("{path}Tag.{number}.Value"), value.clone()),
        ]
    });
    all.collect()
}

/// One complete reading of a region, by a fresh or a stale replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    pub images: BTreeMap<String, Image>,
    pub snapshots: BTreeMap<String, Snapshot>,
    /// Who has the name that was looked up.
    pub holders: Vec<Image>,
}

/// What carries the owner's tag, who uses its snapshots, and who has `name`. What is in `buried` counts for nobody.
pub fn read(
    world: &World,
    region: &str,
    stale: bool,
    name: Option<&str>,
    buried: &BTreeSet<String>,
) -> Reading {
    let all: Vec<Image> = world
        .images_seen(ACCOUNT, region, stale)
        .filter_map(image)
        .collect();
    let images: BTreeMap<_, _> = all
        .iter()
        .filter(|image| image.tags.contains_key(tag::OWNER))
        .map(|image| (image.id.clone(), image.clone()))
        .collect();
    let is_used = |id: &String| {
        let mut listed = images.values().filter(|image| !buried.contains(&image.id));
        listed.any(|image| image.snapshots.contains(id))
    };
    let users = |id: &String| {
        let users = all.iter().filter(|image| image.snapshots.contains(id));
        users.map(|image| image.id.clone()).collect()
    };
    let snapshots = world
        .snapshots_seen(ACCOUNT, region, stale)
        .filter(|seen| seen.tags.contains_key(tag::OWNER))
        .map(|seen| {
            let id = seen.snapshot.id.clone();
            let snapshot = Snapshot {
                pending: seen.snapshot.state == SnapshotState::Pending,
                progress: None,
                failure: seen.snapshot.message.as_deref().map(Into::into),
                used_by: (!is_used(&id)).then(|| users(&id)),
                size_gib: 8,
                full_bytes: None,
                tags: seen.tags.into(),
                id: id.clone(),
            };
            (id, snapshot)
        })
        .collect();
    Reading {
        holders: all
            .iter()
            .filter(|image| Some(image.name.as_str()) == name)
            .cloned()
            .collect(),
        images,
        snapshots,
    }
}

/// An image in Amity's words; none if EC2 itself calls it deregistered.
fn image(seen: ImageSeen<'_>) -> Option<Image> {
    let image = seen.image;
    let state = match seen.state {
        state::ImageState::Deregistered => return None,
        state::ImageState::Pending => ImageState::Pending,
        state::ImageState::Available => ImageState::Available,
        state::ImageState::Failed => ImageState::Failed,
        state::ImageState::Disabled => ImageState::Disabled,
    };
    let source_image = image.source_image.as_ref().filter(|_| seen.shows_source);
    let root = image
        .devices
        .iter()
        .find(|device| device.name == image.machine.root_device);
    Some(Image {
        id: image.id.clone(),
        name: image.name.clone(),
        state,
        state_reason: image.reason.as_ref().map(|reason| reason.message.clone()),
        progress: None,
        created: Some(image.created),
        source_instance: image.source_instance.clone().filter(|_| seen.shows_source),
        source_image: source_image.map(|(region, id)| Reference::new(region.as_str(), id.as_str())),
        last_launched: None,
        snapshots: image.snapshot_ids().map(str::to_owned).collect(),
        registered: Some(Box::new(Registered {
            root_snapshot: root.and_then(|device| device.ebs.as_ref()?.snapshot.clone()),
            platform_details: image.machine.billed_as.map(|platform| platform.to_string()),
        })),
        attributes: Arc::default(),
        tags: seen.tags.into(),
    })
}
