//! What an account holds is counted, shown and waited for as the objects say that name it.

use serde_json::json;

use super::*;
use crate::api::conditions;

const CLUSTER: &str = "c1";

/// A `MachineImage` `prod/NAME` of the `AwsAccount` `default`, wanted in `eu-west-1`.
fn object(name: &str) -> MachineImage {
    let spec = json!({
        "source": {"instance": {"region": "eu-west-1", "instanceId": "i-1", "reboot": "Never"}},
        "regions": [{"name": "eu-west-1"}],
    });
    let mut image = MachineImage::new(name, serde_json::from_value(spec).unwrap());
    image.metadata.namespace = Some("prod".to_owned());
    image
}

fn ending(name: &str) -> MachineImage {
    let mut image = object(name);
    let now = jiff::Timestamp::UNIX_EPOCH;
    image.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
    image
}

fn retaining(mut image: MachineImage) -> MachineImage {
    image.spec.deletion_policy = DeletionPolicy::Retain;
    image
}

fn claims(objects: &[MachineImage]) -> Claims {
    let claim = |image: &MachineImage| (image.key(), Arc::new(Claim::of(image)));
    objects.iter().map(claim).collect()
}

/// A sealed image or snapshot of `object` in `eu-west-1`.
fn held(id: &str, object: &str) -> Held {
    let tags = [
        (tag::CLUSTER, CLUSTER),
        (tag::OBJECT, object),
        (tag::SELF, id),
    ];
    Held {
        place: Place::new("111122223333", "eu-west-1").into(),
        id: id.to_owned(),
        bytes: if id.starts_with("snap-") { 8 << 30 } else { 0 },
        tags: tags
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
    }
}

impl Held {
    fn tagged(mut self, key: &str, value: &str) -> Self {
        self.tags.insert(key, value);
        self
    }

    fn untagged(mut self, key: &str) -> Self {
        self.tags.remove(key);
        self
    }

    fn published(self) -> Self {
        self.tagged(tag::PUBLISHED, "2026-01-01T00:00:00Z")
    }

    fn in_region(mut self, region: &str) -> Self {
        region.clone_into(&mut Arc::make_mut(&mut self.place).region);
        self
    }
}

fn holding(held: impl IntoIterator<Item = Held>) -> Holdings {
    Holdings {
        held: held.into_iter().collect(),
        unreadable: BTreeMap::new(),
    }
}

#[track_caller]
fn departs(objects: &[MachineImage], held: Vec<Held>, (going, published): (usize, usize)) {
    let departures = claims(objects).departures("default", &holding(held));
    assert_eq!(departures, Departures { going, published });
}

#[test]
fn what_an_object_asks_for_does_not_depart() {
    departs(
        &[object("web")],
        vec![held("ami-1", "prod/web").published()],
        (0, 1),
    );
}

#[test]
fn the_images_of_an_object_that_is_deleted_depart() {
    let both = vec![
        held("ami-1", "prod/web").published(),
        held("ami-2", "prod/db").published(),
    ];
    departs(&[ending("web"), object("db")], both, (1, 2));
}

#[test]
fn the_images_of_a_region_that_is_taken_out_depart() {
    let both = vec![
        held("ami-1", "prod/web").published(),
        held("ami-2", "prod/web").published().in_region("us-east-1"),
    ];
    departs(&[object("web")], both, (1, 2));
}

#[test]
fn what_is_retained_does_not_depart() {
    let both = vec![
        held("ami-1", "prod/web").published(),
        held("ami-2", "prod/db").published().in_region("us-east-1"),
    ];
    let objects = [retaining(ending("web")), retaining(object("db"))];
    departs(&objects, both, (0, 2));
}

#[test]
fn what_no_object_asks_for_any_more_is_never_deregistered_and_does_not_depart() {
    departs(&[], vec![held("ami-1", "prod/web").published()], (0, 1));
}

#[test]
fn only_sealed_published_images_count_among_the_departures() {
    let others = vec![
        held("ami-1", "prod/web"),
        held("ami-2", "prod/web").published().untagged(tag::SELF),
        held("ami-3", "prod/web")
            .published()
            .tagged(tag::SELF, "ami-1"),
        held("snap-1", "prod/web").published(),
    ];
    departs(&[ending("web")], others, (0, 0));
}

#[test]
fn what_was_retained_long_ago_does_not_make_departures_look_few() {
    let retained = |number| {
        held(&format!("ami-{number}"), "prod/old")
            .published()
            .tagged(tag::RETAINED, "2025-01-01T00:00:00Z")
    };
    let going = |number| held(&format!("ami-9{number}"), "prod/web").published();
    let all: Vec<_> = (0..500).map(retained).chain((0..21).map(going)).collect();
    departs(&[ending("web")], all.clone(), (21, 21));
    let departures = claims(&[ending("web")]).departures("default", &holding(all));
    assert!(departures.are_too_many());
}

#[test]
fn departures_are_too_many_beyond_twenty_and_a_fifth() {
    let are_too_many = |going, published| Departures { going, published }.are_too_many();
    assert!(!are_too_many(0, 0));
    assert!(!are_too_many(20, 20), "twenty are few, of however many");
    assert!(are_too_many(21, 21));
    assert!(are_too_many(21, 104));
    assert!(!are_too_many(21, 105), "a fifth is not more than a fifth");
    assert!(!are_too_many(200, 1000));
    assert!(are_too_many(201, 1000));
}

#[test]
fn what_an_object_claims_is_no_stray() {
    let all = [held("ami-1", "prod/web"), held("snap-1", "prod/web")];
    let strays = claims(&[object("web")]).strays(&holding(all), CLUSTER);
    assert_eq!(strays, None);
}

#[test]
fn strays_are_counted_and_the_first_ten_shown() {
    let images = (0..12).map(|number| held(&format!("ami-{number:02}"), "prod/gone"));
    let snapshots = (0..3).map(|number| held(&format!("snap-{number}"), "prod/gone"));
    let all = images.chain(snapshots);
    let strays = claims(&[object("web")])
        .strays(&holding(all), CLUSTER)
        .unwrap();
    assert_eq!(
        (strays.images, strays.snapshots, strays.gib),
        (12, 3, 24),
        "images store nothing themselves"
    );
    assert_eq!(strays.examples.len(), 10);
    let first = Stray {
        region: "eu-west-1".to_owned(),
        id: "ami-00".to_owned(),
        object: "prod/gone".to_owned(),
    };
    assert_eq!(strays.examples[0], first);
}

#[test]
fn what_names_no_object_is_a_stray() {
    let nobodys = held("ami-1", "").untagged(tag::OBJECT);
    let strays = claims(&[object("web")])
        .strays(&holding([nobodys]), CLUSTER)
        .unwrap();
    assert_eq!((strays.images, strays.examples[0].object.as_str()), (1, ""));
}

#[test]
fn what_is_another_clusters_or_retained_is_no_stray() {
    let others = [
        held("ami-1", "prod/gone").tagged(tag::CLUSTER, "c2"),
        held("ami-2", "prod/gone").untagged(tag::CLUSTER),
        held("ami-3", "prod/gone").tagged(tag::RETAINED, "2025-01-01T00:00:00Z"),
    ];
    let strays = Claims::default().strays(&holding(others), CLUSTER);
    assert_eq!(strays, None);
}

#[test]
fn an_account_stays_while_an_object_names_it() {
    let claims = claims(&[object("web")]);
    assert_eq!(
        claims
            .keep("default", &Holdings::default(), CLUSTER)
            .unwrap(),
        "it is named by 1 MachineImage (prod/web): delete what names it first"
    );
    assert_eq!(claims.keep("other", &Holdings::default(), CLUSTER), None);
}

#[test]
fn an_account_that_many_name_says_the_first_three() {
    let objects = ["a", "b", "c", "d", "e"].map(object);
    assert_eq!(
        claims(&objects)
            .keep("default", &Holdings::default(), CLUSTER)
            .unwrap(),
        "it is named by 5 MachineImages (prod/a, prod/b, prod/c and 2 more): delete what names it first"
    );
}

#[test]
fn an_account_stays_while_images_or_snapshots_of_ours_live_there() {
    let keep = |held| Claims::default().keep("default", &holding([held]), CLUSTER);
    assert_eq!(
        keep(held("snap-1", "prod/gone")).unwrap(),
        "it holds 1 image or snapshot (snap-1 in eu-west-1) of this installation: deregister or delete by hand what is \
         to go, and give what is to stay the tag amity.dev/retained"
    );
    assert_eq!(
        keep(held("ami-1", "prod/gone").tagged(tag::CLUSTER, "c2")),
        None
    );
    assert_eq!(
        keep(held("ami-1", "prod/gone").tagged(tag::RETAINED, "2025-01-01T00:00:00Z")),
        None
    );
}

#[test]
fn an_account_that_cannot_be_read_stays() {
    let why = Unreadable {
        reason: conditions::REGION_UNREADABLE,
        message: "eu-west-1 does not answer".to_owned(),
    };
    let holdings = Holdings {
        unreadable: [(Place::new("111122223333", "eu-west-1"), why)].into(),
        ..Holdings::default()
    };
    assert_eq!(
        Claims::default()
            .keep("default", &holdings, CLUSTER)
            .unwrap(),
        "what it holds cannot be read: eu-west-1 does not answer"
    );
}

#[test]
fn an_account_that_nothing_names_and_that_holds_nothing_may_go() {
    let kept = Claims::default().keep("default", &Holdings::default(), CLUSTER);
    assert_eq!(kept, None);
}

/// An object that this version cannot read may ask for anything.
fn unreadable(name: &str) -> Claims {
    [(format!("prod/{name}"), Arc::new(Claim::of_any_account()))]
        .into_iter()
        .collect()
}

#[test]
fn what_an_object_that_cannot_be_read_claims_is_no_stray() {
    let all = [held("ami-1", "prod/web"), held("ami-2", "prod/gone")];
    let strays = unreadable("web").strays(&holding(all), CLUSTER).unwrap();
    assert_eq!(
        (strays.images, strays.examples[0].id.as_str()),
        (1, "ami-2")
    );
}

#[test]
fn the_images_of_an_object_that_cannot_be_read_do_not_depart() {
    let all = [held("ami-1", "prod/web").published()];
    let departures = unreadable("web").departures("default", &holding(all));
    let none = Departures {
        going: 0,
        published: 1,
    };
    assert_eq!(departures, none);
}

#[test]
fn an_account_stays_while_an_object_that_cannot_be_read_may_name_it() {
    for account in ["default", "other"] {
        let kept = unreadable("web").keep(account, &Holdings::default(), CLUSTER);
        assert_eq!(
            kept.unwrap(),
            "it is named by 1 MachineImage (prod/web): delete what names it first"
        );
    }
}
