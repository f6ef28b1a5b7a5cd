//! Lists and watches, and what they say about the past.

use serde_json::{Value, json};

use super::manifests::{ACCOUNTS, CONFIG_MAPS, IMAGES, config_map, image, version, with};
use super::talk::{METADATA, METADATA_LIST, Talk};

impl Talk<'_> {
    pub async fn lists(&mut self) {
        self.chapter("lists");
        let labelled = |name: &str, labels: Value| {
            let metadata = json!({"name": name, "labels": labels});
            with(
                &config_map(name, json!({"a": "1"})),
                &[("/metadata", metadata)],
            )
        };
        self.post(
            CONFIG_MAPS,
            labelled("c", json!({"app": "web", "tier": "front"})),
        )
        .await;
        self.post(CONFIG_MAPS, labelled("a", json!({"app": "web"})))
            .await;
        self.post(CONFIG_MAPS, labelled("b.d", json!({"app": "db"})))
            .await;
        let before = self.post(CONFIG_MAPS, labelled("b-d", json!({}))).await;
        self.get(CONFIG_MAPS).await;
        self.get_as(METADATA_LIST, CONFIG_MAPS).await;
        for selector in [
            "app%3Dweb",
            "app!%3Dweb",
            "tier",
            "!tier",
            "app%3D%3Ddb,!tier",
        ] {
            self.get(&format!("{CONFIG_MAPS}?labelSelector={selector}"))
                .await;
        }
        self.get(&format!("{CONFIG_MAPS}?fieldSelector=metadata.name%3Db.d"))
            .await;
        self.get("/api/v1/configmaps?fieldSelector=metadata.namespace%3Dtalk&limit=3")
            .await;
        self.get(&format!("{CONFIG_MAPS}?limit=500")).await;
        let page = self.get(&format!("{CONFIG_MAPS}?limit=2")).await;
        // What happens between two pages is not in the second.
        self.delete(&format!("{CONFIG_MAPS}/c"), json!({})).await;
        self.merge(&format!("{CONFIG_MAPS}/b-d"), json!({"data": {"a": "2"}}))
            .await;
        let token = page["metadata"]["continue"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.get(&format!("{CONFIG_MAPS}?limit=2&continue={token}"))
            .await;
        self.get(&format!("{CONFIG_MAPS}?limit=1&continue={token}"))
            .await;
        let exactly = format!(
            "resourceVersion={}&resourceVersionMatch=Exact",
            version(&before)
        );
        self.get(&format!("{CONFIG_MAPS}?{exactly}")).await;
        let at_least = format!(
            "resourceVersion={}&resourceVersionMatch=NotOlderThan",
            version(&before)
        );
        self.get(&format!("{CONFIG_MAPS}?{at_least}")).await;
        self.get(&format!("{CONFIG_MAPS}?resourceVersion=0")).await;
        self.get(&format!(
            "{CONFIG_MAPS}?resourceVersion=999999999&resourceVersionMatch=NotOlderThan"
        ))
        .await;
        self.get(&format!("{ACCOUNTS}?limit=500")).await;
    }

    pub async fn watches(&mut self) {
        self.chapter("watches");
        let list = self.get(CONFIG_MAPS).await;
        let since = format!(
            "watch=true&timeoutSeconds=300&resourceVersion={}",
            version(&list)
        );
        let mut all = self
            .watch(&format!("{CONFIG_MAPS}?{since}"), "application/json")
            .await;
        let mut cluster = self
            .watch(&format!("/api/v1/configmaps?{since}"), METADATA)
            .await;
        let selected = format!("{CONFIG_MAPS}?{since}&labelSelector=app%3Dweb");
        let mut selected = self.watch(&selected, "application/json").await;
        let named = format!("{CONFIG_MAPS}?{since}&fieldSelector=metadata.name%3Dwatched");
        let mut named = self.watch(&named, "application/json").await;

        let path = format!("{CONFIG_MAPS}/watched");
        let app = |app: &str| json!({"metadata": {"labels": {"app": app}}});
        self.post(CONFIG_MAPS, config_map("watched", json!({"a": "1"})))
            .await;
        self.merge(&path, json!({"data": {"a": "2"}})).await;
        self.merge(&path, json!({"data": {"a": "2"}})).await;
        self.merge(&path, app("web")).await;
        self.merge(&path, json!({"data": {"a": "3"}})).await;
        self.merge(&path, app("db")).await;
        self.merge(&path, app("web")).await;
        self.delete(&path, json!({})).await;
        self.hear(&mut all, 7).await;
        self.hear(&mut cluster, 7).await;
        self.hear(&mut selected, 5).await;
        self.hear(&mut named, 7).await;
        self.hear_nothing(&mut all).await;

        // Whoever comes later is told the same.
        let mut late = self
            .watch(&format!("{CONFIG_MAPS}?{since}"), "application/json")
            .await;
        self.hear(&mut late, 7).await;
        let mut late = self
            .watch(
                &format!("{CONFIG_MAPS}?{since}&labelSelector=app%3Dweb"),
                METADATA,
            )
            .await;
        self.hear(&mut late, 5).await;
    }

    pub async fn initial_events(&mut self) {
        self.chapter("watches that begin with what is there");
        for version in ["", "&resourceVersion=0"] {
            let path = format!("{CONFIG_MAPS}?watch=true&timeoutSeconds=300{version}");
            let mut watching = self.watch(&path, "application/json").await;
            self.hear(&mut watching, 3).await;
            self.hear_nothing(&mut watching).await;
            self.merge(
                &format!("{CONFIG_MAPS}/a"),
                json!({"data": {"now": version}}),
            )
            .await;
            self.hear(&mut watching, 1).await;
        }
        let path = format!(
            "{CONFIG_MAPS}?watch=true&timeoutSeconds=300&allowWatchBookmarks=true&sendInitialEvents=true\
             &resourceVersionMatch=NotOlderThan&labelSelector=app%3Dweb"
        );
        for accept in ["application/json", METADATA] {
            let mut watching = self.watch(&path, accept).await;
            self.hear(&mut watching, 1).await;
            self.hear_without_version(&mut watching).await;
            self.merge(
                &format!("{CONFIG_MAPS}/a"),
                json!({"data": {"now": accept}}),
            )
            .await;
            self.hear(&mut watching, 1).await;
        }
        let path = path.replace(CONFIG_MAPS, IMAGES);
        let mut watching = self.watch(&path, "application/json").await;
        self.hear_without_version(&mut watching).await;
    }

    pub async fn watches_out_of_time(&mut self) {
        self.chapter("watches that end, and that begin too early or too late");
        let list = self.get(IMAGES).await;
        let path = format!("{IMAGES}?watch=true&resourceVersion={}", version(&list));
        let mut short = self
            .watch(&format!("{path}&timeoutSeconds=1"), "application/json")
            .await;
        self.hear(&mut short, 1).await;
        // Something is to be told, or there may be no bookmark.
        let path = format!("{path}&allowWatchBookmarks=true&timeoutSeconds=6");
        let mut bookmarked = self.watch(&path, "application/json").await;
        self.merge(
            &format!("{IMAGES}/web"),
            json!({"metadata": {"labels": {"b": "1"}}}),
        )
        .await;
        self.hear_types_to_the_end(&mut bookmarked).await;

        let path = format!("{IMAGES}?watch=true&timeoutSeconds=300&resourceVersion=1");
        for accept in ["application/json", METADATA] {
            let mut early = self.watch(&path, accept).await;
            self.hear(&mut early, 2).await;
        }
        let path = format!("{IMAGES}?watch=true&timeoutSeconds=300&resourceVersion=999999999");
        let mut future = self.watch(&path, "application/json").await;
        self.merge(
            &format!("{IMAGES}/web"),
            json!({"metadata": {"labels": {"b": "2"}}}),
        )
        .await;
        self.hear_nothing(&mut future).await;
    }

    pub async fn what_is_forgotten(&mut self) {
        self.chapter("what is forgotten");
        for name in ["one", "two"] {
            self.post(IMAGES, image(name, &["us-east-1"])).await;
        }
        let page = self.get(&format!("{IMAGES}?limit=1")).await;
        let token = page["metadata"]["continue"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        self.get(&format!(
            "{IMAGES}?resourceVersion=1&resourceVersionMatch=Exact"
        ))
        .await;
        self.merge(
            &format!("{IMAGES}/two"),
            json!({"metadata": {"labels": {"b": "3"}}}),
        )
        .await;
        self.get(&format!("{IMAGES}?limit=1&continue={token}"))
            .await;
        (self.server.forget)();
        let old = self.server.old_token;
        let gone = self.get(&format!("{IMAGES}?limit=1&continue={old}")).await;
        let anyway = gone["metadata"]["continue"].as_str().unwrap_or_default();
        self.get(&format!("{IMAGES}?limit=1&continue={anyway}"))
            .await;
        self.get(&format!(
            "{IMAGES}?resourceVersion=1&resourceVersionMatch=Exact"
        ))
        .await;
        self.get(&format!("{IMAGES}?limit=500")).await;
    }
}
