//! What somebody deregisters comes back from the Recycle Bin, where a rule keeps it, as the image that it was.

use std::collections::BTreeSet;

use amity_testbed::eventually;

use crate::lab::{Alone, Lab, PATIENCE, USER, condition, published};

const ACCOUNT: &str = "111122223333";

/// Where rules keep what is deregistered and deleted: see world.yaml.
const KEPT: &str = "us-west-2";

fn snapshots(lab: &Lab) -> BTreeSet<String> {
    let holdings = lab.holdings();
    let all = holdings.snapshots_of("recycling/web").into_iter();
    all.map(|one| one.id.clone()).collect()
}

fn copies(lab: &Lab) -> usize {
    let calls = lab.calls().into_iter();
    calls.filter(|call| call.action == "CopyImage").count()
}

#[test]
fn what_was_deregistered_with_its_snapshot_comes_back_under_its_id() {
    let mut alone = Alone::ready();
    let namespace = alone.lab.namespace("recycling");
    namespace.apply_of_instance("web", &["us-east-1", KEPT], "");
    let before = namespace.until_ready("web");
    // Long enough for what follows, on however slow a machine: after it, an image is called gone, and copied.
    alone.lab.restart_with(&["--consistency-window=10m"]);
    let lab = &alone.lab;
    lab.until_read_three_times(ACCOUNT);
    let (all, made) = (snapshots(lab), copies(lab));
    let holdings = lab.holdings();
    let mut its = holdings.snapshots_of("recycling/web").into_iter();
    let snapshot = its.find(|one| one.region == KEPT).expect("its snapshot");

    // Or the image would be back before its snapshot can be deleted.
    let namespace = lab.existing("recycling");
    namespace.patch("web", r#"{"spec": {"suspend": true}}"#);
    namespace.until("web", "it is suspended", |image| {
        let ready = condition(image, "Ready")?;
        (ready.reason == "Suspended").then_some(())
    });

    let image = published(&before)[KEPT].clone();
    lab.user_does_in(KEPT, USER, "DeregisterImage", &[("ImageId", &image)]);
    eventually(PATIENCE, "EC2 sees that nothing uses the snapshot", || {
        let deleted = [("SnapshotId", snapshot.id.as_str())];
        let answer = lab.ec2.call(USER, KEPT, "DeleteSnapshot", &deleted);
        answer.map_err(|error| error.to_string())
    })
    .unwrap();

    namespace.patch("web", r#"{"spec": {"suspend": false}}"#);

    eventually(PATIENCE, "the image is restored", || {
        let calls = lab.calls().into_iter();
        let mut restoring = calls
            .filter(|call| call.action == "RestoreImageFromRecycleBin" && call.outcome == "ok");
        restoring.next().ok_or_else(|| "it is not".to_owned())
    })
    .unwrap();
    let after = namespace.until_ready("web");
    assert_eq!(published(&after), published(&before));
    assert_eq!(snapshots(lab), all);
    assert_eq!(copies(lab), made, "nothing is copied");
    namespace.assert_served(&after, &["us-east-1", KEPT]);

    alone.lab.restart_with(&[]);
    let namespace = alone.lab.existing("recycling");
    namespace.delete("web");

    namespace.until_gone("web");
    namespace.assert_nothing_left("web", None);
}
