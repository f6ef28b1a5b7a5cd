//! Scripts, as far as they matter to who looks at the machine from outside: that they shut it down, run Sysprep, write
//! a line, or fail.
//!
//! Commands are recognised line by line; nothing is evaluated. Those of Windows are of docs: UG sysprep-using,
//! ec2launch-sysprep, sysprep-using-ec2launchv2.

use crate::state::LaunchAgent;
use crate::wire::base64;

/// Something that a script does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Shuts the machine down.
    ShutDown,
    /// Has the first `EC2Launch` initialise the machine at the next start.
    Schedule,
    /// Runs Sysprep by this agent, which shuts the machine down or not.
    Sysprep { by: LaunchAgent, shuts_down: bool },
    /// Writes a line.
    Say(String),
    /// Ends with this code.
    Exit(i32),
}

/// The script in user data, as the system of the machine reads it; none: it passes over it.
pub(super) fn of_user_data(user_data: &str, windows: bool) -> Option<String> {
    let text = base64::decode(user_data)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    if windows {
        // In tags (docs: UG user-data); the YAML of EC2Launch v2 holds the same commands as the content of a task.
        let between = |open: &str, close: &str| {
            let start = text.find(open)? + open.len();
            let rest = text.get(start..)?;
            Some(rest.get(..rest.find(close)?)?.to_owned())
        };
        let yaml = || text.contains("task: executeScript").then(|| text.clone());
        return between("<powershell>", "</powershell>")
            .or_else(|| between("<script>", "</script>"))
            .or_else(yaml);
    }
    // What cloud-init knows by its first line (cloud-init: user-data formats).
    let known = [
        "#!",
        "#cloud-config",
        "Content-Type: multipart",
        "MIME-Version:",
    ];
    known
        .iter()
        .any(|start| text.starts_with(start))
        .then_some(text)
}

/// What a script does, in order.
pub(super) fn deeds(script: &str, windows: bool) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for line in script.lines() {
        let line = line.trim();
        if line.starts_with('#') || line.is_empty() {
            continue;
        }
        for command in line.split([';', '|']).flat_map(|part| part.split("&&")) {
            let deed = if windows {
                in_powershell(command.trim())
            } else {
                in_shell(command.trim())
            };
            deeds.extend(deed);
        }
    }
    deeds
}

fn in_shell(command: &str) -> Option<Deed> {
    if let Some(said) = said(command) {
        return Some(Deed::Say(said));
    }
    // `power_state` of cloud-config, and its `runcmd`, which may be a list.
    let command = command.strip_prefix("- ").unwrap_or(command);
    let command = command.replace(['[', ']', ',', '"', '\''], " ");
    let mut words = command.split_whitespace().peekable();
    while words
        .peek()
        .is_some_and(|word| ["sudo", "exec", "nohup"].contains(word))
    {
        words.next();
    }
    let first = words.next()?;
    let name = first.rsplit('/').next().unwrap_or(first);
    let rest: Vec<&str> = words.collect();
    let ends = match name {
        "shutdown" => !rest
            .iter()
            .any(|word| ["-r", "--reboot", "-c", "-k"].contains(word)),
        "poweroff" | "halt" => true,
        "systemctl" => rest.iter().any(|word| ["poweroff", "halt"].contains(word)),
        "init" | "telinit" => rest.first() == Some(&"0"),
        "mode:" => rest
            .first()
            .is_some_and(|word| ["poweroff", "halt"].contains(word)),
        "exit" => {
            let code = rest.first().map_or(Some(0), |word| word.parse().ok())?;
            return Some(Deed::Exit(code));
        }
        _ => false,
    };
    ends.then_some(Deed::ShutDown)
}

fn in_powershell(command: &str) -> Option<Deed> {
    if let Some(said) = said(command) {
        return Some(Deed::Say(said));
    }
    let lower = command.to_lowercase();
    let has = |part: &str| lower.contains(part);
    let sysprep = |by, shuts_down| Some(Deed::Sysprep { by, shuts_down });
    if has("ec2launch.exe") && has("sysprep") {
        let shuts_down = ["--shutdown=true", "--shutdown true", "-s=true", " -s"];
        return sysprep(
            LaunchAgent::Ec2launchV2,
            shuts_down.iter().any(|flag| has(flag)),
        );
    }
    if has("initializeinstance.ps1") && has("-schedule") {
        return Some(Deed::Schedule);
    }
    if has("sysprepinstance.ps1") {
        return sysprep(LaunchAgent::Ec2launch, !has("-noshutdown"));
    }
    if has("ec2config.exe") && has("-sysprep") {
        return sysprep(LaunchAgent::Ec2config, true);
    }
    if has("stop-computer") || has("shutdown") && (has("/s") || has("-s")) {
        return Some(Deed::ShutDown);
    }
    let code = lower.strip_prefix("exit ")?.trim().parse().ok()?;
    Some(Deed::Exit(code))
}

/// What `echo` or `Write-Host` writes, without quotes and without where it goes.
fn said(command: &str) -> Option<String> {
    let start = ["echo ", "Write-Host ", "Write-Output "];
    let text = start.iter().find_map(|word| command.strip_prefix(word))?;
    let text = text.split('>').next().unwrap_or_default();
    Some(text.trim().trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Deed, deeds, of_user_data};
    use crate::state::LaunchAgent;
    use crate::wire::base64;

    #[test]
    fn a_line_of_a_shell_script_may_shut_the_machine_down() {
        for line in [
            "shutdown -h now",
            "sudo /sbin/shutdown now",
            "make && poweroff",
            "systemctl poweroff",
            "init 0",
            "runcmd:\n  - [ shutdown, -h, now ]",
            "power_state:\n  mode: poweroff",
        ] {
            assert_eq!(deeds(line, false), [Deed::ShutDown], "{line}");
        }
        for line in [
            "# shutdown -h now",
            "shutdown -r now",
            "systemctl reboot",
            "cat shutdown",
            "shutdown -c",
        ] {
            assert_eq!(deeds(line, false), [], "{line}");
        }
    }

    #[test]
    fn each_agent_of_windows_has_its_command() {
        let sysprep = |by, shuts_down| Deed::Sysprep { by, shuts_down };
        for (line, wanted) in [
            (
                r#"& "$env:ProgramFiles\amazon\ec2launch\ec2launch.exe" sysprep --shutdown=true"#,
                sysprep(LaunchAgent::Ec2launchV2, true),
            ),
            (
                r#"& "$env:ProgramFiles\amazon\ec2launch\ec2launch.exe" sysprep --clean"#,
                sysprep(LaunchAgent::Ec2launchV2, false),
            ),
            (
                r".\SysprepInstance.ps1",
                sysprep(LaunchAgent::Ec2launch, true),
            ),
            (
                r".\SysprepInstance.ps1 -NoShutdown",
                sysprep(LaunchAgent::Ec2launch, false),
            ),
            (
                r#""%programfiles%\amazon\ec2configservice\ec2config.exe" -sysprep"#,
                sysprep(LaunchAgent::Ec2config, true),
            ),
            ("Stop-Computer -Force", Deed::ShutDown),
            ("shutdown /s /t 0", Deed::ShutDown),
        ] {
            assert_eq!(deeds(line, true), [wanted], "{line}");
        }
    }

    #[test]
    fn user_data_has_a_form_that_the_system_knows() {
        let read = |text: &str, windows| of_user_data(&base64::encode(text.as_bytes()), windows);
        assert!(read("#!/bin/sh\ntrue", false).is_some());
        assert!(read("#cloud-config\nruncmd: []", false).is_some());
        assert_eq!(read("poweroff", false), None);
        let powershell = read("<powershell>a</powershell>", true);
        assert_eq!(powershell.as_deref(), Some("a"));
        assert_eq!(read("#!/bin/sh", true), None);
        assert!(read("version: 1.1\ntasks:\n- task: executeScript", true).is_some());
        assert_eq!(of_user_data("not base64", false), None);
    }
}
