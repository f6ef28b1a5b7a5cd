//! DELETE.

use serde_json::{Value, json};

use super::*;

fn with_held() -> (Kubernetes, Value) {
    let kubernetes = kubernetes();
    let held = with_metadata(
        widget("web", &json!({})),
        "finalizers",
        json!(["a/a", "b/b"]),
    );
    let held = kubernetes.created(WIDGETS, &held);
    (kubernetes, held)
}

fn finalizers(names: &Value) -> Value {
    json!({"metadata": {"finalizers": names}})
}

#[test]
fn without_finalizers_it_is_gone() {
    let kubernetes = kubernetes();
    let web = kubernetes.created(WIDGETS, &widget("web", &json!({})));
    let (status, answer) = kubernetes.remove(WEB, &json!({"propagationPolicy": "Background"}));
    assert_eq!((status, &answer["status"]), (200, &json!("Success")));
    assert_eq!(answer["details"]["uid"], web["metadata"]["uid"]);
    assert_eq!(reason(&kubernetes.read(WEB)), (404, "NotFound"));
    assert_eq!(
        reason(&kubernetes.remove(WEB, &Value::Null)),
        (404, "NotFound")
    );
    let again = kubernetes.created(WIDGETS, &widget("web", &json!({})));
    assert_ne!(again["metadata"]["uid"], web["metadata"]["uid"]);
}

#[test]
fn with_finalizers_it_waits_for_them() {
    let (kubernetes, held) = with_held();
    let (status, ending) = kubernetes.remove(WEB, &Value::Null);
    assert_eq!(status, 200);
    assert_eq!(ending["metadata"]["deletionTimestamp"], NOW);
    assert_eq!(ending["metadata"]["generation"], 2);
    assert_ne!(version(&ending), version(&held));
    assert_eq!(
        kubernetes.remove(WEB, &Value::Null),
        (200, ending),
        "once is enough"
    );
    assert_eq!(kubernetes.merge(WEB, &finalizers(&json!(["b/b"]))).0, 200);
    let (status, last) = kubernetes.merge(WEB, &finalizers(&Value::Null));
    assert_eq!((status, last["metadata"].get("finalizers")), (200, None));
    assert_eq!(reason(&kubernetes.read(WEB)), (404, "NotFound"));
}

#[test]
fn who_goes_is_not_held_anew_and_not_brought_back() {
    let (kubernetes, _) = with_held();
    kubernetes.remove(WEB, &Value::Null);
    let answer = kubernetes.merge(WEB, &finalizers(&json!(["a/a", "c/c"])));
    assert_eq!(reason(&answer), (422, "Invalid"));
    let (_, patched) = kubernetes.merge(WEB, &json!({"metadata": {"deletionTimestamp": null}}));
    assert_eq!(patched["metadata"]["deletionTimestamp"], NOW);
    let answer = kubernetes.post(WIDGETS, &widget("web", &json!({})));
    assert_eq!(reason(&answer), (409, "AlreadyExists"));
}

#[test]
fn it_is_this_very_object_or_a_conflict() {
    let (kubernetes, held) = with_held();
    for (field, value) in [("uid", "other"), ("resourceVersion", "1")] {
        let answer = kubernetes.remove(WEB, &json!({"preconditions": {field: value}}));
        assert_eq!(reason(&answer), (409, "Conflict"));
    }
    let precisely = json!({"uid": held["metadata"]["uid"], "resourceVersion": version(&held)});
    assert_eq!(
        kubernetes
            .remove(WEB, &json!({"preconditions": precisely}))
            .0,
        200
    );
}

#[test]
fn a_collection_goes_item_by_item() {
    let (kubernetes, _) = with_held();
    kubernetes.created(WIDGETS, &widget("free", &json!({})));
    kubernetes.created(
        WIDGETS,
        &with_metadata(widget("kept", &json!({})), "labels", json!({"keep": "1"})),
    );
    let (status, list) = kubernetes.remove(&format!("{WIDGETS}?labelSelector=!keep"), &Value::Null);
    assert_eq!(status, 200);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(kubernetes.read(&format!("{WIDGETS}/free")).0, 404);
    assert_eq!(kubernetes.read(WEB).1["metadata"]["deletionTimestamp"], NOW);
    assert_eq!(kubernetes.read(&format!("{WIDGETS}/kept")).0, 200);
}
