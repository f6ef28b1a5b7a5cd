//! Each rule catches a plan that was made by hand to break it, and lets its harmless twin pass.

mod adopting;
mod fast_launch;
mod making;
mod parameters;
mod places;
mod proof;
mod retiring;
mod sharing;
mod snapshots;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::api::{AwsAccount, ImageUser, MachineImage};
use crate::image::attributes::{AttributeChange, Protection};
use crate::image::desired::{
    AccountReference, Captured, ImageName, Installation, References, RegisteredVolume,
    Registration, Source,
};
use crate::image::identity::Revision;
use crate::image::observed::{
    Dead, Departures, Registered, SourceImage, SourceInstance, SourceSnapshot, Unreadable,
};
use crate::image::plan::{WaitsFor, Why};

const HOME: &str = "us-east-1";
const AWAY: &str = "eu-west-1";

/// A day and a half after what is superseded here was.
const NOW: Timestamp = Timestamp::constant(1_772_366_400, 0);

/// What is desired and observed, to be spoilt by a test.
struct World {
    desired: Desired,
    observed: Observed,
}

/// An image of `us-east-1/i-1`, wanted and published in both regions as `ami-home` and `ami-away`, with the
/// snapshots `snap-home` and `snap-away`.
fn world() -> World {
    let spec = json!({
        "source": {"instance": {"region": HOME, "instanceId": "i-1", "reboot": "Once"}},
        "regions": [{"name": HOME}, {"name": AWAY}],
        "retention": {"revisions": 0},
    });
    let mut image = MachineImage::new("web", serde_json::from_value(spec).unwrap());
    image.metadata.namespace = Some("prod".to_owned());
    let account = json!({"accountId": ACCOUNT});
    let account = AwsAccount::new("default", serde_json::from_value(account).unwrap());
    let installation = Installation {
        owner: "o1".to_owned(),
        cluster: "c1".to_owned(),
        take_over_from: None,
        consistency_window: SignedDuration::from_mins(10),
        price_per_gib_month: None,
    };
    let labels = BTreeMap::new();
    let references = References {
        accounts: &BTreeMap::from([AccountReference::to(account)]),
        namespace_labels: &labels,
        machine_images: &[],
    };
    let desired = Desired::of(&image, &installation, references);
    let mut world = World {
        desired,
        observed: Observed::default(),
    };
    let counted = Departures {
        going: 1,
        published: 2,
    };
    world.observed.departures = BTreeMap::from([(ACCOUNT.to_owned(), counted)]);
    world.observed.places = [HOME, AWAY]
        .map(|region| (place(region), PlaceView::Known(Known::default())))
        .into();
    for (region, id) in [(HOME, "ami-home"), (AWAY, "ami-away")] {
        let image = world.image(
            id,
            &[(tag::SELF, id), (tag::PUBLISHED, "2026-01-01T00:00:00Z")],
        );
        world.known(region).images.push(image);
        let id = id.replace("ami", "snap");
        let snapshot = world.snapshot(&id, &[(tag::SELF, &id)]);
        world.known(region).snapshots.push(snapshot);
    }
    world
}

const ACCOUNT: &str = "111122223333";

fn place(region: &str) -> Place {
    Place::new(ACCOUNT, region)
}

impl World {
    fn known(&mut self, region: &str) -> &mut Known {
        match self.observed.places.get_mut(&place(region)) {
            Some(PlaceView::Known(known)) => known,
            _ => panic!("{region} was made unreadable"),
        }
    }

    fn tags(&self, more: &[(&str, &str)]) -> BTreeMap<String, String> {
        let Desired {
            identity,
            revision,
            source,
            ..
        } = &self.desired;
        let origin = source.reference().unwrap();
        let mut tags = identity.birth_tags(revision, VARIANT_SOURCE, &origin, &origin);
        tags.extend(
            more.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        tags
    }

    /// An available image with one snapshot, by default a newborn capture.
    fn image(&self, id: &str, more: &[(&str, &str)]) -> Image {
        Image {
            state: ImageState::Available,
            source_instance: Some("i-1".to_owned()),
            snapshots: vec![id.replace("ami", "snap")],
            registered: Some(Box::new(Registered {
                root_snapshot: None,
                platform_details: Some("Linux/UNIX".to_owned()),
            })),
            ..Image::newborn(id, "web", &self.tags(more))
        }
    }

    fn snapshot(&self, id: &str, more: &[(&str, &str)]) -> Snapshot {
        let tags = self.tags(more);
        Snapshot {
            id: id.to_owned(),
            pending: false,
            progress: None,
            failure: None,
            used_by: Some(Vec::new()),
            size_gib: 8,
            full_bytes: None,
            tags: tags.into(),
        }
    }

    fn without(mut self, region: &str) -> Self {
        self.known(region).images.clear();
        self
    }

    /// Without images and snapshots anywhere.
    fn empty(mut self) -> Self {
        for region in [HOME, AWAY] {
            *self.known(region) = Known::default();
        }
        self
    }

    fn unwanted(mut self, region: &str) -> Self {
        self.desired.places.retain(|place| place.region != region);
        self
    }

    fn lift_limit_until(&mut self, until: Timestamp) {
        let account = self.desired.accounts.get_mut(ACCOUNT);
        account.expect("home").limit_lifted_until = Some(until);
    }

    fn unreadable(mut self, region: &str) -> Self {
        let why = Unreadable {
            reason: conditions::REGION_UNREADABLE,
            message: "no answer".to_owned(),
        };
        self.observed
            .places
            .insert(place(region), PlaceView::Unreadable(why));
        self
    }

    fn recorded(mut self) -> Self {
        self.desired.captured = Some(Captured {
            revision: self.desired.revision.clone(),
            at: Timestamp::UNIX_EPOCH,
        });
        self
    }

    /// The same, but made of `us-east-1/snap-root` and `us-east-1/snap-data`.
    fn registered(mut self) -> Self {
        self.desired.source = Source::Snapshot {
            region: HOME.to_owned(),
            registration: registration(),
        };
        self
    }

    fn deleted(mut self) -> Self {
        self.desired.deleted_since = Some(Timestamp::UNIX_EPOCH);
        self
    }

    /// With the image of another revision that was superseded so long ago.
    fn superseded(mut self, region: &str, id: &str, revision: &str, ago: SignedDuration) -> Self {
        let at = (NOW - ago).to_string();
        let tags = [
            (tag::SELF, id),
            (tag::REVISION, revision),
            (tag::SUPERSEDED, &at),
        ];
        let image = self.image(id, &tags);
        self.known(region).images.push(image);
        self
    }

    /// What EC2 was not asked about is not used.
    fn broken_by(&self, steps: Vec<Step>) -> Vec<Violation> {
        let mut observed = self.observed.clone();
        for (place, known) in self.observed.known() {
            for image in &known.images {
                let key = (place.clone(), image.id.clone());
                observed
                    .usage
                    .entry(key)
                    .or_insert_with(|| Usage::By(Vec::new()));
            }
        }
        violations(
            &Plan {
                steps,
                ..Plan::default()
            },
            &self.desired,
            &observed,
            NOW,
        )
    }

    /// EC2 said who uses the image.
    fn used_by(mut self, region: &str, id: &str, arns: &[&str]) -> Self {
        let users = arns
            .iter()
            .map(|arn| ImageUser::own(id, "ec2:Instance", arn));
        let usage = Usage::By(users.collect());
        self.observed
            .usage
            .insert((place(region), id.to_owned()), usage);
        self
    }

    #[track_caller]
    fn refuses(&self, step: Step, invariant: u8, because: &str) {
        let broken = self.broken_by(vec![step]);
        let found = broken
            .iter()
            .any(|one| one.invariant == invariant && one.message.contains(because));
        assert!(found, "{invariant} ({because}) is not among {broken:?}");
    }

    #[track_caller]
    fn allows(&self, step: Step) {
        assert_eq!(self.broken_by(vec![step]), []);
    }
}

fn step(region: &str, action: Action) -> Step {
    Step::at(&place(region), action, Why::WantedByRegions)
}

fn deregister(region: &str, id: &str) -> Step {
    step(region, Action::DeregisterImage { id: id.to_owned() })
}

fn delete(region: &str, id: &str) -> Step {
    step(region, Action::DeleteSnapshot { id: id.to_owned() })
}

fn write(region: &str, id: &str, key: &str, value: &str) -> Step {
    let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
    step(
        region,
        Action::CreateTags {
            id: id.to_owned(),
            tags,
        },
    )
}

fn unwrite(region: &str, id: &str, keys: &[&str]) -> Step {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    step(
        region,
        Action::DeleteTags {
            id: id.to_owned(),
            keys,
        },
    )
}

fn capture() -> Step {
    let tags = BTreeMap::from([("team".to_owned(), "web".to_owned())]);
    let (instance, name) = ("i-1".to_owned(), "web".to_owned());
    step(
        HOME,
        Action::CreateImage {
            instance,
            name,
            description: None,
            no_reboot: true,
            without_devices: Vec::new(),
            snapshot_tags: tags.clone(),
            tags,
        },
    )
}

fn registration() -> Registration {
    Registration {
        snapshot: "snap-root".to_owned(),
        root_device: "/dev/xvda".to_owned(),
        architecture: "x86_64",
        boot_mode: None,
        ena_support: true,
        volumes: vec![RegisteredVolume {
            device: "/dev/sdb".to_owned(),
            snapshot: "snap-data".to_owned(),
            delete_on_termination: true,
        }],
        platform_details: "Linux/UNIX",
    }
}

fn register() -> Step {
    step(
        HOME,
        Action::RegisterImage {
            registration: registration(),
            name: "web".to_owned(),
            description: None,
            tags: BTreeMap::new(),
        },
    )
}

fn copy(region: &str) -> Step {
    let from = Reference::new(HOME, "ami-home");
    let (name, token) = ("web".to_owned(), "token".to_owned());
    step(
        region,
        Action::CopyImage {
            from,
            name,
            description: None,
            encryption: None,
            minutes: None,
            token,
            tags: BTreeMap::new(),
            snapshot_tags: BTreeMap::new(),
        },
    )
}

#[test]
fn a_plan_that_breaks_one_has_no_steps_left_and_says_which() {
    let world = world();
    let plan = Plan {
        steps: vec![deregister(HOME, "ami-home"), copy(AWAY)],
        ..Plan::default()
    };
    let checked = plan.checked(&world.desired, &world.observed, NOW);
    assert!(checked.steps.is_empty());
    assert_eq!(checked.findings[0].reason, conditions::INVARIANT_BROKEN);
    assert!(
        checked.findings[0].message.contains("invariant"),
        "{:?}",
        checked.findings
    );
}

#[test]
fn a_step_that_waits_breaks_nothing() {
    world().allows(deregister(HOME, "ami-home").waiting_for(WaitsFor::Source));
}

#[test]
fn every_invariant_that_a_plan_may_break_has_one_of_the_numbers() {
    let ruled: BTreeSet<u8> = RULES.iter().map(|(number, _)| *number).collect();
    assert_eq!(ruled, NUMBERS.collect());
}
