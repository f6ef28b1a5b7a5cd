//! POST.

use serde_json::{Value, json};

use super::*;

#[test]
fn the_server_writes_uid_time_generation_and_version() {
    let kubernetes = kubernetes();
    let before = kubernetes.version();
    let mut body = widget("web", &json!({}));
    for (field, value) in [
        ("uid", json!("mine")),
        ("generation", json!(9)),
        ("creationTimestamp", json!("2020-01-01T00:00:00Z")),
        ("deletionTimestamp", json!("2020-01-01T00:00:00Z")),
    ] {
        body = with_metadata(body, field, value);
    }
    let created = kubernetes.created(WIDGETS, &body);
    let metadata = &created["metadata"];
    assert_eq!(metadata["uid"], "00000007-0000-4000-8000-000000000005");
    assert_eq!(metadata["generation"], 1);
    assert_eq!(metadata["creationTimestamp"], NOW);
    assert_eq!(metadata["namespace"], "default");
    assert_eq!(metadata.get("deletionTimestamp"), None);
    assert_eq!(version(&created), (before + 1).to_string());
    assert_eq!(kubernetes.read(WEB), (200, created));
}

#[test]
fn a_status_is_not_created_but_its_default_is() {
    let mut body = widget("web", &json!({"size": null}));
    body["status"] = json!({"observedGeneration": 5});
    let created = kubernetes().created(WIDGETS, &body);
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
    assert_eq!(created["spec"], json!({"size": 1}));
}

#[test]
fn without_a_status_of_its_own_a_resource_has_it_as_a_field() {
    let body = json!({
        "apiVersion": "example.dev/v1", "kind": "Gadget", "metadata": {"name": "g"}, "status": {"a": 1},
    });
    let kubernetes = kubernetes();
    assert_eq!(
        kubernetes.created(GADGETS, &body)["status"],
        json!({"a": 1})
    );
    let answer = kubernetes.merge(&format!("{GADGETS}/g/status"), &json!({}));
    assert_eq!(reason(&answer), (404, "NotFound"));
    let (_, patched) = kubernetes.merge(&format!("{GADGETS}/g"), &json!({"status": {"a": 2}}));
    assert_eq!(patched["metadata"]["generation"], 2);
}

#[test]
fn nothing_is_created_twice() {
    let kubernetes = kubernetes();
    kubernetes.created(WIDGETS, &widget("web", &json!({})));
    let answer = kubernetes.post(WIDGETS, &widget("web", &json!({})));
    assert_eq!(reason(&answer), (409, "AlreadyExists"));
    assert_eq!(
        answer.1["message"],
        "widgets.example.dev \"web\" already exists"
    );
    let details = json!({"name": "web", "group": "example.dev", "kind": "widgets"});
    assert_eq!(answer.1["details"], details);
}

#[test]
fn nothing_is_created_where_there_is_no_namespace() {
    let answer = kubernetes().post(
        &WIDGETS.replace("default", "nowhere"),
        &widget("web", &json!({})),
    );
    assert_eq!(reason(&answer), (404, "NotFound"));
    assert_eq!(answer.1["message"], "namespaces \"nowhere\" not found");
}

#[test]
fn what_does_not_fit_the_path_is_refused() {
    let kubernetes = kubernetes();
    let named = widget("web", &json!({}));
    let nameless = with_metadata(named.clone(), "name", Value::Null);
    assert_eq!(
        reason(&kubernetes.post(WIDGETS, &nameless)),
        (422, "Invalid")
    );
    let elsewhere = with_metadata(named.clone(), "namespace", json!("elsewhere"));
    assert_eq!(
        reason(&kubernetes.post(WIDGETS, &elsewhere)),
        (400, "BadRequest")
    );
    assert_eq!(
        reason(&kubernetes.post(CONFIG_MAPS, &named)),
        (400, "BadRequest")
    );
    assert_eq!(
        kubernetes.post("/apis/example.dev/v1/widgets", &named).0,
        404
    );
    let answer = kubernetes.post("/api/v1/configmaps", &config_map("c"));
    assert_eq!(reason(&answer), (405, "MethodNotAllowed"));
    let versioned = with_metadata(named, "resourceVersion", json!("1"));
    assert_eq!(kubernetes.post(WIDGETS, &versioned).0, 500);
}

#[test]
fn a_path_that_nothing_is_served_under_is_no_status() {
    for path in [
        "/apis/example.dev/v1/namespaces/default/things",
        "/apis/example.dev/v1/namespaces/default/gadgets",
        "/apis/example.dev/v1/widgets/web",
        "/version",
    ] {
        let answer = kubernetes().read(path);
        assert_eq!(answer, (404, json!("404 page not found\n")));
    }
}
