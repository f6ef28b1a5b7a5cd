//! What an object records of itself is read by every later version as it was written.

use serde_json::json;

use super::*;

/// The object with one annotation, as the API server keeps it.
fn desired(source: &serde_json::Value, annotation: (&str, &str)) -> Desired {
    let image: MachineImage = serde_json::from_value(json!({
        "apiVersion": "amity.dev/v1alpha1",
        "kind": "MachineImage",
        "metadata": {"name": "web", "namespace": "prod", "annotations": {annotation.0: annotation.1}},
        "spec": {"source": source, "regions": [{"name": "us-east-1"}]},
    }))
    .unwrap();
    let installation = Installation {
        owner: "o1".to_owned(),
        cluster: "c1".to_owned(),
        take_over_from: None,
        consistency_window: SignedDuration::from_mins(10),
        price_per_gib_month: None,
    };
    let references = References {
        accounts: &BTreeMap::new(),
        namespace_labels: &BTreeMap::new(),
        machine_images: &[],
    };
    Desired::of(&image, &installation, references)
}

#[test]
fn the_record_of_a_capture_never_changes() {
    const WRITTEN: &str = "8d5de8a2e0 2026-03-01T12:00:05Z";
    let source = json!({"instance": {"region": "us-east-1", "instanceId": "i-0a1b2c3d4e5f60718", "reboot": "Never"}});
    let captured = Captured {
        revision: Revision::from("8d5de8a2e0"),
        at: "2026-03-01T12:00:05Z".parse().unwrap(),
    };
    let desired = desired(&source, ("amity.dev/captured", WRITTEN));
    assert_eq!(desired.captured.as_ref(), Some(&captured));
    assert_eq!(desired.captured.unwrap().revision, desired.revision);

    // The moment of a reconcile is no whole second.
    let moment = captured.at + SignedDuration::from_millis(999);
    assert_eq!(CAPTURED, "amity.dev/captured");
    assert_eq!(Captured::annotation(&captured.revision, moment), WRITTEN);
}

#[test]
fn the_record_of_a_discard_never_changes() {
    const WRITTEN: &str = "5b5bc38740 Red Hat Enterprise Linux";
    let source = json!({"snapshot": {
        "region": "us-east-1",
        "snapshotId": "snap-0a1b2c3d4e5f60718",
        "rootDeviceName": "/dev/xvda",
        "architecture": "x86_64",
    }});
    let discarded = Discarded {
        revision: Revision::from("5b5bc38740"),
        platform_details: "Red Hat Enterprise Linux".to_owned(),
    };
    let desired = desired(&source, ("amity.dev/discarded", WRITTEN));
    assert_eq!(desired.discarded.as_ref(), Some(&discarded));

    assert_eq!(DISCARDED, "amity.dev/discarded");
    let written = Discarded::annotation(&discarded.revision, &discarded.platform_details);
    assert_eq!(written, WRITTEN);
}
