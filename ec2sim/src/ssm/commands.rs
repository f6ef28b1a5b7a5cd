//! `SendCommand` and `GetCommandInvocation` (model ssm; docs: SSM monitor-commands): scripts of the documents
//! `AWS-RunShellScript` and `AWS-RunPowerShellScript` on instances that are named by id.
//!
//! A command is taken where the agent is online, seen a while later, begins, and ends. Of one that takes its machine down
//! chance says whether its end is ever heard of; without one it is in progress until it times out, which is the status
//! that Systems Manager then has, as far as anybody could say.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chance::{Stream, after, digest, mix, uuid};
use crate::error::{ApiError, check_id};
use crate::instances::{Turn, keeps_the_agent_waiting};
use crate::lag::View;
use crate::ssm::{Place, invalid, missing, required, validation};
use crate::state::{Command, CommandEnd, GuestFault, Instance, Invocation};
use crate::wire::parameters::Parameters;
use crate::wire::response::iso;
use crate::world::World;

const SHELL: &str = "AWS-RunShellScript";
const POWERSHELL: &str = "AWS-RunPowerShellScript";
/// How many instances one command may name (model).
const MOST: usize = 50;
/// What is shown of outputs (model: `StandardOutputContent`).
const MOST_OUTPUT: usize = 24_000;

/// What a command is, and since when.
struct Progress {
    status: &'static str,
    details: &'static str,
}

impl World {
    pub(super) fn send_command(
        &mut self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let document = required(&mut parameters, "DocumentName", "documentName")?;
        let ids = parameters.list("InstanceIds");
        let comment = parameters.text("Comment").unwrap_or_default();
        parameters.text("DocumentVersion");
        let timeout = parameters.number("TimeoutSeconds")?.unwrap_or(3600);
        let commands = parameters.list("Parameters.commands");
        let execution = parameters.list("Parameters.executionTimeout");
        parameters.list("Parameters.workingDirectory");
        parameters.not_modelled(&[
            "AlarmConfiguration",
            "CloudWatchOutputConfig",
            "DocumentHash",
            "DocumentHashType",
            "MaxConcurrency",
            "MaxErrors",
            "NotificationConfig",
            "OutputS3BucketName",
            "OutputS3KeyPrefix",
            "OutputS3Region",
            "ServiceRoleArn",
            "Targets",
        ])?;
        parameters.finish()?;
        if ![SHELL, POWERSHELL].contains(&document.as_str()) {
            return Err(ApiError::new("InvalidDocument", ""));
        }
        if commands.is_empty() {
            return Err(ApiError::new("InvalidParameters", "commands is required"));
        }
        if ids.is_empty() {
            return Err(missing("instanceIds"));
        }
        if ids.len() > MOST {
            return Err(validation(
                "instanceIds",
                "Member must have length less than or equal to 50",
            ));
        }
        if !(30..=2_592_000).contains(&timeout) {
            return Err(validation(
                "timeoutSeconds",
                "Member must have value between 30 and 2592000",
            ));
        }
        let execution_seconds = match execution.first() {
            None => 3600,
            Some(seconds) => seconds
                .parse()
                .map_err(|_| invalid("executionTimeout is not a number"))?,
        };
        self.check_targets(place, &document, &ids)?;

        let number = digest(&self.new_id("command", &place.region));
        let id = uuid(number, mix(number));
        let begins = after(self.now, self.knobs.command_milliseconds / 2);
        let invocation = Invocation {
            begins,
            began: false,
            end: None,
        };
        let command = Command {
            owner: place.account.clone(),
            document,
            comment,
            commands,
            sent: self.now,
            delivered_until: after(self.now, u64::from(timeout) * 1000),
            execution_seconds,
            born: self.lag(),
            invocations: ids
                .iter()
                .map(|id| (id.clone(), invocation.clone()))
                .collect(),
        };
        let shown = shown(&id, &command);
        self.region_mut(&place.region)?
            .commands
            .insert(id.clone(), command);
        for instance in &ids {
            let milliseconds = self.knobs.command_milliseconds / 2;
            self.will(
                &place.region,
                instance,
                milliseconds,
                Turn::Command(id.clone()),
            );
        }
        Ok(json!({ "Command": shown }))
    }

    /// All must be online, and be machines that the document is for.
    fn check_targets(&self, place: &Place, document: &str, ids: &[String]) -> Result<(), ApiError> {
        let offline: Vec<&str> = ids
            .iter()
            .filter(|id| check_id("i", id).is_err() || !self.online(place, id))
            .map(String::as_str)
            .collect();
        if !offline.is_empty() {
            return Err(ApiError::new(
                "InvalidInstanceId",
                format!(
                    "Instances [[{}]] not in a valid state for account {}",
                    offline.join(", "),
                    place.account
                ),
            ));
        }
        for id in ids {
            let machine = self.machine(&place.region, id);
            let windows = machine.is_some_and(|machine| machine.machine.platform.is_windows());
            if windows && document == SHELL {
                return Err(ApiError::new("UnsupportedPlatformType", ""));
            }
            if !windows && document == POWERSHELL {
                return Err(ApiError::not_modelled("PowerShell on Linux"));
            }
        }
        Ok(())
    }

    /// Whether the agent of an instance of the account answers.
    pub(super) fn online(&self, place: &Place, id: &str) -> bool {
        let machine = self.machine(&place.region, id);
        machine.is_some_and(|machine| machine.owner == place.account && self.answers(machine))
    }

    /// Whether an agent that may register is up: some time after the machine runs.
    pub(super) fn answers(&self, machine: &Instance) -> bool {
        let up = machine
            .booted
            .is_some_and(|from| after(from, self.knobs.agent_milliseconds) <= self.now);
        up && may_register(machine) && !keeps_the_agent_waiting(machine)
    }

    /// The agent takes a command and runs it.
    pub(crate) fn command_begins(&mut self, region: &str, id: &str, command: &str) {
        let found = self
            .regions
            .get(region)
            .and_then(|place| place.commands.get(command));
        let Some(script) = found.map(|command| command.commands.join("\n")) else {
            return;
        };
        let Some(machine) = self
            .machine(region, id)
            .filter(|machine| self.answers(machine))
        else {
            return;
        };
        let mut scripted = machine.guest.commands.iter();
        let scripted = scripted.find(|one| script.contains(&one.contains));
        let hangs =
            scripted.is_some_and(|one| one.hangs) || machine.guest.fault == Some(GuestFault::Hangs);
        let usual = self.knobs.command_milliseconds / 2;
        let mut milliseconds = scripted.and_then(|one| one.milliseconds).unwrap_or(usual);
        let mut end = None;
        if !hangs {
            let ran = self.run(region, id, &script);
            if ran.sysprepped {
                milliseconds = self.knobs.sysprep_milliseconds;
            } else if ran.goes_down {
                milliseconds = 0;
            }
            if !ran.goes_down || self.chance.happens(Stream::Guest, 500) {
                let mut errors = ran.errors;
                if ran.exit_code != 0 {
                    let status = format!("failed to run commands: exit status {}", ran.exit_code);
                    errors.push_str(&status);
                }
                end = Some(CommandEnd {
                    at: after(self.now, milliseconds),
                    exit_code: ran.exit_code,
                    output: ran.output,
                    errors,
                });
            }
        }
        let place = self.regions.get_mut(region);
        let command = place.and_then(|place| place.commands.get_mut(command));
        if let Some(invocation) = command.and_then(|command| command.invocations.get_mut(id)) {
            invocation.began = true;
            invocation.end = end;
        }
    }

    /// Nobody hears of the ends that would have come later.
    pub(crate) fn silence(&mut self, region: &str, id: &str) {
        let now = self.now;
        let Some(place) = self.regions.get_mut(region) else {
            return;
        };
        for command in place.commands.values_mut() {
            if let Some(invocation) = command.invocations.get_mut(id)
                && invocation.end.as_ref().is_some_and(|end| end.at > now)
            {
                invocation.end = None;
            }
        }
    }

    pub(super) fn get_command_invocation(
        &mut self,
        place: &Place,
        mut parameters: Parameters,
    ) -> Result<Value, ApiError> {
        let id = required(&mut parameters, "CommandId", "commandId")?;
        let instance = required(&mut parameters, "InstanceId", "instanceId")?;
        parameters.text("PluginName");
        parameters.finish()?;
        if id.len() != 36 {
            return Err(validation(
                "commandId",
                "Member must have length greater than or equal to 36",
            ));
        }
        let view = View {
            now: self.now,
            stale: self.chance.happens(Stream::Replica, 500),
        };
        let found = self.region(&place.region)?.commands.get(&id);
        let found = found.filter(|one| one.owner == place.account && one.born.seen(view));
        let found = found.and_then(|command| Some((command, command.invocations.get(&instance)?)));
        let (command, invocation) =
            found.ok_or_else(|| ApiError::new("InvocationDoesNotExist", ""))?;
        let progress = self.progress(command, invocation);
        let end = invocation.end.as_ref().filter(|end| end.at <= self.now);
        let code = match (end, progress.status) {
            (Some(end), _) => end.exit_code,
            _ => -1,
        };
        let began = invocation.began && progress.status != "Pending";
        let text = |text: Option<&String>| text.map(|text| cut(text)).unwrap_or_default();
        let elapsed = end.map(|end| end.at.duration_since(invocation.begins).as_secs_f64());
        Ok(json!({
            "CommandId": id,
            "InstanceId": instance,
            "Comment": command.comment,
            "DocumentName": command.document,
            "DocumentVersion": "$DEFAULT",
            "PluginName": if command.document == SHELL { "aws:runShellScript" } else { "aws:runPowerShellScript" },
            "ResponseCode": code,
            "ExecutionStartDateTime": if began { iso(invocation.begins) } else { String::new() },
            "ExecutionElapsedTime": elapsed.map_or_else(String::new, |seconds| format!("PT{seconds}S")),
            "ExecutionEndDateTime": end.map_or_else(String::new, |end| iso(end.at)),
            "Status": progress.status,
            "StatusDetails": progress.details,
            "StandardOutputContent": text(end.map(|end| &end.output)),
            "StandardOutputUrl": "",
            "StandardErrorContent": text(end.map(|end| &end.errors)),
            "StandardErrorUrl": "",
            "CloudWatchOutputConfig": {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": false},
        }))
    }

    fn progress(&self, command: &Command, invocation: &Invocation) -> Progress {
        let of = |status, details| Progress { status, details };
        if let Some(end) = invocation.end.as_ref().filter(|end| end.at <= self.now) {
            return if end.exit_code == 0 {
                of("Success", "Success")
            } else {
                of("Failed", "Failed")
            };
        }
        let most = command.execution_seconds.saturating_mul(1000);
        if invocation.began && after(invocation.begins, most) <= self.now {
            return of("TimedOut", "ExecutionTimedOut");
        }
        if !invocation.began && command.delivered_until <= self.now {
            return of("TimedOut", "DeliveryTimedOut");
        }
        if invocation.began {
            of("InProgress", "InProgress")
        } else {
            of("Pending", "Pending")
        }
    }
}

/// Whether the agent is there and its role lets it register (docs: SSM setup-instance-permissions).
pub(super) fn may_register(machine: &Instance) -> bool {
    let allowed = machine
        .profile
        .as_ref()
        .is_some_and(|profile| profile.systems_manager);
    allowed && machine.guest.agent && machine.guest.fault != Some(GuestFault::Impaired)
}

fn cut(text: &str) -> String {
    text.chars().take(MOST_OUTPUT).collect()
}

fn shown(id: &str, command: &Command) -> Value {
    let ids: Vec<&String> = command.invocations.keys().collect();
    let parameters: BTreeMap<&str, &Vec<String>> =
        BTreeMap::from([("commands", &command.commands)]);
    json!({
        "CommandId": id,
        "DocumentName": command.document,
        "DocumentVersion": "$DEFAULT",
        "Comment": command.comment,
        "ExpiresAfter": command.delivered_until.as_second(),
        "Parameters": parameters,
        "InstanceIds": ids,
        "Targets": [],
        "RequestedDateTime": command.sent.as_second(),
        "Status": "Pending",
        "StatusDetails": "Pending",
        "OutputS3BucketName": "",
        "OutputS3KeyPrefix": "",
        "MaxConcurrency": "50",
        "MaxErrors": "0",
        "TargetCount": ids.len(),
        "CompletedCount": 0,
        "ErrorCount": 0,
        "DeliveryTimedOutCount": 0,
        "ServiceRole": "",
        "TimeoutSeconds": command.delivered_until.duration_since(command.sent).as_secs(),
    })
}
