//! The control plane that everything else stands on is a real one.

use std::error::Error;
use std::time::{Duration, Instant};

use amity_testbed::{CONTROLLER_NAMESPACE, CONTROLLER_USER, ControlPlane, eventually};

#[test]
fn a_deleted_namespace_really_ends() -> Result<(), Box<dyn Error>> {
    let cluster = ControlPlane::shared();
    let kubectl = cluster.namespace("ends")?;
    kubectl
        .run(&["create", "configmap", "something", "--from-literal=a=b"])?
        .ok()?;

    kubectl
        .run(&["delete", "namespace", "ends", "--wait=false"])?
        .ok()?;

    eventually(Duration::from_mins(1), "the namespace is gone", || {
        let answer = kubectl
            .run(&["get", "namespace", "ends"])
            .map_err(|e| e.to_string())?;
        if answer.stderr.contains("NotFound") {
            Ok(())
        } else {
            Err(answer.to_string())
        }
    })?;
    Ok(())
}

#[test]
fn what_an_owner_leaves_behind_is_collected() -> Result<(), Box<dyn Error>> {
    let cluster = ControlPlane::shared();
    let kubectl = cluster.namespace("collected")?;
    kubectl.run(&["create", "configmap", "owner"])?.ok()?;
    let owner = kubectl.get_json(&["configmap", "owner"])?;
    let uid = owner["metadata"]["uid"]
        .as_str()
        .ok_or("an object has a uid")?;
    kubectl.apply_yaml(&format!(
        "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: owned, ownerReferences: \
         [{{apiVersion: v1, kind: ConfigMap, name: owner, uid: {uid}}}]}}}}"
    ))?;

    kubectl.run(&["delete", "configmap", "owner"])?.ok()?;

    eventually(Duration::from_mins(1), "the owned object is gone", || {
        let answer = kubectl
            .run(&["get", "configmap", "owned"])
            .map_err(|e| e.to_string())?;
        if answer.stderr.contains("NotFound") {
            Ok(())
        } else {
            Err(answer.to_string())
        }
    })?;
    Ok(())
}

#[test]
fn the_controller_may_not_read_secrets() -> Result<(), Box<dyn Error>> {
    let cluster = ControlPlane::shared();
    let answer = cluster
        .controller_kubectl()
        .run(&["get", "secrets", "--all-namespaces"])?;
    assert!(!answer.status.success(), "{answer}");
    assert!(answer.stderr.contains("Forbidden"), "{answer}");
    assert!(answer.stderr.contains(CONTROLLER_USER), "{answer}");
    Ok(())
}

#[test]
fn the_controller_has_the_rights_of_the_manifest() -> Result<(), Box<dyn Error>> {
    let namespace = ControlPlane::shared()
        .controller_kubectl()
        .get_json(&["namespace", CONTROLLER_NAMESPACE])?;
    assert_eq!(namespace["status"]["phase"], "Active");
    Ok(())
}

#[test]
fn a_refusal_is_an_error_that_says_why() {
    let kubectl = ControlPlane::shared().kubectl();
    let error = kubectl.get_json(&["namespace", "nowhere"]).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("namespaces \"nowhere\" not found"),
        "{error}"
    );
}

#[test]
fn a_backup_brings_back_what_was_and_nothing_later() -> Result<(), Box<dyn Error>> {
    let cluster = ControlPlane::start(&amity_testbed::control_plane_assets()?)?;
    cluster.namespace("before")?;
    let backup = cluster.back_up()?;
    cluster.namespace("after")?;

    cluster.restart_api_server(|| {
        let answer = cluster.kubectl().run(&["get", "--raw", "/readyz"]);
        assert!(answer.is_ok_and(|answer| !answer.status.success()));
    })?;
    cluster.kubectl().get_json(&["namespace", "after"])?;

    cluster.restore(&backup)?;

    cluster.kubectl().get_json(&["namespace", "before"])?;
    let error = cluster.kubectl().get_json(&["namespace", "after"]);
    assert!(error.unwrap_err().to_string().contains("not found"));
    cluster.namespace("later")?;
    Ok(())
}

#[test]
fn a_control_plane_that_is_dropped_answers_no_more() -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let cluster = ControlPlane::start(&amity_testbed::control_plane_assets()?)?;
    println!("ready after {:.1} s", start.elapsed().as_secs_f32());
    for (program, memory) in cluster.resident_memory() {
        println!("{program}: {:?} MiB", memory.map(|bytes| bytes >> 20));
    }
    let kubectl = cluster.kubectl().clone();
    kubectl.run(&["get", "--raw", "/readyz"])?.ok()?;

    drop(cluster);

    assert!(!kubectl.run(&["get", "--raw", "/readyz"])?.status.success());
    Ok(())
}
