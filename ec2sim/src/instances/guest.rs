//! What runs in a machine: user data, Sysprep, and the commands that are sent to it.
//!
//! The texts of failures are those of docs: UG sysprep-troubleshoot and of `PowerShell` itself; how they reach the console
//! or the answer of Systems Manager nobody documents.

use crate::instances::Turn;
use crate::instances::script::{self, Deed};
use crate::state::{Generalised, GuestFault, Instance, LaunchAgent};
use crate::wire::response::iso;
use crate::world::World;

/// What a command came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    pub exit_code: i32,
    pub output: String,
    pub errors: String,
    /// Whether the machine goes down with it: it may be that nobody hears of its end.
    pub goes_down: bool,
    /// Whether that is after Sysprep.
    pub sysprepped: bool,
}

impl World {
    /// The end of the user data of a first start, and of cloud-init in a later one, which does not run it again
    /// (docs: UG user-data; Windows: likewise, unless it says `persist`).
    pub(super) fn user_data_ends(&mut self, region: &str, id: &str) {
        let now = self.now;
        let Some(machine) = self.machine(region, id) else {
            return;
        };
        let windows = machine.machine.platform.is_windows();
        let given = machine
            .asked
            .user_data
            .clone()
            .filter(|_| machine.boots == 1);
        let script = given
            .as_ref()
            .and_then(|given| script::of_user_data(given, windows));
        let mut lines = machine.guest.console.clone();
        let seconds = machine
            .booted
            .map_or(0, |from| now.duration_since(from).as_secs());
        if given.is_some() && script.is_none() && !windows {
            lines.push(
                "cloud-init: Unhandled non-multipart (text/x-not-multipart) userdata".to_owned(),
            );
        }
        let ran = script.map(|script| self.run(region, id, &script));
        if let Some(ran) = &ran {
            lines.extend(ran.output.lines().map(str::to_owned));
            lines.extend(ran.errors.lines().map(str::to_owned));
        }
        lines.push(if windows {
            format!("{}: Windows is Ready to use", iso(now))
        } else {
            let at = now.strftime("%a, %d %b %Y %H:%M:%S +0000");
            format!("Cloud-init v. 22.2.2 finished at {at}. Datasource DataSourceEc2.  Up {seconds}.00 seconds")
        });
        for line in lines {
            self.says(region, id, line);
        }
        let terminates = self
            .machine(region, id)
            .is_some_and(|machine| machine.guest.fault == Some(GuestFault::TerminatesItself));
        if terminates {
            self.shuts_itself_down(region, id);
        }
        if let Some(ran) = ran {
            self.follow(region, id, &ran);
        }
    }

    /// Runs a script in a machine, but for its going down.
    pub(crate) fn run(&mut self, region: &str, id: &str, script: &str) -> Ran {
        let mut ran = Ran::default();
        let Some(machine) = self.machine(region, id) else {
            return ran;
        };
        let scripted = machine.guest.commands.iter();
        if let Some(known) = scripted.clone().find(|one| script.contains(&one.contains)) {
            ran.exit_code = known.exit_code;
            ran.output.clone_from(&known.output);
            ran.errors.clone_from(&known.errors);
            ran.goes_down = known.stops;
            if ran.goes_down {
                self.will(region, id, 0, Turn::Sysprepped { shuts_down: true });
            }
            return ran;
        }
        let windows = machine.machine.platform.is_windows();
        for deed in script::deeds(script, windows) {
            match deed {
                Deed::Say(line) => {
                    ran.output.push_str(&line);
                    ran.output.push('\n');
                }
                Deed::Exit(code) => {
                    ran.exit_code = code;
                    break;
                }
                Deed::Schedule => {
                    if !self.is_installed(region, id, LaunchAgent::Ec2launch) {
                        not_recognised(&mut ran, r".\InitializeInstance.ps1");
                        break;
                    }
                    if let Some(machine) = self.machine_mut(region, id) {
                        machine.scheduled = true;
                    }
                }
                Deed::ShutDown => {
                    ran.goes_down = true;
                    self.will(region, id, 0, Turn::Sysprepped { shuts_down: true });
                    break;
                }
                Deed::Sysprep { by, shuts_down } => {
                    self.sysprep(region, id, by, shuts_down, &mut ran);
                    break;
                }
            }
        }
        ran
    }

    fn is_installed(&self, region: &str, id: &str, agent: LaunchAgent) -> bool {
        self.machine(region, id)
            .is_some_and(|machine| machine.guest.launch_agent() == agent)
    }

    /// Begins Sysprep, or says why not.
    fn sysprep(
        &mut self,
        region: &str,
        id: &str,
        by: LaunchAgent,
        shuts_down: bool,
        ran: &mut Ran,
    ) {
        if !self.is_installed(region, id, by) {
            let command = match by {
                LaunchAgent::Ec2config => r"C:\Program Files\amazon\ec2configservice\ec2config.exe",
                LaunchAgent::Ec2launch => r".\SysprepInstance.ps1",
                LaunchAgent::Ec2launchV2 => r"C:\Program Files\amazon\ec2launch\ec2launch.exe",
            };
            not_recognised(ran, command);
            return;
        }
        let fault = self
            .machine(region, id)
            .and_then(|machine| machine.guest.fault);
        match fault {
            Some(GuestFault::CorruptProfile) => {
                ran.exit_code = 1;
                "_FindLatestProfile failed (0x80070003) [gle=0x00000003]\nCopyProfile failed (0x80070003) \
                 [gle=0x00000003]\n"
                    .clone_into(&mut ran.errors);
            }
            Some(GuestFault::NeverStops) => ran.goes_down = false,
            _ => {
                ran.goes_down = shuts_down;
                ran.sysprepped = true;
                let milliseconds = self.knobs.sysprep_milliseconds;
                if let Some(machine) = self.machine_mut(region, id) {
                    machine.generalised = Some(Generalised {
                        by,
                        initialises: by != LaunchAgent::Ec2launch || machine.scheduled,
                    });
                }
                self.will(region, id, milliseconds, Turn::Sysprepped { shuts_down });
            }
        }
    }

    /// The machine goes down after Sysprep, or a shutdown.
    pub(super) fn sysprep_ends(&mut self, region: &str, id: &str, shuts_down: bool) {
        if shuts_down {
            self.shuts_itself_down(region, id);
        }
    }

    fn follow(&mut self, region: &str, id: &str, ran: &Ran) {
        if ran.exit_code != 0 && !self.machine(region, id).is_some_and(is_windows) {
            let text = format!(
                "cloud-init: Failed running user data: exit status {}",
                ran.exit_code
            );
            self.says(region, id, text);
        }
    }
}

/// Whether the agent waits in vain: `EC2Launch` v2 starts it after the user data of a first start, and never where that
/// runs Sysprep (docs: UG ec2launch-v2-settings).
pub(crate) fn keeps_the_agent_waiting(machine: &Instance) -> bool {
    let v2 = is_windows(machine) && machine.guest.launch_agent() == LaunchAgent::Ec2launchV2;
    let given = machine.asked.user_data.as_ref();
    let given = given.filter(|_| v2 && machine.boots == 1);
    let script = given.and_then(|given| script::of_user_data(given, true));
    script.is_some_and(|script| {
        let deeds = script::deeds(&script, true);
        deeds
            .iter()
            .any(|deed| matches!(deed, Deed::Sysprep { .. }))
    })
}

fn is_windows(machine: &Instance) -> bool {
    machine.machine.platform.is_windows()
}

/// As PowerShell says it.
fn not_recognised(ran: &mut Ran, command: &str) {
    ran.exit_code = 1;
    ran.errors = format!(
        "{command} : The term '{command}' is not recognized as the name of a cmdlet, function, script file, or \
         operable program. Check the spelling of the name, or if a path was included, verify that the path is correct \
         and try again.\n"
    );
}
