//! Server-side apply.

use serde_json::{Value, json};

use super::*;

fn spec(answer: &(u16, Value)) -> &Value {
    assert!(answer.0 < 300, "{}", answer.1);
    &answer.1["spec"]
}

fn owners_conflict(answer: &(u16, Value)) -> Vec<String> {
    assert_eq!(reason(answer), (409, "Conflict"), "{}", answer.1);
    let causes = answer.1["details"]["causes"].as_array().expect("causes");
    let field = |cause: &Value| {
        assert_eq!(cause["reason"], "FieldManagerConflict");
        let text = |field: &str| cause[field].as_str().expect("a text").to_owned();
        format!("{} {}", text("message"), text("field"))
    };
    causes.iter().map(field).collect()
}

#[test]
fn what_is_not_there_is_created() {
    let kubernetes = kubernetes();
    let config = widget("web", &json!({"tags": {"a": "1"}}));
    let first = kubernetes.apply_as("alice", WEB, &config);
    assert_eq!(first.0, 201);
    assert_eq!(spec(&first), &json!({"size": 1, "tags": {"a": "1"}}));
    let (status, second) = kubernetes.apply_as("alice", WEB, &config);
    assert_eq!(status, 200);
    assert_eq!(kubernetes.apply_as("alice", WEB, &config), (200, second));
}

#[test]
fn what_is_no_longer_applied_goes() {
    let kubernetes = kubernetes();
    kubernetes.apply_as(
        "alice",
        WEB,
        &widget("web", &json!({"tags": {"a": "1", "b": "2"}, "size": 5})),
    );
    let answer = kubernetes.apply_as("alice", WEB, &widget("web", &json!({"tags": {"b": "2"}})));
    assert_eq!(spec(&answer), &json!({"size": 1, "tags": {"b": "2"}}));
    let answer = kubernetes.apply_as("alice", WEB, &widget("web", &json!({})));
    assert_eq!(spec(&answer), &json!({"size": 1}));
}

#[test]
fn what_another_applies_too_stays() {
    let kubernetes = kubernetes();
    kubernetes.apply_as(
        "alice",
        WEB,
        &widget("web", &json!({"tags": {"a": "1", "b": "2"}})),
    );
    let (_, before) = kubernetes.read(WEB);
    let (status, shared) =
        kubernetes.apply_as("bob", WEB, &widget("web", &json!({"tags": {"a": "1"}})));
    assert_eq!(status, 200);
    assert_ne!(
        version(&shared),
        version(&before),
        "whose it is has changed"
    );
    let answer = kubernetes.apply_as("alice", WEB, &widget("web", &json!({})));
    assert_eq!(spec(&answer)["tags"], json!({"a": "1"}));
}

#[test]
fn what_another_owns_is_a_conflict_until_it_is_forced() {
    let kubernetes = kubernetes();
    kubernetes.apply_as(
        "alice",
        WEB,
        &widget("web", &json!({"size": 2, "tags": {"a": "1"}})),
    );
    let other = widget("web", &json!({"size": 3, "tags": {"a": "2", "b": "3"}}));
    let answer = kubernetes.apply_as("bob", WEB, &other);
    let conflicts = [
        "conflict with \"alice\" .spec.size",
        "conflict with \"alice\" .spec.tags.a",
    ];
    assert_eq!(owners_conflict(&answer), conflicts);
    let answer = kubernetes.apply_as("bob&force=true", WEB, &other);
    assert_eq!(
        spec(&answer),
        &json!({"size": 3, "tags": {"a": "2", "b": "3"}})
    );
    // Alice owns nothing of it any more.
    let answer = kubernetes.apply_as("alice", WEB, &widget("web", &json!({})));
    assert_eq!(
        spec(&answer),
        &json!({"size": 3, "tags": {"a": "2", "b": "3"}})
    );
}

#[test]
fn an_update_owns_what_it_changes() {
    let kubernetes = kubernetes();
    kubernetes.apply_as(
        "alice",
        WEB,
        &widget("web", &json!({"size": 2, "tags": {"a": "1"}})),
    );
    kubernetes.merge(
        &format!("{WEB}?fieldManager=carol"),
        &json!({"spec": {"size": 4}}),
    );
    let answer = kubernetes.apply_as(
        "alice",
        WEB,
        &widget("web", &json!({"size": 2, "tags": {"a": "1"}})),
    );
    let conflict = "conflict with \"carol\" using example.dev/v1 .spec.size";
    assert_eq!(owners_conflict(&answer), [conflict]);
}

#[test]
fn lists_by_key_are_merged_item_by_item() {
    let kubernetes = kubernetes();
    let parts = |parts: Value| widget("web", &json!({"parts": parts}));
    kubernetes.apply_as(
        "alice",
        WEB,
        &parts(json!([{"name": "x", "color": "red"}, {"name": "y"}])),
    );
    let answer = kubernetes.apply_as("bob", WEB, &parts(json!([{"name": "z"}, {"name": "x"}])));
    let all = json!([{"name": "z"}, {"name": "x", "color": "red"}, {"name": "y"}]);
    assert_eq!(spec(&answer)["parts"], all);
    let answer = kubernetes.apply_as("bob", WEB, &parts(json!([{"name": "x", "color": "blue"}])));
    assert_eq!(
        owners_conflict(&answer),
        ["conflict with \"alice\" .spec.parts[name=\"x\"].color"]
    );
    // What alice drops of an item that bob has too goes without the item.
    let answer = kubernetes.apply_as("alice", WEB, &parts(json!([{"name": "y"}])));
    let all = json!([{"name": "z"}, {"name": "x"}, {"name": "y"}]);
    assert_eq!(spec(&answer)["parts"], all);
}

#[test]
fn other_lists_are_one_piece() {
    let kubernetes = kubernetes();
    let notes = |notes: Value| widget("web", &json!({"notes": notes}));
    kubernetes.apply_as("alice", WEB, &notes(json!(["a", "b"])));
    let answer = kubernetes.apply_as("bob", WEB, &notes(json!(["b", "c"])));
    assert_eq!(
        owners_conflict(&answer),
        ["conflict with \"alice\" .spec.notes"]
    );
    let answer = kubernetes.apply_as("bob&force=true", WEB, &notes(json!(["b", "c"])));
    assert_eq!(spec(&answer)["notes"], json!(["b", "c"]));
}

#[test]
fn finalizers_are_a_set() {
    let kubernetes = kubernetes();
    let holding = |finalizers: Value| {
        json!({
            "apiVersion": "example.dev/v1", "kind": "Widget",
            "metadata": {"name": "web", "finalizers": finalizers},
        })
    };
    kubernetes.apply_as("alice", WEB, &holding(json!(["a/a"])));
    let (_, both) = kubernetes.apply_as("bob", WEB, &holding(json!(["b/b"])));
    assert_eq!(
        both["metadata"]["finalizers"].as_array().map(Vec::len),
        Some(2)
    );
    let (_, one) = kubernetes.apply_as("alice", WEB, &holding(json!([])));
    assert_eq!(one["metadata"]["finalizers"], json!(["b/b"]));
}

#[test]
fn the_status_is_applied_by_itself() {
    let kubernetes = kubernetes();
    let mut config = widget("web", &json!({}));
    config["status"] = json!({"a": 1});
    let (_, created) = kubernetes.apply_as("alice", WEB, &config);
    assert_eq!(created["status"], json!({"observedGeneration": -1}));
    config["spec"]["size"] = json!(7);
    let (status, applied) = kubernetes.apply_as("alice", &format!("{WEB}/status"), &config);
    assert_eq!(status, 200);
    assert_eq!(applied["status"], json!({"observedGeneration": -1, "a": 1}));
    assert_eq!(applied["spec"], json!({"size": 1}));
}

#[test]
fn its_preconditions_hold_even_when_it_is_forced() {
    let kubernetes = kubernetes();
    let config = widget("web", &json!({}));
    let of_nobody = with_metadata(config.clone(), "uid", json!("gone"));
    assert_eq!(
        reason(&kubernetes.apply_as("alice", WEB, &of_nobody)),
        (409, "Conflict")
    );
    kubernetes.apply_as("alice", WEB, &config);
    let stale = with_metadata(config.clone(), "resourceVersion", json!("1"));
    assert_eq!(
        reason(&kubernetes.apply_as("alice&force=true", WEB, &stale)),
        (409, "Conflict")
    );
    let answer = kubernetes.ask(Method::PATCH, WEB, ("", APPLY), &config);
    assert_eq!(
        reason(&answer),
        (422, "Invalid"),
        "who applies says who it is"
    );
    let managed = with_metadata(config, "managedFields", json!([]));
    assert_eq!(
        reason(&kubernetes.apply_as("alice", WEB, &managed)),
        (400, "BadRequest")
    );
}
