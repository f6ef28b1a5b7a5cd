//! What is said: one function a chapter.

use serde_json::{Value, json};

use super::talk::{METADATA, METADATA_LIST, Talk};

const NAMESPACES: &str = "/api/v1/namespaces";
const ACCOUNTS: &str = "/apis/amity.dev/v1alpha1/awsaccounts";
const ALL_IMAGES: &str = "/apis/amity.dev/v1alpha1/machineimages";
const IMAGES: &str = "/apis/amity.dev/v1alpha1/namespaces/talk/machineimages";
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/talk/leases";
const EVENTS: &str = "/apis/events.k8s.io/v1/namespaces/talk/events";
const CONFIG_MAPS: &str = "/api/v1/namespaces/talk/configmaps";

/// A manifest of an image in these regions.
fn image(name: &str, regions: &[&str]) -> Value {
    let regions: Vec<_> = regions.iter().map(|name| json!({"name": name})).collect();
    json!({
        "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage", "metadata": {"name": name},
        "spec": {
            "source": {"image": {"region": "us-east-1", "imageId": "ami-0feedfacefeedface"}},
            "regions": regions,
        },
    })
}

fn lease(name: &str, holder: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name},
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-02T03:04:05.000006Z", "renewTime": "2026-01-02T03:04:05.000006Z",
        },
    })
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": "web"}}})
}

fn version(object: &Value) -> String {
    object["metadata"]["resourceVersion"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The object with other values at these places (JSON pointers).
fn with(object: &Value, changes: &[(&str, Value)]) -> Value {
    let mut object = object.clone();
    for (place, value) in changes {
        let (parent, field) = place.rsplit_once('/').unwrap();
        // An answer that is no object will be seen in the comparison.
        if let Some(Value::Object(parent)) = object.pointer_mut(parent) {
            parent.insert(field.to_owned(), value.clone());
        }
    }
    object
}

fn without(object: &Value, place: &str) -> Value {
    let mut object = object.clone();
    let (parent, field) = place.rsplit_once('/').unwrap();
    if let Some(Value::Object(parent)) = object.pointer_mut(parent) {
        parent.remove(field);
    }
    object
}

const NOBODY: &str = "00000000-0000-0000-0000-00000000abcd";

impl Talk<'_> {
    /// Holds the whole conversation, and gives what was noted.
    pub async fn hold(mut self) -> Vec<String> {
        self.namespaces().await;
        self.creation().await;
        self.reading().await;
        self.replacement().await;
        self.status().await;
        self.merge_patches().await;
        self.server_side_apply().await;
        self.applied_lists_and_finalizers().await;
        self.applied_status().await;
        self.lists().await;
        self.watches().await;
        self.initial_events().await;
        self.watches_out_of_time().await;
        self.deletion().await;
        self.finalizers().await;
        self.whole_collections().await;
        self.lease_races().await;
        self.events().await;
        self.config_maps().await;
        self.what_is_forgotten().await;
        self.namespace_termination().await;
        self.into_lines()
    }

    async fn namespaces(&mut self) {
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

    async fn creation(&mut self) {
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

    async fn reading(&mut self) {
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
    }

    async fn replacement(&mut self) {
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

    async fn status(&mut self) {
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

    async fn merge_patches(&mut self) {
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

    async fn server_side_apply(&mut self) {
        self.chapter("server-side apply");
        let path = format!("{IMAGES}/applied");
        let by = |manager: &str| format!("{path}?fieldManager={manager}");
        let config = with(
            &image("applied", &["us-east-1"]),
            &[
                ("/spec/tags", json!({"team": "web"})),
                ("/spec/description", json!("first")),
                ("/status", json!({"regionsReady": "1/1"})),
            ],
        );
        self.apply(&path, config.clone()).await;
        self.apply(&by("alice"), config.clone()).await;
        self.apply(&by("alice"), config.clone()).await;
        // Another one who says the same owns it too: a new version, although nothing else differs.
        let part = |spec: Value| {
            json!({
                "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage",
                "metadata": {"name": "applied"}, "spec": spec,
            })
        };
        self.apply(&by("bob"), part(json!({"description": "first"})))
            .await;
        self.apply(&by("bob"), part(json!({"description": "second"})))
            .await;
        let two = json!({"description": "second", "tags": {"team": "images", "stage": "test"}});
        self.apply(&by("bob"), part(two.clone())).await;
        self.apply(&format!("{}&force=true", by("bob")), part(two))
            .await;
        self.apply(&by("alice"), config.clone()).await;
        // What alice no longer applies stays, because it is bob's; what bob drops goes, because it is nobody's.
        let less = without(&without(&config, "/spec/tags"), "/spec/description");
        self.apply(&by("alice"), less.clone()).await;
        self.apply(&by("bob"), part(json!({"description": "second"})))
            .await;
        self.apply(&by("bob"), json!({
            "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage", "metadata": {"name": "applied"},
        }))
        .await;
        // Updates own what they change.
        self.merge(
            &by("carol"),
            json!({"spec": {"description": "third", "tags": {"team": "web"}}}),
        )
        .await;
        self.apply(&by("bob"), part(json!({"description": "fourth"})))
            .await;
        self.apply(&by("carol"), part(json!({"description": "fourth"})))
            .await;
        self.apply(
            &by("bob"),
            part(json!({"description": "fourth", "tags": {"team": "images"}})),
        )
        .await;
        self.apply(
            &format!("{}&force=true", by("bob")),
            part(json!({"description": "fourth"})),
        )
        .await;

        let now = self.get(&path).await;
        let stale = with(&less, &[("/metadata/resourceVersion", json!("1"))]);
        self.apply(&format!("{}&force=true", by("alice")), stale)
            .await;
        let fresh = with(
            &less,
            &[("/metadata/resourceVersion", json!(version(&now)))],
        );
        self.apply(&by("alice"), fresh).await;
        self.apply(
            &by("alice"),
            with(&less, &[("/metadata/uid", json!(NOBODY))]),
        )
        .await;
        self.apply(
            &by("alice"),
            with(
                &less,
                &[("/metadata/managedFields", json!([{"manager": "x"}]))],
            ),
        )
        .await;
        self.apply(
            &by("alice"),
            with(&less, &[("/metadata/name", json!("another"))]),
        )
        .await;
        let nobody = format!("{IMAGES}/nobody?fieldManager=alice");
        let unborn = with(
            &less,
            &[
                ("/metadata/name", json!("nobody")),
                ("/metadata/uid", json!(NOBODY)),
            ],
        );
        self.apply(&nobody, unborn).await;
    }

    async fn applied_lists_and_finalizers(&mut self) {
        self.chapter("server-side apply of lists by key, and of finalizers");
        let path = format!("{IMAGES}/listed");
        let by = |manager: &str| format!("{path}?fieldManager={manager}");
        let config = |regions: &[&str]| image("listed", regions);
        self.apply(&by("alice"), config(&["us-east-1", "us-west-2"]))
            .await;
        let part = |regions: &[&str]| {
            let regions: Vec<_> = regions.iter().map(|name| json!({"name": name})).collect();
            json!({
                "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage",
                "metadata": {"name": "listed"}, "spec": {"regions": regions},
            })
        };
        self.apply(&by("bob"), part(&["eu-west-1", "us-east-1"]))
            .await;
        self.apply(
            &by("alice"),
            config(&["us-west-2", "sa-east-1", "us-east-1"]),
        )
        .await;
        self.apply(&by("alice"), config(&["sa-east-1"])).await;
        self.apply(&by("bob"), part(&["eu-central-1", "eu-west-1"]))
            .await;

        let finalizer = |manager: &str, finalizers: Value| {
            let metadata = json!({"name": "listed", "finalizers": finalizers});
            let config = json!({
                "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage", "metadata": metadata,
            });
            (by(manager), config)
        };
        let (path_of_c, config_of_c) = finalizer("carol", json!(["amity.dev/c"]));
        self.apply(&path_of_c, config_of_c).await;
        let (path_of_d, config_of_d) = finalizer("dave", json!(["amity.dev/d", "amity.dev/c"]));
        self.apply(&path_of_d, config_of_d).await;
        let (path_of_c, config_of_c) = finalizer("carol", json!([]));
        self.apply(&path_of_c, config_of_c).await;
        let (path_of_d, config_of_d) = finalizer("dave", json!(["amity.dev/d"]));
        self.apply(&path_of_d, config_of_d).await;
        let (path_of_d, config_of_d) = finalizer("dave", Value::Null);
        self.apply(&path_of_d, without(&config_of_d, "/metadata/finalizers"))
            .await;
    }

    async fn applied_status(&mut self) {
        self.chapter("server-side apply of a status");
        let path = format!("{IMAGES}/listed/status");
        let by = |manager: &str| format!("{path}?fieldManager={manager}");
        let condition = |type_: &str, status: &str| {
            json!({
                "type": type_, "status": status, "reason": "Said", "message": "said",
                "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 1,
            })
        };
        let config = |status: Value| {
            json!({
                "apiVersion": "amity.dev/v1alpha1", "kind": "MachineImage",
                "metadata": {"name": "listed", "labels": {"no": "thing"}},
                "spec": {"description": "ignored"}, "status": status,
            })
        };
        let ready = json!({"observedGeneration": 4, "conditions": [condition("Ready", "True")]});
        self.apply(&by("alice"), config(ready.clone())).await;
        self.apply(&by("alice"), config(ready)).await;
        let other = json!({"conditions": [condition("Available", "True")]});
        self.apply(&by("bob"), config(other)).await;
        let conflict = json!({"conditions": [condition("Ready", "False")]});
        self.apply(&by("bob"), config(conflict)).await;
        self.merge(&by("carol"), json!({"status": {"regionsReady": "1/1"}}))
            .await;
        self.apply(&by("alice"), config(json!({"regionsReady": "2/2"})))
            .await;
        self.apply(&by("alice"), config(json!({"observedGeneration": 4})))
            .await;
        let nobody = path.replace("listed", "nobody");
        let config = with(&config(json!({})), &[("/metadata/name", json!("nobody"))]);
        self.apply(&format!("{nobody}?fieldManager=alice"), config)
            .await;
    }

    async fn lists(&mut self) {
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

    async fn watches(&mut self) {
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

    async fn initial_events(&mut self) {
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

    async fn watches_out_of_time(&mut self) {
        self.chapter("watches that end, and that begin too early or too late");
        let list = self.get(IMAGES).await;
        let path = format!("{IMAGES}?watch=true&resourceVersion={}", version(&list));
        let mut short = self
            .watch(&format!("{path}&timeoutSeconds=1"), "application/json")
            .await;
        self.hear(&mut short, 1).await;
        // Something is to be told, or there may be no bookmark.
        let path = format!("{path}&allowWatchBookmarks=true&timeoutSeconds=4");
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

    async fn deletion(&mut self) {
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

    async fn finalizers(&mut self) {
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
        let last = self.get(&path).await;
        let release = json!({"metadata": {
            "finalizers": [], "uid": uid(&last), "resourceVersion": version(&last),
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

    async fn whole_collections(&mut self) {
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

    async fn lease_races(&mut self) {
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

    async fn events(&mut self) {
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

    async fn config_maps(&mut self) {
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

    async fn what_is_forgotten(&mut self) {
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

    async fn namespace_termination(&mut self) {
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
