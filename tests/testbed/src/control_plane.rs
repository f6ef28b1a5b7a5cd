//! A Kubernetes control plane: etcd, kube-apiserver with RBAC, and of the controller manager what
//! ends namespaces and collects garbage. There are no nodes, and service accounts get no tokens.

mod parts;
mod trouble;

use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::leash::{Leash, PartFolder};
use crate::{Error, Kubectl, Process, control_plane_assets, workspace_root};
use parts::Parts;

pub use trouble::Backup;

/// The namespace of the controller's service account.
pub const CONTROLLER_NAMESPACE: &str = "amity-system";
/// The user name of the controller's service account, to be bound by `deploy/kustomize/base/rbac.yaml`.
pub const CONTROLLER_USER: &str = "system:serviceaccount:amity-system:amity";

/// Between choosing a free port and listening on it, somebody else may take it.
const ATTEMPTS: usize = 3;

/// A control plane that runs.
pub struct ControlPlane {
    programs: Mutex<Programs>,
    parts: Parts,
    // Last: the others write into it until they have ended.
    _folder: PartFolder,
}

/// The programs, in the order in which they are to end.
struct Programs {
    controller_manager: Process,
    api_server: Process,
    etcd: Process,
}

impl ControlPlane {
    /// Starts the programs in the folder `assets`, waits until they are ready, and gives the controller's user the
    /// rights in `deploy/kustomize/base/rbac.yaml` and no others.
    ///
    /// # Errors
    /// Where a program is missing, ends, or is not ready within two minutes: the error quotes the
    /// log that explains it.
    pub fn start(assets: &Path) -> Result<Self, Error> {
        let mut attempt = 1;
        loop {
            match Self::attempt(assets) {
                Err(Error::Ended { log, .. })
                    if attempt < ATTEMPTS && log.contains("address already in use") =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    /// The one control plane that all tests of a program share, each in a namespace of its own. It
    /// ends with the program. Its programs are those of [`control_plane_assets`].
    ///
    /// # Panics
    /// Where it does not start; every test that asks is told the same reason.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Result<ControlPlane, Error>> = OnceLock::new();
        match SHARED.get_or_init(|| Self::start(&control_plane_assets()?)) {
            Ok(control_plane) => control_plane,
            Err(error) => panic!("the control plane did not start: {error}"),
        }
    }

    /// kubectl as an administrator.
    pub fn kubectl(&self) -> &Kubectl {
        &self.parts.admin
    }

    /// kubectl with the controller's rights, to see what they allow.
    pub fn controller_kubectl(&self) -> &Kubectl {
        &self.parts.controller
    }

    /// The kubeconfig of an administrator.
    pub fn admin_kubeconfig(&self) -> &Path {
        self.parts.admin.kubeconfig()
    }

    /// The kubeconfig of the controller's user.
    pub fn controller_kubeconfig(&self) -> &Path {
        self.parts.controller.kubeconfig()
    }

    /// The API server's address, as in the kubeconfigs.
    pub fn server(&self) -> &str {
        &self.parts.server
    }

    /// The resident memory of each program in bytes, as [`Process::resident_memory`].
    pub fn resident_memory(&self) -> [(&'static str, Option<u64>); 3] {
        let programs = self.programs();
        [
            ("etcd", programs.etcd.resident_memory()),
            ("kube-apiserver", programs.api_server.resident_memory()),
            (
                "kube-controller-manager",
                programs.controller_manager.resident_memory(),
            ),
        ]
    }

    /// Makes the namespace `name` and answers kubectl in it.
    ///
    /// # Errors
    /// [`Error::Refused`] where it exists.
    pub fn namespace(&self, name: &str) -> Result<Kubectl, Error> {
        let admin = &self.parts.admin;
        admin.run(&["create", "namespace", name])?.ok()?;
        Ok(admin.in_namespace(name))
    }

    /// What an operator does who knows that the controller which held the Lease is dead: the next one that
    /// starts need not wait until it has run out.
    ///
    /// # Errors
    /// [`Error::Refused`] where the API server refuses.
    pub fn free_lease(&self) -> Result<(), Error> {
        let namespaced = self.parts.admin.in_namespace(CONTROLLER_NAMESPACE);
        let delete = ["delete", "lease", "amity", "--ignore-not-found"];
        namespaced.run(&delete)?.ok().map(drop)
    }

    fn attempt(assets: &Path) -> Result<Self, Error> {
        let folder = Leash::get()?.folder("control-plane")?;
        let parts = Parts::new(assets, folder.path())?;
        let programs = parts.start_all()?;
        grant_controller_rights(&parts.admin)?;
        Ok(Self {
            programs: Mutex::new(programs),
            parts,
            _folder: folder,
        })
    }

    fn programs(&self) -> MutexGuard<'_, Programs> {
        self.programs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("server", &self.parts.server)
            .finish_non_exhaustive()
    }
}

/// The controller's rights are those of the manifest that users install, so that a right missing
/// there fails a test.
fn grant_controller_rights(kubectl: &Kubectl) -> Result<(), Error> {
    kubectl.apply(&workspace_root().join("deploy/kustomize/base/rbac.yaml"))?;
    Ok(())
}

/// Ports on loopback that nobody listens on, all different.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], Error> {
    let mut ports = [0; N];
    let mut taken = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(Error::io("cannot listen on loopback"))?;
        *port = listener
            .local_addr()
            .map_err(Error::io("cannot ask for a port"))?
            .port();
        taken.push(listener);
    }
    Ok(ports)
}
