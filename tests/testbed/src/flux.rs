//! Flux's source-controller and kustomize-controller, as a cluster has them that is kept in Git.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::control_plane::free_ports;
use crate::leash::{Leash, PartFolder};
use crate::{ControlPlane, Error, Process, eventually, get_text};

const READY_WITHIN: Duration = Duration::from_mins(1);

/// The namespace that Flux is in.
pub const FLUX_NAMESPACE: &str = "flux-system";

/// The two controllers, with all rights in a cluster.
pub struct Flux {
    controllers: [Process; 2],
    // Last: the processes write into it until they have ended.
    _folder: PartFolder,
}

impl Flux {
    /// Installs the custom resource definitions in the folder `assets`, starts the controllers there, and waits
    /// until they are ready.
    ///
    /// # Errors
    /// Where one cannot be started, ends, or is not ready within a minute.
    pub fn start(assets: &Path, control_plane: &ControlPlane) -> Result<Self, Error> {
        let kubectl = control_plane.kubectl();
        kubectl.apply(&assets.join("crds"))?;
        let established = ["wait", "--for=condition=Established", "crd", "--all"];
        kubectl.run(&established)?.ok()?;
        control_plane.namespace(FLUX_NAMESPACE)?;

        let folder = Leash::get()?.folder("flux")?;
        let artifacts = folder.path().join("artifacts");
        fs::create_dir(&artifacts).map_err(Error::file("make", &artifacts))?;
        let [storage, ports @ ..] = free_ports::<5>()?;
        let start = |name: &str, [health, metrics]: [u16; 2], more: &[String]| {
            let mut command = Command::new(assets.join(name));
            command
                .env("KUBECONFIG", control_plane.admin_kubeconfig())
                .env("RUNTIME_NAMESPACE", FLUX_NAMESPACE)
                .args(["--enable-leader-election=false", "--events-addr="])
                // What waits for another is looked at again at once, and not after half a minute.
                .arg("--requeue-dependency=1s")
                .arg(format!("--health-addr=127.0.0.1:{health}"))
                .arg(format!("--metrics-addr=127.0.0.1:{metrics}"))
                .args(more);
            let log = folder.path().join(format!("{name}.log"));
            let mut process = Process::start(&mut command, &log)?;
            let readyz = format!("http://127.0.0.1:{health}/readyz");
            eventually(READY_WITHIN, &format!("{name} is ready"), || {
                if let Err(ended) = process.check_running() {
                    return Ok(Err(ended));
                }
                match get_text(&readyz) {
                    Ok(_) => Ok(Ok(())),
                    Err(error) => Err(format!("{error}\n{}", process.telling_lines())),
                }
            })??;
            Ok::<_, Error>(process)
        };
        let [first, second, third, fourth] = ports;
        // As docs/gitops.md says.
        let newer_commits = "--feature-gates=CancelHealthCheckOnNewRevision=true".to_owned();
        let storage = format!("127.0.0.1:{storage}");
        let of_artifacts = [
            format!("--storage-path={}", artifacts.display()),
            format!("--storage-addr={storage}"),
            format!("--storage-adv-addr={storage}"),
        ];
        Ok(Self {
            controllers: [
                start("source-controller", [first, second], &of_artifacts)?,
                start("kustomize-controller", [third, fourth], &[newer_commits])?,
            ],
            _folder: folder,
        })
    }

    /// What the controllers wrote so far.
    pub fn log(&self) -> String {
        self.controllers.iter().map(Process::log).collect()
    }
}
