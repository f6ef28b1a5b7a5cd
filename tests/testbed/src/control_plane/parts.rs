//! The programs of a control plane, and how they are started.

use std::env;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{CONTROLLER_NAMESPACE, CONTROLLER_USER, Programs, free_ports};
use crate::credentials::{SigningKey, User, write_tokens};
use crate::{Error, Kubectl, Process, eventually};

/// Ready takes 3 s on two idle cores; machines that build at the same time are slower.
const READY_WITHIN: Duration = Duration::from_mins(2);

/// What the programs have in common, and what they are started with again.
pub(super) struct Parts {
    assets: PathBuf,
    pub(super) folder: PathBuf,
    etcd_port: u16,
    api_port: u16,
    pub(super) server: String,
    certificates: PathBuf,
    tokens: PathBuf,
    signing_key: SigningKey,
    pub(super) admin: Kubectl,
    pub(super) controller: Kubectl,
}

impl Parts {
    pub(super) fn new(assets: &Path, folder: &Path) -> Result<Self, Error> {
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
            assets: assets.to_owned(),
            folder: folder.to_owned(),
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

    /// Starts all of them, one after the other is ready.
    pub(super) fn start_all(&self) -> Result<Programs, Error> {
        let mut etcd = self.start_etcd()?;
        let api_server = self.start_api_server(&mut etcd)?;
        // Only now: it gives up when the API server is not healthy within 10 s.
        let controller_manager = self.start_controller_manager()?;
        Ok(Programs {
            controller_manager,
            api_server,
            etcd,
        })
    }

    /// Starts the API server over `etcd`, and waits until it is ready.
    pub(super) fn start_api_server(&self, etcd: &mut Process) -> Result<Process, Error> {
        let mut api_server = self.spawn_api_server()?;
        self.await_api_server(etcd, &mut api_server)?;
        Ok(api_server)
    }

    /// Where etcd answers clients.
    pub(super) fn etcd_address(&self) -> String {
        format!("http://127.0.0.1:{}", self.etcd_port)
    }

    fn start_etcd(&self) -> Result<Process, Error> {
        let address = self.etcd_address();
        self.start(
            "etcd",
            &[
                "--unsafe-no-fsync".to_owned(),
                format!("--data-dir={}", self.etcd_data().display()),
                format!("--listen-client-urls={address}"),
                format!("--advertise-client-urls={address}"),
                // Nobody joins it: any port will do.
                "--listen-peer-urls=http://127.0.0.1:0".to_owned(),
                "--log-level=warn".to_owned(),
            ],
        )
    }

    fn spawn_api_server(&self) -> Result<Process, Error> {
        let SigningKey { private, public } = &self.signing_key;
        self.start(
            "kube-apiserver",
            &[
                format!("--etcd-servers={}", self.etcd_address()),
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

    /// Where etcd keeps its data.
    pub(super) fn etcd_data(&self) -> PathBuf {
        self.folder.join("etcd")
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
