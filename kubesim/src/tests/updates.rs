//! PUT and JSON Merge Patch of whole objects.

use serde_json::{Value, json};

use super::*;

fn with_web() -> (Kubernetes, Value) {
    let kubernetes = kubernetes();
    let web = kubernetes.created(WIDGETS, &widget("web", &json!({"tags": {"a": "1"}})));
    (kubernetes, web)
}

#[test]
fn an_old_version_is_a_conflict() {
    let (kubernetes, web) = with_web();
    assert_eq!(
        kubernetes
            .put(
                WEB,
                &with_metadata(web.clone(), "labels", json!({"a": "b"}))
            )
            .0,
        200
    );
    let answer = kubernetes.put(WEB, &web);
    assert_eq!(reason(&answer), (409, "Conflict"));
    let patch = json!({"metadata": {"resourceVersion": version(&web)}});
    assert_eq!(reason(&kubernetes.merge(WEB, &patch)), (409, "Conflict"));
}

#[test]
fn a_put_of_a_custom_resource_needs_a_version() {
    let (kubernetes, web) = with_web();
    for version in [Value::Null, json!("0")] {
        let answer = kubernetes.put(WEB, &with_metadata(web.clone(), "resourceVersion", version));
        assert_eq!(reason(&answer), (422, "Invalid"));
    }
    let config = kubernetes.created(CONFIG_MAPS, &config_map("c"));
    let path = format!("{CONFIG_MAPS}/c");
    let unconditional = with_metadata(config, "resourceVersion", Value::Null);
    assert_eq!(kubernetes.put(&path, &unconditional).0, 200);
}

#[test]
fn another_uid_is_a_conflict_in_a_put_and_invalid_in_a_patch() {
    let (kubernetes, web) = with_web();
    let other = with_metadata(web, "uid", json!("other"));
    assert_eq!(reason(&kubernetes.put(WEB, &other)), (409, "Conflict"));
    let patch = json!({"metadata": {"uid": "other"}});
    assert_eq!(reason(&kubernetes.merge(WEB, &patch)), (422, "Invalid"));
}

#[test]
fn what_changes_nothing_is_no_new_version() {
    let (kubernetes, _) = with_web();
    let (_, web) = kubernetes.merge(WEB, &json!({"spec": {"size": 2}}));
    assert_eq!(kubernetes.put(WEB, &web), (200, web.clone()));
    assert_eq!(
        kubernetes.merge(WEB, &json!({"spec": {"tags": {"a": "1"}}})),
        (200, web)
    );
}

#[test]
fn a_status_that_is_only_shown_is_stored_by_the_first_write() {
    let (kubernetes, created) = with_web();
    let (_, first) = kubernetes.put(WEB, &created);
    assert_ne!(version(&first), version(&created));
    assert_eq!(first["status"], created["status"]);
    assert_eq!(kubernetes.put(WEB, &first), (200, first.clone()));
    // Once it was wiped it is only shown again.
    let status = format!("{WEB}/status");
    let (_, wiped) = kubernetes.merge(&status, &json!({"status": null}));
    assert_ne!(version(&wiped), version(&first));
    assert_eq!(
        kubernetes.merge(&status, &json!({"status": null})),
        (200, wiped.clone())
    );
    assert_ne!(
        version(&kubernetes.merge(WEB, &json!({})).1),
        version(&wiped)
    );
}

#[test]
fn the_generation_counts_changes_of_the_spec_only() {
    let (kubernetes, web) = with_web();
    let generation =
        |patch: Value| kubernetes.merge(WEB, &patch).1["metadata"]["generation"].clone();
    assert_eq!(
        generation(json!({"metadata": {"labels": {"a": "b"}, "generation": 9}})),
        1
    );
    assert_eq!(generation(json!({"spec": {"size": 2}})), 2);
    assert_eq!(generation(json!({"status": {"observedGeneration": 2}})), 2);
    assert_eq!(kubernetes.read(WEB).1["status"], web["status"]);
}

#[test]
fn what_a_put_leaves_out_goes_or_has_its_default_again() {
    let (kubernetes, web) = with_web();
    let mut bare = widget("web", &json!({"size": null}));
    bare["metadata"]["resourceVersion"] = json!(version(&web));
    let (_, put) = kubernetes.put(WEB, &bare);
    assert_eq!(put["spec"], json!({"size": 1}));
    assert_eq!(put["metadata"]["uid"], web["metadata"]["uid"]);
    assert_eq!(put["metadata"]["creationTimestamp"], NOW);
    assert_eq!(put["status"], json!({"observedGeneration": -1}));
}

#[test]
fn null_in_a_merge_patch_takes_away() {
    let (kubernetes, _) = with_web();
    let patch = json!({"spec": {"tags": {"a": null, "b": {"c": null}}, "size": null}, "metadata": {"labels": {}}});
    let (_, patched) = kubernetes.merge(WEB, &patch);
    assert_eq!(patched["spec"], json!({"size": 1, "tags": {"b": {}}}));
    assert_eq!(
        patched["metadata"].get("labels"),
        None,
        "what is empty is left out"
    );
}

#[test]
fn name_and_namespace_cannot_be_changed() {
    let (kubernetes, web) = with_web();
    for (field, value) in [("name", "other"), ("namespace", "kube-system")] {
        let other = with_metadata(web.clone(), field, json!(value));
        assert_eq!(reason(&kubernetes.put(WEB, &other)), (400, "BadRequest"));
        let patch = json!({"metadata": {field: value}});
        assert_eq!(reason(&kubernetes.merge(WEB, &patch)), (400, "BadRequest"));
    }
}

#[test]
fn what_is_not_there_is_not_changed() {
    let kubernetes = kubernetes();
    let web = with_metadata(widget("web", &json!({})), "resourceVersion", json!("1"));
    assert_eq!(reason(&kubernetes.put(WEB, &web)), (404, "NotFound"));
    assert_eq!(
        reason(&kubernetes.merge(WEB, &json!({}))),
        (404, "NotFound")
    );
}

#[test]
fn a_lease_is_created_by_put() {
    let kubernetes = kubernetes();
    let path = format!("{LEASES}/leader");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "leader", "resourceVersion": "1"}, "spec": {"holderIdentity": "a"},
    });
    let of_another = with_metadata(lease.clone(), "uid", json!("gone"));
    assert_eq!(
        reason(&kubernetes.put(&path, &of_another)),
        (409, "Conflict")
    );
    let (status, created) = kubernetes.put(&path, &lease);
    assert_eq!(status, 201);
    assert_eq!(kubernetes.put(&path, &created).0, 200);
    assert_eq!(reason(&kubernetes.put(&path, &lease)), (409, "Conflict"));
}

#[test]
fn an_unknown_kind_of_patch_is_refused() {
    let (kubernetes, _) = with_web();
    let types = ("application/json", "application/json-patch+json");
    let answer = kubernetes.ask(Method::PATCH, WEB, types, &json!([]));
    assert_eq!(reason(&answer), (415, "UnsupportedMediaType"));
    let answer = kubernetes.merge(&format!("{WEB}?dryRun=All"), &json!({}));
    assert_eq!(reason(&answer), (400, "BadRequest"));
}
