//! What befalls the cluster itself in the middle of a roll-out: the API server is killed, etcd is restored from an older
//! backup, every status is gone.

use std::thread;
use std::time::Duration;

use crate::fleet::{Fleet, NAMES};
use crate::replicas::STAGE;

#[test]
fn an_api_server_that_is_killed_for_longer_than_the_lease_costs_nothing() {
    let mut fleet = Fleet::new(&STAGE, "no-api-server");
    fleet.roll_out();
    for moment in [4, 16] {
        fleet.until_written(moment);
        let control_plane = fleet.replicas.lab.cluster.control_plane;
        // Two leases.
        let outage = || thread::sleep(Duration::from_secs(12));
        control_plane.restart_api_server(outage).unwrap();
        fleet.replicas.leader();
    }
    fleet.assert_rolled_out();
    for which in [0, 1] {
        let amity = fleet.replicas.amity(which);
        assert!(amity.process().ended().is_none(), "{}", amity.log());
    }
}

/// By its Lease the leader finds out that the cluster is an older one: when it has renewed it since.
fn until_the_backup_is_old(fleet: &Fleet) {
    fleet.replicas.lab.cluster.until_renewed();
}

#[test]
fn etcd_restored_from_an_older_backup_in_mid_roll_out_costs_nothing() {
    let mut fleet = Fleet::new(&STAGE, "restored");
    fleet.roll_out();
    fleet.assert_rolled_out();
    fleet.roll_out();
    fleet.until_written(8);
    let control_plane = fleet.replicas.lab.cluster.control_plane;
    let backup = control_plane.back_up().unwrap();
    fleet.until_written(30);
    until_the_backup_is_old(&fleet);

    control_plane.restore(&backup).unwrap();

    fleet.assert_rolled_out();
    fleet.roll_out();
    fleet.assert_rolled_out();
}

/// Meanwhile the revision before is wanted again, and what was begun of the new one is not: it goes, and is made anew.
#[test]
fn a_roll_out_that_a_backup_does_not_know_of_is_rolled_out_again() {
    let mut fleet = Fleet::new(&STAGE, "restored-before");
    fleet.roll_out();
    fleet.assert_rolled_out();
    let control_plane = fleet.replicas.lab.cluster.control_plane;
    let backup = control_plane.back_up().unwrap();
    fleet.roll_out();
    fleet.until_written(30);
    until_the_backup_is_old(&fleet);

    control_plane.restore(&backup).unwrap();

    // As a GitOps tool does.
    fleet.apply();
    fleet.assert_as_applied();
}

#[test]
fn every_status_deleted_while_nobody_runs_changes_nothing() {
    let mut fleet = Fleet::new(&STAGE, "no-status");
    fleet.roll_out();
    fleet.until_written(16);
    for which in [0, 1] {
        fleet.replicas.amity(which).kill9();
    }
    let kubectl = fleet.namespace().kubectl;
    for name in NAMES {
        let gone = r#"{"status": null}"#;
        let patch = ["patch", "machineimage", name, "--subresource=status"];
        let patch = [&patch[..], &["--type=merge", "-p", gone]].concat();
        kubectl.run(&patch).unwrap().ok().unwrap();
    }
    for which in [0, 1] {
        fleet.replicas.amity(which).restart().unwrap();
    }
    fleet.assert_rolled_out();
}
