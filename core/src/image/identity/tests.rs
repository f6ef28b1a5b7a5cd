//! What is written into EC2 stays readable: hashes, tokens and tags never change.

use serde_json::json;

use super::*;
use crate::image::encryption::VARIANT_SOURCE;
use crate::image::observed::{Image, ImageState, Registered};
use crate::image::tags::Tags;

#[test]
fn the_hash_of_a_revision_never_changes() {
    let source = json!({"instance": {"region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never"}});
    assert_eq!(Revision::of(&source, None).as_str(), "8d5de8a2e0");
    assert_eq!(
        Revision::of(&source, Some("2026-11")).as_str(),
        "d484c0cecd"
    );
    let source = json!({"image": {"region": "us-east-1", "imageId": "ami-0feedfacefeedface"}});
    assert_eq!(Revision::of(&source, None).as_str(), "72f3794df3");
}

#[test]
fn a_field_that_is_not_said_changes_no_hash() {
    let said = json!({"image": {"region": "us-east-1", "imageId": "ami-1"}});
    let more = json!({"image": {"imageId": "ami-1", "extra": null, "list": [], "map": {"a": null}, "region": "us-east-1"}});
    assert_eq!(Revision::of(&said, None), Revision::of(&more, None));
    assert_ne!(Revision::of(&said, None), Revision::of(&said, Some("")));
}

#[test]
fn the_spec_of_an_object_gives_the_hash_of_its_source() {
    let source: crate::api::Source = serde_json::from_value(
        json!({"instance": {"region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never"}}),
    )
    .unwrap();
    let written = serde_json::to_value(&source).unwrap();
    assert_eq!(
        Revision::of(&written, None).as_str(),
        "8d5de8a2e0",
        "a field of the schema changed the hash"
    );
}

/// The revision of a source as an object has it: read and written by the types of the API.
fn revision_of(source: &serde_json::Value) -> String {
    let source: crate::api::Source = serde_json::from_value(source.clone()).unwrap();
    let written = serde_json::to_value(&source).unwrap();
    Revision::of(&written, None).to_string()
}

#[test]
fn the_hash_of_a_snapshot_source_never_changes() {
    let least = json!({"snapshot": {
        "region": "us-east-1",
        "snapshotId": "snap-0a1b2c3d4e5f60718",
        "rootDeviceName": "/dev/xvda",
        "architecture": "x86_64",
    }});
    assert_eq!(revision_of(&least), "5b5bc38740");
    let all = json!({"snapshot": {
        "region": "us-east-1",
        "snapshotId": "snap-0a1b2c3d4e5f60718",
        "rootDeviceName": "/dev/xvda",
        "architecture": "x86_64",
        "bootMode": "uefi-preferred",
        "enaSupport": "Disabled",
        "platformDetails": "Red Hat Enterprise Linux",
        "volumes": [
            {"deviceName": "/dev/sdg", "snapshotId": "snap-2", "deleteOnTermination": false},
            {"deviceName": "/dev/sdf", "snapshotId": "snap-1"},
        ],
    }});
    assert_eq!(revision_of(&all), "50cd7ac63b");
}

#[test]
fn the_hash_of_an_image_given_by_its_name_never_changes() {
    let named = json!({"image": {"region": "us-east-1", "owner": "amazon", "name": "al2023"}});
    assert_eq!(revision_of(&named), "6e389160d8");
    let for_arm = json!({"image": {
        "region": "us-east-1", "owner": "amazon", "name": "al2023", "architecture": "arm64",
    }});
    assert_eq!(revision_of(&for_arm), "22789f744f");
    let by_id = json!({"image": {"region": "us-east-1", "imageId": "ami-0feedfacefeedface"}});
    assert_eq!(revision_of(&by_id), "72f3794df3");
}

#[test]
fn the_hash_of_an_image_given_by_a_parameter_or_another_object_never_changes() {
    let parameter = json!({"image": {"region": "us-east-1", "ssmParameter": "/golden/web"}});
    assert_eq!(revision_of(&parameter), "e33ef412d2");
    let other = json!({"image": {"region": "us-east-1", "machineImageName": "base"}});
    assert_eq!(revision_of(&other), "e2176ba905");
}

#[test]
fn the_hash_of_a_revision_that_follows_never_changes() {
    let source = json!({"image": {"region": "us-east-1", "ssmParameter": "/golden/web"}});
    let resolved = Reference::new("us-east-1", "ami-0feedfacefeedface");
    let following = |rebuild| Revision::following(&source, rebuild, &resolved).to_string();
    assert_eq!(following(None), "2fbadcc10c");
    assert_eq!(following(Some("2026")), "18b3fdc798");
}

#[test]
fn the_hash_of_a_capture_of_the_root_volume_never_changes() {
    let root = json!({"instance": {
        "region": "us-east-1",
        "instanceId": "i-0a1b2c3d4e5f60718",
        "reboot": "Never",
        "volumes": "RootOnly",
    }});
    assert_eq!(revision_of(&root), "f1ebfe5297");
}

#[test]
fn a_default_that_is_said_changes_no_hash() {
    let instance = |volumes: Option<&str>| {
        revision_of(&json!({"instance": {
            "region": "us-east-1", "instanceId": "i-1", "reboot": "Once", "volumes": volumes.unwrap_or("All"),
        }}))
    };
    let unsaid =
        json!({"instance": {"region": "us-east-1", "instanceId": "i-1", "reboot": "Once"}});
    assert_eq!(instance(None), revision_of(&unsaid));
    assert_ne!(instance(Some("RootOnly")), instance(None));

    let snapshot = |more: serde_json::Value| {
        let mut source = json!({"snapshot": {
            "region": "us-east-1",
            "snapshotId": "snap-1",
            "rootDeviceName": "/dev/xvda",
            "architecture": "x86_64",
        }});
        let said = source["snapshot"].as_object_mut().unwrap();
        said.extend(more.as_object().unwrap().clone());
        revision_of(&source)
    };
    let unsaid = snapshot(json!({}));
    for default in [
        json!({"enaSupport": "Enabled"}),
        json!({"platformDetails": "Linux/UNIX"}),
        json!({"volumes": []}),
        json!({"bootMode": null}),
    ] {
        assert_eq!(snapshot(default.clone()), unsaid, "{default}");
    }
    for other in [
        json!({"enaSupport": "Disabled"}),
        json!({"platformDetails": "Windows"}),
        json!({"volumes": [{"deviceName": "/dev/sdf", "snapshotId": "snap-2"}]}),
        json!({"bootMode": "uefi"}),
    ] {
        assert_ne!(snapshot(other.clone()), unsaid, "{other}");
    }
}

#[test]
fn data_volumes_are_a_map_whose_order_changes_no_hash() {
    let volume = |device: &str, more: serde_json::Value| {
        let mut volume = json!({"deviceName": device, "snapshotId": "snap-2"});
        let said = volume.as_object_mut().unwrap();
        said.extend(more.as_object().unwrap().clone());
        volume
    };
    let with = |volumes: [serde_json::Value; 2]| {
        revision_of(&json!({"snapshot": {
            "region": "us-east-1",
            "snapshotId": "snap-1",
            "rootDeviceName": "/dev/xvda",
            "architecture": "x86_64",
            "volumes": volumes,
        }}))
    };
    let (f, g) = (volume("/dev/sdf", json!({})), volume("/dev/sdg", json!({})));
    let said = volume("/dev/sdg", json!({"deleteOnTermination": true}));
    let stays = volume("/dev/sdg", json!({"deleteOnTermination": false}));
    let written = with([f.clone(), g.clone()]);
    assert_eq!(with([g, f.clone()]), written);
    assert_eq!(with([f.clone(), said]), written);
    assert_ne!(with([f, stays]), written);
}

#[test]
fn what_makes_no_revision_changes_no_hash() {
    let spec = |more: serde_json::Value| {
        let mut spec = json!({
            "source": {"image": {"region": "us-east-1", "imageId": "ami-1"}},
            "regions": [{"name": "us-east-1"}],
        });
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let spec: crate::api::MachineImageSpec = serde_json::from_value(spec).unwrap();
        let source = serde_json::to_value(&spec.source).unwrap();
        Revision::of(&source, spec.rebuild.as_deref())
    };
    let plain = spec(json!({}));
    for same in [
        json!({"regions": [{"name": "eu-west-1"}]}),
        json!({"tags": {"team": "web"}}),
        json!({"description": "golden"}),
        json!({"retention": {"revisions": 3, "minAge": "1h"}}),
        json!({"deletionPolicy": "Retain"}),
        json!({"suspend": true}),
    ] {
        assert_eq!(spec(same.clone()), plain, "{same}");
    }
    assert_ne!(spec(json!({"rebuild": "2"})), plain);
}

#[test]
fn the_token_of_a_copy_never_changes() {
    let identity = Identity {
        owner: "o".into(),
        cluster: "c".into(),
        predecessor: None,
        object: "ns/n".into(),
    };
    let place = Place::new("111122223333", "eu-west-1");
    assert_eq!(
        identity.copy_token(&Revision::from("3f9a1c07d2"), VARIANT_SOURCE, &place, 1),
        "30f65f4a579c8fca32ff752d166f80db6728fdf3d0cf37bb2a11eb237d65b63a",
        "after an upgrade, a repeated call would make a second image"
    );
}

#[test]
fn the_tags_of_a_newborn_never_change() {
    let identity = Identity {
        owner: "o".into(),
        cluster: "c".into(),
        predecessor: None,
        object: "ns/n".into(),
    };
    let origin = Reference::new("us-east-1", "i-0a1b2c3d4e5f60718");
    let source = Reference::new("us-east-1", "ami-0feedfacefeedface");
    let tags = identity.birth_tags(
        &Revision::from("3f9a1c07d2"),
        VARIANT_SOURCE,
        &origin,
        &source,
    );
    let written: Vec<_> = tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(
        written,
        [
            "amity.dev/cluster=c",
            "amity.dev/object=ns/n",
            "amity.dev/origin=us-east-1/i-0a1b2c3d4e5f60718",
            "amity.dev/owner=o",
            "amity.dev/revision=3f9a1c07d2",
            "amity.dev/source=us-east-1/ami-0feedfacefeedface",
            "amity.dev/variant=source",
        ]
    );
    assert_eq!(TagKeys::of(&["team".to_owned()]).value(), "7ccc7970");
}

#[test]
fn a_token_is_what_ec2_takes_and_differs_by_place_and_attempt() {
    let identity = Identity {
        owner: "o".into(),
        cluster: "c".into(),
        predecessor: None,
        object: "ns/n".into(),
    };
    let revision = Revision::from("3f9a1c07d2");
    let place = Place::new("111122223333", "eu-west-1");
    let token = identity.copy_token(&revision, VARIANT_SOURCE, &place, 1);
    assert!(token.len() <= 64 && token.is_ascii());
    assert_ne!(
        token,
        identity.copy_token(&revision, VARIANT_SOURCE, &place, 2)
    );
    assert_ne!(
        token,
        identity.copy_token(
            &revision,
            VARIANT_SOURCE,
            &Place::new("111122223333", "eu-west-2"),
            1
        )
    );
    let rebuilt = Identity {
        cluster: "another".into(),
        ..identity.clone()
    };
    assert_eq!(
        token,
        rebuilt.copy_token(&revision, VARIANT_SOURCE, &place, 1),
        "a rebuilt cluster repeats the same call"
    );
}

#[test]
fn noted_tag_keys_are_read_back_and_fit_into_a_tag() {
    let keys: Vec<String> = (0..30).map(|n| format!("{n:0127}")).collect();
    let noted = TagKeys::of(&keys);
    assert!(noted.value().len() <= 256);
    let mut tags = Tags::default();
    tags.insert(tag::TAG_KEYS, &noted.value());
    assert_eq!(TagKeys::read(&tags, tag::TAG_KEYS), noted);
    assert!(noted.contains(&keys[7]) && !noted.contains("somebody-elses"));
}

fn identity() -> Identity {
    Identity {
        owner: "o".into(),
        cluster: "c".into(),
        predecessor: Some("before".into()),
        object: "ns/n".into(),
    }
}

/// An unsealed image with the tags of one that was made from `source`.
fn newborn(source: &str) -> Image {
    let source: Reference = source.parse().unwrap();
    let tags = identity().birth_tags(&Revision::from("r"), VARIANT_SOURCE, &source, &source);
    Image {
        state: ImageState::Available,
        ..Image::newborn("ami-1", "n", &tags)
    }
}

fn stands(image: &Image) -> Standing {
    standing(image, &identity())
}

const FOREIGN: Standing = Standing::Foreign(Foreign::MadeFromSomethingElse);

#[test]
fn a_capture_is_proven_by_its_instance() {
    let mut image = newborn("us-east-1/i-1");
    assert_eq!(stands(&image), Standing::Unproven);
    image.source_instance = Some("i-1".into());
    image.source_image = Some(Reference::new("us-east-1", "ami-launched"));
    assert_eq!(stands(&image), Standing::Newborn);
    image.source_instance = Some("i-2".into());
    assert_eq!(stands(&image), FOREIGN);
}

#[test]
fn a_copy_is_proven_by_its_image_while_there_is_no_instance() {
    let mut image = newborn("us-east-1/ami-0");
    assert_eq!(stands(&image), Standing::Unproven);
    image.source_image = Some(Reference::new("us-east-1", "ami-0"));
    assert_eq!(stands(&image), Standing::Newborn);
    image.source_image = Some(Reference::new("eu-west-1", "ami-0"));
    assert_eq!(stands(&image), FOREIGN);
    // Somebody captured an instance that was launched from the very image.
    image.source_image = Some(Reference::new("us-east-1", "ami-0"));
    image.source_instance = Some("i-1".into());
    assert_eq!(stands(&image), FOREIGN);
}

#[test]
fn a_registered_image_is_proven_by_its_root_while_there_is_neither() {
    let mut image = newborn("us-east-1/snap-1");
    assert_eq!(stands(&image), Standing::Unproven);
    image.registered = Registered::of("snap-1");
    assert_eq!(stands(&image), Standing::Newborn);
    image.registered = Registered::of("snap-2");
    assert_eq!(stands(&image), FOREIGN);
    image.registered = Registered::of("snap-1");
    image.source_image = Some(Reference::new("us-east-1", "ami-0"));
    assert_eq!(stands(&image), FOREIGN);
    image.source_image = None;
    image.source_instance = Some("i-1".into());
    assert_eq!(stands(&image), FOREIGN);
}

#[test]
fn a_root_snapshot_proves_no_capture_and_no_copy() {
    for source in ["us-east-1/i-1", "us-east-1/ami-0"] {
        let mut image = newborn(source);
        image.registered = Registered::of("snap-1");
        assert_eq!(stands(&image), Standing::Unproven, "{source}");
    }
}

#[test]
fn a_seal_counts_for_the_very_image_and_without_a_proof() {
    let mut image = newborn("us-east-1/i-1");
    image.tags.insert(tag::SELF, "ami-1");
    image.source_instance = Some("i-else".into());
    assert_eq!(stands(&image), Standing::Ours);
    image.tags.insert(tag::SELF, "ami-2");
    assert_eq!(stands(&image), Standing::Foreign(Foreign::SealOfAnother));
}

#[test]
fn an_image_without_a_tag_that_is_always_written_is_foreign() {
    for key in [tag::CLUSTER, tag::REVISION, tag::SOURCE] {
        let mut image = newborn("us-east-1/i-1");
        image.source_instance = Some("i-1".into());
        image.tags.remove(key);
        let incomplete = Standing::Foreign(Foreign::TagsIncomplete);
        assert_eq!(stands(&image), incomplete, "{key}");
    }
}

#[test]
fn the_predecessors_images_are_ours_and_a_third_clusters_are_not() {
    let mut image = newborn("us-east-1/i-1");
    for is_sealed in [false, true] {
        image.source_instance = Some("i-1".into());
        let ours = if is_sealed {
            image.tags.insert(tag::SELF, "ami-1");
            Standing::Ours
        } else {
            Standing::Newborn
        };
        image.tags.insert(tag::CLUSTER, "before");
        assert_eq!(stands(&image), ours);
        assert!(identity().is_to_be_taken_over(&image.tags));
        image.tags.insert(tag::CLUSTER, "third");
        assert_eq!(stands(&image), Standing::OtherCluster("third".into()));
        assert!(!identity().is_to_be_taken_over(&image.tags));
        image.tags.insert(tag::CLUSTER, "c");
        assert!(!identity().is_to_be_taken_over(&image.tags));
    }
}

#[test]
fn what_was_retained_is_nobodys_any_more() {
    let mut image = newborn("us-east-1/i-1");
    image.tags.insert(tag::SELF, "ami-1");
    image.tags.insert(tag::RETAINED, "x");
    assert_eq!(stands(&image), Standing::Foreign(Foreign::Retained));
}

#[test]
fn a_reference_has_both_a_region_and_an_id() {
    let reference = Reference::new("us-east-1", "ami-1");
    assert_eq!("us-east-1/ami-1".parse(), Ok(reference));
    for half in ["us-east-1/", "/ami-1", "/", "ami-1", ""] {
        assert_eq!(half.parse::<Reference>(), Err(()), "{half:?}");
    }
}
