//! Each rule catches a plan that was made by hand to break it, and lets its harmless twin pass.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::*;
use crate::api::{AwsAccount, ImageUser, MachineImage};
use crate::image::desired::{Captured, Installation, References};
use crate::image::identity::Revision;
use crate::image::observed::{
    Dead, Departures, Known, Snapshot, SourceImage, SourceInstance, Unreadable,
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
    let account = json!({"accountId": "111122223333"});
    let account = AwsAccount::new("default", serde_json::from_value(account).unwrap());
    let installation = Installation {
        owner: "o1".to_owned(),
        cluster: "c1".to_owned(),
        take_over_from: None,
        consistency_window: SignedDuration::from_mins(10),
    };
    let labels = BTreeMap::new();
    let references = References {
        unusable: None,
        account: Some(&account),
        namespace_labels: &labels,
        account_regions: None,
    };
    let desired = Desired::of(&image, &installation, references);
    let mut world = World {
        desired,
        observed: Observed::default(),
    };
    world.observed.departures = Some(Departures {
        going: 1,
        published: 2,
    });
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

fn place(region: &str) -> Place {
    Place::new("111122223333", region)
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
        let mut tags = identity.birth_tags(revision, &origin, &origin);
        tags.extend(
            more.iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
        );
        tags
    }

    /// An available image with one snapshot, by default a newborn capture.
    fn image(&self, id: &str, more: &[(&str, &str)]) -> Image {
        Image {
            id: id.to_owned(),
            name: "web".to_owned(),
            state: ImageState::Available,
            state_reason: None,
            progress: None,
            created: None,
            owner: "111122223333".to_owned(),
            source_instance: Some("i-1".to_owned()),
            source_image: None,
            last_launched: None,
            snapshots: vec![id.replace("ami", "snap")],
            root_snapshot: None,
            platform_details: Some("Linux/UNIX".to_owned()),
            tags: self.tags(more),
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
            tags,
        }
    }

    fn without(mut self, region: &str) -> Self {
        self.known(region).images.clear();
        self
    }

    fn unwanted(mut self, region: &str) -> Self {
        self.desired.places.retain(|place| place.region != region);
        self
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
        let users = arns.iter().map(|arn| ImageUser {
            image_id: id.to_owned(),
            resource_type: "ec2:Instance".to_owned(),
            arn: (*arn).to_owned(),
        });
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
            tags,
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
            token,
            tags: BTreeMap::new(),
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
fn only_what_is_proven_ours_is_touched() {
    let mut world = world();
    let because = "not proven";
    world.refuses(write(HOME, "ami-strange", "a", "b"), 1, because);
    let carried_off = world.image("ami-x", &[(tag::SELF, "ami-home")]);
    let newborn = world.image("ami-n", &[]);
    let unused = world.snapshot("snap-x", &[]);
    let used = world.snapshot("snap-home-2", &[]);
    world.known(HOME).images.extend([carried_off, newborn]);
    world.known(HOME).snapshots.extend([unused, used]);
    world.known(HOME).images[0]
        .snapshots
        .push("snap-home-2".to_owned());
    world.refuses(write(HOME, "ami-x", "a", "b"), 1, because);
    world.refuses(write(HOME, "ami-x", tag::SELF, "ami-x"), 1, because);
    world.refuses(deregister(HOME, "ami-n"), 1, because);
    world.refuses(write(HOME, "ami-n", "a", "b"), 1, because);
    world.refuses(write(HOME, "snap-x", tag::SELF, "snap-x"), 1, because);
    world.refuses(delete(HOME, "snap-home-2"), 1, because);
    world.allows(write(HOME, "ami-home", "a", "b"));
    world.allows(write(HOME, "ami-n", tag::SELF, "ami-n"));
    world.allows(write(HOME, "snap-home-2", tag::SELF, "snap-home-2"));
}

#[test]
fn a_seal_names_its_bearer() {
    let world = world();
    world.refuses(
        write(HOME, "ami-home", tag::SELF, "ami-away"),
        1,
        "would name ami-away",
    );
    let mut born_sealed = copy(AWAY);
    if let Action::CopyImage { tags, .. } = &mut born_sealed.action {
        tags.insert(tag::SELF.to_owned(), "ami-home".to_owned());
    }
    world.refuses(born_sealed, 1, "born with the seal");
}

#[test]
fn whose_it_is_is_not_taken_from_it() {
    let world = world();
    world.refuses(unwrite(HOME, "ami-home", &[]), 1, "every key");
    world.refuses(
        unwrite(HOME, "ami-home", &["team", tag::SELF]),
        1,
        "part of whose it is",
    );
    world.refuses(
        unwrite(HOME, "ami-home", &[tag::OWNER]),
        1,
        "part of whose it is",
    );
    world.allows(unwrite(
        HOME,
        "ami-home",
        &["team", tag::TAG_KEYS, tag::PUBLISHED],
    ));
}

#[test]
fn nothing_is_done_in_an_unreadable_place() {
    world()
        .unreadable(AWAY)
        .refuses(copy(AWAY), 2, "cannot be read");
    world().refuses(copy("sa-east-1"), 2, "cannot be read");
}

#[test]
fn nothing_is_retired_or_captured_while_a_place_is_unknown() {
    let unwanted = || world().unwanted(HOME);
    unwanted()
        .unreadable(AWAY)
        .refuses(deregister(HOME, "ami-home"), 2, "may still need it");
    unwanted().allows(deregister(HOME, "ami-home"));
    world()
        .without(HOME)
        .unreadable(AWAY)
        .recorded()
        .refuses(capture(), 2, "may hold an image");
    let mut deleted = world().unreadable(AWAY);
    deleted.desired.deleted_since = Some(Timestamp::UNIX_EPOCH);
    deleted.allows(deregister(HOME, "ami-home"));
}

#[test]
fn the_finalizer_stays_while_something_is_left_or_unknown() {
    let release = || Step::on_object(Action::ReleaseFinalizer, Why::NothingIsLeft);
    world().refuses(release(), 2, "is left");
    world()
        .without(HOME)
        .unreadable(AWAY)
        .refuses(release(), 2, "cannot be read");
    world().without(HOME).without(AWAY).allows(release());
    let mut retaining = world().unreadable(AWAY);
    retaining.desired.deletion_policy = DeletionPolicy::Retain;
    retaining.allows(release());
}

#[test]
fn there_is_one_live_image_per_place() {
    let mut world = world();
    world.refuses(copy(AWAY), 3, "ami-away of the same revision is there");
    world.known(AWAY).images[0].state = ImageState::Failed;
    world.allows(copy(AWAY));
    let mut unproven = world.image("ami-u", &[]);
    unproven.source_instance = None;
    world.known(AWAY).images.push(unproven);
    world.refuses(copy(AWAY), 3, "ami-u of the same revision is there");
}

#[test]
fn a_second_image_that_was_published_or_launched_stays() {
    let mut world = world();
    let second = world.image("ami-2", &[(tag::SELF, "ami-2")]);
    world.known(AWAY).images.push(second);
    world.allows(deregister(AWAY, "ami-2"));
    world.known(AWAY).images[1].last_launched = Some(Timestamp::UNIX_EPOCH);
    world.refuses(deregister(AWAY, "ami-2"), 3, "may be in use");
    world.refuses(deregister(AWAY, "ami-away"), 3, "may be in use");
}

#[test]
fn a_published_image_goes_only_when_it_is_replaced_or_unwanted() {
    let because = "nothing replaces it";
    let older = |world: &World| {
        world.image(
            "ami-1",
            &[
                (tag::SELF, "ami-1"),
                (tag::PUBLISHED, "x"),
                (tag::REVISION, "old"),
            ],
        )
    };
    let mut replaced = world();
    let image = older(&replaced);
    replaced.known(AWAY).images.push(image);
    replaced.allows(deregister(AWAY, "ami-1"));
    let mut alone = world().without(AWAY);
    let image = older(&alone);
    alone.known(AWAY).images.push(image);
    alone.refuses(deregister(AWAY, "ami-1"), 4, because);
    alone.unwanted(AWAY).allows(deregister(AWAY, "ami-1"));
}

#[test]
fn a_held_image_stays() {
    let mut world = world().unwanted(AWAY);
    world.allows(deregister(AWAY, "ami-away"));
    let away = &mut world.known(AWAY).images[0];
    away.tags.insert(tag::HOLD.to_owned(), "team-x".to_owned());
    world.refuses(deregister(AWAY, "ami-away"), 4, "it is held: team-x");
}

#[test]
fn the_last_available_image_of_a_wanted_revision_stays() {
    let because = "the last available image";
    world()
        .unwanted(HOME)
        .without(AWAY)
        .refuses(deregister(HOME, "ami-home"), 5, because);
    let both_go = world().unwanted(HOME).unwanted(AWAY);
    both_go.allows(deregister(HOME, "ami-home"));
    let broken = both_go.broken_by(vec![
        deregister(HOME, "ami-home"),
        deregister(AWAY, "ami-away"),
    ]);
    assert!(
        broken
            .iter()
            .any(|one| one.invariant == 5 && one.message.contains(because)),
        "{broken:?}"
    );
}

#[test]
fn an_image_that_is_being_copied_stays() {
    let mut world = world().unwanted(HOME);
    let mut reader = world.image("ami-r", &[(tag::SELF, "ami-r"), (tag::REVISION, "old")]);
    reader.source_instance = None;
    reader.source_image = Some(Reference::new(HOME, "ami-home"));
    reader.state = ImageState::Pending;
    world.known(AWAY).images.push(reader);
    world.refuses(deregister(HOME, "ami-home"), 5, "is being copied from it");
    world.known(AWAY).images[1].source_image = None;
    world.allows(deregister(HOME, "ami-home"));
    let source = Reference::new(HOME, "ami-home").to_string();
    world.known(AWAY).images[1]
        .tags
        .insert(tag::SOURCE.to_owned(), source);
    world.refuses(deregister(HOME, "ami-home"), 5, "is being copied from it");
}

#[test]
fn retain_destroys_nothing() {
    let mut world = world().unwanted(HOME);
    world.desired.deletion_policy = DeletionPolicy::Retain;
    world.refuses(deregister(HOME, "ami-home"), 6, "Retain");
    world.known(HOME).images.clear();
    world.refuses(delete(HOME, "snap-home"), 6, "Retain");
    world.desired.deletion_policy = DeletionPolicy::Delete;
    world.allows(delete(HOME, "snap-home"));
}

#[test]
fn a_snapshot_goes_only_when_it_is_ours_and_unused() {
    world().refuses(delete(HOME, "snap-home"), 7, "ami-home uses it");
    let mut world = world().without(HOME);
    world.allows(delete(HOME, "snap-home"));
    world.known(HOME).snapshots[0].used_by = Some(vec!["ami-users".to_owned()]);
    world.refuses(delete(HOME, "snap-home"), 7, "ami-users uses it");
    world.known(HOME).snapshots[0].used_by = None;
    world.refuses(delete(HOME, "snap-home"), 7, "was not read");
    world.known(HOME).snapshots[0].used_by = Some(Vec::new());
    let mut pending = world.image("ami-p", &[]);
    pending.state = ImageState::Pending;
    pending.snapshots.clear();
    world.known(HOME).images.push(pending);
    world.refuses(
        delete(HOME, "snap-home"),
        7,
        "ami-p of its revision is pending",
    );
    world.known(HOME).snapshots[0].tags.remove(tag::SELF);
    world.refuses(delete(HOME, "snap-home"), 7, "not sealed");
}

#[test]
fn a_capture_is_recorded_first() {
    let world = world().without(HOME).without(AWAY);
    world.refuses(capture(), 8, "not recorded");
    let mut of_another = world.recorded();
    of_another.allows(capture());
    of_another.desired.captured.as_mut().unwrap().revision = Revision::from("old");
    of_another.refuses(capture(), 8, "not recorded");
}

#[test]
fn nothing_is_captured_twice() {
    world()
        .without(HOME)
        .recorded()
        .refuses(capture(), 8, "ami-away was made");
    let mut lost = world().without(HOME).without(AWAY).recorded();
    lost.allows(capture());
    let revision = lost.desired.revision.clone();
    lost.known(HOME).dead.push(Dead {
        id: "ami-away".to_owned(),
        revision,
    });
    lost.refuses(capture(), 8, "ami-away was made");
}

#[test]
fn grants_gate_creation() {
    let mut world = world().without(HOME).without(AWAY).recorded();
    let because = "does not let namespace";
    world.observed.source = SourceView::Instance(SourceInstance {
        data_devices: Vec::new(),
        state: "running".to_owned(),
        tags: BTreeMap::new(),
        unsupported: None,
    });
    world.refuses(capture(), 10, because);
    world.allows(copy(AWAY));
    world.observed.source = SourceView::Image(SourceImage {
        id: "ami-source".to_owned(),
        name: "golden".to_owned(),
        architecture: "x86_64".to_owned(),
        state: ImageState::Available,
        owner: "999988887777".to_owned(),
        owner_alias: None,
    });
    world.refuses(copy(AWAY), 10, because);
}

#[test]
fn nothing_is_made_where_it_is_not_wanted_or_what_is_refused() {
    let mut world = world()
        .without(HOME)
        .without(AWAY)
        .unwanted(AWAY)
        .recorded();
    world.refuses(copy(AWAY), 10, "not wanted");
    world.allows(copy(HOME));
    world.desired.refusals.push(Finding {
        reason: conditions::ACCOUNT_NOT_FOUND,
        place: None,
        message: "there is no such account".to_owned(),
    });
    world.refuses(copy(HOME), 10, "no such account");
    world.refuses(capture(), 10, "no such account");
}
