//! Another cluster, and objects of another version.

use amity_testbed::{Kubectl, eventually};
use serde_json::{Value, json};

use crate::lab::{Alone, PATIENCE, apply_crds, published, revision, without_finalizers};

#[test]
fn a_rebuilt_cluster_takes_over_when_it_is_told_to() {
    const TWO: [&str; 2] = ["eu-west-1", "us-east-1"];
    let mut alone = Alone::ready();
    let source = "{image: {region: us-east-1, imageId: ami-0feedfacefeedface}}";
    let namespace = alone.lab.namespace("rebuilt");
    namespace.apply("base", source, &TWO, "");
    let before = namespace.until_ready("base");

    alone.rebuild_cluster();

    // As a GitOps tool would apply it again.
    let namespace = alone.lab.namespace("rebuilt");
    namespace.apply("base", source, &TWO, "");
    let (reason, message) = namespace.until_stalled("base");
    assert_eq!(reason, "HeldByOtherCluster", "{message}");
    let uid = message.split_once("--take-over-from=").unwrap().1;
    let uid = uid
        .split(':')
        .next()
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .trim()
        .to_owned();
    assert_eq!(alone.lab.holdings().images_of("rebuilt/base").len(), 2);

    alone.lab.restart_with(&["--take-over-from", &uid]);

    let namespace = alone.lab.existing("rebuilt");
    let after = namespace.until_ready("base");
    assert_eq!(revision(&after), revision(&before));
    assert_eq!(
        published(&after),
        published(&before),
        "nothing is made anew"
    );
    namespace.assert_served(&after, &TWO);

    // Once is enough.
    alone.lab.restart_with(&[]);
    let namespace = alone.lab.existing("rebuilt");
    namespace.patch("base", r#"{"spec": {"tags": {"team": "web"}}}"#);
    let last = namespace.until_ready("base");
    assert_eq!(published(&last), published(&before));
    namespace.delete("base");
    namespace.until_gone("base");
    namespace.assert_nothing_left("base", None);
}

#[test]
fn an_object_of_a_later_version_is_left_alone() {
    let alone = Alone::ready();
    let namespace = alone.lab.namespace("later-version");
    let source = "{image: {region: us-east-1, imageId: ami-0feedfacefeedface}}";
    for name in ["later", "plain"] {
        namespace.apply(name, source, &["us-east-1"], "");
    }
    let later = namespace.until_ready("later");
    namespace.until_ready("plain");

    apply_crds_of_a_later_version(alone.lab.cluster.control_plane.kubectl());
    let recipe = r#"{"spec": {"source": {"image": null, "build": {"recipe": "web"}}}}"#;
    namespace.patch("later", recipe);
    eventually(PATIENCE, "the log names the object", || {
        let log = alone.lab.amity.log();
        let named = log
            .lines()
            .any(|line| line.contains("cannot read the MachineImage") && line.contains("later"));
        if named { Ok(()) } else { Err(log) }
    })
    .unwrap();

    // The others go on.
    namespace.patch(
        "plain",
        r#"{"spec": {"rebuild": "again", "retention": {"revisions": 0}}}"#,
    );
    let plain = namespace.until_ready("plain");
    namespace.assert_served(&plain, &["us-east-1"]);
    namespace.delete("later");
    alone.lab.until_read_three_times("111122223333");
    let holdings = alone.lab.holdings();
    let there: Vec<_> = holdings.images_of("later-version/later");
    assert_eq!(there.len(), 1, "{there:?}");
    assert!(there[0].is_published());
    assert_eq!(there[0].id, published(&later)["us-east-1"]);
    let object = namespace
        .kubectl
        .get_json(&["machineimage", "later"])
        .unwrap();
    assert_eq!(
        object["metadata"]["finalizers"],
        json!(["amity.dev/cleanup"]),
        "{object}"
    );

    // The definitions of today would refuse any change of it, and so the next test.
    let no_finalizers = without_finalizers("machineimage", "later");
    namespace.kubectl.run(&no_finalizers).unwrap().ok().unwrap();
    apply_crds(alone.lab.cluster.control_plane.kubectl());
}

/// Definitions in which a source may be anything.
fn apply_crds_of_a_later_version(kubectl: &Kubectl) {
    let mut crd = kubectl
        .get_json(&["crd", "machineimages.amity.dev"])
        .unwrap();
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/source";
    let source: &mut Value = crd.pointer_mut(path).unwrap();
    *source = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    // They look into the source of today.
    for path in ["", "/properties/spec"] {
        let path = format!("/spec/versions/0/schema/openAPIV3Schema{path}");
        let schema: &mut Value = crd.pointer_mut(&path).unwrap();
        drop(
            schema
                .as_object_mut()
                .unwrap()
                .remove("x-kubernetes-validations"),
        );
    }
    let later = json!({
        "apiVersion": crd["apiVersion"], "kind": crd["kind"],
        "metadata": {"name": "machineimages.amity.dev"}, "spec": crd["spec"],
    });
    kubectl.apply_yaml(&later.to_string()).unwrap();
}
