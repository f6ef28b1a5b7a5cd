//! Lists.

use serde_json::{Value, json};

use super::*;

fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["metadata"]["name"].as_str().expect("a name"))
        .collect()
}

fn with_config_maps() -> Kubernetes {
    let kubernetes = kubernetes();
    for (name, labels) in [
        ("c", json!({"app": "web"})),
        ("a", json!({"app": "db"})),
        ("b.d", Value::Null),
        ("b-d", Value::Null),
    ] {
        kubernetes.created(
            CONFIG_MAPS,
            &with_metadata(config_map(name), "labels", labels),
        );
    }
    kubernetes
}

#[test]
fn a_list_is_in_order_and_says_of_which_version_it_is() {
    let kubernetes = with_config_maps();
    let (status, list) = kubernetes.read(CONFIG_MAPS);
    assert_eq!(status, 200);
    assert_eq!(list["kind"], "ConfigMapList");
    assert_eq!(list["apiVersion"], "v1");
    assert_eq!(names(&list), ["a", "b-d", "b.d", "c"]);
    assert_eq!(version(&list), kubernetes.version().to_string());
}

#[test]
fn all_namespaces_are_listed_by_namespace_and_name() {
    let kubernetes = with_config_maps();
    kubernetes.created(NAMESPACES, &namespace("default-too"));
    let elsewhere = CONFIG_MAPS.replace("default", "default-too");
    kubernetes.created(&elsewhere, &config_map("z"));
    let (_, list) = kubernetes.read("/api/v1/configmaps");
    // As etcd sorts its keys: `-` comes before `/`.
    assert_eq!(names(&list), ["z", "a", "b-d", "b.d", "c"]);
    assert_eq!(names(&kubernetes.read(&elsewhere).1), ["z"]);
}

#[test]
fn pages_are_of_the_version_of_the_first() {
    let kubernetes = with_config_maps();
    let (_, first) = kubernetes.read(&format!("{CONFIG_MAPS}?limit=2"));
    assert_eq!(names(&first), ["a", "b-d"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 2);
    kubernetes.remove(&format!("{CONFIG_MAPS}/c"), &Value::Null);
    kubernetes.created(CONFIG_MAPS, &config_map("d"));
    kubernetes.merge(&format!("{CONFIG_MAPS}/b.d"), &json!({"data": {"a": "1"}}));
    let token = first["metadata"]["continue"].as_str().expect("a token");
    let next = format!("{CONFIG_MAPS}?limit=2&continue={token}");
    let (_, second) = kubernetes.read(&next);
    assert_eq!(names(&second), ["b.d", "c"]);
    assert_eq!(second["items"][0].get("data"), None);
    assert_eq!(version(&second), version(&first));
    assert_eq!(second["metadata"].get("continue"), None);
    kubernetes.compact();
    let answer = kubernetes.read(&next);
    assert_eq!(reason(&answer), (410, "Expired"));
    // The rest as it is now.
    let token = answer.1["metadata"]["continue"].as_str().expect("a token");
    let (_, rest) = kubernetes.read(&format!("{CONFIG_MAPS}?limit=2&continue={token}"));
    assert_eq!(names(&rest), ["b.d", "d"]);
    assert_eq!(version(&rest), kubernetes.version().to_string());
}

#[test]
fn a_list_can_be_of_an_exact_version() {
    let kubernetes = with_config_maps();
    let then = kubernetes.version();
    kubernetes.remove(&format!("{CONFIG_MAPS}/a"), &Value::Null);
    let exactly = |version| {
        kubernetes.read(&format!(
            "{CONFIG_MAPS}?resourceVersion={version}&resourceVersionMatch=Exact"
        ))
    };
    assert_eq!(names(&exactly(then).1), ["a", "b-d", "b.d", "c"]);
    assert_eq!(names(&exactly(then - 1).1), ["a", "b.d", "c"]);
    let at_least =
        format!("{CONFIG_MAPS}?resourceVersion={then}&resourceVersionMatch=NotOlderThan");
    assert_eq!(names(&kubernetes.read(&at_least).1), ["b-d", "b.d", "c"]);
    assert_eq!(reason(&exactly(99_999)), (504, "Timeout"));
    kubernetes.compact();
    assert_eq!(reason(&exactly(then)), (410, "Expired"));
}

#[test]
fn labels_and_names_select() {
    let kubernetes = with_config_maps();
    let selected = |selector: &str| {
        let (status, list) = kubernetes.read(&format!("{CONFIG_MAPS}?{selector}"));
        assert_eq!(status, 200, "{list}");
        names(&list).join(" ")
    };
    assert_eq!(selected("labelSelector=app%3Dweb"), "c");
    assert_eq!(selected("labelSelector=app%3D%3Ddb"), "a");
    assert_eq!(selected("labelSelector=app!%3Dweb"), "a b-d b.d");
    assert_eq!(selected("labelSelector=app,app!%3Ddb"), "c");
    assert_eq!(selected("labelSelector=!app"), "b-d b.d");
    assert_eq!(selected("fieldSelector=metadata.name%3Db.d"), "b.d");
    assert_eq!(selected("fieldSelector=metadata.namespace%3Dother"), "");
    for unknown in [
        "labelSelector=app+in+(web)",
        "fieldSelector=data.a%3D1",
        "shard=1",
    ] {
        let answer = kubernetes.read(&format!("{CONFIG_MAPS}?{unknown}"));
        assert_eq!(reason(&answer), (400, "BadRequest"));
    }
}

#[test]
fn metadata_alone_can_be_asked_for() {
    let kubernetes = with_config_maps();
    kubernetes.merge(&format!("{CONFIG_MAPS}/a"), &json!({"data": {"a": "1"}}));
    let partial = |path: &str| {
        kubernetes
            .ask(Method::GET, path, (METADATA, ""), &Value::Null)
            .1
    };
    let list = partial(CONFIG_MAPS);
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(names(&list), ["a", "b-d", "b.d", "c"]);
    assert_eq!(list["items"][0].get("data"), None);
    let one = partial(&format!("{CONFIG_MAPS}/a"));
    assert_eq!(one["kind"], "PartialObjectMetadata");
    assert_eq!(one["metadata"]["labels"]["app"], "db");
    assert_eq!(one.as_object().map(serde_json::Map::len), Some(3));
}
