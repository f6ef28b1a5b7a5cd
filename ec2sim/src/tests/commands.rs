//! Commands of Systems Manager: where they can be sent, and what becomes of them.

use serde_json::Value;

use super::machines::{golden, launch, machine, timed, windows};
use super::ssm::ask;
use super::*;
use crate::state::{GuestFault, InstanceState, LaunchAgent, ScriptedCommand};

const SYSPREP: &str =
    r#"& "C:\Program Files\amazon\ec2launch\ec2launch.exe" sysprep --shutdown=true"#;
const PROFILE: [(&str, &str); 1] = [("IamInstanceProfile.Name", "build")];

fn send(ec2: &mut Ec2, instance: &str, document: &str, script: &str) -> (u16, Value) {
    let parameters = [
        ("InstanceIds.1", instance),
        ("DocumentName", document),
        ("Parameters.commands.1", script),
    ];
    ask(ec2, HOME, "SendCommand", &parameters)
}

fn sent(ec2: &mut Ec2, instance: &str, document: &str, script: &str) -> String {
    let (status, body) = send(ec2, instance, document, script);
    assert_eq!(status, 200, "{body}");
    body["Command"]["CommandId"]
        .as_str()
        .expect("an id")
        .to_owned()
}

fn look(ec2: &mut Ec2, instance: &str, command: &str) -> Value {
    let parameters = [("CommandId", command), ("InstanceId", instance)];
    ask(ec2, HOME, "GetCommandInvocation", &parameters).1
}

/// A machine whose agent is online.
fn online(ec2: &mut Ec2) -> String {
    let id = launch(ec2, &PROFILE);
    ec2.wait(30);
    id
}

#[test]
fn an_agent_is_online_some_time_after_the_start_where_its_role_and_its_image_let_it() {
    let mut ec2 = timed();
    let id = launch(&mut ec2, &PROFILE);
    let without = launch(&mut ec2, &[]);
    golden(&mut ec2).guest.agent = false;
    let no_agent = launch(&mut ec2, &PROFILE);
    ec2.wait(29);
    let pings = |ec2: &mut Ec2| {
        let list = ask(ec2, HOME, "DescribeInstanceInformation", &[]).1;
        let list = list["InstanceInformationList"]
            .as_array()
            .cloned()
            .expect("a list");
        let shown = list
            .iter()
            .map(|one| (one["InstanceId"].clone(), one["PingStatus"].clone()));
        shown.collect::<Vec<_>>()
    };
    assert!(pings(&mut ec2).is_empty());
    ec2.wait(1);
    assert_eq!(pings(&mut ec2), [(id.clone().into(), "Online".into())]);
    for other in [&without, &no_agent] {
        let (status, body) = send(&mut ec2, other, "AWS-RunShellScript", "true");
        assert_eq!(
            (status, &body["__type"]),
            (400, &"InvalidInstanceId".into())
        );
    }
    ec2.ok("StopInstances", &[("InstanceId.1", &id)]);
    assert_eq!(
        pings(&mut ec2),
        [(id.clone().into(), "ConnectionLost".into())]
    );
    ec2.ok("TerminateInstances", &[("InstanceId.1", &id)]);
    ec2.wait(5);
    assert!(pings(&mut ec2).is_empty());
}

#[test]
fn a_command_is_pending_then_in_progress_and_then_it_has_ended() {
    let mut ec2 = timed();
    golden(&mut ec2).guest.commands = vec![ScriptedCommand {
        contains: "lint".to_owned(),
        output: "two mistakes".to_owned(),
        errors: "they are here\n".to_owned(),
        exit_code: 2,
        milliseconds: Some(60_000),
        ..ScriptedCommand::default()
    }];
    let id = online(&mut ec2);
    let command = sent(&mut ec2, &id, "AWS-RunShellScript", "lint --all");
    assert_eq!(look(&mut ec2, &id, &command)["Status"], "Pending");
    ec2.wait(2);
    assert_eq!(look(&mut ec2, &id, &command)["Status"], "InProgress");
    ec2.wait(60);
    let end = look(&mut ec2, &id, &command);
    assert_eq!(
        (&end["Status"], &end["ResponseCode"]),
        (&"Failed".into(), &2.into())
    );
    assert_eq!(end["StandardOutputContent"], "two mistakes");
    assert_eq!(
        end["StandardErrorContent"],
        "they are here\nfailed to run commands: exit status 2"
    );
    assert_eq!(end["ExecutionElapsedTime"], "PT60S");
}

#[test]
fn an_invocation_is_not_there_for_a_moment() {
    let mut ec2 = timed();
    let id = online(&mut ec2);
    ec2.world.knobs_mut().max_read_lag_seconds = 100;
    let command = sent(&mut ec2, &id, "AWS-RunShellScript", "true");
    assert_eq!(
        look(&mut ec2, &id, &command)["__type"],
        "InvocationDoesNotExist"
    );
    ec2.wait(100);
    assert_eq!(look(&mut ec2, &id, &command)["Status"], "Success");
}

#[test]
fn a_command_that_hangs_times_out_and_so_does_one_that_nobody_takes() {
    let mut ec2 = timed();
    golden(&mut ec2).guest.fault = Some(GuestFault::Hangs);
    let id = online(&mut ec2);
    let hanging = sent(&mut ec2, &id, "AWS-RunShellScript", "true");
    ec2.wait(3);
    let late = sent(&mut ec2, &id, "AWS-RunShellScript", "true");
    ec2.ok("StopInstances", &[("InstanceId.1", &id)]);
    ec2.wait(60);
    assert_eq!(look(&mut ec2, &id, &hanging)["Status"], "InProgress");
    assert_eq!(look(&mut ec2, &id, &late)["Status"], "Pending");
    ec2.wait(3600);
    assert_eq!(
        look(&mut ec2, &id, &hanging)["StatusDetails"],
        "ExecutionTimedOut"
    );
    assert_eq!(
        look(&mut ec2, &id, &late)["StatusDetails"],
        "DeliveryTimedOut"
    );
}

#[test]
fn sysprep_by_a_command_takes_the_machine_down_whatever_its_status() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..8 {
        let mut ec2 = timed();
        ec2.world = ec2.world.with_seed(seed);
        windows(&mut ec2, LaunchAgent::Ec2launchV2);
        let id = online(&mut ec2);
        let command = sent(&mut ec2, &id, "AWS-RunPowerShellScript", SYSPREP);
        ec2.wait(60);
        assert_eq!(look(&mut ec2, &id, &command)["Status"], "InProgress");
        ec2.wait(60);
        let status = look(&mut ec2, &id, &command)["Status"].clone();
        seen.insert(status.as_str().expect("a status").to_owned());
        assert_eq!(machine(&ec2, &id).state, InstanceState::Stopped);
        assert!(machine(&ec2, &id).generalised.is_some());
    }
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        ["InProgress", "Success"]
    );
}

#[test]
fn the_agent_waits_in_vain_where_user_data_runs_sysprep() {
    let mut ec2 = timed();
    windows(&mut ec2, LaunchAgent::Ec2launchV2);
    let user_data = format!("<powershell>{SYSPREP}</powershell>");
    let user_data = crate::wire::base64::encode(user_data.as_bytes());
    let id = launch(&mut ec2, &[PROFILE[0], ("UserData", &user_data)]);
    ec2.wait(100);
    let (_, body) = send(&mut ec2, &id, "AWS-RunPowerShellScript", "true");
    assert_eq!(body["__type"], "InvalidInstanceId");
}

#[test]
fn sysprep_fails_where_a_profile_is_corrupt_or_another_agent_is_there() {
    for (agent, fault, said) in [
        (
            LaunchAgent::Ec2launchV2,
            Some(GuestFault::CorruptProfile),
            "_FindLatestProfile failed (0x80070003)",
        ),
        (
            LaunchAgent::Ec2launch,
            None,
            "is not recognized as the name of a cmdlet",
        ),
    ] {
        let mut ec2 = timed();
        windows(&mut ec2, agent);
        golden(&mut ec2).guest.fault = fault;
        let id = online(&mut ec2);
        let command = sent(&mut ec2, &id, "AWS-RunPowerShellScript", SYSPREP);
        ec2.wait(300);
        let end = look(&mut ec2, &id, &command);
        assert_eq!(end["Status"], "Failed");
        assert!(
            end["StandardErrorContent"]
                .as_str()
                .is_some_and(|text| text.contains(said)),
            "{end}"
        );
        assert_eq!(machine(&ec2, &id).state, InstanceState::Running);
        assert!(machine(&ec2, &id).generalised.is_none());
    }
}

#[test]
fn a_machine_that_never_stops_says_that_all_is_well() {
    let mut ec2 = timed();
    windows(&mut ec2, LaunchAgent::Ec2launchV2);
    golden(&mut ec2).guest.fault = Some(GuestFault::NeverStops);
    let id = online(&mut ec2);
    let command = sent(&mut ec2, &id, "AWS-RunPowerShellScript", SYSPREP);
    ec2.wait(3000);
    assert_eq!(look(&mut ec2, &id, &command)["Status"], "Success");
    assert_eq!(machine(&ec2, &id).state, InstanceState::Running);
}
