//! A Kubernetes control plane: etcd, kube-apiserver with RBAC, and of the controller manager what
//! ends namespaces and collects garbage. There are no nodes, and service accounts get no tokens.

use std::env;
use std::fmt;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::credentials::{SigningKey, User, write_tokens};
use crate::http::post_json;
use crate::leash::{Leash, PartFolder};
use crate::{Error, Kubectl, Process, control_plane_assets, eventually, workspace_root};

/// The namespace of the controller's service account.
pub const CONTROLLER_NAMESPACE: &str = "amity-system";
/// The user name of the controller's service account, to be bound by `deploy/rbac.yaml`.
pub const CONTROLLER_USER: &str = "system:serviceaccount:amity-system:amity";

/// Ready takes 3 s on two idle cores; machines that build at the same time are slower.
const READY_WITHIN: Duration = Duration::from_mins(2);
/// Between choosing a free port and listening on it, somebody else may take it.
const ATTEMPTS: usize = 3;

/// A control plane that runs.
pub struct ControlPlane {
    // In the order in which they are to end.
    controller_manager: Process,
    api_server: Process,
    etcd: Process,
    etcd_address: String,
    server: String,
    admin: Kubectl,
    controller: Kubectl,
    // Last: the others write into it until they have ended.
    _folder: PartFolder,
}

impl ControlPlane {
    /// Starts the programs in the folder `assets`, waits until they are ready, and gives the
    /// controller's user the rights in `deploy/rbac.yaml` and no others.
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
        &self.admin
    }

    /// kubectl with the controller's rights, to see what they allow.
    pub fn controller_kubectl(&self) -> &Kubectl {
        &self.controller
    }

    /// The kubeconfig of an administrator.
    pub fn admin_kubeconfig(&self) -> &Path {
        self.admin.kubeconfig()
    }

    /// The kubeconfig of the controller's user.
    pub fn controller_kubeconfig(&self) -> &Path {
        self.controller.kubeconfig()
    }

    /// The API server's address, as in the kubeconfigs.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The programs, to ask for their memory and logs: etcd, kube-apiserver,
    /// kube-controller-manager.
    pub fn processes(&self) -> [(&'static str, &Process); 3] {
        [
            ("etcd", &self.etcd),
            ("kube-apiserver", &self.api_server),
            ("kube-controller-manager", &self.controller_manager),
        ]
    }

    /// Makes the namespace `name` and answers kubectl in it.
    ///
    /// # Errors
    /// [`Error::Kubectl`] where it exists.
    pub fn namespace(&self, name: &str) -> Result<Kubectl, Error> {
        self.admin.run(&["create", "namespace", name])?.ok()?;
        Ok(self.admin.in_namespace(name))
    }

    /// Makes etcd forget all that was before now, as the API server makes it every five minutes.
    ///
    /// # Errors
    /// [`Error::Http`] where it refuses.
    pub fn compact_etcd(&self) -> Result<(), Error> {
        let ask = |action: &str, body: &Value| {
            post_json(&format!("{}/v3/kv/{action}", self.etcd_address), body)
        };
        // Any key will do: each answer says which revision it is of.
        let answer = ask("range", &json!({"key": "AA=="}))?;
        let revision = answer["header"]["revision"].clone();
        ask("compaction", &json!({"revision": revision})).map(drop)
    }

    fn attempt(assets: &Path) -> Result<Self, Error> {
        let folder = Leash::get()?.folder("control-plane")?;
        let parts = Parts::new(assets, folder.path())?;
        let mut etcd = parts.start_etcd()?;
        let mut api_server = parts.start_api_server()?;
        parts.await_api_server(&mut etcd, &mut api_server)?;
        // Only now: it gives up when the API server is not healthy within 10 s.
        let controller_manager = parts.start_controller_manager()?;
        grant_controller_rights(&parts.admin)?;
        Ok(Self {
            controller_manager,
            api_server,
            etcd,
            etcd_address: etcd_address(parts.etcd_port),
            server: parts.server,
            admin: parts.admin,
            controller: parts.controller,
            _folder: folder,
        })
    }
}

impl fmt::Debug for ControlPlane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlPlane")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// What the programs have in common while they are started.
struct Parts<'a> {
    assets: &'a Path,
    folder: &'a Path,
    etcd_port: u16,
    api_port: u16,
    server: String,
    certificates: PathBuf,
    tokens: PathBuf,
    signing_key: SigningKey,
    admin: Kubectl,
    controller: Kubectl,
}

impl<'a> Parts<'a> {
    fn new(assets: &'a Path, folder: &'a Path) -> Result<Self, Error> {
        let [etcd_port, api_port] = free_ports()?;
        let server = format!("https://127.0.0.1:{api_port}");
        let certificates = folder.join("certificates");
        // The API server makes a certificate for itself, and its authority beside it.
        let authority = certificates.join("apiserver.crt");

        let admin = User::new("admin", &["system:masters"]);
        let controller = User::service_account(CONTROLLER_NAMESPACE, "amity");
        debug_assert_eq!(controller.name, CONTROLLER_USER);
        let tokens = folder.join("tokens.csv");
        write_tokens(&tokens, &[&admin, &controller])?;

        let kubectl = |user: &User, file: &str| {
            let kubeconfig = folder.join(file);
            user.write_kubeconfig(&kubeconfig, &server, &authority)?;
            Ok::<_, Error>(Kubectl::new(&assets.join("kubectl"), &kubeconfig))
        };
        Ok(Self {
            assets,
            folder,
            etcd_port,
            api_port,
            certificates,
            tokens,
            signing_key: SigningKey::write(folder)?,
            admin: kubectl(&admin, "admin.kubeconfig")?,
            controller: kubectl(&controller, "controller.kubeconfig")?,
            server,
        })
    }

    fn start_etcd(&self) -> Result<Process, Error> {
        let address = etcd_address(self.etcd_port);
        self.start(
            "etcd",
            &[
                "--unsafe-no-fsync".to_owned(),
                format!("--data-dir={}", self.folder.join("etcd").display()),
                format!("--listen-client-urls={address}"),
                format!("--advertise-client-urls={address}"),
                // Nobody joins it: any port will do.
                "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
                "--log-level=warn".to_owned(),
            ],
        )
    }

    fn start_api_server(&self) -> Result<Process, Error> {
        let SigningKey { private, public } = &self.signing_key;
        self.start(
            "kube-apiserver",
            &[
                format!("--etcd-servers=http://127.0.0.1:{}", self.etcd_port),
                "--bind-address=127.0.0.1".to_owned(),
                format!("--secure-port={}", self.api_port),
                format!("--cert-dir={}", self.certificates.display()),
                // Else it looks for another network interface, and there may be none.
                "--advertise-address=127.0.0.1".to_owned(),
                "--endpoint-reconciler-type=none".to_owned(),
                format!("--token-auth-file={}", self.tokens.display()),
                "--authorization-mode=RBAC".to_owned(),
                "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
                format!("--service-account-key-file={}", public.display()),
                format!("--service-account-signing-key-file={}", private.display()),
                "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
                // Nothing makes the default service account that it would insist on.
                "--disable-admission-plugins=ServiceAccount".to_owned(),
            ],
        )
    }

    fn start_controller_manager(&self) -> Result<Process, Error> {
        self.start(
            "kube-controller-manager",
            &[
                format!("--kubeconfig={}", self.admin.kubeconfig().display()),
                "--controllers=namespace-controller,garbage-collector-controller".to_owned(),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
            ],
        )
    }

    fn start(&self, program: &str, arguments: &[String]) -> Result<Process, Error> {
        let path = self.assets.join(program);
        if !path.exists() {
            return Err(Error::Missing(format!(
                "{} is missing: `make controlplane` builds it",
                path.display()
            )));
        }
        let mut command = Command::new(path);
        command.args(arguments);
        // An environment for another cluster or a proxy is not meant for this one.
        for (name, _) in env::vars_os() {
            let known = name.to_string_lossy().to_ascii_uppercase();
            if known == "KUBECONFIG" || known.starts_with("ETCD_") || known.ends_with("_PROXY") {
                command.env_remove(name);
            }
        }
        Process::start(&mut command, &self.folder.join(format!("{program}.log")))
    }

    /// Waits until the API server says it is ready and has made the namespaces it makes itself.
    fn await_api_server(&self, etcd: &mut Process, server: &mut Process) -> Result<(), Error> {
        let kubectl = &self.admin;
        eventually(READY_WITHIN, "the API server is ready", || {
            if let Err(ended) = etcd.check_running().and_then(|()| server.check_running()) {
                return Ok(Err(ended));
            }
            // Cheaper than kubectl, and most of the wait.
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.api_port))
                .map_err(|error| format!("{error}\n{}", server.telling_lines()))?;
            for question in [
                &["get", "--raw", "/readyz"],
                &["get", "namespace", "kube-system"],
            ] {
                kubectl
                    .run(question)
                    .and_then(crate::Output::ok)
                    .map_err(|error| format!("{error}\n{}", server.telling_lines()))?;
            }
            Ok(Ok(()))
        })?
    }
}

fn etcd_address(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The controller's rights are those of the manifest that users install, so that a right missing
/// there fails a test.
fn grant_controller_rights(kubectl: &Kubectl) -> Result<(), Error> {
    kubectl.apply(&workspace_root().join("deploy/rbac.yaml"))?;
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
