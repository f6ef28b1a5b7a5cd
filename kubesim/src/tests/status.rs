//! The status subresource.

use serde_json::{Value, json};

use super::*;

const STATUS: &str = "/apis/example.dev/v1/namespaces/default/widgets/web/status";

fn with_web() -> (Kubernetes, Value) {
    let kubernetes = kubernetes();
    let web = kubernetes.created(WIDGETS, &widget("web", &json!({})));
    (kubernetes, web)
}

#[test]
fn only_the_status_is_written_there() {
    let (kubernetes, mut web) = with_web();
    web["spec"]["size"] = json!(5);
    web["metadata"]["labels"] = json!({"a": "b"});
    web["status"] = json!({"observedGeneration": 1});
    let (status, written) = kubernetes.put(STATUS, &web);
    assert_eq!(status, 200);
    assert_eq!(written["spec"], json!({"size": 1}));
    assert_eq!(written["metadata"].get("labels"), None);
    assert_eq!(written["metadata"]["generation"], 1);
    assert_eq!(written["status"], json!({"observedGeneration": 1}));
    assert_ne!(version(&written), version(&web));
}

#[test]
fn it_has_the_same_preconditions() {
    let (kubernetes, web) = with_web();
    let other = with_metadata(web.clone(), "uid", json!("other"));
    assert_eq!(reason(&kubernetes.put(STATUS, &other)), (409, "Conflict"));
    kubernetes.merge(STATUS, &json!({"status": {"a": 1}}));
    assert_eq!(reason(&kubernetes.put(STATUS, &web)), (409, "Conflict"));
}

#[test]
fn without_a_status_there_is_its_default() {
    let (kubernetes, web) = with_web();
    kubernetes.merge(STATUS, &json!({"status": {"a": 1}}));
    let (_, wiped) = kubernetes.merge(STATUS, &json!({"status": null}));
    assert_eq!(wiped["status"], web["status"]);
    assert_eq!(
        kubernetes.merge(STATUS, &json!({"status": null})),
        (200, wiped)
    );
}
