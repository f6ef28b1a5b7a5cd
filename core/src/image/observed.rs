//! What EC2 has, per place, or why that cannot be known. The SDK's types end before this module.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::NonZeroU64;
use std::sync::Arc;

use jiff::Timestamp;

use super::attributes::Attributes;
use super::fast_launch::FastLaunchView;
use super::identity::{Place, Reference, Revision, tag};
use super::machines::MachinesView;
use super::parameters::ParametersView;
use super::permissions::{Grantee, Permissions};
use super::plan::Action;
use super::tags::Tags;
use crate::api::ImageUser;
use crate::api::conditions::{self, Reason};

/// What is known of everything that one `MachineImage` could own or need.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Every place of the account, wanted or not: an image may have been left where it is no longer wanted.
    pub places: BTreeMap<Place, PlaceView>,
    /// What the spec names as the source, where the plan may need it.
    pub source: SourceView,
    /// What the source leads to now, where it is followed and nothing is being made.
    pub followed: Option<SourceView>,
    /// Pending images of other objects, by the image of this one that each is being copied from.
    pub readers: BTreeMap<Reference, Reference>,
    /// Who uses images that are to go, as far as that was read a moment ago, by place and image.
    pub usage: BTreeMap<(Place, String), Usage>,
    /// What EC2's reports say of other accounts that use such images, where that counts, by place and image.
    pub usage_reports: BTreeMap<(Place, String), UsageReport>,
    /// Who else may use images and snapshots, as far as that was read when it was its turn, by place and id.
    pub permissions: BTreeMap<(Place, String), Permissions>,
    /// Whom an image or snapshot was taken back from by a call that EC2 answered a moment ago, by place and id.
    pub taken_back: BTreeMap<(Place, String), BTreeSet<Grantee>>,
    /// The images that the spec lists to be taken over, as far as they are needed and were read, by place and id.
    pub adoptions: BTreeMap<(Place, String), AdoptionView>,
    /// The images that EC2 no longer lists and the Recycle Bin keeps, as far as that was read: those of the snapshots of
    /// each that it keeps, too, and that have to be restored first.
    pub recycled: BTreeMap<(Place, String), Vec<String>>,
    /// How volumes and snapshots are encrypted by default, as far as a copy depends on it and it was read.
    pub ebs_defaults: BTreeMap<Place, EbsDefaults>,
    /// Which images launch fast, as far as that was read when it was its turn.
    pub fast_launches: BTreeMap<Place, FastLaunchView>,
    /// The object's parameters, as far as they were read when it was their turn.
    pub parameters: BTreeMap<Place, ParametersView>,
    /// The object's machines, where it may have some, as far as they were read a moment ago.
    pub machines: BTreeMap<Place, MachinesView>,
    /// How much of each account is about to go, by what every object asks for, where that was asked.
    pub departures: BTreeMap<String, Departures>,
    /// The ConfigMaps of the object, once they are known.
    pub config_maps: Option<ConfigMaps>,
    /// What EC2 refused of late, by place and action: memory of this process only, and never a reason to create.
    pub refusals: BTreeMap<Asked, Refusal>,
    /// Since when this process has been running, and so has heard every answer of EC2's.
    pub started: Timestamp,
    /// Since when no creating call of ours can be under way that lists do not show yet, were no more made:
    /// the last such call for this object or the start of the process, whichever is later.
    pub last_creation: Timestamp,
}

/// The ConfigMaps that name an object's published images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigMaps {
    /// The object's own, by their names: what they say, by region.
    pub ours: BTreeMap<String, BTreeMap<String, String>>,
    /// Whether one that is not the object's has the name that the spec says, where that was asked.
    pub name_is_taken: Option<bool>,
}

/// What EC2 says of who uses an image. Whatever it does not say counts as use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Usage {
    /// These instances, launch templates, parameters and recipes; none, if it is empty.
    By(Vec<ImageUser>),
    /// It could not be read.
    Unknown(Unreadable),
}

impl Usage {
    /// Whether something uses the image.
    pub fn is_use(&self) -> bool {
        matches!(self, Self::By(users) if !users.is_empty())
    }
}

/// What a report of EC2's says of the other accounts that use an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageReport {
    /// There is none.
    Absent,
    /// EC2 writes it.
    Pending,
    /// The newest one.
    Written {
        /// When it was asked for.
        at: Timestamp,
        /// So many instances and launch templates of these accounts; none, if it is empty.
        users: Vec<ImageUser>,
    },
    /// EC2 could not write it.
    Failed {
        /// When it was asked for.
        at: Timestamp,
        /// What EC2 says of it.
        message: String,
    },
    /// It could not be read.
    Unknown(Unreadable),
}

impl UsageReport {
    /// Whether it tells of accounts that use the image.
    pub fn tells_of_use(&self) -> bool {
        matches!(self, Self::Written { users, .. } if !users.is_empty())
    }
}

/// An image that is to be taken over, as EC2 shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdoptionView {
    /// The account's image.
    Image(Box<Image>),
    /// The account has none of that id there.
    Missing,
    /// It could not be read.
    Unknown(Unreadable),
}

/// What an account says in a region about the encryption of volumes and snapshots of which a call says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EbsDefaults {
    /// As far as sharing depends on it.
    Known {
        /// Whether they are encrypted (`GetEbsEncryptionByDefault`).
        encrypts: bool,
        /// The default key, in one of the ways in which EC2 takes it (`GetEbsDefaultKmsKeyId`).
        default_key: String,
    },
    /// It could not be read: EC2 will say in its time what cannot be done.
    Unknown,
}

/// How many of an account's images that are or were published are about to go at once, for whatever objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Departures {
    /// The published images that their object no longer asks for.
    pub going: usize,
    /// All published images of the installation in the account.
    pub published: usize,
}

impl Departures {
    /// As many may go without a question.
    pub const FEW: usize = 20;

    /// Whether that is so much that somebody has to say that it is meant: more than twenty, and more than a
    /// fifth of what is published.
    pub fn are_too_many(self) -> bool {
        self.going > Self::FEW && self.going * 5 > self.published
    }
}

/// What is known of one account and region.
#[derive(Clone, Debug, PartialEq)]
pub enum PlaceView {
    /// Read completely.
    Known(Known),
    /// Not read: nothing may be done there, nor elsewhere for what it might hold.
    Unreadable(Unreadable),
}

/// A place that was read completely.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Known {
    /// The images whose tags claim this object, with our own recent writes laid over what EC2 listed.
    pub images: Vec<Image>,
    /// The snapshots whose tags claim this object, likewise.
    pub snapshots: Vec<Snapshot>,
    /// Images of this object that are known to be gone without our doing: dead attempts.
    pub dead: Vec<Dead>,
    /// Who has an image name that EC2 says is taken, by name. An empty list: nobody that EC2 would show yet.
    pub name_holders: BTreeMap<String, Vec<Image>>,
    /// How many more snapshots may be copied to here at once; `None` where that is not limited.
    pub free_copy_slots: Option<usize>,
    /// When the list was complete.
    pub as_of: Timestamp,
}

/// An image that EC2 gave out or listed, and then denied for a whole consistency window.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dead {
    /// Its id.
    pub id: String,
    /// Of which revision it was.
    pub revision: Revision,
    /// Which attempt to copy it was, so that its token is used up; 0 for what was no copy, or where no tag said so.
    pub attempt: u32,
}

impl Dead {
    /// What a dead image with these tags was; `None` where they name no revision.
    pub fn with_tags(id: String, tags: &Tags) -> Option<Self> {
        let attempt = tags.get(tag::ATTEMPT).and_then(|text| text.parse().ok());
        Some(Self {
            id,
            revision: tags.get(tag::REVISION)?.into(),
            attempt: attempt.unwrap_or_default(),
        })
    }
}

/// Why a place cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The condition's reason.
    pub reason: Reason,
    /// A sentence naming the region and what to do.
    pub message: String,
}

impl Unreadable {
    /// Whether it does not pass by itself: somebody has to give a right or credentials.
    pub fn lasts(&self) -> bool {
        [conditions::ACCESS_DENIED, conditions::NO_CREDENTIALS].contains(&self.reason)
    }
}

/// An image, in some 350 bytes of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Image {
    /// `ami-…`
    pub id: String,
    /// The AMI name.
    pub name: String,
    /// What it is good for.
    pub state: ImageState,
    /// EC2's words about a failure.
    pub state_reason: Option<String>,
    /// Percent copied, as far as its snapshots tell.
    pub progress: Option<u8>,
    /// When EC2 made it; absent while only our own call's answer tells of it.
    pub created: Option<Timestamp>,
    /// `SourceInstanceId`: the instance that it was captured from.
    pub source_instance: Option<String>,
    /// `SourceImageRegion` and `SourceImageId`.
    pub source_image: Option<Reference>,
    /// When an instance was last launched from it, as far as EC2 says (a day late).
    pub last_launched: Option<Timestamp>,
    /// The ids of the snapshots in its block device mapping.
    pub snapshots: Vec<String>,
    /// What there is to know of an image that shows neither of its sources, as one that was registered of snapshots.
    pub registered: Option<Box<Registered>>,
    /// What may change of it besides its tags. Most images of a place have the same.
    pub attributes: Arc<Attributes>,
    /// Every tag.
    pub tags: Tags,
}

/// What tells an image that was registered of snapshots.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Registered {
    /// The snapshot that the root device is made from.
    pub root_snapshot: Option<String>,
    /// EC2's `PlatformDetails`: what it bills instances of the image for, such as `Windows`.
    pub platform_details: Option<String>,
}

impl Registered {
    /// Of this root snapshot.
    pub fn of(root_snapshot: impl Into<String>) -> Option<Box<Self>> {
        Some(Box::new(Self {
            root_snapshot: Some(root_snapshot.into()),
            platform_details: None,
        }))
    }
}

impl Image {
    /// One that is being made, of which only our own call's answer tells.
    pub fn newborn(id: &str, name: &str, tags: &BTreeMap<String, String>) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            state: ImageState::Pending,
            state_reason: None,
            progress: None,
            created: None,
            source_instance: None,
            source_image: None,
            last_launched: None,
            snapshots: Vec::new(),
            registered: None,
            attributes: Arc::default(),
            tags: tags.into(),
        }
    }

    /// The snapshot that the root device is made from, of an image that shows nothing else that it was made from.
    pub fn root_snapshot(&self) -> Option<&str> {
        self.registered.as_ref()?.root_snapshot.as_deref()
    }

    /// Whether it is being copied from `source`, by what its tags say or what EC2 shows. `SourceImageId` of
    /// an image with a `SourceInstanceId` is only what the instance was launched from.
    pub fn is_being_copied_from(&self, source: &Reference) -> bool {
        let tagged = || {
            self.tags
                .get(tag::SOURCE)
                .is_some_and(|text| text == source.to_string())
        };
        let shown = || self.source_instance.is_none() && self.source_image.as_ref() == Some(source);
        self.state == ImageState::Pending && (tagged() || shown())
    }
}

/// The state of an image, reduced to what a decision needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImageState {
    /// Being made. Its id may come from the answer to our own call, before any list shows it.
    Pending,
    /// Can be launched and copied.
    Available,
    /// `failed`, `error` or `invalid`: it will never be available.
    Failed,
    /// `disabled`: it stands, but cannot be launched. Amity never disables an image of its own accord.
    Disabled,
    /// It was listed a moment ago and is not any more; not yet called gone, because lists lag.
    Missing {
        /// The first complete list that lacked it.
        since: Timestamp,
    },
}

impl fmt::Display for ImageState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Disabled => "disabled",
            Self::Missing { .. } => "missing",
        })
    }
}

/// A snapshot that carries our tags.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// `snap-…`
    pub id: String,
    /// Whether it is still being made.
    pub pending: bool,
    /// Percent done.
    pub progress: Option<u8>,
    /// EC2's words where it could not be made.
    pub failure: Option<Box<str>>,
    /// The images of the account that use it, of whatever tags; `None` when that was not read.
    pub used_by: Option<Vec<String>>,
    /// Gigabytes of its volume.
    pub size_gib: i32,
    /// How many bytes of that are stored, where EC2 says it (`FullSnapshotSizeInBytes`).
    pub full_bytes: Option<NonZeroU64>,
    /// Every tag.
    pub tags: Tags,
}

impl Snapshot {
    /// One with these tags, of which nothing else is known yet.
    pub fn told(id: &str, tags: &BTreeMap<String, String>) -> Self {
        Self {
            id: id.to_owned(),
            pending: false,
            progress: None,
            failure: None,
            used_by: None,
            size_gib: 0,
            full_bytes: None,
            tags: tags.into(),
        }
    }

    /// How many bytes it stores at most: all of its volume, where EC2 does not say it. Copies in one region may share
    /// some.
    pub fn stored_bytes(&self) -> u64 {
        let whole = || u64::try_from(self.size_gib).unwrap_or_default() << 30;
        self.full_bytes.map_or_else(whole, NonZeroU64::get)
    }
}

/// What the spec names as its source, as EC2 shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SourceView {
    /// The plan does not need it.
    #[default]
    NotRead,
    /// An instance.
    Instance(SourceInstance),
    /// The snapshots of the root device and of the other volumes, in that order.
    Snapshots(Vec<SourceSnapshot>),
    /// An image.
    Image(SourceImage),
    /// EC2 says that there is none.
    Missing {
        /// EC2's sentence.
        message: String,
    },
    /// It is there, and names no image: a parameter with some other value.
    NoImage {
        /// What it is instead, and what to do.
        message: String,
    },
    /// Another object, which has published no image there yet.
    Unpublished,
    /// It could not be read.
    Unreadable(Unreadable),
}

/// A source instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceInstance {
    /// `running`, `stopped`, …, in EC2's words.
    pub state: String,
    /// Its tags, which grants select by.
    pub tags: BTreeMap<String, String>,
    /// The device names of its volumes besides the root's.
    pub data_devices: Vec<String>,
    /// Why EC2 could not capture it: an instance store as its root, say.
    pub unsupported: Option<String>,
}

/// A snapshot to register an image of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSnapshot {
    /// `snap-…`
    pub id: String,
    /// `pending`, `completed`, `error`, …, in EC2's words.
    pub state: String,
    /// The account that owns it.
    pub owner: String,
    /// Its tags, which grants select by.
    pub tags: BTreeMap<String, String>,
}

/// A source image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceImage {
    /// `ami-…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// EC2's word for its architecture, such as `x86_64`.
    pub architecture: String,
    /// Its state.
    pub state: ImageState,
    /// The account that owns it.
    pub owner: String,
    /// The owner's alias, such as `amazon`.
    pub owner_alias: Option<String>,
    /// The object of this installation that it is of, by its tags and its seal.
    pub object: Option<String>,
    /// Gigabytes of its volumes together, where EC2 says it.
    pub size_gib: Option<i32>,
}

/// What was asked of EC2, as far as it tells one refusal from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Asked {
    /// Where.
    pub place: Place,
    /// The EC2 action, such as `CopyImage`.
    pub action: &'static str,
    /// The image or snapshot that was to be changed; `None` for all of them, or where one is made.
    pub target: Option<String>,
}

impl Asked {
    /// What `action` asks in `place`.
    pub fn of(place: &Place, action: &Action) -> Self {
        Self {
            place: place.clone(),
            action: action.name(),
            target: action.target().map(str::to_owned),
        }
    }

    /// Whether a refusal of this is one of `action` in `place`.
    pub fn includes(&self, place: &Place, action: &Action) -> bool {
        self.place == *place
            && self.action == action.name()
            && self
                .target
                .as_deref()
                .is_none_or(|target| action.target() == Some(target))
    }
}

/// What EC2 said no to, and when to ask again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The EC2 action, such as `CopyImage`.
    pub action: &'static str,
    /// The condition's reason.
    pub reason: Reason,
    /// EC2's sentence and the remedy.
    pub message: String,
    /// Whether EC2 certainly did nothing.
    pub certain: bool,
    /// When it was said.
    pub at: Timestamp,
    /// Before when it is not asked again.
    pub retry_at: Timestamp,
}

impl Observed {
    /// The places that were read.
    pub fn known(&self) -> impl Iterator<Item = (&Place, &Known)> {
        self.places.iter().filter_map(|(place, view)| match view {
            PlaceView::Known(known) => Some((place, known)),
            PlaceView::Unreadable(_) => None,
        })
    }

    /// The places that were not, and why.
    pub fn unreadable(&self) -> impl Iterator<Item = (&Place, &Unreadable)> {
        self.places.iter().filter_map(|(place, view)| match view {
            PlaceView::Unreadable(unreadable) => Some((place, unreadable)),
            PlaceView::Known(_) => None,
        })
    }

    /// What is known of a place, if it was read.
    pub fn known_at(&self, place: &Place) -> Option<&Known> {
        match self.places.get(place) {
            Some(PlaceView::Known(known)) => Some(known),
            _ => None,
        }
    }
}
