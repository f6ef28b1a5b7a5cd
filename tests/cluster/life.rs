//! An image from its first day to its last.

use std::collections::BTreeSet;

use amity_core::api::conditions;
use amity_testbed::eventually;

use crate::lab::{Lab, PATIENCE, is_true, published, revision};

const THREE: [&str; 3] = ["ap-northeast-1", "eu-west-1", "us-east-1"];

#[test]
fn a_machine_image_becomes_ready_in_three_regions() {
    let namespace = Lab::shared().namespace("three-regions");
    namespace.apply_of_instance("web", &THREE, "tags: {team: web}");

    let image = namespace.until_ready("web");

    namespace.assert_served(&image, &THREE);
    assert!(is_true(&image, conditions::AVAILABLE) && is_true(&image, conditions::SOURCE_RESOLVED));
    let status = image.status.as_ref().unwrap();
    assert_eq!(status.regions_ready.as_deref(), Some("3/3"));
    assert_eq!(status.next_steps, []);
    let holdings = namespace.lab.holdings();
    for one in holdings.images_of("three-regions/web") {
        assert_eq!(one.name, format!("web-{}", revision(&image)));
        assert_eq!(one.tags["team"], "web");
    }
    assert_eq!(holdings.snapshots_of("three-regions/web").len(), 3);
}

#[test]
fn what_is_stored_is_said_in_each_region_and_in_all() {
    let namespace = Lab::shared().namespace("stored");
    namespace.apply_of_instance("web", &["eu-west-1", "us-east-1"], "");

    let image = namespace.until_ready("web");

    let status = image.status.as_ref().unwrap();
    let stored = status.regions.iter().map(|region| region.stored_gib);
    assert_eq!(stored.collect::<Vec<_>>(), [Some(4), Some(4)]);
    assert_eq!(status.stored_gib, Some(8));
}

#[test]
fn every_copy_says_what_its_revision_was_made_from() {
    let namespace = Lab::shared().namespace("origin");
    namespace.apply_of_instance("web", &THREE, "");

    let image = namespace.until_ready("web");

    let origin = format!("us-east-1/{}", namespace.instance);
    let holdings = namespace.lab.holdings();
    let said: Vec<_> = holdings
        .images_of("origin/web")
        .into_iter()
        .map(|one| one.tags["amity.dev/origin"].as_str())
        .collect();
    assert_eq!(said, [origin.as_str(); 3]);
    let published = image.status.unwrap().published.unwrap();
    assert_eq!(published.source, origin);
}

#[test]
fn what_is_made_names_the_cluster_that_made_it() {
    let namespace = Lab::shared().namespace("cluster-uid");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    namespace.until_ready("web");

    let uid = [
        "get",
        "namespace",
        "kube-system",
        "-o",
        "jsonpath={.metadata.uid}",
    ];
    let uid = namespace.kubectl.run(&uid).unwrap().ok().unwrap();
    assert_eq!(uid.len(), 36, "{uid:?}");
    let holdings = namespace.lab.holdings();
    let images = holdings.images_of("cluster-uid/web");
    let snapshots = holdings.snapshots_of("cluster-uid/web");
    let tags = images.iter().map(|one| &one.tags);
    let tags = tags.chain(snapshots.iter().map(|one| &one.tags));
    let said: Vec<_> = tags.map(|tags| &tags["amity.dev/cluster"]).collect();
    assert_eq!(said, [&uid; 4], "two images with a snapshot each");
}

#[test]
fn a_region_added_is_filled() {
    let namespace = Lab::shared().namespace("region-added");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    let before = namespace.until_ready("web");

    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1", "us-west-2"], "");
    let after = namespace.until(
        "web",
        "is Ready in three regions, Available all the time",
        |image| {
            assert!(is_true(image, conditions::AVAILABLE), "{:?}", image.status);
            (published(image).len() == 3).then(|| image.clone())
        },
    );

    assert_eq!(revision(&after), revision(&before));
    for (region, id) in published(&before) {
        assert_eq!(published(&after)[&region], id, "{region} keeps its image");
    }
    let after = namespace.until_ready("web");
    namespace.assert_served(&after, &["eu-west-1", "us-east-1", "us-west-2"]);
}

#[test]
fn a_region_removed_loses_its_image_and_snapshots() {
    let namespace = Lab::shared().namespace("region-removed");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    namespace.until_ready("web");

    namespace.apply_of_instance("web", &["us-east-1"], "");

    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["us-east-1"]);
    namespace.assert_nothing_left("web", Some("eu-west-1"));
}

#[test]
fn the_region_of_the_source_may_lose_its_image() {
    let namespace = Lab::shared().namespace("source-region-removed");
    namespace.apply_of_instance("web", &["eu-west-1"], "");
    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["eu-west-1"]);
    namespace.assert_nothing_left("web", Some("us-east-1"));

    // The only image is a copy now, and can be copied on.
    namespace.apply_of_instance("web", &["eu-west-1", "us-west-2"], "");
    let image = namespace.until_ready("web");
    namespace.assert_served(&image, &["eu-west-1", "us-west-2"]);
}

#[test]
fn a_rebuild_publishes_before_it_retires() {
    let namespace = Lab::shared().namespace("rebuild");
    namespace.apply_of_instance("web", &THREE, "retention: {revisions: 0}");
    let before = namespace.until_ready("web");

    namespace.patch("web", r#"{"spec": {"rebuild": "again"}}"#);
    let mut kept: BTreeSet<String> = THREE.map(str::to_owned).into();
    let after = namespace.until("web", "is Ready with another revision", |image| {
        let holdings = namespace.lab.holdings();
        let there = holdings.images_of("rebuild/web");
        let served: BTreeSet<_> = there
            .iter()
            .filter(|one| one.is_published())
            .map(|one| one.region.clone())
            .collect();
        kept = &kept & &served;
        let ready = is_true(image, conditions::READY) && revision(image) != revision(&before);
        ready.then(|| image.clone())
    });

    assert_eq!(
        kept.len(),
        3,
        "at every moment each region had a published image, but only {kept:?} did"
    );
    let after_rest = namespace.until_ready("web");
    assert_eq!(revision(&after_rest), revision(&after));
    namespace.assert_served(&after_rest, &THREE);
    let holdings = namespace.lab.holdings();
    assert_eq!(
        holdings.snapshots_of("rebuild/web").len(),
        3,
        "the old revision's snapshots are gone"
    );
}

#[test]
fn tags_are_kept_as_the_spec_says() {
    let namespace = Lab::shared().namespace("tags");
    namespace.apply_of_instance("web", &["us-east-1"], "tags: {team: web, stage: test}");
    let before = namespace.until_ready("web");

    namespace.patch(
        "web",
        r#"{"spec": {"tags": {"team": "shop", "stage": null}}}"#,
    );

    let after = namespace.until_ready("web");
    assert_eq!(
        published(&after),
        published(&before),
        "tags make no new image"
    );
    let holdings = namespace.lab.holdings();
    let image = holdings.images_of("tags/web")[0];
    assert_eq!(image.tags["team"], "shop");
    assert!(!image.tags.contains_key("stage"));
}

#[test]
fn an_image_source_is_copied() {
    let namespace = Lab::shared().namespace("image-source");
    let source = "{image: {region: us-east-1, imageId: ami-0feedfacefeedface}}";
    namespace.apply("base", source, &["us-east-1", "eu-west-1"], "");

    let image = namespace.until_ready("base");

    namespace.assert_served(&image, &["eu-west-1", "us-east-1"]);
    assert!(
        !published(&image)
            .values()
            .any(|id| id == "ami-0feedfacefeedface")
    );
}

#[test]
fn deletion_leaves_nothing_and_touches_nothing_of_the_user() {
    let namespace = Lab::shared().namespace("deletion");
    let source = "{image: {region: us-east-1, imageId: ami-0feedfacefeedface}}";
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    namespace.apply("base", source, &["us-east-1", "eu-west-1"], "");
    namespace.until_ready("web");
    namespace.until_ready("base");

    for name in ["web", "base"] {
        namespace.delete(name);
    }

    for name in ["web", "base"] {
        namespace.until_gone(name);
        namespace.assert_nothing_left(name, None);
    }
    namespace.lab.assert_users_keep_all();
}

#[test]
fn an_image_can_be_deleted_before_it_is_complete() {
    let namespace = Lab::shared().namespace("deleted-early");
    namespace.apply_of_instance("web", &THREE, "");
    eventually(PATIENCE, "the capture is under way", || {
        let holdings = namespace.lab.holdings();
        if holdings.images_of("deleted-early/web").is_empty() {
            Err("nothing yet".to_owned())
        } else {
            Ok(())
        }
    })
    .unwrap();

    namespace.delete("web");

    namespace.until_gone("web");
    namespace.assert_nothing_left("web", None);
}

#[test]
fn a_namespace_terminates() {
    let namespace = Lab::shared().namespace("terminates");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    namespace.until_ready("web");

    namespace
        .kubectl
        .run(&["delete", "namespace", "terminates", "--wait=false"])
        .unwrap()
        .ok()
        .unwrap();

    eventually(PATIENCE, "the namespace is gone", || {
        let answer = namespace
            .kubectl
            .run(&["get", "namespace", "terminates"])
            .map_err(|error| error.to_string())?;
        if answer.stderr.contains("NotFound") {
            Ok(())
        } else {
            Err(answer.to_string())
        }
    })
    .unwrap();
    namespace.assert_nothing_left("web", None);
}

#[test]
fn retain_leaves_the_images() {
    let namespace = Lab::shared().namespace("retain");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "deletionPolicy: Retain");
    let image = namespace.until_ready("web");

    namespace.delete("web");

    namespace.until_gone("web");
    let holdings = namespace.lab.holdings();
    let left = holdings.images_of("retain/web");
    let ids: BTreeSet<_> = left.iter().map(|one| one.id.clone()).collect();
    assert_eq!(ids, published(&image).into_values().collect());
    assert!(
        left.iter()
            .all(|one| one.tags.contains_key("amity.dev/retained")),
        "{left:?}"
    );
    assert_eq!(holdings.snapshots_of("retain/web").len(), 2);
}

#[test]
fn what_was_retained_is_not_taken_up_again() {
    let namespace = Lab::shared().namespace("retained-before");
    let source = "{image: {region: us-east-1, imageId: ami-0feedfacefeedface}}";
    let apply = || {
        namespace.apply(
            "base",
            source,
            &["us-east-1", "eu-west-1"],
            "deletionPolicy: Retain",
        );
    };
    apply();
    let first = namespace.until_ready("base");
    namespace.delete("base");
    namespace.until_gone("base");

    apply();

    let second = namespace.until_ready("base");
    let ids = |image| -> BTreeSet<String> { published(image).into_values().collect() };
    assert!(ids(&first).is_disjoint(&ids(&second)));
    assert_eq!(ids(&second).len(), 2);
    let holdings = namespace.lab.holdings();
    assert_eq!(holdings.images_of("retained-before/base").len(), 4);
}

#[test]
fn a_status_that_was_deleted_comes_back() {
    let namespace = Lab::shared().namespace("status-deleted");
    namespace.apply_of_instance("web", &["us-east-1", "eu-west-1"], "");
    let before = namespace.until_ready("web");

    let patch = [
        "patch",
        "machineimage",
        "web",
        "--subresource=status",
        "--type=merge",
        "-p",
        r#"{"status": null}"#,
    ];
    namespace.kubectl.run(&patch).unwrap().ok().unwrap();

    let after = namespace.until_ready("web");
    assert_eq!(published(&after), published(&before));
    assert_eq!(revision(&after), revision(&before));
    namespace.assert_served(&after, &["eu-west-1", "us-east-1"]);
}
