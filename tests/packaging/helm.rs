//! helm, as a user runs it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use amity_testbed::workspace_root;
use serde_json::Value;
use tempfile::TempDir;

use crate::manifests;

/// helm with what it keeps in a folder of its own.
pub struct Helm {
    kubeconfig: PathBuf,
    home: TempDir,
}

/// What a run of helm left.
#[derive(Debug)]
pub struct Answer {
    pub succeeded: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Helm {
    /// helm on the cluster of this kubeconfig.
    pub fn on(kubeconfig: &Path) -> Self {
        Self {
            kubeconfig: kubeconfig.to_owned(),
            home: TempDir::new().unwrap(),
        }
    }

    /// helm without a cluster.
    pub fn alone() -> Self {
        Self::on(Path::new("/nonexistent"))
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        let program = PROGRAM.get_or_init(|| amity_testbed::helm().unwrap());
        let home = |folder: &str| self.home.path().join(folder);
        let mut command = Command::new(program);
        // Settings for another cluster are not meant for this one.
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("HELM_") {
                command.env_remove(name);
            }
        }
        let output = command
            .args(arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            // What one API server serves would be kept there for the next on its port.
            .env("HOME", self.home.path())
            .env("HELM_CACHE_HOME", home("cache"))
            .env("HELM_CONFIG_HOME", home("config"))
            .env("HELM_DATA_HOME", home("data"))
            .output()
            .unwrap();
        Answer {
            succeeded: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What the chart is with these values, without a cluster.
    pub fn template(&self, arguments: &[&str]) -> Vec<Value> {
        let chart = chart();
        let command = ["template", "amity", &chart, "--namespace", "amity-system"];
        manifests::all(&self.run(&[&command, arguments].concat()).ok())
    }
}

impl Answer {
    /// What it printed.
    pub fn ok(self) -> String {
        assert!(self.succeeded, "{}{}", self.stdout, self.stderr);
        self.stdout
    }

    /// In which words it refused.
    pub fn refusal(self) -> String {
        assert!(!self.succeeded, "it is accepted: {}", self.stdout);
        self.stderr
    }
}

/// The folder of the chart.
pub fn chart() -> String {
    in_checkout("deploy/helm/amity")
}

/// A file with values for the tests.
pub fn values(name: &str) -> String {
    in_checkout(&format!("tests/packaging/values/{name}.yaml"))
}

fn in_checkout(path: &str) -> String {
    workspace_root().join(path).display().to_string()
}
