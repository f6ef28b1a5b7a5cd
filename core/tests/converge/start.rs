//! Where a run starts: any spec, and any images and snapshots that could be there.

#![expect(
    clippy::struct_excessive_bools,
    reason = "each is a peculiarity of its own"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use amity_core::api::{MachineImage, conditions};
use amity_core::image::desired::Desired;
use amity_core::image::encryption::VARIANT_SOURCE;
use amity_core::image::identity::{Place, Reference, Revision, TagKeys, tag};
use amity_core::image::observed::{
    Asked, Image, ImageState, Observed, PlaceView, Refusal, Registered, Snapshot, Unreadable,
};
use jiff::{SignedDuration, Timestamp};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::json;

use crate::ec2::{show, snapshot};

pub const ACCOUNT: &str = "111122223333";

/// The regions of the account; the source is in the first.
pub const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-northeast-1"];

/// The image that the spec names, or to which its name is resolved, and one that had the name before.
pub const ORIGIN: &str = "ami-origin";
pub const OTHER_ORIGIN: &str = "ami-origin-before";

/// The cluster of the object, the one that it was rebuilt from, and one that it has nothing to do with.
pub const CLUSTER: &str = "c1";
pub const PREDECESSOR: &str = "c0";
const THIRD: &str = "c3";

/// The name of the source image, where the spec gives that.
pub const NAME: &str = "golden";

const ACTIONS: [&str; 7] = [
    "CreateImage",
    "RegisterImage",
    "CopyImage",
    "CreateTags",
    "DeleteTags",
    "DeregisterImage",
    "DeleteSnapshot",
];

/// A spec and a world.
#[derive(Clone, Debug)]
pub struct Start {
    source: Source,
    pub wanted: Vec<String>,
    tags: BTreeMap<String, String>,
    pub retains: bool,
    suspended: bool,
    pub deleted: bool,
    pub has_finalizer: bool,
    pub recorded: bool,
    pub failing_copies: u8,
    /// How many superseded revisions are kept, and whether for five minutes at least.
    pub kept_revisions: i32,
    kept_for_a_while: bool,
    /// Whether the cluster was rebuilt from [`PREDECESSOR`].
    pub takes_over: bool,
    /// Whether EC2 bills what is registered as something else than the spec says.
    pub bills_otherwise: bool,
    pub images: Vec<Seed>,
    unreadable: Vec<bool>,
    refused: Vec<Option<(usize, bool)>>,
}

/// What the spec names as its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Instance,
    Snapshot,
    Image,
    NamedImage,
}

/// One image that is there at the start.
#[derive(Clone, Debug)]
pub struct Seed {
    number: usize,
    region: usize,
    revision: Option<&'static str>,
    state: State,
    whose: Whose,
    captured: bool,
    published: bool,
    superseded: bool,
    launched: bool,
    /// Made from another image than the others of its revision.
    of_another_origin: bool,
    of_another_platform: bool,
    cluster: &'static str,
    /// For how many minutes something uses it, and whether EC2 says so.
    used_for: Option<(i64, bool)>,
    tags: BTreeMap<String, String>,
    noted: bool,
    snapshots: Vec<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Pending,
    Available,
    Failed,
    Disabled,
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Sealed,
    Newborn,
    Unproven,
    UnprovenStranger,
    CopiedTags,
    Contradicting,
    Retained,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sealed,
    Unsealed,
    Untagged,
}

/// Any situation at all, also such as nobody can mend.
pub fn anything() -> impl Strategy<Value = Start> {
    let states = prop::sample::select(vec![
        State::Pending,
        State::Available,
        State::Available,
        State::Failed,
        State::Disabled,
        State::Missing,
    ]);
    let odd = (
        any::<bool>(),
        any::<bool>(),
        vec(prop::bool::weighted(0.15), 3),
    );
    let refused = vec(
        prop::option::weighted(0.3, (0..ACTIONS.len(), any::<bool>())),
        3,
    );
    (start(seed(states, any::<bool>().boxed())), odd, refused).prop_map(
        |(start, (suspended, deleted, unreadable), refused)| Start {
            suspended: suspended && start.recorded,
            deleted,
            unreadable,
            refused,
            ..start
        },
    )
}

/// Any situation in which the spec says itself what the revision is made from.
pub fn of_no_name() -> impl Strategy<Value = Start> {
    anything().prop_filter("the source is a name", |start| {
        start.source != Source::NamedImage
    })
}

/// Snapshots of which EC2 registers something else than the spec says.
pub fn billed_otherwise() -> impl Strategy<Value = Start> {
    mendable().prop_map(|mut start| {
        start.source = Source::Snapshot;
        start.bills_otherwise = true;
        start.images.retain(|seed| seed.revision.is_some());
        for seed in &mut start.images {
            seed.of_another_origin = false;
        }
        start
    })
}

/// What comes to rest by itself: nothing is disabled, and what is a second image is used by nobody.
pub fn mendable() -> impl Strategy<Value = Start> {
    let states = prop::sample::select(vec![
        State::Pending,
        State::Available,
        State::Available,
        State::Failed,
        State::Missing,
    ]);
    start(seed(states, Just(false).boxed())).prop_map(|mut start| {
        // One published image of a revision and place; the others are not.
        let mut published = std::collections::BTreeSet::new();
        for seed in start.images.iter_mut().filter(|seed| seed.published) {
            seed.published = published.insert((seed.region, seed.revision));
        }
        let (takes_over, retains) = (start.takes_over, start.retains);
        for seed in &mut start.images {
            // What another cluster holds waits for somebody, and so does what was billed otherwise.
            if seed.cluster == THIRD || !takes_over {
                seed.cluster = CLUSTER;
            }
            seed.of_another_platform = false;
            // What another origin is made of is in the way, and with Retain for somebody to remove.
            seed.of_another_origin &= !retains;
        }
        // A failed capture, and one that was lost, wait for somebody.
        let captures = start.source == Source::Instance;
        for seed in &mut start.images {
            let is_origin = seed.captured && !start.source.is_image() && seed.region == 0;
            if is_origin
                && (seed.state == State::Failed || seed.state == State::Missing && captures)
            {
                seed.state = State::Available;
            }
        }
        // A second image of the revision that was published waits for somebody.
        let current = |seed: &Seed| seed.revision.is_none();
        let seen: Vec<_> = start
            .images
            .iter()
            .filter(|seed| current(seed))
            .map(|seed| seed.region)
            .collect();
        let has_others = start
            .images
            .iter()
            .any(|seed| current(seed) && seed.of_another_origin);
        for seed in start.images.iter_mut().filter(|seed| current(seed)) {
            let is_alone = seen.iter().filter(|region| **region == seed.region).count() == 1;
            seed.superseded &= is_alone && !has_others;
            seed.published &= !seed.of_another_origin;
        }
        // What strangers lose is not ours to tell.
        for seed in start
            .images
            .iter_mut()
            .filter(|seed| seed.is_strange() && seed.state == State::Missing)
        {
            seed.state = State::Available;
        }
        let is_lasting = |seed: &Seed| {
            seed.revision.is_none()
                && matches!(seed.whose, Whose::Sealed | Whose::Newborn | Whose::Unproven)
                && matches!(seed.state, State::Available | State::Pending)
        };
        if start.source == Source::Instance && !start.images.iter().any(is_lasting) {
            start.images.retain(|seed| seed.revision.is_some());
        }
        start
    })
}

/// What comes to rest by itself, and of which all is known: nothing fails, comes to light or ends that nobody could foretell.
pub fn without_accidents() -> impl Strategy<Value = Start> {
    mendable().prop_map(|mut start| {
        start.failing_copies = 0;
        for seed in &mut start.images {
            seed.used_for = None;
            if seed.state == State::Missing {
                seed.state = State::Available;
            }
            if matches!(
                seed.whose,
                Whose::Unproven | Whose::UnprovenStranger | Whose::Contradicting
            ) {
                seed.whose = Whose::Newborn;
            }
        }
        start
    })
}

fn start(seeds: impl Strategy<Value = Seed>) -> impl Strategy<Value = Start> {
    let wanted = prop::sample::subsequence(REGIONS.to_vec(), 1..=3);
    let sources = prop::sample::select(vec![
        Source::Instance,
        Source::Instance,
        Source::Snapshot,
        Source::Image,
        Source::NamedImage,
    ]);
    let spec = (sources, wanted, users_tags(), prop::bool::weighted(0.2));
    let kept = (0..3_i32, any::<bool>(), any::<bool>());
    (
        spec,
        any::<bool>(),
        any::<bool>(),
        0..4_u8,
        kept,
        vec(seeds, 0..7),
    )
        .prop_map(
            |(
                (source, wanted, tags, retains),
                has_finalizer,
                recorded,
                failing_copies,
                (kept_revisions, kept_for_a_while, takes_over),
                mut images,
            )| {
                for (number, seed) in images.iter_mut().enumerate() {
                    seed.number = number;
                    seed.of_another_origin &= source == Source::NamedImage;
                }
                Start {
                    source,
                    wanted: wanted.into_iter().map(str::to_owned).collect(),
                    tags,
                    retains,
                    suspended: false,
                    deleted: false,
                    // What exists was made with the finalizer stored.
                    has_finalizer: has_finalizer || !images.is_empty(),
                    recorded,
                    failing_copies,
                    kept_revisions,
                    kept_for_a_while,
                    takes_over,
                    bills_otherwise: false,
                    images,
                    unreadable: vec![false; 3],
                    refused: vec![None; 3],
                }
            },
        )
}

fn seed(
    states: impl Strategy<Value = State>,
    launched: BoxedStrategy<bool>,
) -> impl Strategy<Value = Seed> {
    let revision = prop::sample::select(vec![None, None, Some("old"), Some("older")]);
    let whose = prop::sample::select(vec![
        Whose::Sealed,
        Whose::Sealed,
        Whose::Sealed,
        Whose::Newborn,
        Whose::Unproven,
        Whose::UnprovenStranger,
        Whose::CopiedTags,
        Whose::Contradicting,
        Whose::Retained,
    ]);
    let kinds = vec(
        prop::sample::select(vec![Kind::Sealed, Kind::Unsealed, Kind::Untagged]),
        0..3,
    );
    let said = (
        any::<bool>(),
        any::<bool>(),
        launched,
        users_tags(),
        any::<bool>(),
    );
    let odd = (
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.1),
        prop::sample::select(vec![CLUSTER, CLUSTER, PREDECESSOR, PREDECESSOR, THIRD]),
        prop::option::weighted(0.3, (1..20_i64, any::<bool>())),
    );
    (0..3_usize, revision, states, whose, said, kinds, odd).prop_map(
        |(
            region,
            revision,
            state,
            whose,
            (captured, published, launched, tags, noted),
            snapshots,
            (superseded, of_another_origin, of_another_platform, cluster, used_for),
        )| Seed {
            number: 0,
            region,
            revision,
            state,
            whose,
            captured,
            published: published
                && whose == Whose::Sealed
                && matches!(state, State::Available | State::Missing),
            superseded: superseded
                && whose == Whose::Sealed
                && matches!(state, State::Available | State::Missing),
            launched,
            of_another_origin,
            of_another_platform,
            cluster,
            used_for,
            tags,
            noted,
            snapshots: if state == State::Pending {
                Vec::new()
            } else {
                snapshots
            },
        },
    )
}

fn users_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let text = |all: [&'static str; 3]| prop::sample::select(all.map(str::to_owned).to_vec());
    btree_map(text(["team", "stage", "cost"]), text(["a", "b", "c"]), 0..3)
}

impl Start {
    pub fn machine_image(&self) -> MachineImage {
        let region = REGIONS[0];
        let source = match self.source {
            Source::Instance => {
                json!({"instance": {"region": region, "instanceId": "i-1", "reboot": "Once"}})
            }
            Source::Snapshot => json!({"snapshot": {
                "region": region,
                "snapshotId": "snap-origin",
                "rootDeviceName": "/dev/xvda",
                "architecture": "x86_64",
            }}),
            Source::Image => json!({"image": {"region": region, "imageId": "ami-origin"}}),
            Source::NamedImage => {
                json!({"image": {"region": region, "owner": "self", "name": NAME}})
            }
        };
        let regions: Vec<_> = self
            .wanted
            .iter()
            .map(|name| json!({"name": name}))
            .collect();
        let policy = if self.retains { "Retain" } else { "Delete" };
        let spec = json!({
            "source": source, "regions": regions, "tags": self.tags, "deletionPolicy": policy, "suspend": self.suspended,
            "retention": {
                "revisions": self.kept_revisions,
                "minAge": if self.kept_for_a_while { "5m" } else { "0s" },
            },
        });
        let mut image = MachineImage::new("web", serde_json::from_value(spec).unwrap());
        image.metadata.namespace = Some("prod".to_owned());
        image.metadata.generation = Some(1);
        image
    }

    /// Makes places unreadable, and refuses.
    pub fn disturb(&self, observed: &mut Observed, now: Timestamp) {
        for (region, (unreadable, refused)) in REGIONS
            .iter()
            .zip(self.unreadable.iter().zip(&self.refused))
        {
            let place = Place::new(ACCOUNT, *region);
            if *unreadable {
                let message = format!("{region} cannot be read");
                let unreadable = Unreadable {
                    reason: conditions::REGION_UNREADABLE,
                    message,
                };
                observed
                    .places
                    .insert(place.clone(), PlaceView::Unreadable(unreadable));
            }
            if let Some((action, later)) = refused {
                let refusal = Refusal {
                    action: ACTIONS[*action],
                    reason: conditions::ACCESS_DENIED,
                    message: "denied".to_owned(),
                    certain: *later,
                    at: now,
                    retry_at: now + SignedDuration::from_secs(if *later { 30 } else { -30 }),
                };
                let asked = Asked {
                    place,
                    action: refusal.action,
                    target: None,
                };
                observed.refusals.insert(asked, refusal);
            }
        }
    }
}

impl Source {
    fn is_image(self) -> bool {
        matches!(self, Self::Image | Self::NamedImage)
    }
}

/// What EC2 bills for an image.
pub fn platform(otherwise: bool) -> String {
    if otherwise { "Windows" } else { "Linux/UNIX" }.to_owned()
}

impl Seed {
    /// The id of the image.
    pub fn id(&self) -> String {
        let kind = if self.is_strange() {
            "stranger"
        } else {
            "seed"
        };
        format!("ami-{kind}{}", self.number)
    }

    /// Until when something uses it, and whether EC2 says so.
    pub fn used_until(&self, now: Timestamp) -> Option<(Timestamp, bool)> {
        let (minutes, is_said) = self.used_for?;
        Some((now + SignedDuration::from_mins(minutes), is_said))
    }

    fn is_strange(&self) -> bool {
        use Whose::{
            Contradicting, CopiedTags, Newborn, Retained, Sealed, Unproven, UnprovenStranger,
        };
        match self.whose {
            Sealed | Newborn | Unproven => false,
            UnprovenStranger | CopiedTags | Contradicting | Retained => true,
        }
    }

    /// The image, its snapshots, and what EC2 does not show of it yet.
    pub fn image(
        &self,
        desired: &Desired,
        now: Timestamp,
    ) -> (Place, Image, Vec<Snapshot>, Option<Reference>) {
        let place = Place::new(ACCOUNT, REGIONS[self.region]);
        let is_strange = self.is_strange();
        let id = self.id();
        let revision = self
            .revision
            .map_or_else(|| desired.revision.clone(), Revision::from);
        let resolved = if self.of_another_origin {
            OTHER_ORIGIN
        } else {
            ORIGIN
        };
        let named = || Reference::new(REGIONS[0], resolved);
        let origin = desired.source.reference().unwrap_or_else(named);
        let is_origin = self.captured && !origin.is_image() && self.region == 0;
        let source = if is_origin || origin.is_image() {
            origin.clone()
        } else {
            Reference::new(REGIONS[0], "ami-first")
        };
        let mut tags = desired
            .identity
            .birth_tags(&revision, VARIANT_SOURCE, &origin, &source);
        tags.insert(tag::CLUSTER.to_owned(), self.cluster.to_owned());
        tags.extend(self.tags.clone());
        if self.noted && !self.tags.is_empty() {
            tags.insert(
                tag::TAG_KEYS.to_owned(),
                TagKeys::of(self.tags.keys()).value(),
            );
        }
        let mut image_tags = tags.clone();
        match self.whose {
            Whose::Sealed | Whose::Retained => {
                drop(image_tags.insert(tag::SELF.to_owned(), id.clone()));
            }
            Whose::CopiedTags => {
                drop(image_tags.insert(tag::SELF.to_owned(), "ami-another".to_owned()));
            }
            _ => {}
        }
        if self.whose == Whose::Retained {
            image_tags.insert(tag::RETAINED.to_owned(), "2026-01-01T00:00:00Z".to_owned());
        }
        if self.published {
            image_tags.insert(tag::PUBLISHED.to_owned(), "2026-02-01T00:00:00Z".to_owned());
        }
        if self.superseded {
            let ago = 10 + 7 * i64::try_from(self.number).unwrap();
            let since = now - SignedDuration::from_mins(ago);
            image_tags.insert(tag::SUPERSEDED.to_owned(), since.to_string());
        }
        let age = if self.state == State::Pending {
            1
        } else {
            60 + i64::try_from(self.number).unwrap()
        };
        let mut image = Image {
            id: id.clone(),
            // Only what was captured holds the name: copies enforce none.
            name: format!("{revision}-{}", self.number),
            state: match self.state {
                State::Pending => ImageState::Pending,
                State::Available => ImageState::Available,
                State::Failed => ImageState::Failed,
                State::Disabled => ImageState::Disabled,
                State::Missing => ImageState::Missing {
                    since: now - SignedDuration::from_mins(2),
                },
            },
            state_reason: None,
            progress: None,
            created: Some(now - SignedDuration::from_mins(age)),
            source_instance: None,
            source_image: None,
            last_launched: self.launched.then_some(now),
            snapshots: Vec::new(),
            registered: Some(Box::new(Registered {
                root_snapshot: None,
                platform_details: Some(platform(self.of_another_platform)),
            })),
            attributes: Arc::default(),
            tags: image_tags.into(),
        };
        let elsewhere = Reference::new(REGIONS[0], "ami-elsewhere");
        let shown = match self.whose {
            Whose::Unproven => Some(source),
            Whose::UnprovenStranger => Some(elsewhere),
            Whose::Contradicting => {
                show(&mut image, elsewhere);
                None
            }
            _ => {
                show(&mut image, source);
                None
            }
        };
        let snapshots = self.snapshots.iter().enumerate().map(|(index, kind)| {
            let id = format!(
                "snap-{}{}-{index}",
                if is_strange { "stranger" } else { "seed" },
                self.number
            );
            image.snapshots.push(id.clone());
            let mut tags = tags.clone();
            match kind {
                // A stranger's snapshot may carry the tags, but no seal of its own.
                Kind::Sealed if is_strange => {
                    drop(tags.insert(tag::SELF.to_owned(), "snap-another".to_owned()));
                }
                Kind::Sealed => drop(tags.insert(tag::SELF.to_owned(), id.clone())),
                Kind::Unsealed => {}
                Kind::Untagged => return (id, None),
            }
            (id, Some(tags))
        });
        let snapshots: Vec<_> = snapshots.collect();
        let claimed = snapshots
            .into_iter()
            .filter_map(|(id, tags)| Some(snapshot(&id, tags?)))
            .collect();
        (place, image, claimed, shown)
    }
}
