//! Manifests as values.

use serde_json::Value;

/// All documents of this YAML that say something.
pub fn all(yaml: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect()
}

/// The only one of this kind.
pub fn only<'a>(manifests: &'a [Value], kind: &str) -> &'a Value {
    let mut found = manifests.iter().filter(|one| one["kind"] == kind);
    let one = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(found.next().is_none(), "more than one {kind}");
    one
}

/// The kinds, sorted.
pub fn kinds(manifests: &[Value]) -> Vec<&str> {
    let mut kinds: Vec<_> = manifests
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    kinds
}

/// The rules of the `ClusterRole` and of the `Role`.
pub fn rules(manifests: &[Value]) -> [&Value; 2] {
    ["ClusterRole", "Role"].map(|kind| &only(manifests, kind)["rules"])
}
