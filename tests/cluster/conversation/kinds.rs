//! What is particular about leases, events and config maps.

use serde_json::{Value, json};

use super::manifests::{
    CONFIG_MAPS, EVENTS, LEASES, config_map, lease, uid, version, with, without,
};
use super::talk::Talk;

impl Talk<'_> {
    pub async fn lease_races(&mut self) {
        self.chapter("leases");
        let path = format!("{LEASES}/leader");
        self.get(&path).await;
        let mine = self.post(LEASES, lease("leader", "a")).await;
        self.post(LEASES, lease("leader", "b")).await;
        let renewed = with(
            &mine,
            &[("/spec/renewTime", json!("2026-01-02T03:04:15.000006Z"))],
        );
        let renewed = self.put(&path, renewed).await;
        // Who read it before that has lost.
        self.put(&path, with(&mine, &[("/spec/holderIdentity", json!("b"))]))
            .await;
        self.put(&path, without(&renewed, "/metadata/resourceVersion"))
            .await;
        let taken = with(
            &renewed,
            &[
                ("/spec/holderIdentity", json!("b")),
                ("/spec/leaseTransitions", json!(1)),
            ],
        );
        let taken = self.put(&path, taken).await;
        self.put(&path, taken.clone()).await;
        let released = with(&taken, &[("/spec/holderIdentity", json!(""))]);
        let released = self.put(&path, released).await;
        self.delete(
            &path,
            json!({"preconditions": {"resourceVersion": version(&taken)}}),
        )
        .await;
        self.delete(&path, json!({})).await;
        // Of two who are first, or know the same, one is.
        let second = format!("{LEASES}/second");
        self.race_to_create(LEASES, [lease("second", "a"), lease("second", "b")])
            .await;
        let seen = self.get_silently(&second).await;
        let taken = |holder: &str| with(&seen, &[("/spec/holderIdentity", json!(holder))]);
        self.race_to_replace(&second, [taken("c"), taken("d")])
            .await;
        // It is gone. A PUT with its uid fails; one without makes a new lease, whatever version it brings.
        self.put(&path, released.clone()).await;
        self.put(&path, without(&released, "/metadata/uid")).await;
        self.put(&path, lease("leader", "c")).await;
    }

    pub async fn events(&mut self) {
        self.chapter("events");
        let event = json!({
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": {"name": "web.1", "namespace": "talk"},
            "action": "Reconcile", "reason": "CopyImage", "note": "said", "type": "Normal",
            "eventTime": "2026-01-02T03:04:05.000006Z",
            "reportingController": "amity", "reportingInstance": "amity",
            "regarding": {
                "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage", "name": "web", "namespace": "talk",
            },
        });
        self.post(EVENTS, event.clone()).await;
        self.post(EVENTS, event.clone()).await;
        let series = with(
            &event,
            &[(
                "/series",
                json!({"count": 2, "lastObservedTime": "2026-01-02T03:05:05.000006Z"}),
            )],
        );
        self.merge(&format!("{EVENTS}/web.1"), series.clone()).await;
        self.delete(&format!("{EVENTS}/web.1"), json!({})).await;
        self.merge(&format!("{EVENTS}/web.1"), series).await;
    }

    pub async fn config_maps(&mut self) {
        self.chapter("config maps");
        let path = format!("{CONFIG_MAPS}/published");
        let by = |manager: &str| format!("{path}?fieldManager={manager}");
        let config = |metadata: Value, data: Value| {
            let mut metadata = metadata;
            metadata["name"] = json!("published");
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
        };
        let first = self
            .apply(&by("alice"), config(json!({}), json!({"a": "1", "b": "2"})))
            .await;
        self.apply(
            &by("bob"),
            config(json!({}), json!({"b": "3", "a": "3", "c": "3"})),
        )
        .await;
        self.apply(&by("alice"), config(json!({}), json!({"b": "2"})))
            .await;
        let bare = without(
            &without(&first, "/metadata/managedFields"),
            "/metadata/resourceVersion",
        );
        self.put(&path, bare).await;
        self.delete(&path, json!({})).await;
        // A resource version does not keep it from coming back, a uid does.
        let precisely = json!({"uid": uid(&first), "resourceVersion": version(&first)});
        self.apply(&by("alice"), config(precisely, json!({"a": "1"})))
            .await;
        let versioned = json!({"resourceVersion": version(&first)});
        self.apply(&by("alice"), config(versioned, json!({"a": "1"})))
            .await;
        self.put(
            &format!("{CONFIG_MAPS}/nobody"),
            config_map("nobody", json!({})),
        )
        .await;
    }
}
