//! The life of instances, what runs in them, and what is seen of it.

use super::*;
use crate::state::{GuestFault, Instance, InstanceState, LaunchAgent, Platform};
use crate::wire::base64;

pub(super) const ONE: [(&str, &str); 4] = [
    ("ImageId", GOLDEN),
    ("MinCount", "1"),
    ("MaxCount", "1"),
    ("InstanceType", "t3.micro"),
];
const SHUTS_DOWN: &str =
    "#!/bin/sh\nset -e\necho BUILD DONE > /dev/console\nsudo shutdown -h now\n";
const SYSPREP: &str = "<powershell>\n& \"$env:ProgramFiles\\amazon\\ec2launch\\ec2launch.exe\" sysprep --shutdown=true\n</powershell>";

/// A world where machines take their time, and nothing else does.
pub(super) fn timed() -> Ec2 {
    Ec2::with(Knobs {
        launch_milliseconds: 10_000,
        status_milliseconds: 60_000,
        user_data_milliseconds: 30_000,
        agent_milliseconds: 20_000,
        command_milliseconds: 4_000,
        sysprep_milliseconds: 100_000,
        stop_milliseconds: 5_000,
        terminate_milliseconds: 5_000,
        ..Knobs::calm()
    })
}

/// Launches one machine of the golden image.
pub(super) fn launch(ec2: &mut Ec2, more: &[(&str, &str)]) -> String {
    let body = ec2.ok("RunInstances", &[&ONE, more].concat());
    text(&body, "instanceId").expect("an id")
}

pub(super) fn machine<'a>(ec2: &'a Ec2, id: &str) -> &'a Instance {
    &ec2.world.regions()["us-east-1"].instances[id]
}

/// The golden image, to be changed.
pub(super) fn golden(ec2: &mut Ec2) -> &mut crate::state::Image {
    let region = ec2
        .world
        .regions_mut()
        .get_mut("us-east-1")
        .expect("a region");
    region.images.get_mut(GOLDEN).expect("the image")
}

pub(super) fn windows(ec2: &mut Ec2, agent: LaunchAgent) {
    let image = golden(ec2);
    image.machine.platform = Platform::Windows;
    image.machine.billed_as = Some(Platform::Windows);
    image.guest.launch_agent = Some(agent);
}

fn state(ec2: &mut Ec2, id: &str) -> InstanceState {
    ec2.ok("DescribeRegions", &[]);
    machine(ec2, id).state
}

fn console(ec2: &mut Ec2, id: &str) -> String {
    let body = ec2.ok(
        "GetConsoleOutput",
        &[("InstanceId", id), ("Latest", "true")],
    );
    let output = text(&body, "output").unwrap_or_default();
    String::from_utf8(base64::decode(&output).expect("base64")).expect("text")
}

fn status(ec2: &mut Ec2, id: &str) -> Vec<String> {
    let body = ec2.ok("DescribeInstanceStatus", &[("InstanceId.1", id)]);
    texts(&body, "instanceStatus")
        .iter()
        .filter_map(|status| text(status, "status"))
        .collect()
}

#[test]
fn a_machine_starts_stops_starts_again_and_goes() {
    let mut ec2 = timed();
    let id = launch(&mut ec2, &[]);
    assert_eq!(state(&mut ec2, &id), InstanceState::Pending);
    ec2.wait(10);
    assert_eq!(state(&mut ec2, &id), InstanceState::Running);
    let named = [("InstanceId.1", id.as_str())];
    let body = ec2.ok("StopInstances", &named);
    assert!(body.contains("<currentState><code>64</code><name>stopping</name></currentState>"));
    ec2.wait(5);
    assert_eq!(state(&mut ec2, &id), InstanceState::Stopped);
    assert_eq!(
        machine(&ec2, &id)
            .reason
            .as_ref()
            .map(|reason| reason.code.as_str()),
        Some("Client.UserInitiatedShutdown")
    );
    ec2.ok("StartInstances", &named);
    ec2.wait(10);
    assert_eq!(state(&mut ec2, &id), InstanceState::Running);
    ec2.ok("TerminateInstances", &named);
    assert_eq!(state(&mut ec2, &id), InstanceState::ShuttingDown);
    ec2.wait(5);
    assert_eq!(state(&mut ec2, &id), InstanceState::Terminated);
    ec2.ok("TerminateInstances", &named);
    assert_eq!(ec2.code("StopInstances", &named), "IncorrectInstanceState");
    assert_eq!(ec2.code("StartInstances", &named), "IncorrectInstanceState");
    ec2.wait(3600);
    assert_eq!(
        ec2.code("DescribeInstances", &named),
        "InvalidInstanceID.NotFound"
    );
}

#[test]
fn what_was_to_come_does_not_where_the_state_changes_before() {
    let mut ec2 = timed();
    let id = launch(
        &mut ec2,
        &[("UserData", &base64::encode(SHUTS_DOWN.as_bytes()))],
    );
    ec2.wait(5);
    ec2.ok("TerminateInstances", &[("InstanceId.1", &id)]);
    ec2.wait(100);
    assert_eq!(state(&mut ec2, &id), InstanceState::Terminated);
    assert_eq!(console(&mut ec2, &id), "");
}

#[test]
fn user_data_shuts_the_machine_down_once() {
    let mut ec2 = timed();
    let id = launch(
        &mut ec2,
        &[("UserData", &base64::encode(SHUTS_DOWN.as_bytes()))],
    );
    ec2.wait(40);
    assert_eq!(state(&mut ec2, &id), InstanceState::Stopping);
    ec2.wait(5);
    assert_eq!(state(&mut ec2, &id), InstanceState::Stopped);
    let said = console(&mut ec2, &id);
    for line in ["BUILD DONE\r\n", "Cloud-init v.", "reboot: Power down"] {
        assert!(said.contains(line), "{said}");
    }
    let reason = machine(&ec2, &id).reason.clone().expect("a reason");
    assert_eq!(reason.code, "Client.InstanceInitiatedShutdown");
    // A later start does not run it again.
    ec2.ok("StartInstances", &[("InstanceId.1", &id)]);
    ec2.wait(60);
    assert_eq!(state(&mut ec2, &id), InstanceState::Running);
}

#[test]
fn a_machine_that_shuts_itself_down_is_gone_where_its_behavior_says_so() {
    let mut ec2 = timed();
    let user_data = base64::encode(SHUTS_DOWN.as_bytes());
    let given = ("UserData", user_data.as_str());
    let terminates = launch(
        &mut ec2,
        &[given, ("InstanceInitiatedShutdownBehavior", "terminate")],
    );
    let once = launch(
        &mut ec2,
        &[given, ("InstanceMarketOptions.MarketType", "spot")],
    );
    let again = launch(
        &mut ec2,
        &[
            given,
            ("InstanceMarketOptions.MarketType", "spot"),
            (
                "InstanceMarketOptions.SpotOptions.SpotInstanceType",
                "persistent",
            ),
        ],
    );
    ec2.wait(60);
    assert_eq!(state(&mut ec2, &terminates), InstanceState::Terminated);
    assert_eq!(state(&mut ec2, &once), InstanceState::Terminated);
    assert_eq!(state(&mut ec2, &again), InstanceState::Stopped);
    ec2.world.facts_mut().one_time_spots_stop_from_within = true;
    let once = launch(
        &mut ec2,
        &[given, ("InstanceMarketOptions.MarketType", "spot")],
    );
    ec2.wait(60);
    assert_eq!(state(&mut ec2, &once), InstanceState::Stopped);
}

#[test]
fn user_data_of_no_known_form_does_nothing() {
    let mut ec2 = timed();
    let id = launch(
        &mut ec2,
        &[("UserData", &base64::encode(b"shutdown -h now\n"))],
    );
    ec2.wait(60);
    assert_eq!(state(&mut ec2, &id), InstanceState::Running);
    assert!(console(&mut ec2, &id).contains("Unhandled non-multipart"));
}

#[test]
fn one_time_spots_cannot_be_stopped() {
    let mut ec2 = timed();
    let id = launch(&mut ec2, &[("InstanceMarketOptions.MarketType", "spot")]);
    ec2.wait(10);
    let (code, message) = ec2.refused("StopInstances", &[("InstanceId.1", &id)]);
    assert_eq!(code, "UnsupportedOperation");
    assert!(
        message.contains("one-time Spot Instance request"),
        "{message}"
    );
    let shown = ec2.ok(
        "DescribeInstances",
        &[
            ("Filter.1.Name", "instance-lifecycle"),
            ("Filter.1.Value.1", "spot"),
        ],
    );
    assert_eq!(text(&shown, "instanceId"), Some(id));
    assert_eq!(text(&shown, "instanceLifecycle").as_deref(), Some("spot"));
}

#[test]
fn the_checks_of_a_machine_end_some_time_after_it_runs() {
    let mut ec2 = timed();
    let id = launch(&mut ec2, &[]);
    assert!(
        status(&mut ec2, &id).is_empty(),
        "only running ones are shown"
    );
    let all = ec2.ok(
        "DescribeInstanceStatus",
        &[("InstanceId.1", &id), ("IncludeAllInstances", "true")],
    );
    assert!(all.contains("<status>not-applicable</status>"));
    ec2.wait(10);
    assert_eq!(status(&mut ec2, &id), ["initializing"]);
    ec2.wait(60);
    assert_eq!(status(&mut ec2, &id), ["ok"]);
}

#[test]
fn each_fault_is_seen_from_outside() {
    for (fault, wanted, healthy) in [
        (GuestFault::Hangs, InstanceState::Running, "ok"),
        (GuestFault::NeverStops, InstanceState::Running, "ok"),
        (GuestFault::Impaired, InstanceState::Running, "impaired"),
        (GuestFault::TerminatesItself, InstanceState::Terminated, ""),
    ] {
        let mut ec2 = timed();
        golden(&mut ec2).guest.fault = Some(fault);
        let id = launch(
            &mut ec2,
            &[("UserData", &base64::encode(SHUTS_DOWN.as_bytes()))],
        );
        ec2.wait(200);
        assert_eq!(state(&mut ec2, &id), wanted, "{fault:?}");
        assert_eq!(status(&mut ec2, &id).concat(), healthy, "{fault:?}");
    }
}

#[test]
fn chance_gives_machines_faults() {
    let mut ec2 = timed();
    ec2.world.knobs_mut().faulty_guests_per_mille = 500;
    let ids: Vec<_> = (0..40).map(|_| launch(&mut ec2, &[])).collect();
    let faults: Vec<_> = ids
        .iter()
        .filter_map(|id| machine(&ec2, id).guest.fault)
        .collect();
    assert!((10..30).contains(&faults.len()), "{faults:?}");
    assert!(faults.contains(&GuestFault::Hangs) && !faults.contains(&GuestFault::CorruptProfile));
}

#[test]
fn sysprep_in_user_data_generalises_the_machine_and_its_images() {
    let mut ec2 = timed();
    windows(&mut ec2, LaunchAgent::Ec2launchV2);
    let id = launch(
        &mut ec2,
        &[("UserData", &base64::encode(SYSPREP.as_bytes()))],
    );
    ec2.wait(45);
    assert_eq!(state(&mut ec2, &id), InstanceState::Running);
    ec2.wait(100);
    assert_eq!(state(&mut ec2, &id), InstanceState::Stopped);
    let capture = [("InstanceId", id.as_str()), ("Name", "web")];
    let image = text(&ec2.ok("CreateImage", &capture), "imageId").expect("an image");
    let generalised = |ec2: &Ec2, region: &str, image: &str| {
        ec2.world.regions()[region].images[image].generalised
    };
    let found = generalised(&ec2, "us-east-1", &image).expect("it is");
    assert_eq!(
        (found.by, found.initialises),
        (LaunchAgent::Ec2launchV2, true)
    );
    let copy = ec2.at("eu-west-1").copy(&image, &[]);
    assert!(generalised(&ec2, "eu-west-1", &copy).is_some());
    // Started again it is a machine of its own.
    ec2.at("us-east-1")
        .ok("StartInstances", &[("InstanceId.1", &id)]);
    ec2.wait(60);
    ec2.ok("StopInstances", &[("InstanceId.1", &id)]);
    ec2.wait(10);
    let capture = [("InstanceId", id.as_str()), ("Name", "web-2")];
    let image = text(&ec2.ok("CreateImage", &capture), "imageId").expect("an image");
    assert!(generalised(&ec2, "us-east-1", &image).is_none());
}

#[test]
fn an_image_of_a_machine_has_its_guest_without_the_fault() {
    let mut ec2 = Ec2::calm();
    let guest = &mut golden(&mut ec2).guest;
    guest.fault = Some(GuestFault::NeverStops);
    guest.console = vec!["ready".to_owned()];
    let id = launch(&mut ec2, &[]);
    ec2.wait(1);
    let capture = [("InstanceId", id.as_str()), ("Name", "web")];
    let image = text(&ec2.ok("CreateImage", &capture), "imageId").expect("an image");
    let guest = &ec2.world.regions()["us-east-1"].images[&image].guest;
    assert_eq!(
        (guest.fault, guest.console.as_slice()),
        (None, &["ready".to_owned()][..])
    );
}

#[test]
fn protection_refuses_the_whole_call_until_it_is_taken_away() {
    let mut ec2 = Ec2::calm();
    let protected = launch(&mut ec2, &[("DisableApiTermination", "true")]);
    let other = launch(&mut ec2, &[]);
    let both = [
        ("InstanceId.1", other.as_str()),
        ("InstanceId.2", protected.as_str()),
    ];
    assert_eq!(
        ec2.code("TerminateInstances", &both),
        "OperationNotPermitted"
    );
    assert_eq!(state(&mut ec2, &other), InstanceState::Running);
    let off = [
        ("InstanceId", protected.as_str()),
        ("DisableApiTermination.Value", "false"),
    ];
    ec2.ok("ModifyInstanceAttribute", &off);
    ec2.ok("TerminateInstances", &both);
    assert_eq!(state(&mut ec2, &protected), InstanceState::Terminated);
}

#[test]
fn volumes_go_with_their_instance_or_stay() {
    let mut ec2 = Ec2::calm();
    let id = launch(
        &mut ec2,
        &[
            ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
            ("BlockDeviceMapping.1.Ebs.VolumeSize", "20"),
            ("BlockDeviceMapping.1.Ebs.Encrypted", "true"),
            ("BlockDeviceMapping.2.DeviceName", "/dev/sdf"),
            ("BlockDeviceMapping.2.Ebs.VolumeSize", "5"),
            ("BlockDeviceMapping.2.Ebs.DeleteOnTermination", "false"),
            ("TagSpecification.1.ResourceType", "volume"),
            ("TagSpecification.1.Tag.1.Key", "owner"),
            ("TagSpecification.1.Tag.1.Value", "us"),
        ],
    );
    let mine = [("Filter.1.Name", "tag:owner"), ("Filter.1.Value.1", "us")];
    let body = ec2.ok("DescribeVolumes", &mine);
    let mut sizes = texts(&body, "size");
    sizes.sort();
    assert_eq!(sizes, ["20", "5"]);
    assert!(body.contains("<encrypted>true</encrypted>"));
    ec2.ok("TerminateInstances", &[("InstanceId.1", &id)]);
    let body = ec2.ok("DescribeVolumes", &mine);
    assert_eq!(texts(&body, "size"), ["5"]);
    assert_eq!(texts(&body, "status"), ["available"]);
}

#[test]
fn a_new_instance_is_seen_late_and_can_be_terminated_at_once() {
    let mut ec2 = Ec2::with(Knobs {
        max_read_lag_seconds: 100,
        ..Knobs::calm()
    });
    let id = launch(&mut ec2, &[]);
    let named = [("InstanceId.1", id.as_str())];
    assert_eq!(
        ec2.code("DescribeInstances", &named),
        "InvalidInstanceID.NotFound"
    );
    ec2.ok("TerminateInstances", &named);
    ec2.wait(100);
    let body = ec2.ok("DescribeInstances", &named);
    assert!(body.contains("<name>terminated</name>"));
}
