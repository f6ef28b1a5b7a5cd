//! What tests do to a cluster.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use serde_json::{Value, json};

use super::*;

fn config(data: Value) -> ConfigMap {
    let mut config = json!({"metadata": {"name": "c", "namespace": "default"}});
    config["data"] = data;
    serde_json::from_value(config).expect("a config map")
}

fn data(kubernetes: &Kubernetes) -> Value {
    let there: ConfigMap = kubernetes.get(Some("default"), "c").expect("a config map");
    json!(there.data)
}

#[test]
fn users_apply_read_patch_and_delete() {
    let kubernetes = kubernetes();
    kubernetes
        .apply(&config(json!({"a": "1", "b": "2"})))
        .expect("applied");
    kubernetes
        .apply(&config(json!({"b": "3"})))
        .expect("applied");
    assert_eq!(data(&kubernetes), json!({"b": "3"}));
    let patch = json!({"data": {"c": "4"}});
    kubernetes
        .patch::<ConfigMap>(Some("default"), "c", &patch)
        .expect("patched");
    assert_eq!(data(&kubernetes), json!({"b": "3", "c": "4"}));
    kubernetes
        .delete::<ConfigMap>(Some("default"), "c")
        .expect("deleted");
    assert_eq!(kubernetes.get::<ConfigMap>(Some("default"), "c"), None);
    let refused = kubernetes.delete::<ConfigMap>(Some("default"), "c");
    assert_eq!(refused.expect_err("it is gone").code, 404);
    let namespaces: Vec<Namespace> = kubernetes.list();
    assert_eq!(namespaces.len(), 4);
}

#[test]
fn a_status_is_wiped() {
    let kubernetes = kubernetes();
    kubernetes.apply(&namespace("team")).expect("applied");
    kubernetes
        .wipe_status::<Namespace>(None, "team")
        .expect("wiped");
    let team: Namespace = kubernetes.get(None, "team").expect("a namespace");
    assert_eq!(team.status, None);
}

#[test]
fn successful_writes_of_clients_are_counted_by_endpoint() {
    let kubernetes = kubernetes();
    kubernetes.apply(&config(json!({}))).expect("applied");
    let web = kubernetes.created(WIDGETS, &widget("web", &json!({})));
    let status = format!("{WEB}/status");
    kubernetes.merge(&status, &json!({"status": {"a": 1}}));
    kubernetes.merge(&status, &json!({"status": {"a": 1}}));
    kubernetes.put(&status, &web);
    kubernetes.read(WEB);
    let writes: Vec<_> = kubernetes.writes().into_iter().collect();
    assert_eq!(
        writes,
        [("widgets".to_owned(), 1), ("widgets/status".to_owned(), 2)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_is_restored_takes_versions_back_but_not_uids() {
    let kubernetes = kubernetes();
    kubernetes
        .apply(&config(json!({"a": "1"})))
        .expect("applied");
    let backup = kubernetes.snapshot();
    let then = kubernetes.version();
    kubernetes
        .apply(&config(json!({"a": "2"})))
        .expect("applied");
    let lost = kubernetes.created(CONFIG_MAPS, &config_map("lost"));
    let mut watching = kubernetes.watching(
        &format!("{CONFIG_MAPS}?watch=true&resourceVersion={then}"),
        "",
    );

    kubernetes.restore(&backup);

    assert_eq!(kubernetes.version(), then);
    assert_eq!(data(&kubernetes), json!({"a": "1"}));
    assert_eq!(kubernetes.get::<ConfigMap>(Some("default"), "lost"), None);
    while let Some(frame) = watching.frame().await {
        frame.expect("what was told before, and then the end");
    }
    let again = kubernetes.created(CONFIG_MAPS, &config_map("lost"));
    assert_eq!(
        version(&again),
        (then + 1).to_string(),
        "that was given before"
    );
    assert_ne!(again["metadata"]["uid"], lost["metadata"]["uid"]);
    // The watch cache was lost with it.
    let old = format!("{CONFIG_MAPS}?watch=true&resourceVersion={}", then - 1);
    let frame = kubernetes
        .watching(&old, "")
        .frame()
        .await
        .expect("an error")
        .expect("infallible");
    assert!(
        frame
            .into_data()
            .expect("data")
            .starts_with(b"{\"type\":\"ERROR\"")
    );
}

#[test]
fn two_clusters_share_no_uid() {
    let uid = |seed| {
        let kubernetes = Kubernetes::new(seed, || NOW.parse().expect("a time"));
        let namespace: Namespace = kubernetes.get(None, "kube-system").expect("a namespace");
        namespace.metadata.uid
    };
    assert_eq!(uid(1), uid(1));
    assert_ne!(uid(1), uid(2));
}

#[test]
#[should_panic(expected = "leases of coordination.k8s.io/v1beta1 are not served")]
fn what_is_not_served_is_a_mistake_of_the_test() {
    #[derive(Debug)]
    struct Old;
    impl kube::Resource for Old {
        type DynamicType = ();
        type Scope = <Lease as kube::Resource>::Scope;
        fn kind((): &()) -> std::borrow::Cow<'_, str> {
            "Lease".into()
        }
        fn group((): &()) -> std::borrow::Cow<'_, str> {
            "coordination.k8s.io".into()
        }
        fn version((): &()) -> std::borrow::Cow<'_, str> {
            "v1beta1".into()
        }
        fn plural((): &()) -> std::borrow::Cow<'_, str> {
            "leases".into()
        }
        fn meta(&self) -> &kube::core::ObjectMeta {
            unreachable!("never read")
        }
        fn meta_mut(&mut self) -> &mut kube::core::ObjectMeta {
            unreachable!("never written")
        }
    }
    let _ = kubernetes().delete::<Old>(Some("default"), "x");
}
