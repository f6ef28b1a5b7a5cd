//! Namespaces.

use serde_json::{Value, json};

use super::*;

const TEAM: &str = "/api/v1/namespaces/team";
const IN_TEAM: &str = "/apis/example.dev/v1/namespaces/team/widgets";

fn with_team() -> Kubernetes {
    let kubernetes = kubernetes();
    kubernetes.created(NAMESPACES, &namespace("team"));
    let held = with_metadata(widget("held", &json!({})), "finalizers", json!(["a/a"]));
    kubernetes.created(IN_TEAM, &held);
    kubernetes.created(IN_TEAM, &widget("free", &json!({})));
    kubernetes.created("/api/v1/namespaces/team/configmaps", &config_map("c"));
    kubernetes
}

#[test]
fn a_new_cluster_has_its_own() {
    let (_, list) = kubernetes().read(NAMESPACES);
    let names = list["items"].as_array().expect("items").iter();
    let names: Vec<_> = names.map(|one| one["metadata"]["name"].as_str()).collect();
    let own = ["default", "kube-node-lease", "kube-public", "kube-system"];
    assert_eq!(names, own.map(Some));
    assert_eq!(list["items"][0]["status"]["phase"], "Active");
    assert_eq!(
        list["items"][0]["metadata"]["labels"]["kubernetes.io/metadata.name"],
        "default"
    );
}

#[test]
fn the_clusters_own_are_not_deleted() {
    let answer = kubernetes().remove("/api/v1/namespaces/kube-system", &Value::Null);
    assert_eq!(reason(&answer), (403, "Forbidden"));
}

#[test]
fn it_ends_when_nothing_is_in_it() {
    let kubernetes = with_team();
    let (status, ending) = kubernetes.remove(TEAM, &Value::Null);
    assert_eq!(
        (status, &ending["status"]["phase"]),
        (200, &json!("Terminating"))
    );
    assert_eq!(kubernetes.read(&format!("{IN_TEAM}/free")).0, 404);
    let (_, held) = kubernetes.read(&format!("{IN_TEAM}/held"));
    assert_eq!(held["metadata"]["deletionTimestamp"], NOW);
    assert_eq!(kubernetes.remove(TEAM, &Value::Null).0, 200);
    let release = json!({"metadata": {"finalizers": []}});
    assert_eq!(
        kubernetes.merge(&format!("{IN_TEAM}/held"), &release).0,
        200
    );
    assert_eq!(reason(&kubernetes.read(TEAM)), (404, "NotFound"));
    assert_eq!(kubernetes.read(WEB).0, 404, "nothing else is touched");
}

#[test]
fn nothing_is_created_in_one_that_ends() {
    let kubernetes = with_team();
    kubernetes.remove(TEAM, &Value::Null);
    let answer = kubernetes.post(IN_TEAM, &widget("late", &json!({})));
    assert_eq!(reason(&answer), (403, "Forbidden"));
    assert_eq!(
        answer.1["details"]["causes"][0]["reason"],
        "NamespaceTerminating"
    );
    let answer = kubernetes.apply_as("a", &format!("{IN_TEAM}/late"), &widget("late", &json!({})));
    assert_eq!(reason(&answer), (403, "Forbidden"));
    let answer = kubernetes.merge(&format!("{IN_TEAM}/held"), &json!({"spec": {"size": 3}}));
    assert_eq!(answer.0, 200, "what is there can be changed");
}

#[test]
fn its_phase_and_finalizers_are_the_servers() {
    let kubernetes = with_team();
    let patch = json!({"spec": {"finalizers": null}, "status": {"phase": "Odd"}, "metadata": {"labels": {"a": "b"}}});
    let (_, patched) = kubernetes.merge(TEAM, &patch);
    assert_eq!(patched["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(patched["status"]["phase"], "Active");
    assert_eq!(patched["metadata"]["labels"]["a"], "b");
}
