//! What ends: objects, collections, namespaces.

use serde_json::{Value, json};

use super::manifests::{
    CONFIG_MAPS, IMAGES, LEASES, NAMESPACES, NOBODY, config_map, image, lease, namespace, uid,
    version, with, without,
};
use super::talk::Talk;

impl Talk<'_> {
    pub async fn deletion(&mut self) {
        self.chapter("deletion");
        let path = format!("{CONFIG_MAPS}/gone");
        self.delete(&path, json!({})).await;
        let gone = self
            .post(CONFIG_MAPS, config_map("gone", json!({"a": "1"})))
            .await;
        let precisely = |preconditions: Value| json!({"preconditions": preconditions});
        self.delete(&path, precisely(json!({"uid": NOBODY}))).await;
        self.delete(&path, precisely(json!({"resourceVersion": "1"})))
            .await;
        let both = json!({"uid": uid(&gone), "resourceVersion": version(&gone)});
        self.delete(&path, precisely(both)).await;
        self.get(&path).await;
        self.delete(
            &format!("{IMAGES}/odd"),
            json!({"propagationPolicy": "Background"}),
        )
        .await;
    }

    pub async fn finalizers(&mut self) {
        self.chapter("finalizers");
        let list = self.get(IMAGES).await;
        let since = format!(
            "watch=true&timeoutSeconds=300&resourceVersion={}",
            version(&list)
        );
        let mut watching = self
            .watch(
                &format!("{IMAGES}?{since}&fieldSelector=metadata.name%3Dheld"),
                "application/json",
            )
            .await;
        let path = format!("{IMAGES}/held");
        let held = with(
            &image("held", &["us-east-1"]),
            &[(
                "/metadata/finalizers",
                json!(["amity.dev/images", "example.dev/other"]),
            )],
        );
        let held = self.post(IMAGES, held).await;
        self.delete(&path, json!({"preconditions": {"uid": NOBODY}}))
            .await;
        self.delete(&path, json!({"preconditions": {"resourceVersion": "1"}}))
            .await;
        self.delete(&path, json!({})).await;
        self.delete(&path, json!({})).await;
        self.delete(
            &path,
            json!({"preconditions": {"resourceVersion": version(&held)}}),
        )
        .await;
        self.post(IMAGES, image("held", &["us-east-1"])).await;
        let finalizers = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
        self.merge(
            &path,
            finalizers(json!(["amity.dev/images", "a.dev/new", "a.dev/newer"])),
        )
        .await;
        self.merge(&path, json!({"metadata": {"deletionTimestamp": null}}))
            .await;
        self.merge(&path, json!({"spec": {"deletionPolicy": "Retain"}}))
            .await;
        self.merge(
            &format!("{path}/status"),
            json!({"status": {"regionsReady": "0/1"}}),
        )
        .await;
        self.merge(&path, finalizers(json!(["amity.dev/images"])))
            .await;
        let held = self.get(&path).await;
        let release = json!({"metadata": {
            "finalizers": [], "uid": uid(&held), "resourceVersion": version(&held),
        }});
        self.merge_metadata(&path, release.clone()).await;
        self.merge_metadata(&path, release).await;
        self.get(&path).await;
        self.hear(&mut watching, 6).await;
        self.hear_nothing(&mut watching).await;

        // By PUT, and without anything left to release.
        let held = with(
            &image("held", &["us-east-1"]),
            &[("/metadata/finalizers", json!(["a.dev/x"]))],
        );
        let again = self.post(IMAGES, held).await;
        let free = self
            .put(&path, without(&again, "/metadata/finalizers"))
            .await;
        self.delete(&path, json!({})).await;
        self.put(&path, free).await;
        let held = with(
            &image("held", &["us-east-1"]),
            &[("/metadata/finalizers", json!(["a.dev/x"]))],
        );
        self.post(IMAGES, held).await;
        let ending = self.delete(&path, json!({})).await;
        self.put(
            &path,
            with(&ending, &[("/metadata/finalizers", Value::Null)]),
        )
        .await;
        self.get(&path).await;
    }

    pub async fn whole_collections(&mut self) {
        self.chapter("deletion of a collection");
        for name in ["one", "two"] {
            self.post(CONFIG_MAPS, config_map(name, json!({"a": "1"})))
                .await;
        }
        self.merge(
            &format!("{CONFIG_MAPS}/two"),
            json!({"metadata": {"labels": {"all": "go"}}}),
        )
        .await;
        self.delete(&format!("{CONFIG_MAPS}?labelSelector=all%3Dgo"), json!({}))
            .await;
        self.get(&format!("{CONFIG_MAPS}/two")).await;
        self.delete(&format!("{CONFIG_MAPS}?labelSelector=all%3Dgo"), json!({}))
            .await;
        let held = with(
            &image("held", &["us-east-1"]),
            &[("/metadata/finalizers", json!(["a.dev/x"]))],
        );
        self.post(IMAGES, held).await;
        self.delete(IMAGES, json!({})).await;
        self.get(IMAGES).await;
        self.merge(
            &format!("{IMAGES}/held"),
            json!({"metadata": {"finalizers": null}}),
        )
        .await;
    }

    pub async fn namespace_termination(&mut self) {
        self.chapter("namespace termination");
        self.delete(&format!("{NAMESPACES}/kube-system"), json!({}))
            .await;
        self.delete(&format!("{NAMESPACES}/default"), json!({}))
            .await;
        self.delete(&format!("{NAMESPACES}/nowhere"), json!({}))
            .await;
        let held = with(
            &image("held", &["us-east-1"]),
            &[("/metadata/finalizers", json!(["a.dev/x"]))],
        );
        self.post(IMAGES, held).await;
        self.post(IMAGES, image("free", &["us-east-1"])).await;
        let talk = format!("{NAMESPACES}/talk");
        self.delete(&talk, json!({"preconditions": {"uid": NOBODY}}))
            .await;
        self.delete(&talk, json!({})).await;
        self.post(IMAGES, image("late", &["us-east-1"])).await;
        self.post(LEASES, lease("late", "a")).await;
        self.put(&format!("{LEASES}/late"), lease("late", "a"))
            .await;
        self.apply(
            &format!("{CONFIG_MAPS}/late?fieldManager=a"),
            config_map("late", json!({})),
        )
        .await;
        self.until(&format!("{IMAGES}/free"), 404, |_| true).await;
        self.until(&format!("{LEASES}/leader"), 404, |_| true).await;
        let is_ending = |object: &Value| object["metadata"].get("deletionTimestamp").is_some();
        self.until(&format!("{IMAGES}/held"), 200, is_ending).await;
        self.merge(
            &format!("{IMAGES}/held"),
            json!({"spec": {"description": "still here"}}),
        )
        .await;
        self.merge(
            &format!("{IMAGES}/held"),
            json!({"metadata": {"finalizers": null}}),
        )
        .await;
        self.until(&talk, 404, |_| true).await;
        self.get(IMAGES).await;
        self.post(IMAGES, image("late", &["us-east-1"])).await;
        // The same name begins anew.
        self.post(NAMESPACES, namespace("talk")).await;
        self.post(IMAGES, image("web", &["us-east-1"])).await;
    }
}
