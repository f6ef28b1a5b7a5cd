//! What runs in a machine, as far as EC2 and Systems Manager can tell: a script that the world file gives an image, and
//! that its machines and the images made of them have, too.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The script of the machines of an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Guest {
    /// From running to status `ok`, instead of the knob `statusMilliseconds`.
    pub status_milliseconds: Option<u64>,
    /// From running to the end of the user data, instead of the knob `userDataMilliseconds`.
    pub user_data_milliseconds: Option<u64>,
    /// Whether the agent of Systems Manager is installed.
    pub agent: bool,
    /// What runs Sysprep, on Windows; `ec2launch-v2` if absent.
    pub launch_agent: Option<LaunchAgent>,
    /// What goes wrong. Images made of the machine do not have it.
    pub fault: Option<GuestFault>,
    /// What it writes on its console when it is up, besides the usual.
    pub console: Vec<String>,
    /// What commands give that are sent to it; the first that fits.
    pub commands: Vec<ScriptedCommand>,
    /// What runs in machines of images made of this machine; absent: the same, without the fault.
    pub captured: Option<Box<Guest>>,
}

impl Default for Guest {
    fn default() -> Self {
        Self {
            status_milliseconds: None,
            user_data_milliseconds: None,
            agent: true,
            launch_agent: None,
            fault: None,
            console: Vec::new(),
            commands: Vec::new(),
            captured: None,
        }
    }
}

impl Guest {
    /// What runs in machines of an image that is made of this machine.
    pub(crate) fn of_image(&self) -> Self {
        match &self.captured {
            Some(captured) => (**captured).clone(),
            None => Self {
                fault: None,
                ..self.clone()
            },
        }
    }

    pub(crate) fn launch_agent(&self) -> LaunchAgent {
        self.launch_agent.unwrap_or_default()
    }
}

/// What AWS has installed in a Windows image (docs: UG configure-launch-agents).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaunchAgent {
    /// Up to Windows Server 2012 R2.
    Ec2config,
    /// Windows Server 2016 and 2019.
    Ec2launch,
    /// Windows Server 2022 and later.
    #[default]
    Ec2launchV2,
}

/// What goes wrong in a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum GuestFault {
    /// User data and commands never end.
    Hangs,
    /// It terminates itself when its user data is done, whatever its shutdown behavior is.
    TerminatesItself,
    /// Its system never comes up: the status is `impaired`, and nothing in it runs.
    Impaired,
    /// Sysprep fails over the profiles of users (docs: UG sysprep-troubleshoot).
    CorruptProfile,
    /// It runs on although it was shut down from within.
    NeverStops,
}

/// What becomes of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ScriptedCommand {
    /// It is for commands that contain this.
    pub contains: String,
    /// What it writes on standard output.
    pub output: String,
    /// What it writes on standard error.
    pub errors: String,
    /// How it exits.
    pub exit_code: i32,
    /// How long it takes, instead of the knob `commandMilliseconds`.
    pub milliseconds: Option<u64>,
    /// Whether it never ends.
    pub hangs: bool,
    /// Whether the machine shuts itself down with it.
    pub stops: bool,
}

/// What Sysprep left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Generalised {
    /// What ran it.
    pub by: LaunchAgent,
    /// Whether the next machine initialises itself: the first `EC2Launch` does where it was
    /// scheduled before.
    pub initialises: bool,
}

/// A line on the console.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConsoleLine {
    /// When it was written.
    pub at: Timestamp,
    /// The line.
    pub text: String,
}
