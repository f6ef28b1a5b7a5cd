//! kube's own client, watchers and controllers on it, under a paused clock.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::PartialObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{Controller, WatchStreamExt, controller::Action};
use kube::{Api, ResourceExt};
use serde_json::json;
use tokio::time::{Instant, timeout};

use super::*;
use crate::{Refusal, Summary, Verb};

fn config(name: &str) -> ConfigMap {
    serde_json::from_value(config_map(name)).expect("a config map")
}

#[tokio::test(start_paused = true)]
async fn the_client_reads_and_writes() -> kube::Result<()> {
    let client = kubernetes().client();
    let api: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let created = api.create(&PostParams::default(), &config("c")).await?;
    let error = api
        .create(&PostParams::default(), &config("c"))
        .await
        .expect_err("it is there");
    assert!(matches!(error, kube::Error::Api(status) if status.is_already_exists()));
    assert_eq!(api.get_opt("nobody").await?, None);
    let listed = api.list(&ListParams::default().limit(500)).await?;
    assert_eq!(listed.items, std::slice::from_ref(&created));
    let patch = Patch::Merge(json!({"metadata": {"uid": created.uid(), "labels": {"a": "b"}}}));
    let partial = api
        .patch_metadata("c", &PatchParams::apply("me"), &patch)
        .await?;
    assert_eq!(partial.labels()["a"], "b");
    let error = api.replace("c", &PostParams::default(), &created).await;
    assert!(matches!(error, Err(kube::Error::Api(status)) if status.is_conflict()));
    let applied = Patch::Apply(
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "y"}, "metadata": {"name": "c"}}),
    );
    let applied = api.patch("c", &PatchParams::apply("me"), &applied).await?;
    assert_eq!(
        applied.data,
        Some(BTreeMap::from([("x".to_owned(), "y".to_owned())]))
    );
    assert!(
        api.delete("c", &DeleteParams::default()).await?.is_right(),
        "it is gone"
    );
    let namespaces: Api<Namespace> = Api::all(client);
    assert!(
        namespaces
            .get_metadata("kube-system")
            .await?
            .uid()
            .is_some()
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_watcher_goes_on_after_drops_and_after_what_it_missed_is_forgotten() {
    let kubernetes = kubernetes();
    let api: Api<ConfigMap> = Api::all(kubernetes.client());
    let events = watcher(api, watcher::Config::default().page_size(1));
    let mut touched = events.default_backoff().touched_objects().boxed();
    let apply = |name: &str, value: &str| {
        let mut config = with_metadata(config_map(name), "namespace", json!("default"));
        config["data"] = json!({"value": value});
        kubernetes.apply(&config).expect("applied");
    };
    // After a 410 the watcher lists again, and tells of everything.
    let mut until = async |name: &str, value: &str| loop {
        let next = timeout(Duration::from_mins(10), touched.next()).await;
        let Some(Ok(config)) = next.expect("in time") else {
            continue;
        };
        let data = config.data.unwrap_or_default();
        if config.metadata.name.as_deref() == Some(name) && data["value"] == value {
            break;
        }
    };
    apply("a", "1");
    apply("b", "1");
    until("b", "1").await;
    kubernetes.drop_watches();
    apply("a", "2");
    until("a", "2").await;
    kubernetes.drop_watches();
    apply("b", "2");
    kubernetes.compact();
    until("b", "2").await;
    // A day in which watches end and begin again.
    tokio::time::sleep(Duration::from_hours(24)).await;
    apply("a", "3");
    until("a", "3").await;
}

#[tokio::test(start_paused = true)]
async fn metadata_is_watched_and_streamed_lists_begin_a_watch() {
    let kubernetes = kubernetes();
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(kubernetes.client());
    let config = watcher::Config::default().streaming_lists();
    let mut touched = watcher(api, config).applied_objects().boxed();
    for name in namespaces_in_order() {
        let next = touched
            .try_next()
            .await
            .expect("no error")
            .expect("an object");
        assert_eq!(next.name_any(), name);
    }
    kubernetes.apply(&namespace("team")).expect("applied");
    let next = touched
        .try_next()
        .await
        .expect("no error")
        .expect("an object");
    assert_eq!(next.name_any(), "team");
}

fn namespaces_in_order() -> [&'static str; 4] {
    ["default", "kube-node-lease", "kube-public", "kube-system"]
}

#[tokio::test(start_paused = true)]
async fn a_controller_reconciles_what_users_do() {
    let kubernetes = kubernetes();
    let client = kubernetes.client();
    let api: Api<ConfigMap> = Api::all(client.clone());
    let reconcile = async |config: Arc<ConfigMap>, client: Arc<kube::Client>| {
        let api: Api<ConfigMap> = Api::default_namespaced(client.as_ref().clone());
        let seen = json!({"metadata": {"annotations": {"seen": "yes"}}});
        let params = PatchParams::apply("controller");
        api.patch_metadata(&config.name_any(), &params, &Patch::Merge(seen))
            .await?;
        Ok::<_, kube::Error>(Action::await_change())
    };
    let again = |_: Arc<ConfigMap>, _: &kube::Error, _: Arc<kube::Client>| {
        Action::requeue(Duration::from_secs(1))
    };
    let controller = Controller::new(api, watcher::Config::default());
    let run = controller
        .run(reconcile, again, Arc::new(client))
        .for_each(|_| async {});
    tokio::spawn(run);
    let begin = Instant::now();
    let user = with_metadata(config_map("c"), "namespace", json!("default"));
    kubernetes.apply(&user).expect("applied");
    loop {
        let there: ConfigMap = kubernetes.get(Some("default"), "c").expect("a config map");
        if there.annotations().contains_key("seen") {
            break;
        }
        assert!(begin.elapsed() < Duration::from_mins(1), "never reconciled");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_hours(1)).await;
    let writes = kubernetes.writes();
    assert!(writes["configmaps"] <= 2, "it is at rest: {writes:?}");
}

#[tokio::test(start_paused = true)]
async fn events_are_recorded() -> kube::Result<()> {
    let kubernetes = kubernetes();
    let recorder = Recorder::new(kubernetes.client(), "controller".into());
    let regarding = k8s_openapi::api::core::v1::ObjectReference {
        name: Some("web".to_owned()),
        namespace: Some("default".to_owned()),
        ..Default::default()
    };
    let event = Event {
        type_: EventType::Normal,
        reason: "Said".to_owned(),
        note: Some("said".to_owned()),
        action: "Saying".to_owned(),
        secondary: None,
    };
    recorder.publish(&event, &regarding).await?;
    recorder.publish(&event, &regarding).await?;
    let events: Vec<k8s_openapi::api::events::v1::Event> = kubernetes.list();
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].series.as_ref().map(|series| series.count),
        Some(2)
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn whoever_stands_in_between_notes_delays_and_refuses() {
    let kubernetes = kubernetes();
    let noted = Arc::new(Mutex::new(Vec::new()));
    let service = {
        let (kubernetes, noted) = (kubernetes.clone(), noted.clone());
        tower::service_fn(move |request: Request<kube::client::Body>| {
            let (kubernetes, noted) = (kubernetes.clone(), noted.clone());
            async move {
                let summary = Summary::of(&request).expect("a resource");
                noted.lock().expect("a list").push(summary.to_string());
                tokio::time::sleep(Duration::from_secs(5)).await;
                Ok::<_, Infallible>(match summary.verb {
                    Verb::Delete => Refusal::new(503, "ServiceUnavailable", "not now").response(),
                    _ => kubernetes.answer(request).await,
                })
            }
        })
    };
    let api: Api<ConfigMap> = Api::default_namespaced(kube::Client::new(service, "default"));
    let begin = Instant::now();
    let created = api.create(&PostParams::default(), &config("c")).await;
    assert_eq!(created.expect("created").name_any(), "c");
    let refused = api.delete("c", &DeleteParams::default()).await;
    assert!(matches!(refused, Err(kube::Error::Api(status)) if status.code == 503));
    assert_eq!(begin.elapsed(), Duration::from_secs(10));
    let noted = noted.lock().expect("a list").clone();
    assert_eq!(
        noted,
        ["create configmaps default/", "delete configmaps default/c"]
    );
    assert!(kubernetes.get::<ConfigMap>(Some("default"), "c").is_some());
}
