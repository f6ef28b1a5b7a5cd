//! What is written: POST, PUT, JSON Merge Patch; and what is read of it.

use serde_json::{Value, json};

use super::manifests::{
    ACCOUNTS, ALL_IMAGES, CONFIG_MAPS, IMAGES, NAMESPACES, NOBODY, config_map, image, namespace,
    uid, version, with, without,
};
use super::talk::{METADATA, Talk};

impl Talk<'_> {
    pub async fn namespaces(&mut self) {
        self.chapter("namespaces");
        self.post(NAMESPACES, namespace("talk")).await;
        self.post(NAMESPACES, namespace("talk")).await;
        self.get(&format!("{NAMESPACES}/talk")).await;
        self.get(&format!("{NAMESPACES}/nowhere")).await;
        self.get_as(METADATA, &format!("{NAMESPACES}/kube-system"))
            .await;
        let elsewhere = IMAGES.replace("talk", "nowhere");
        self.post(&elsewhere, image("lost", &["us-east-1"])).await;
        self.merge(
            &format!("{NAMESPACES}/talk"),
            json!({"metadata": {"labels": {"team": "images"}}, "spec": {"finalizers": null}, "status": {"phase": "Odd"}}),
        )
        .await;
    }

    pub async fn creation(&mut self) {
        self.chapter("creation");
        let web = with(
            &image("web", &["us-east-1"]),
            &[("/status", json!({"observedGeneration": 7}))],
        );
        self.post(IMAGES, web.clone()).await;
        self.post(IMAGES, web.clone()).await;
        let odd = with(
            &image("odd", &["us-east-1"]),
            &[
                ("/metadata/uid", json!(NOBODY)),
                ("/metadata/generation", json!(7)),
                ("/metadata/creationTimestamp", json!("2020-01-01T00:00:00Z")),
                ("/metadata/deletionTimestamp", json!("2020-01-01T00:00:00Z")),
                ("/metadata/labels", json!({})),
                ("/metadata/annotations", json!({"note": "kept"})),
                ("/metadata/finalizers", json!([])),
            ],
        );
        self.post(IMAGES, odd).await;
        let versioned = with(
            &image("v", &["us-east-1"]),
            &[("/metadata/resourceVersion", json!("1"))],
        );
        self.post(IMAGES, versioned).await;
        self.post(
            CONFIG_MAPS,
            without(&config_map("nameless", json!({})), "/metadata/name"),
        )
        .await;
        let elsewhere = with(&web, &[("/metadata/namespace", json!("elsewhere"))]);
        self.post(IMAGES, elsewhere).await;
        self.post(ALL_IMAGES, web).await;
        self.post(
            "/api/v1/configmaps",
            config_map("everywhere", json!({"a": "1"})),
        )
        .await;
        let account = json!({
            "apiVersion": "amity.dev/v1alpha1", "kind": "AwsAccount", "metadata": {"name": "talk"},
            "spec": {"accountId": "111122223333"},
        });
        self.post(ACCOUNTS, account).await;
        self.get(&format!("{ACCOUNTS}/talk")).await;
    }

    pub async fn reading(&mut self) {
        self.chapter("reading");
        let web = format!("{IMAGES}/web");
        self.get(&web).await;
        self.get(&format!("{web}/status")).await;
        self.get_as(METADATA, &web).await;
        self.get(&format!("{IMAGES}/nobody")).await;
        self.get_as(METADATA, &format!("{IMAGES}/nobody")).await;
        self.get(&format!("{IMAGES}/nobody/status")).await;
        self.get("/apis/amity.dev/v1/machineimages").await;
        self.get("/apis/nobody.example/v1/things").await;
        self.get(&format!("{ALL_IMAGES}/web")).await;
        self.get("/apis/amity.dev/v1alpha1/namespaces/talk/awsaccounts")
            .await;
        self.get("/api/v1/configmaps/web").await;
    }

    pub async fn replacement(&mut self) {
        self.chapter("PUT");
        let path = format!("{IMAGES}/web");
        let created = self.get(&path).await;
        // The default of its status was not stored, and is now.
        let web = self.put(&path, created).await;
        self.put(&path, web.clone()).await;
        self.put(&path, without(&web, "/metadata/resourceVersion"))
            .await;
        let versioned =
            |version: &str| with(&web, &[("/metadata/resourceVersion", json!(version))]);
        self.put(&path, versioned("1")).await;
        self.put(&path, versioned("0")).await;
        let other_uid = with(&web, &[("/metadata/uid", json!(NOBODY))]);
        self.put(&path, other_uid.clone()).await;
        self.put(
            &path,
            with(&other_uid, &[("/metadata/resourceVersion", json!("1"))]),
        )
        .await;
        self.put(&format!("{IMAGES}/odd"), web.clone()).await;
        self.put(
            &format!("{IMAGES}/nobody"),
            with(&web, &[("/metadata/name", json!("nobody"))]),
        )
        .await;
        self.put(
            &path,
            with(&web, &[("/metadata/namespace", json!("elsewhere"))]),
        )
        .await;
        self.put(&path, with(&web, &[("/kind", json!("AwsAccount"))]))
            .await;
        self.put(&path, with(&web, &[("/apiVersion", json!("v1"))]))
            .await;
        let labelled = with(
            &web,
            &[
                ("/metadata/labels", json!({"team": "web"})),
                ("/metadata/generation", json!(70)),
                ("/metadata/creationTimestamp", json!("2020-01-01T00:00:00Z")),
                ("/status", json!({"observedGeneration": 7})),
            ],
        );
        let labelled = self.put(&path, labelled).await;
        self.put(&path, web.clone()).await;
        let tagged = with(&labelled, &[("/spec/tags", json!({"team": "web"}))]);
        let tagged = self.put(&path, tagged).await;
        // Without a uid and without defaults: what is left out of a PUT goes, what has a default comes back.
        let bare = with(
            &image("web", &["us-east-1", "eu-west-1"]),
            &[("/metadata/resourceVersion", json!(version(&tagged)))],
        );
        self.put(&path, bare).await;
    }

    pub async fn status(&mut self) {
        self.chapter("PUT of a status");
        let path = format!("{IMAGES}/web");
        let status = format!("{path}/status");
        let web = self.get(&path).await;
        let observed = with(
            &web,
            &[
                (
                    "/status",
                    json!({"observedGeneration": 3, "regionsReady": "1/2"}),
                ),
                ("/spec/description", json!("ignored")),
                ("/metadata/labels", json!({"ignored": "too"})),
            ],
        );
        let now = self.put(&status, observed.clone()).await;
        self.put(&status, observed).await;
        self.put(&status, now.clone()).await;
        let other_uid = with(&now, &[("/metadata/uid", json!(NOBODY))]);
        self.put(&status, other_uid).await;
        self.put(&status, without(&now, "/metadata/resourceVersion"))
            .await;
        self.put(
            &format!("{IMAGES}/nobody/status"),
            with(&now, &[("/metadata/name", json!("nobody"))]),
        )
        .await;
        let wiped = self.put(&status, without(&now, "/status")).await;
        self.put(&status, without(&wiped, "/status")).await;
        self.put(&format!("{path}/scale"), wiped).await;
    }

    pub async fn merge_patches(&mut self) {
        self.chapter("merge patches");
        let path = format!("{IMAGES}/web");
        let web = self.get(&path).await;
        let precisely = |metadata: Value| {
            let mut metadata = metadata;
            metadata["uid"] = json!(uid(&web));
            metadata["resourceVersion"] = json!(version(&web));
            json!({"metadata": metadata})
        };
        let held = precisely(json!({"annotations": {"amity.dev/captured": "r1"}}));
        self.merge_metadata(&path, held.clone()).await;
        self.merge_metadata(&path, held).await;
        let other = json!({"metadata": {"uid": NOBODY, "labels": {"a": "b"}}});
        self.merge_metadata(&path, other).await;
        self.merge(
            &path,
            json!({"metadata": {"resourceVersion": "1", "uid": NOBODY}}),
        )
        .await;
        self.merge(
            &path,
            json!({"metadata": {"annotations": {"amity.dev/captured": "r1"}}}),
        )
        .await;
        self.merge(&path, json!({})).await;
        self.merge(&path, json!({"spec": {"tags": {"a": "1", "b": "2"}}}))
            .await;
        self.merge(&path, json!({"spec": {"tags": {"a": null, "c": "3"}}}))
            .await;
        self.merge(
            &path,
            json!({"spec": {"deletionPolicy": null, "tags": null}}),
        )
        .await;
        self.merge(&path, json!({"status": {"regionsReady": "9/9"}}))
            .await;
        let status = format!("{path}/status");
        self.merge(
            &status,
            json!({"status": {"regionsReady": "2/2"}, "spec": {"description": "no"}}),
        )
        .await;
        self.merge(&status, json!({"status": null})).await;
        self.merge(&path, json!({"metadata": {"annotations": null}}))
            .await;
        self.merge(&path, json!({"metadata": {"name": "other"}}))
            .await;
        self.merge(
            &format!("{IMAGES}/nobody"),
            json!({"spec": {"description": "x"}}),
        )
        .await;
    }
}
