//! Server-side apply.

use serde_json::{Value, json};

use super::manifests::{IMAGES, NOBODY, image, version, with, without};
use super::talk::Talk;

impl Talk<'_> {
    pub async fn server_side_apply(&mut self) {
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

    pub async fn applied_lists_and_finalizers(&mut self) {
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

    pub async fn applied_status(&mut self) {
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
}
