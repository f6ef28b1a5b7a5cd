//! Everything that the story needs: a control plane, a simulated EC2, and Amity.

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use amity_core::api::MachineImage;
use amity_testbed::{
    Amity, ControlPlane, Ec2Sim, Holdings, Kubectl, Output, Reader, binary, control_plane_assets,
    workspace_root,
};
use serde_json::Value;

use super::tell;

/// A claim that turned out to be wrong, or a part that failed.
pub type Told<T> = Result<T, Box<dyn Error>>;

/// How many times faster than real the simulated EC2 is.
pub const SPEED: &str = "20";

/// Where the examples live.
pub const NAMESPACE: &str = "images";

/// What runs.
pub struct Stage {
    /// EC2.
    pub ec2: Ec2Sim,
    /// The controller.
    pub amity: Amity,
    /// What users had in EC2 before anything was done.
    pub before: Value,
    // Last: the others talk to it.
    reader: Reader,
    kubectl: Kubectl,
    cluster: ControlPlane,
}

impl Stage {
    /// Starts everything, and tells of it.
    pub fn set() -> Told<Self> {
        let begun = Instant::now();
        let assets = control_plane_assets()?;
        let cluster = ControlPlane::start(&assets)?;
        started("a Kubernetes control plane", begun);
        let kubectl = cluster.kubectl().clone();
        kubectl.apply(&workspace_root().join("crds"))?;
        let established = [
            "wait",
            "--for=condition=Established",
            "crd",
            "--all",
            "--timeout=60s",
        ];
        kubectl.run(&established)?.ok()?;
        started("the custom resource definitions", begun);

        let ec2 = Ec2Sim::start(&binary("ec2sim"), &["--speed", SPEED])?;
        let before = ec2.holdings()?.of_users();
        started("ec2sim, with an instance and an image of yours", begun);

        // EC2's reads lag by minutes; this one's by a quarter of a second.
        let settings = [
            "--owner-id",
            "demo",
            "--consistency-window",
            "5s",
            "--rest-interval",
            "10s",
            // Amity that is killed is to be waited for no longer than this when it starts again.
            "--lease-duration",
            "6s",
        ];
        let mut amity = Amity::start(
            &binary("amity"),
            cluster.controller_kubeconfig(),
            &ec2.endpoint(),
            &settings,
        )?;
        amity.wait_ready()?;
        started("amity run, with the rights of its service account", begun);
        Ok(Self {
            ec2,
            amity,
            before,
            reader: Reader::start(&kubectl)?,
            kubectl,
            cluster,
        })
    }

    /// Runs kubectl and shows it, as it may be typed, with its answer.
    pub fn kubectl(&self, arguments: &[&str]) -> Told<String> {
        let answer = self.show_kubectl(arguments)?.ok()?;
        tell::quote(&answer);
        Ok(answer)
    }

    /// The same for a command that is to fail: its answer is shown, and given.
    pub fn kubectl_refused(&self, arguments: &[&str]) -> Told<String> {
        let answer = self.show_kubectl(arguments)?;
        tell::quote(&answer.stderr);
        ensure(
            !answer.status.success(),
            "the API server should have refused this",
        )?;
        Ok(answer.stderr)
    }

    fn show_kubectl(&self, arguments: &[&str]) -> Told<Output> {
        let words: Vec<_> = arguments.iter().map(|word| shell_word(word)).collect();
        tell::command(&format!(
            "kubectl {}",
            words.join(" ").replace(" -p ", " \\\n-p ")
        ));
        let from_root = |word: &&str| match word.strip_prefix("examples/") {
            Some(path) => workspace_root()
                .join("examples")
                .join(path)
                .display()
                .to_string(),
            None => (*word).to_owned(),
        };
        let arguments: Vec<String> = arguments.iter().map(from_root).collect();
        Ok(self.kubectl.run(&arguments)?)
    }

    /// The `MachineImage` of that name; `None` once it is gone.
    pub fn image(&self, name: &str) -> Told<Option<MachineImage>> {
        let path = format!("/apis/amity.dev/v1alpha1/namespaces/{NAMESPACE}/machineimages/{name}");
        Ok(self.reader.get(&path)?)
    }

    /// What EC2 holds.
    pub fn holdings(&self) -> Told<Holdings> {
        Ok(self.ec2.holdings()?)
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.cluster.admin_kubeconfig().to_owned()
    }
}

/// Something that the story claims.
pub fn ensure(holds: bool, claim: impl Into<String>) -> Told<()> {
    if holds {
        Ok(())
    } else {
        Err(claim.into().into())
    }
}

fn started(what: &str, begun: Instant) {
    let after: Duration = begun.elapsed();
    tell::progress(after, what);
}

/// A word as a shell needs it.
fn shell_word(word: &str) -> String {
    if word.contains(['{', '[', '"', ' ']) {
        format!("'{word}'")
    } else {
        word.to_owned()
    }
}
