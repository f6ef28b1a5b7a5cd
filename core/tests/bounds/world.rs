//! What EC2 may show of an object: its images in every state and of every standing, with tags that anybody may have
//! changed, in regions that can be read or not.

use std::collections::BTreeMap;

use amity_core::api::conditions;
use amity_core::image::desired::Desired;
use amity_core::image::encryption::VARIANT_SOURCE;
use amity_core::image::identity::{Place, Reference, Revision, tag};
use amity_core::image::observed::{
    Dead, Departures, Image, ImageState, Known, Observed, PlaceView, Registered, Snapshot,
    SourceImage, SourceInstance, SourceSnapshot, SourceView, Unreadable, Usage,
};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// The moment of every plan here.
pub const NOW: Timestamp = Timestamp::constant(1_772_366_400, 0);

/// An available image with these tags, of which EC2 shows nothing else.
pub fn image(id: &str, tags: &BTreeMap<String, String>) -> Image {
    Image {
        state: ImageState::Available,
        ..Image::newborn(id, "web", tags)
    }
}

/// What AWS says and what this process has seen is of this century.
fn time() -> impl Strategy<Value = Timestamp> {
    select(vec![-100_000_000, -7200, -601, -599, -1, 0, 1])
        .prop_map(|ago| NOW + jiff::SignedDuration::from_secs(ago))
}

fn state() -> impl Strategy<Value = ImageState> {
    prop_oneof![
        4 => Just(ImageState::Available),
        1 => Just(ImageState::Pending),
        1 => Just(ImageState::Failed),
        1 => Just(ImageState::Disabled),
        1 => time().prop_map(|since| ImageState::Missing { since }),
    ]
}

/// A tag that Amity, its user or a stranger may have put there or changed.
fn more_tags() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let key = select(vec![
        tag::PUBLISHED,
        tag::SUPERSEDED,
        tag::HOLD,
        tag::RETAINED,
        tag::ATTEMPT,
        tag::TAG_KEYS,
        tag::SOURCE,
        tag::ORIGIN,
        tag::CLUSTER,
        tag::VARIANT,
    ]);
    let value = select(vec![
        "2026-03-01T11:00:00Z",
        "9999-12-30T22:00:00Z",
        "-009999-01-02T01:59:59Z",
        "4294967295",
        "0123456789abcdefäöü",
        "us-east-1/ami-1",
        "/",
        "",
    ]);
    vec((key, value.prop_map(str::to_owned)), 0..3)
}

fn one_image(desired: &Desired) -> impl Strategy<Value = Image> + use<> {
    let (identity, revision, source) = (
        desired.identity.clone(),
        desired.revision.clone(),
        desired.source.reference(),
    );
    let origin =
        source.unwrap_or_else(|| Reference::new(desired.source.region(), "ami-0feedfacefeedface"));
    let number = 0..6_u8;
    (
        number,
        state(),
        option::of(time()),
        more_tags(),
        any::<[bool; 5]>(),
    )
        .prop_map(
            move |(
                number,
                state,
                created,
                more,
                [is_current, is_sealed, is_shown, is_copy, has_snapshot],
            )| {
                let id = format!("ami-{number}");
                let revision = if is_current {
                    revision.clone()
                } else {
                    Revision::from("0123456789")
                };
                let from = if is_copy {
                    Reference::new("us-east-1", "ami-0")
                } else {
                    origin.clone()
                };
                let mut tags = identity.birth_tags(&revision, VARIANT_SOURCE, &origin, &from);
                tags.extend(is_sealed.then(|| (tag::SELF.to_owned(), id.clone())));
                tags.extend(more.into_iter().map(|(key, value)| (key.to_owned(), value)));
                Image {
                    state,
                    created,
                    source_instance: Some(from.id.clone())
                        .filter(|_| is_shown && from.is_instance()),
                    source_image: Some(from.clone()).filter(|_| is_shown && from.is_image()),
                    registered: Registered::of(&from.id).filter(|_| is_shown && from.is_snapshot()),
                    snapshots: has_snapshot
                        .then(|| format!("snap-{number}"))
                        .into_iter()
                        .collect(),
                    ..image(&id, &tags)
                }
            },
        )
}

fn known(desired: &Desired) -> impl Strategy<Value = Known> + use<> {
    let revision = desired.revision.clone();
    let name = desired.image_name.clone();
    let images = vec(one_image(desired), 0..4);
    let holders = option::of(vec(one_image(desired), 0..2));
    let more = (
        any::<bool>(),
        option::of(0..2_usize),
        time(),
        any::<[bool; 2]>(),
    );
    (images, holders, more).prop_map(
        move |(mut images, holders, (has_dead, slots, as_of, [is_sealed, is_used]))| {
            images.sort_by(|one, other| one.id.cmp(&other.id));
            images.dedup_by(|one, other| one.id == other.id);
            let snapshots = images.iter().flat_map(|image| {
                image.snapshots.iter().map(|id| Snapshot {
                    id: id.clone(),
                    pending: false,
                    progress: None,
                    failure: None,
                    used_by: is_used.then(|| vec![image.id.clone()]),
                    size_gib: 8,
                    full_bytes: None,
                    tags: {
                        let mut tags = image.tags.clone();
                        tags.remove(tag::SELF);
                        tags.extend(is_sealed.then(|| (tag::SELF.to_owned(), id.clone())));
                        tags
                    },
                })
            });
            Known {
                snapshots: snapshots.collect(),
                dead: has_dead
                    .then(|| Dead {
                        id: "ami-dead".to_owned(),
                        revision: revision.clone(),
                        attempt: 0,
                    })
                    .into_iter()
                    .collect(),
                name_holders: holders
                    .map(|holders| (name.clone(), holders))
                    .into_iter()
                    .collect(),
                free_copy_slots: slots,
                as_of,
                images,
            }
        },
    )
}

fn source() -> impl Strategy<Value = SourceView> {
    let instance = SourceInstance {
        state: "running".to_owned(),
        tags: BTreeMap::new(),
        data_devices: vec!["/dev/sdf".to_owned()],
        unsupported: None,
    };
    let snapshot = SourceSnapshot {
        id: "snap-1".to_owned(),
        state: "completed".to_owned(),
        owner: "111122223333".to_owned(),
        tags: BTreeMap::new(),
    };
    let image = state().prop_map(|state| SourceImage {
        id: "ami-0feedfacefeedface".to_owned(),
        name: "golden".to_owned(),
        architecture: "x86_64".to_owned(),
        state,
        owner: "111122223333".to_owned(),
        owner_alias: None,
        object: None,
        size_gib: None,
    });
    prop_oneof![
        Just(SourceView::NotRead),
        Just(SourceView::Instance(instance)),
        Just(SourceView::Snapshots(vec![snapshot])),
        image.prop_map(SourceView::Image),
        Just(SourceView::Missing {
            message: "it is gone.".to_owned()
        }),
        Just(SourceView::Unpublished),
        Just(SourceView::NoImage {
            message: "its value is no image's id".to_owned()
        }),
    ]
}

/// What may be known when this is desired: of some of its places, and of that of the source.
pub fn observed(desired: &Desired) -> impl Strategy<Value = Observed> + use<> {
    let mut places: Vec<Place> = desired.places.iter().take(3).cloned().collect();
    places.push(desired.source_place());
    let unreadable = Unreadable {
        reason: conditions::REGION_UNREADABLE,
        message: "no answer".to_owned(),
    };
    let view = prop_oneof![
        6 => known(desired).prop_map(PlaceView::Known),
        1 => Just(PlaceView::Unreadable(unreadable)),
    ];
    let views = vec(view, places.len());
    (
        views,
        source(),
        any::<bool>(),
        any::<bool>(),
        time(),
        time(),
    )
        .prop_map(
            move |(views, source, is_counted, is_unused, started, last_creation)| {
                let used = places.iter().flat_map(|place| {
                    (0..6).map(move |number| (place.clone(), format!("ami-{number}")))
                });
                let usage = used
                    .filter(|_| is_unused)
                    .map(|key| (key, Usage::By(Vec::new())));
                let counted = Departures {
                    going: 1,
                    published: 2,
                };
                let accounts = places.iter().map(|place| place.account.clone());
                Observed {
                    usage: usage.collect(),
                    departures: accounts
                        .filter(|_| is_counted)
                        .map(|account| (account, counted))
                        .collect(),
                    places: places.iter().cloned().zip(views).collect(),
                    source,
                    started,
                    last_creation,
                    ..Observed::default()
                }
            },
        )
}
