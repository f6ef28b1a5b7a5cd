//! What EC2 lets change of an image that stands, and what consumers select images by.

use std::collections::BTreeMap;

use amity_testbed::{HeldImage, eventually};
use k8s_openapi::api::core::v1::ConfigMap;

use crate::lab::{Lab, Namespace, PATIENCE, USER, condition, is_ready, published, revision};

/// The image of this id.
fn held(namespace: &Namespace<'_>, id: &str) -> HeldImage {
    let all = namespace.lab.holdings().images;
    let found = all.into_iter().find(|image| image.id == id);
    found.expect("EC2 has the image")
}

/// Waits until the image of this id is as `look` wants it.
fn until(namespace: &Namespace<'_>, id: &str, look: impl Fn(&HeldImage) -> bool) {
    eventually(PATIENCE, &format!("{id} is as wanted"), || {
        let image = held(namespace, id);
        if look(&image) {
            Ok(())
        } else {
            Err(format!("{image:?}"))
        }
    })
    .unwrap();
}

#[test]
fn what_the_spec_says_of_an_image_is_kept_so_until_it_goes() {
    let namespace = Lab::shared().namespace("attributes");
    namespace.apply_of_instance(
        "web",
        &["us-east-1", "eu-west-1"],
        "description: the web server\n  deprecation: {after: 2160h}\n  deregistrationProtection: Enabled\n  imdsSupport: v2.0",
    );
    let ids = published(&namespace.until_ready("web"));
    let is_as_said = |image: &HeldImage| {
        image.description.as_deref() == Some("the web server")
            && image.imds_support.as_deref() == Some("v2.0")
            && image.deprecation.is_some()
            && image.deregistration_protection == "enabled-without-cooldown"
    };
    for id in ids.values() {
        assert!(
            is_as_said(&held(&namespace, id)),
            "{:?}",
            held(&namespace, id)
        );
    }

    let id = &ids["us-east-1"];
    let by_id = ("ImageId", id.as_str());
    let user_does = |action: &str, more: &[(&str, &str)]| {
        let parameters = [&[by_id], more].concat();
        namespace.lab.user_does(USER, action, &parameters);
    };
    user_does("ModifyImageAttribute", &[("Description.Value", "mine")]);
    user_does("DisableImageDeprecation", &[]);
    user_does("DisableImageDeregistrationProtection", &[]);
    until(&namespace, id, is_as_said);
    namespace.until_ready("web");

    namespace.delete("web");
    namespace.until_gone("web");
    namespace.assert_nothing_left("web", None);
}

#[test]
fn tags_differ_by_region_and_on_snapshots_from_birth_and_are_kept_so() {
    let namespace = Lab::shared().namespace("tagged");
    namespace.apply_of_instance(
        "web",
        &["us-east-1", "eu-west-1, tags: {stage: prod, zone: eu}"],
        "tags: {team: web, stage: test}\n  snapshotTags: {backup: never}",
    );
    let ids = published(&namespace.until_ready("web"));
    // The tags of the image, and of a snapshot of it, that are the user's.
    let tags = |region: &str| {
        let users = |tags: BTreeMap<String, String>| {
            let users = tags.into_iter().filter(|(key, _)| !key.contains('/'));
            let users = users.map(|(key, value)| format!("{key}={value}"));
            users.collect::<Vec<_>>().join(" ")
        };
        let image = held(&namespace, &ids[region]);
        let snapshots = namespace.lab.holdings().snapshots.into_iter();
        let mut of_image = snapshots.filter(|one| image.snapshots().any(|id| id == one.id));
        let snapshot = of_image.next().expect("EC2 has the snapshot");
        (users(image.tags.clone()), users(snapshot.tags))
    };
    let both = |image: &str, snapshot: &str| (image.to_owned(), snapshot.to_owned());
    assert_eq!(
        tags("us-east-1"),
        both("stage=test team=web", "backup=never stage=test team=web")
    );
    assert_eq!(
        tags("eu-west-1"),
        both(
            "stage=prod team=web zone=eu",
            "backup=never stage=prod team=web zone=eu"
        )
    );

    namespace.patch(
        "web",
        r#"{"spec": {"regions": [{"name": "us-east-1"}, {"name": "eu-west-1", "tags": {"team": "eu"}}],
            "snapshotTags": null}}"#,
    );
    eventually(PATIENCE, "the tags are as the spec says", || {
        let is = (tags("us-east-1"), tags("eu-west-1"));
        let to_be = ["stage=test team=web", "stage=test team=eu"].map(|text| both(text, text));
        if <[_; 2]>::from(is.clone()) == to_be {
            Ok(())
        } else {
            Err(format!("{is:?}"))
        }
    })
    .unwrap();
    namespace.until_ready("web");
}

#[test]
fn a_superseded_image_is_deprecated_and_no_longer_selected_and_a_revert_takes_that_back() {
    let namespace = Lab::shared().namespace("selected");
    namespace.apply_of_instance(
        "web",
        &["us-east-1"],
        "publish: {tags: {channel: stable}}\n  deprecation: {superseded: DeprecateAtOnce}\n  rebuild: one",
    );
    let first = namespace.until_ready("web");
    let old = published(&first)["us-east-1"].clone();
    let is_selected = |image: &HeldImage| {
        image.tags.get("channel").map(String::as_str) == Some("stable")
            && image.deprecation.is_none()
            && !image.tags.contains_key("amity.dev/successor")
    };
    assert!(is_selected(&held(&namespace, &old)));

    namespace.patch("web", r#"{"spec": {"rebuild": "two"}}"#);
    let second = namespace.until("web", "has another revision", |image| {
        (revision(image) != revision(&first) && crate::lab::is_ready(image)).then(|| image.clone())
    });
    let new = published(&second)["us-east-1"].clone();
    assert!(is_selected(&held(&namespace, &new)));
    until(&namespace, &old, |image| {
        !image.tags.contains_key("channel")
            && image.tags.get("amity.dev/successor") == Some(&new)
            && image.deprecation.is_some()
    });

    namespace.patch("web", r#"{"spec": {"rebuild": "one"}}"#);
    namespace.until("web", "has the first revision", |image| {
        (revision(image) == revision(&first) && crate::lab::is_ready(image)).then_some(())
    });
    assert!(is_selected(&held(&namespace, &old)));
}

#[test]
fn a_windows_image_launches_fast_while_it_is_published() {
    let namespace = Lab::shared().namespace("windows");
    let source = "{instance: {region: us-east-1, instanceId: i-0317d075000000001, reboot: Never}}";
    namespace.apply(
        "win",
        source,
        &["us-east-1", "eu-west-1"],
        "fastLaunch: {targetResourceCount: 2}\n  rebuild: one",
    );
    let first = published(&namespace.until_ready("win"));
    let launches_fast = |image: &HeldImage, target: u32, parallel: u32| {
        image.fast_launch.as_ref().is_some_and(|it| {
            it.state == "enabled"
                && (it.target_resource_count, it.max_parallel_launches) == (target, parallel)
        })
    };
    for id in first.values() {
        let image = held(&namespace, id);
        assert!(launches_fast(&image, 2, 6), "{image:?}");
    }

    // Other settings are in force once it was switched off and on.
    let change =
        r#"{"spec": {"fastLaunch": {"targetResourceCount": 1, "maxParallelLaunches": 7}}}"#;
    namespace.patch("win", change);
    for id in first.values() {
        until(&namespace, id, |image| launches_fast(image, 1, 7));
    }

    namespace.patch("win", r#"{"spec": {"rebuild": "two"}}"#);
    let second = namespace.until("win", "has another revision", |image| {
        let ids = published(image);
        (ids.values().all(|id| !first.values().any(|old| old == id)) && is_ready(image))
            .then_some(ids)
    });
    for id in second.values() {
        assert!(launches_fast(&held(&namespace, id), 1, 7));
    }
    for id in first.values() {
        assert_eq!(held(&namespace, id).fast_launch, None, "{id}");
    }

    namespace.delete("win");
    namespace.until_gone("win");
    for id in second.values() {
        let image = held(&namespace, id);
        assert!(
            !image.is_there() && image.fast_launch.is_none(),
            "{image:?}"
        );
    }
    namespace.assert_nothing_left("win", None);
}

#[test]
fn only_windows_images_launch_fast() {
    let namespace = Lab::shared().namespace("linux");
    namespace.apply_of_instance(
        "web",
        &["us-east-1"],
        "fastLaunch: {targetResourceCount: 2}",
    );
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "FastLaunchNotSupported", "{message}");
    assert!(message.contains("us-east-1") && message.contains("take spec.fastLaunch out"));
    namespace.patch("web", r#"{"spec": {"fastLaunch": null}}"#);
    namespace.until_ready("web");
}

#[test]
fn a_deletion_waits_out_a_cooldown_and_says_until_when() {
    let namespace = Lab::shared().namespace("cooldown");
    namespace.apply_of_instance(
        "web",
        &["us-east-1"],
        "deregistrationProtection: EnabledWithCooldown",
    );
    let ids = published(&namespace.until_ready("web"));
    let id = &ids["us-east-1"];
    let is_protected =
        |image: &HeldImage| image.deregistration_protection == "enabled-with-cooldown";
    assert!(is_protected(&held(&namespace, id)));

    namespace.delete("web");
    until(&namespace, id, |image| {
        image
            .deregistration_protection
            .starts_with("disabled after")
    });
    namespace.until("web", "says what it waits for", |image| {
        let ready = condition(image, "Ready")?;
        let words = ["cooldown", id.as_str(), "before 20"];
        words
            .iter()
            .all(|word| ready.message.contains(word))
            .then_some(())
    });

    // Nobody has to wait for that.
    namespace.patch("web", r#"{"spec": {"deletionPolicy": "Retain"}}"#);
    namespace.until_gone("web");
    assert!(held(&namespace, id).is_there());
}

#[test]
fn a_config_map_names_what_is_published_and_goes_with_its_object() {
    let namespace = Lab::shared().namespace("told");
    let config_map = |name: &str| -> Option<ConfigMap> {
        let path = format!("/api/v1/namespaces/told/configmaps/{name}");
        namespace.lab.cluster.reader.get(&path).unwrap()
    };
    let data = |name: &str| config_map(name).and_then(|found| found.data);
    namespace.apply_of_instance(
        "web",
        &["us-east-1", "eu-west-1"],
        "publish: {configMapName: web-images}\n  rebuild: one",
    );
    let first = namespace.until_ready("web");
    assert_eq!(data("web-images"), Some(published(&first)));

    // Somebody else's changes do not stay.
    let patch = r#"{"data": {"us-east-1": "ami-0123456789abcdef0", "mine": "too"}}"#;
    let arguments = [
        "patch",
        "configmap",
        "web-images",
        "--type=merge",
        "-p",
        patch,
    ];
    namespace.kubectl.run(&arguments).unwrap().ok().unwrap();
    let is_as_published = |name: &str| {
        let image = namespace.image("web").expect("the object is there");
        eventually(PATIENCE, &format!("{name} names the images"), || {
            let (is, to_be) = (data(name), published(&image));
            if is == Some(to_be) {
                Ok(())
            } else {
                Err(format!("{is:?}"))
            }
        })
        .unwrap();
    };
    is_as_published("web-images");

    namespace.patch(
        "web",
        r#"{"spec": {"publish": {"configMapName": "others"}}}"#,
    );
    is_as_published("others");
    eventually(PATIENCE, "the former one is gone", || {
        config_map("web-images").map_or(Ok(()), |found| Err(format!("{found:?}")))
    })
    .unwrap();

    let mine = ["create", "configmap", "mine", "--from-literal=a=b"];
    namespace.kubectl.run(&mine).unwrap().ok().unwrap();
    namespace.patch("web", r#"{"spec": {"publish": {"configMapName": "mine"}}}"#);
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "NameTaken", "{message}");
    assert!(message.contains("mine"), "{message}");
    assert!(data("mine").is_some_and(|data| data.contains_key("a")));
}
