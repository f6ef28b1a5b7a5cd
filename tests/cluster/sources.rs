//! What an image is made from, and that it stays that.

use amity_core::api::{MachineImage, conditions};
use amity_testbed::{Call, eventually};

use crate::lab::{Alone, Lab, PATIENCE, USER, condition, element, published, revision};

const TWO: [&str; 2] = ["eu-west-1", "us-east-1"];

fn source(image: &MachineImage) -> &str {
    let source = image
        .status
        .as_ref()
        .and_then(|status| status.source.as_deref());
    source.unwrap_or_default()
}

#[test]
fn a_snapshot_becomes_images_that_can_be_launched() {
    let lab = Lab::shared();
    let namespace = lab.namespace("snapshot-source");
    let snapshot = "{snapshot: {region: us-east-1, snapshotId: snap-0feedfacefeedface, rootDeviceName: /dev/xvda, \
                    architecture: x86_64, bootMode: uefi-preferred}}";
    namespace.apply("restored", snapshot, &TWO, "");

    let image = namespace.until_ready("restored");

    assert_eq!(source(&image), "us-east-1/snap-0feedfacefeedface");
    namespace.assert_served(&image, &TWO);
    for (region, id) in published(&image) {
        lab.launch(&region, &id);
    }
    namespace.delete("restored");
    let (reason, message) = namespace.until_stalled("restored");
    assert_eq!(
        reason, "DeregistrationBlocked",
        "what was launched is in use: {message}"
    );
    lab.assert_users_keep_all();
}

#[test]
fn an_image_with_the_wrong_billing_code_is_discarded_once() {
    let lab = Lab::shared();
    let namespace = lab.namespace("wrong-platform");
    let snapshot = |platform: &str| {
        format!(
            "{{snapshot: {{region: us-east-1, snapshotId: snap-0feedfacefeedface, rootDeviceName: /dev/xvda, \
             architecture: x86_64, platformDetails: {platform}}}}}"
        )
    };
    namespace.apply("restored", &snapshot("Red Hat Enterprise Linux"), &TWO, "");

    let (reason, message) = namespace.until_stalled("restored");

    assert_eq!(reason, "PlatformMismatch", "{message}");
    for word in [
        "Linux/UNIX",
        "Red Hat Enterprise Linux",
        "spec.source.instance",
    ] {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
    eventually(PATIENCE, "it is deregistered", || {
        match lab
            .holdings()
            .images_of("wrong-platform/restored")
            .as_slice()
        {
            [] => Ok(()),
            left => Err(format!("{left:?}")),
        }
    })
    .unwrap();
    lab.until_read_three_times("111122223333");
    let made = lab
        .holdings()
        .images
        .iter()
        .filter(|one| one.is_of("wrong-platform/restored"))
        .count();
    assert_eq!(made, 1, "it is not made again");

    namespace.apply("restored", &snapshot("Linux/UNIX"), &TWO, "");

    let image = namespace.until_ready("restored");
    namespace.assert_served(&image, &TWO);
    lab.assert_users_keep_all();
}

#[test]
fn an_image_by_its_name_is_pinned_until_it_is_rebuilt() {
    const FIRST: &str = "us-east-1/ami-0e1ea5e0000000001";
    let mut alone = Alone::ready();
    let by_name = "{image: {region: us-east-1, owner: self, name: release}}";
    let namespace = alone.lab.namespace("pinned");
    namespace.apply("base", by_name, &["us-east-1"], "");
    let before = namespace.until_ready("base");
    assert_eq!(source(&before), FIRST);

    let newer = [
        ("Name", "release"),
        ("SourceRegion", "us-east-1"),
        ("SourceImageId", "ami-0e1ea5e0000000001"),
    ];
    let newer = element(&alone.lab.user_does(USER, "CopyImage", &newer), "imageId");
    eventually(PATIENCE, "the newer image is available", || {
        let holdings = alone.lab.holdings();
        match holdings.images.iter().find(|one| one.id == newer) {
            Some(image) if image.state == "available" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .unwrap();
    // What the process remembers is no part of it.
    alone.lab.restart_with(&[]);

    // Whatever else changes, the revision stays what it is.
    let namespace = alone.lab.existing("pinned");
    namespace.apply("base", by_name, &TWO, "tags: {team: web}");
    let after = namespace.until_ready("base");
    assert_eq!(source(&after), FIRST);
    assert_eq!(revision(&after), revision(&before));
    for image in alone.lab.holdings().images_of("pinned/base") {
        assert_eq!(image.tags["amity.dev/origin"], FIRST);
    }

    namespace.patch("base", r#"{"spec": {"rebuild": "2026-03-01"}}"#);

    let rebuilt = namespace.until_ready("base");
    assert_eq!(source(&rebuilt), format!("us-east-1/{newer}"));
    assert_ne!(revision(&rebuilt), revision(&before));
}

#[test]
fn an_image_by_a_parameter_is_copied_everywhere() {
    let lab = Lab::shared();
    let namespace = lab.namespace("parameter");
    let by_parameter =
        |name: &str| format!("{{image: {{region: us-east-1, ssmParameter: {name}}}}}");
    namespace.apply("golden", &by_parameter("/golden/web"), &TWO, "");

    let image = namespace.until_ready("golden");

    assert_eq!(source(&image), "us-east-1/ami-0feedfacefeedface");
    namespace.assert_served(&image, &TWO);
    for image in lab.holdings().images_of("parameter/golden") {
        assert_eq!(
            image.tags["amity.dev/origin"],
            "us-east-1/ami-0feedfacefeedface"
        );
    }
    namespace.apply("other", &by_parameter("/golden/other"), &TWO, "");
    let (reason, message) = namespace.until_stalled("other");
    assert_eq!(reason, "SourceNotFound", "{message}");
    assert!(message.contains("/golden/other"), "{message}");
    lab.assert_users_keep_all();
}

#[test]
fn an_image_of_another_one_waits_for_its_publication_and_follows_it() {
    let lab = Lab::shared();
    let namespace = lab.namespace("layers");
    let of_base = "{image: {region: us-east-1, machineImageName: base}}";
    namespace.apply("app", of_base, &TWO, "follow: {interval: 10m}");
    namespace.until("app", "waits for base", |image| {
        let ready = condition(image, conditions::READY)?;
        (ready.reason == "SourceNotPublished").then_some(())
    });
    namespace.apply_of_instance("base", &["us-east-1"], "");
    let base = namespace.until_ready("base");

    let app = namespace.until_ready("app");

    let origin = format!("us-east-1/{}", published(&base)["us-east-1"]);
    assert_eq!(source(&app), origin);
    namespace.assert_served(&app, &TWO);
    for image in lab.holdings().images_of("layers/app") {
        assert_eq!(image.tags["amity.dev/origin"], origin);
    }
    // What it was made of may go.
    namespace.delete("base");
    namespace.until_gone("base");
    namespace.assert_served(&namespace.until_ready("app"), &TWO);
}

#[test]
fn data_volumes_are_left_out_where_the_spec_says_so() {
    let lab = Lab::shared();
    let namespace = lab.namespace("volumes");
    let source = |volumes: &str| {
        format!(
            "{{instance: {{region: us-east-1, instanceId: i-0da7a000000000001, reboot: Never, volumes: {volumes}}}}}"
        )
    };
    namespace.apply("root", &source("RootOnly"), &TWO, "");
    // Of a running instance EC2 takes one capture at a time.
    namespace.until_ready("root");
    namespace.apply("all", &source("All"), &TWO, "");
    namespace.until_ready("all");

    let holdings = lab.holdings();
    for (object, volumes) in [("volumes/root", 1), ("volumes/all", 2)] {
        let images = holdings.images_of(object);
        assert_eq!(images.len(), 2);
        for image in images {
            assert_eq!(image.snapshots().count(), volumes, "{image:?}");
        }
        assert_eq!(holdings.snapshots_of(object).len(), 2 * volumes);
    }
}

#[test]
fn a_revert_publishes_the_kept_revision_without_making_an_image() {
    let lab = Lab::shared();
    let namespace = lab.namespace("revert");
    namespace.apply_of_instance("web", &TWO, "");
    let first = namespace.until_ready("web");
    namespace.patch("web", r#"{"spec": {"rebuild": "again"}}"#);
    let second = namespace.until_ready("web");
    assert_ne!(revision(&second), revision(&first));
    let made = || {
        let of_object: Vec<_> = lab.holdings().images.into_iter().collect();
        let of_object = of_object.iter().filter(|one| one.is_of("revert/web"));
        of_object.count()
    };
    let before = (
        made(),
        making(lab.calls(), &namespace.instance, &first, &second),
    );

    namespace.patch("web", r#"{"spec": {"rebuild": null}}"#);

    let third = namespace.until_ready("web");
    assert_eq!(revision(&third), revision(&first));
    assert_eq!(published(&third), published(&first));
    let after = (
        made(),
        making(lab.calls(), &namespace.instance, &first, &second),
    );
    assert_eq!(after, before, "nothing is captured or copied for it");
    let ready = condition(&third, conditions::READY).unwrap();
    assert_eq!(ready.reason, "InSync", "{}", ready.message);
    let holdings = lab.holdings();
    for (_, id) in published(&second) {
        let image = holdings.images.iter().find(|one| one.id == id).unwrap();
        assert!(image.is_there(), "{id} is kept now: {image:?}");
        assert!(!image.is_published(), "{image:?}");
    }
}

/// How many calls made an image of this instance or of these images.
fn making(calls: Vec<Call>, instance: &str, first: &MachineImage, second: &MachineImage) -> usize {
    let images = [first, second].map(|image| published(image).into_values());
    let mut of_object: Vec<String> = images.into_iter().flatten().collect();
    of_object.push(instance.to_owned());
    let calls = calls
        .into_iter()
        .filter(|call| ["CreateImage", "CopyImage"].contains(&call.action.as_str()));
    calls
        .filter(|call| call.ids.iter().any(|id| of_object.contains(id)))
        .count()
}

#[test]
fn a_name_that_another_machine_image_took_is_said_to_be_its() {
    let lab = Lab::shared();
    let snapshot = "{snapshot: {region: us-east-1, snapshotId: snap-0feedfacefeedface, rootDeviceName: /dev/xvda, \
                    architecture: x86_64}}";
    let first = lab.namespace("twin-first");
    first.apply("twin", snapshot, &["us-east-1"], "");
    first.until_ready("twin");
    let second = lab.namespace("twin-second");
    second.apply("twin", snapshot, &["us-east-1"], "");

    let (reason, message) = second.until_stalled("twin");

    assert_eq!(reason, "NameTaken", "{message}");
    for word in ["MachineImage twin-first/twin", "{namespace}"] {
        assert!(message.contains(word), "{message:?} lacks {word:?}");
    }
    second.assert_nothing_left("twin", None);
}
