//! Watches.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use super::*;

/// The next event, or `None` at the end. Waits a day at most.
async fn next(body: &mut Body) -> Option<Value> {
    let frame = timeout(Duration::from_hours(24), body.frame())
        .await
        .expect("an event within a day")?;
    let line = frame.expect("infallible").into_data().expect("data");
    Some(serde_json::from_slice(&line).expect("one event a frame"))
}

/// Type, name and version of the next event.
async fn told(body: &mut Body) -> String {
    let event = next(body).await.expect("an event");
    let metadata = &event["object"]["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    format!("{} {}", text(&event["type"]), text(&metadata["name"]))
}

async fn is_silent(body: &mut Body) -> bool {
    timeout(Duration::from_secs(1), body.frame()).await.is_err()
}

const WATCH: &str = "/api/v1/namespaces/default/configmaps?watch=true";

fn since(version: u64) -> String {
    format!("{WATCH}&resourceVersion={version}")
}

/// Creates, changes and deletes a config map.
fn change_things(kubernetes: &Kubernetes) {
    let path = format!("{CONFIG_MAPS}/c");
    kubernetes.created(CONFIG_MAPS, &config_map("c"));
    kubernetes.merge(&path, &json!({"data": {"a": "1"}}));
    kubernetes.merge(&path, &json!({"data": {"a": "1"}}));
    kubernetes.remove(&path, &Value::Null);
}

#[tokio::test(start_paused = true)]
async fn changes_are_told_in_order_and_again_to_those_who_come_late() {
    let kubernetes = kubernetes();
    let before = kubernetes.version();
    let mut early = kubernetes.watching(&since(before), "");
    change_things(&kubernetes);
    let mut late = kubernetes.watching(&since(before), "");
    for watching in [&mut early, &mut late] {
        let events = [
            next(watching).await,
            next(watching).await,
            next(watching).await,
        ];
        let [added, modified, deleted] = events.map(|event| event.expect("an event"));
        assert_eq!(added["type"], "ADDED");
        assert_eq!(modified["type"], "MODIFIED");
        assert_eq!(deleted["type"], "DELETED");
        assert_eq!(
            deleted["object"]["data"],
            json!({"a": "1"}),
            "its last state"
        );
        assert_eq!(
            version(&deleted["object"]),
            kubernetes.version().to_string()
        );
        assert!(is_silent(watching).await);
    }
    let mut later = kubernetes.watching(&since(before + 2), "");
    assert_eq!(told(&mut later).await, "DELETED c");
}

#[tokio::test(start_paused = true)]
async fn without_a_version_what_is_there_comes_first() {
    let kubernetes = kubernetes();
    kubernetes.created(CONFIG_MAPS, &config_map("b"));
    kubernetes.created(CONFIG_MAPS, &config_map("a"));
    for path in [WATCH.to_owned(), since(0)] {
        let mut watching = kubernetes.watching(&path, "");
        assert_eq!(told(&mut watching).await, "ADDED a");
        assert_eq!(told(&mut watching).await, "ADDED b");
        assert!(is_silent(&mut watching).await);
    }
    let path = format!(
        "{WATCH}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    );
    let mut watching = kubernetes.watching(&path, METADATA);
    assert_eq!(told(&mut watching).await, "ADDED a");
    assert_eq!(told(&mut watching).await, "ADDED b");
    let end = next(&mut watching).await.expect("a bookmark");
    assert_eq!(end["type"], "BOOKMARK");
    assert_eq!(end["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(
        end["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"],
        "true"
    );
}

#[tokio::test(start_paused = true)]
async fn what_begins_or_ceases_to_be_selected_is_told() {
    let kubernetes = kubernetes();
    let selected = format!("{}&labelSelector=app%3Dweb", since(kubernetes.version()));
    let mut watching = kubernetes.watching(&selected, "");
    let path = format!("{CONFIG_MAPS}/c");
    let app = |app: Value| json!({"metadata": {"labels": {"app": app}}});
    kubernetes.created(CONFIG_MAPS, &config_map("c"));
    kubernetes.merge(&path, &app(json!("web")));
    assert_eq!(told(&mut watching).await, "ADDED c");
    kubernetes.merge(&path, &app(json!("db")));
    let deleted = next(&mut watching).await.expect("an event");
    assert_eq!(deleted["type"], "DELETED");
    assert_eq!(deleted["object"]["metadata"]["labels"]["app"], "web");
    assert_eq!(
        version(&deleted["object"]),
        kubernetes.version().to_string()
    );
    kubernetes.remove(&path, &Value::Null);
    assert!(is_silent(&mut watching).await);
}

#[tokio::test(start_paused = true)]
async fn other_namespaces_are_not_told() {
    let kubernetes = kubernetes();
    let mut watching = kubernetes.watching(&since(kubernetes.version()), "");
    let elsewhere = CONFIG_MAPS.replace("default", "kube-system");
    kubernetes.created(&elsewhere, &config_map("c"));
    assert!(is_silent(&mut watching).await);
}

#[tokio::test(start_paused = true)]
async fn it_ends_in_time_and_tells_the_version_before() {
    let kubernetes = kubernetes();
    let path = format!(
        "{}&allowWatchBookmarks=true&timeoutSeconds=150",
        since(kubernetes.version())
    );
    let begin = Instant::now();
    let mut watching = kubernetes.watching(&path, "");
    kubernetes.created(NAMESPACES, &namespace("other"));
    for seconds in [60, 120, 148] {
        let bookmark = next(&mut watching).await.expect("a bookmark");
        assert_eq!(bookmark["type"], "BOOKMARK");
        assert_eq!(bookmark["object"]["kind"], "ConfigMap");
        assert_eq!(
            version(&bookmark["object"]),
            kubernetes.version().to_string()
        );
        assert_eq!(begin.elapsed(), Duration::from_secs(seconds));
    }
    assert_eq!(next(&mut watching).await, None);
    assert_eq!(begin.elapsed(), Duration::from_secs(150));
}

#[tokio::test(start_paused = true)]
async fn one_that_begins_too_early_gets_an_error_and_ends() {
    let kubernetes = kubernetes();
    let before = kubernetes.version();
    change_things(&kubernetes);
    let mut open = kubernetes.watching(&since(before), "");
    kubernetes.compact();
    let mut watching = kubernetes.watching(&since(before), "");
    let error = next(&mut watching).await.expect("an error");
    assert_eq!(error["type"], "ERROR");
    assert_eq!(
        (&error["object"]["code"], &error["object"]["reason"]),
        (&json!(410), &json!("Expired"))
    );
    assert_eq!(next(&mut watching).await, None);
    assert_eq!(
        told(&mut open).await,
        "ADDED c",
        "who watches already misses nothing"
    );
    let mut now = kubernetes.watching(&since(kubernetes.version()), "");
    assert!(is_silent(&mut now).await);
}

#[tokio::test(start_paused = true)]
async fn one_that_begins_in_the_future_waits_for_it() {
    let kubernetes = kubernetes();
    let path = format!(
        "{}&allowWatchBookmarks=true&timeoutSeconds=300",
        since(kubernetes.version() + 2)
    );
    let mut watching = kubernetes.watching(&path, "");
    kubernetes.created(CONFIG_MAPS, &config_map("a"));
    kubernetes.created(CONFIG_MAPS, &config_map("b"));
    kubernetes.created(CONFIG_MAPS, &config_map("c"));
    assert_eq!(told(&mut watching).await, "ADDED c");
}

#[tokio::test(start_paused = true)]
async fn held_watches_are_told_when_they_are_released() {
    let kubernetes = kubernetes();
    let before = kubernetes.version();
    let bookmarks = "&allowWatchBookmarks=true&timeoutSeconds=300";
    let mut open = kubernetes.watching(&format!("{}{bookmarks}", since(before - 1)), "");
    kubernetes.hold_watches();
    change_things(&kubernetes);
    let mut late = kubernetes.watching(&since(before), "");
    let mut current = kubernetes.watching(&since(kubernetes.version()), "");
    assert!(is_silent(&mut late).await);
    let bookmark = next(&mut open).await.expect("a bookmark");
    assert_eq!(
        version(&bookmark["object"]),
        before.to_string(),
        "of what was told"
    );
    kubernetes.release_watches();
    for watching in [&mut open, &mut late] {
        assert_eq!(told(watching).await, "ADDED c");
        assert_eq!(told(watching).await, "MODIFIED c");
        assert_eq!(told(watching).await, "DELETED c");
    }
    assert!(is_silent(&mut current).await, "that was known there");
    kubernetes.created(CONFIG_MAPS, &config_map("d"));
    assert_eq!(told(&mut current).await, "ADDED d");
}

#[tokio::test(start_paused = true)]
async fn dropped_watches_end() {
    let kubernetes = kubernetes();
    let mut watching = kubernetes.watching(&since(kubernetes.version()), "");
    kubernetes.drop_watches();
    assert_eq!(next(&mut watching).await, None);
}
