//! One conversation with a Kubernetes API, held with the real one and with kubesim: both must answer alike, line
//! by line. It is what kubesim is held to: where the two differ, kubesim is wrong.
//!
//! Whole answers are compared. What differs between any two clusters stands for itself by the order in which it was
//! first seen (uids as `uid-1`, resource versions as `v1`), and so do times; `managedFields` are left out, as are
//! the kinds of list items.

mod applying;
mod ending;
mod kinds;
mod manifests;
mod talk;
mod watching;
mod writing;

use std::fs;

use amity_testbed::{ControlPlane, control_plane_assets, yaml_files};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use kubesim::Kubernetes;

use crate::lab::apply_crds;
use talk::{Server, Talk};

#[test]
fn kubesim_answers_as_the_real_server_does() {
    let real = with_the_real_one();
    let simulated = with_kubesim();
    println!("{}", real.join("\n"));
    // The first one tells most: what follows from it differs too.
    let differing = real
        .iter()
        .zip(&simulated)
        .find(|(real, simulated)| real != simulated);
    if let Some((real, simulated)) = differing {
        panic!("\n   real: {real}\nkubesim: {simulated}");
    }
    assert_eq!(simulated.len(), real.len(), "as many lines");
}

fn with_the_real_one() -> Vec<String> {
    // Its own: a controller that runs would join in the conversation.
    let control_plane = ControlPlane::start(&control_plane_assets().unwrap()).unwrap();
    apply_crds(control_plane.kubectl());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let kubeconfig = Kubeconfig::read_from(control_plane.admin_kubeconfig()).unwrap();
        let options = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &options);
        let mut config = config.await.unwrap();
        // What the server says counts, and not what it says after a while.
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let server = Server {
            forget: &|| control_plane.compact_etcd().unwrap(),
            // {"v":"meta.k8s.io/v1","rv":1,"start":"one\u0000"}
            old_token: "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiJvbmVcdTAwMDAifQ",
        };
        hold(Talk::new(client, server)).await
    })
}

fn with_kubesim() -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let kubernetes = Kubernetes::new(1, jiff::Timestamp::now);
        for definition in definitions() {
            kubernetes.define(&definition);
        }
        let client = kubernetes.client();
        let server = Server {
            forget: &|| kubernetes.compact(),
            old_token: "1:talk/one",
        };
        hold(Talk::new(client, server)).await
    })
}

/// The definitions that users install.
fn definitions() -> Vec<CustomResourceDefinition> {
    let texts = yaml_files("crds").into_iter().map(fs::read_to_string);
    texts
        .map(|text| serde_saphyr::from_str(&text.unwrap()).unwrap())
        .collect()
}

/// The whole conversation, and what was noted of it.
async fn hold(mut talk: Talk<'_>) -> Vec<String> {
    talk.namespaces().await;
    talk.creation().await;
    talk.reading().await;
    talk.replacement().await;
    talk.status().await;
    talk.merge_patches().await;
    talk.server_side_apply().await;
    talk.applied_lists_and_finalizers().await;
    talk.applied_status().await;
    talk.lists().await;
    talk.watches().await;
    talk.initial_events().await;
    talk.watches_out_of_time().await;
    talk.deletion().await;
    talk.finalizers().await;
    talk.whole_collections().await;
    talk.lease_races().await;
    talk.events().await;
    talk.config_maps().await;
    talk.what_is_forgotten().await;
    talk.namespace_termination().await;
    talk.into_lines()
}
