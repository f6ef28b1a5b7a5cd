//! The same requests at the same times give the same answers.

use serde_json::{Value, json};

use super::*;

fn answers() -> String {
    let kubernetes = kubernetes();
    let mut answers = Vec::new();
    for name in ["b", "a", "c"] {
        let tags = json!({"tags": {"z": "1", "y": "2", name: "3"}});
        answers.push(kubernetes.post(WIDGETS, &widget(name, &tags)));
        let path = format!("{WIDGETS}/{name}");
        answers.push(kubernetes.apply_as(
            "alice",
            &path,
            &widget(name, &json!({"tags": {"y": "4"}})),
        ));
        answers.push(kubernetes.merge(&path, &json!({"metadata": {"finalizers": ["a/a"]}})));
    }
    answers.push(kubernetes.remove(WIDGETS, &Value::Null));
    answers.push(kubernetes.read(WIDGETS));
    format!("{answers:?}")
}

#[test]
fn two_runs_are_the_same_byte_for_byte() {
    assert_eq!(answers(), answers());
}
