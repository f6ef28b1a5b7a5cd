//! Whatever the API server lets through is planned without a panic, whatever EC2 shows, and what is asked of EC2 then
//! stays within EC2's limits: names, client tokens, descriptions, tags (EC2 User Guide, "Tag restrictions"; EC2 API,
//! `CreateImage`, `CopyImage`).

mod spec;
mod world;

use std::collections::BTreeMap;

use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::desired::{AccountReference, Desired, Installation, References};
use amity_core::image::encryption::VARIANT_SOURCE;
use amity_core::image::identity::{
    Identity, Place, Reference, Revision, Standing, TagKeys, standing, tag,
};
use amity_core::image::plan::{Action, plan, reads};
use amity_core::image::report::report;
use amity_core::image::tags::Tags;
use jiff::SignedDuration;
use proptest::prelude::*;

use spec::{image, tags};
use world::{NOW, observed};

/// The longest owner, and a uid as Kubernetes makes it.
fn installation() -> Installation {
    Installation {
        owner: "o".repeat(63),
        cluster: "f47ac10b-58cc-4372-a567-0e02b2c3d479".to_owned(),
        take_over_from: None,
        consistency_window: SignedDuration::from_mins(10),
        price_per_gib_month: None,
    }
}

fn desired(image: &MachineImage) -> Desired {
    let everybody = serde_json::json!({"all": true});
    let account = serde_json::json!({"accountId": "111122223333", "grants": {
        "capture": [{"namespaces": everybody}],
        "snapshots": [{"namespaces": everybody}],
        "sourceOwners": [{"namespaces": everybody, "owners": ["self", "amazon"]}],
    }});
    let account = AwsAccount::new("default", serde_json::from_value(account).expect("a spec"));
    let references = References {
        accounts: &BTreeMap::from([AccountReference::to(account)]),
        namespace_labels: &BTreeMap::new(),
        machine_images: &[],
    };
    Desired::of(image, &installation(), references)
}

fn is_of_ec2(character: char) -> bool {
    character.is_ascii_alphanumeric() || "()[] ./-'@_".contains(character)
}

/// What EC2 would refuse in this call.
fn refused(action: &Action) -> Option<String> {
    let name_is_wrong = |name: &str| {
        let fits = (3..=128).contains(&name.len()) && name.chars().all(is_of_ec2);
        (!fits).then(|| format!("the name {name:?}"))
    };
    let description_is_long = |text: &Option<String>| {
        let long = text.as_ref().filter(|text| text.chars().count() > 255);
        long.map(|text| format!("the description {text:?}"))
    };
    let tags_are_wrong = |tags: &BTreeMap<String, String>| {
        let key_fits = |key: &str| (1..=127).contains(&key.chars().count());
        let fits = |(key, value): (&String, &String)| {
            key_fits(key) && value.chars().count() <= 256 && !key.starts_with("aws:")
        };
        let wrong = tags.len() > 50 || !tags.iter().all(fits);
        wrong.then(|| format!("the {} tags {tags:?}", tags.len()))
    };
    match action {
        Action::CreateImage {
            name,
            description,
            tags,
            snapshot_tags,
            ..
        } => name_is_wrong(name)
            .or_else(|| description_is_long(description))
            .or_else(|| tags_are_wrong(tags))
            .or_else(|| tags_are_wrong(snapshot_tags)),
        Action::RegisterImage {
            name,
            description,
            tags,
            ..
        } => name_is_wrong(name)
            .or_else(|| description_is_long(description))
            .or_else(|| tags_are_wrong(tags)),
        Action::CopyImage {
            name,
            description,
            token,
            tags,
            snapshot_tags,
            ..
        } => name_is_wrong(name)
            .or_else(|| description_is_long(description))
            .or_else(|| tags_are_wrong(tags))
            .or_else(|| tags_are_wrong(snapshot_tags))
            .or_else(|| {
                let fits = (1..=64).contains(&token.len()) && token.is_ascii();
                (!fits).then(|| format!("the token {token:?}"))
            }),
        Action::CreateTags { tags, .. } => tags_are_wrong(tags),
        Action::DeleteTags { keys, .. } => keys.is_empty().then(|| "no keys".to_owned()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn whatever_is_asked_for_and_shown_is_planned_within_ec2s_limits(
        (image, observed) in image().prop_flat_map(|image| {
            let shown = observed(&desired(&image));
            (Just(image), shown)
        }),
    ) {
        let desired = desired(&image);
        let plan = plan(&desired, &observed, NOW);
        let _ = reads(&desired, &observed, &plan, NOW);
        for step in &plan.steps {
            let wrong = refused(&step.action);
            prop_assert!(wrong.is_none(), "{}: {}", step.action, wrong.unwrap_or_default());
        }
        let checked = plan.checked(&desired, &observed, NOW);
        let status = report(&image, &desired, &observed, &checked, NOW);
        prop_assert!(status.next_steps.len() <= 5);
    }

    #[test]
    fn what_the_spec_is_written_as_is_read_again_and_is_the_same_revision(image in image()) {
        let written = serde_json::to_value(&image).expect("an object is JSON");
        let read: MachineImage = serde_json::from_value(written).expect("what was written is read");
        prop_assert_eq!(desired(&read).revision, desired(&image).revision);
        prop_assert_eq!(read.spec, image.spec);
    }

    #[test]
    fn birth_tags_are_read_as_they_were_written(image in image(), attempt in any::<u32>()) {
        let Desired { identity, revision, places, .. } = desired(&image);
        let origin = Reference::new("us-east-1", "i-0a1b2c3d4e5f60718");
        let from = Reference::new("us-gov-northwest-1", "ami-0123456789abcdef0");
        let tags = identity.birth_tags(&revision, VARIANT_SOURCE, &origin, &from);
        let listed = Tags::from(&tags);
        prop_assert!(identity.is_claimed_by(&listed) && identity.is_of_cluster(&listed));
        prop_assert_eq!(tags[tag::ORIGIN].parse(), Ok(origin));
        prop_assert_eq!(tags[tag::SOURCE].parse(), Ok(from.clone()));
        prop_assert_eq!(Revision::from(tags[tag::REVISION].as_str()), revision.clone());
        let mut copy = world::image("ami-1", &tags);
        prop_assert_eq!(standing(&copy, &identity), Standing::Unproven);
        copy.source_image = Some(from);
        prop_assert_eq!(standing(&copy, &identity), Standing::Newborn);
        let other = Identity { object: format!("{}x", identity.object), ..identity.clone() };
        prop_assert!(!other.is_claimed_by(&copy.tags));
        let token = |place: &Place| identity.copy_token(&revision, VARIANT_SOURCE, place, attempt);
        prop_assert!(places.iter().skip(1).all(|place| token(place) != token(&places[0])));
    }

    #[test]
    fn the_note_of_tag_keys_holds_these_keys_and_fits(tags in tags()) {
        let noted = TagKeys::of(tags.keys());
        let value = noted.value();
        prop_assert!(value.chars().count() <= 256);
        let read = TagKeys::read(
            &[(tag::TAG_KEYS.to_owned(), value)].into_iter().collect(),
            tag::TAG_KEYS,
        );
        prop_assert_eq!(&read, &noted);
        prop_assert!(tags.keys().all(|key| read.contains(key)));
        prop_assert!(!read.contains("a key that is not there"));
    }
}
