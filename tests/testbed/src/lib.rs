//! What the cluster tests and the demo stand on: a real Kubernetes control plane, `ec2sim` and
//! `amity`, each as a process of its own on a free loopback port.
//!
//! ```no_run
//! use amity_testbed::{Amity, ControlPlane, Ec2Sim, binary};
//!
//! let cluster = ControlPlane::shared();
//! let ec2 = Ec2Sim::start(&binary("ec2sim"), &["--seed", "1"])?;
//! let mut amity = Amity::start(
//!     &binary("amity"),
//!     cluster.controller_kubeconfig(),
//!     &ec2.endpoint(),
//!     &["--owner-id", "test"],
//! )?;
//! amity.wait_ready()?;
//! cluster.kubectl().in_namespace("mine").apply("examples/image.yaml".as_ref())?;
//! # Ok::<(), amity_testbed::Error>(())
//! ```
//!
//! Nothing outlives the process that started it, whether that returns, panics or is killed: see
//! [`leave_running`] for how, and for the one exception. Logs and data are in one temporary
//! folder, which goes too; `AMITY_TESTBED_DIR` names a folder that stays instead.
//!
//! This crate knows how to start, ask and stop the parts, and of what Amity does only the tags by
//! which its images are told from others.

#![forbid(unsafe_code)]

mod amity;
mod control_plane;
mod credentials;
mod ec2sim;
mod error;
mod eventually;
mod flux;
mod git;
mod holdings;
mod http;
mod kubectl;
mod leash;
mod paths;
mod process;
mod reader;

pub use amity::Amity;
pub use control_plane::{Backup, CONTROLLER_NAMESPACE, CONTROLLER_USER, ControlPlane};
pub use ec2sim::Ec2Sim;
pub use error::Error;
pub use eventually::eventually;
pub use flux::{FLUX_NAMESPACE, Flux};
pub use git::{GitServer, Repository};
pub use holdings::{Call, Denial, HeldFastLaunch, HeldImage, HeldSnapshot, Holdings};
pub use http::{get_json, get_text};
pub use kubectl::{Kubectl, Output};
pub use leash::{LeftRunning, leave_running};
pub use paths::{
    binary, control_plane_assets, flux, health, helm, karpenter, promtool, workspace_root,
    yaml_files,
};
pub use process::Process;
pub use reader::Reader;
