//! An image in other accounts than the one that it is made in, and how it is encrypted where.

use std::collections::BTreeMap;

use amity_core::api::MachineImage;
use amity_testbed::{HeldImage, eventually};
use serde_json::Value;

use crate::lab::{Lab, Namespace, PATIENCE, TAGGED, TAGGED_NAMESPACE, account, published};

const SPOKE: &str = "555566667777";

/// Every image of the object that is there, by account and region.
fn images(namespace: &Namespace<'_>, name: &str) -> BTreeMap<(String, String), HeldImage> {
    let holdings = namespace.lab.holdings();
    let there = holdings.images_of(&namespace.key(name)).into_iter();
    there
        .map(|image| ((image.account.clone(), image.region.clone()), image.clone()))
        .collect()
}

/// The published ids, by account and region, as the status has them.
fn told(image: &MachineImage) -> BTreeMap<(&str, &str), &str> {
    let regions = image.status.iter().flat_map(|status| &status.regions);
    let told = regions.filter_map(|region| {
        let id = region.published_image_id.as_deref()?;
        Some(((region.account_name.as_str(), region.name.as_str()), id))
    });
    told.collect()
}

/// What the simulator has of an image or snapshot.
fn state(namespace: &Namespace<'_>, account: &str, region: &str, kind: &str, id: &str) -> Value {
    let mut world = namespace.lab.ec2.world().unwrap();
    world["accounts"][account]["regions"][region][kind][id].take()
}

#[test]
fn an_image_is_copied_once_into_another_account_and_fans_out_inside_it() {
    let lab = Lab::shared();
    let kubectl = lab.cluster.control_plane.kubectl();
    kubectl.apply_yaml(&account("spoke", SPOKE, "")).unwrap();
    let namespace = lab.namespace("spokes");
    let spec = "accounts: [{name: spoke, regions: [{name: us-east-1}, {name: eu-west-1}]}]\n  \
                publish: {configMapName: images}";
    namespace.apply_of_instance("web", &["us-east-1"], spec);
    let ready = namespace.until_ready("web");

    let told = told(&ready);
    let places = [
        ("default", "us-east-1"),
        ("spoke", "eu-west-1"),
        ("spoke", "us-east-1"),
    ];
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), places);
    let there = images(&namespace, "web");
    assert_eq!(there.len(), 3, "{there:?}");
    let of = |account: &str, region: &str| &there[&(account.to_owned(), region.to_owned())];
    let (home, entry) = (of("111122223333", "us-east-1"), of(SPOKE, "us-east-1"));
    let source = |image: &HeldImage| image.tags["amity.dev/source"].clone();
    assert_eq!(source(entry), format!("us-east-1/{}", home.id));
    let fanned = of(SPOKE, "eu-west-1");
    assert_eq!(source(fanned), format!("us-east-1/{}", entry.id));

    // What was lent for the copy was taken back.
    assert!(!home.tags.contains_key("amity.dev/lent-to"), "{home:?}");
    let shared = |kind: &str, id: &str| {
        let state = state(&namespace, "111122223333", "us-east-1", kind, id);
        assert!(!state.is_null(), "{id}");
        state["sharedWith"].as_array().cloned().unwrap_or_default()
    };
    assert_eq!(shared("images", &home.id), Vec::<Value>::new());
    for snapshot in home.snapshots() {
        assert_eq!(shared("snapshots", snapshot), Vec::<Value>::new());
    }

    let data = ["get", "configmap", "images", "-o", "jsonpath={.data}"];
    let data = namespace.kubectl.run(&data).unwrap().ok().unwrap();
    let data: BTreeMap<String, String> = serde_json::from_str(&data).unwrap();
    let named = BTreeMap::from([
        ("spoke.eu-west-1".to_owned(), fanned.id.clone()),
        ("spoke.us-east-1".to_owned(), entry.id.clone()),
        ("us-east-1".to_owned(), home.id.clone()),
    ]);
    assert_eq!(data, named);

    namespace.patch("web", r#"{"spec": {"accounts": null}}"#);
    let home = home.id.clone();
    eventually(PATIENCE, "the other account is emptied", || {
        let there = images(&namespace, "web");
        let is_alone = there.len() == 1 && there.values().all(|image| image.id == home);
        is_alone.then_some(()).ok_or(format!("{there:?}"))
    })
    .unwrap();
    namespace.until_ready("web");
    namespace.delete("web");
    namespace.until_gone("web");
    namespace.assert_nothing_left("web", None);
}

#[test]
fn an_account_that_does_not_grant_it_gets_no_image() {
    let lab = Lab::shared();
    let kubectl = lab.cluster.control_plane.kubectl();
    let manifest = account("closed", "888899990000", "").replace(", \"111122223333\"", "");
    kubectl.apply_yaml(&manifest).unwrap();
    let namespace = lab.namespace("closed");
    let spec = "accounts: [{name: closed, regions: [{name: us-east-1}]}]";
    namespace.apply_of_instance("web", &["us-east-1"], spec);
    let (reason, message) = namespace.until_stalled("web");
    assert_eq!(reason, "NotGranted", "{message}");
    for said in ["closed", "111122223333", "spec.grants.sourceOwners"] {
        assert!(message.contains(said), "{message}");
    }
}

/// That nothing was denied says that the sessions are tagged.
#[test]
fn what_is_done_in_an_account_carries_the_namespace_that_it_is_done_for() {
    let lab = Lab::shared();
    let kubectl = lab.cluster.control_plane.kubectl();
    let untagged = account("tagged", TAGGED, "");
    let manifest = untagged.replace("role/amity\"", "role/amity\", sessionTags: Namespace");
    kubectl.apply_yaml(&manifest).unwrap();
    let spec = "accounts: [{name: tagged, regions: [{name: us-east-1}]}]";
    let namespace = lab.namespace(TAGGED_NAMESPACE);
    namespace.apply_of_instance("web", &["us-east-1"], spec);
    namespace.until_ready("web");
    namespace.delete("web");
    namespace.until_gone("web");
}

#[test]
fn another_key_makes_another_image_of_the_same_revision_and_then_the_former_one_goes() {
    let namespace = Lab::shared().namespace("keys");
    let regions = |key: &str| {
        format!(
            r#"{{"spec": {{"regions": [{{"name": "us-east-1"}}, {{"name": "eu-west-1", "encryption": {{"kmsKeyId": "{key}"}}}}]}}}}"#
        )
    };
    namespace.apply_of_instance("web", &["us-east-1"], "");
    namespace.until_ready("web");
    namespace.patch("web", &regions("alias/images"));
    let first = published(&namespace.until_ready("web"))["eu-west-1"].clone();
    let key_of = |id: &str| {
        let there = images(&namespace, "web");
        let image = there
            .values()
            .find(|image| image.id == id)
            .expect("an image");
        let [snapshot] = image.snapshots().collect::<Vec<_>>()[..] else {
            panic!("one snapshot: {image:?}");
        };
        let state = state(
            &namespace,
            "111122223333",
            "eu-west-1",
            "snapshots",
            snapshot,
        );
        state["kmsKey"].as_str().unwrap_or_default().to_owned()
    };
    let former = key_of(&first);
    assert!(
        former.starts_with("arn:aws:kms:eu-west-1:111122223333:"),
        "{former}"
    );

    namespace.patch("web", &regions("alias/other"));
    let second = eventually(PATIENCE, "another image is published", || {
        let image = namespace.image("web").ok_or("it is gone")?;
        let published = published(&image).remove("eu-west-1");
        published
            .filter(|id| *id != first)
            .ok_or_else(|| format!("{:?}", image.status))
    })
    .unwrap();
    let key = key_of(&second);
    assert!(!key.is_empty() && key != former, "{key}");
    eventually(PATIENCE, "the former one is gone", || {
        let there = images(&namespace, "web");
        let is_gone = there.len() == 2 && there.values().all(|image| image.id != first);
        is_gone.then_some(()).ok_or(format!("{there:?}"))
    })
    .unwrap();
    namespace.until_ready("web");
}
