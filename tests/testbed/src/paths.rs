//! Where things are: the checkout, what cargo built, what the Go toolchain built.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Error;

/// The root of the checkout that this crate was compiled in.
pub fn workspace_root() -> &'static Path {
    const TESTBED: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(TESTBED)
        .ancestors()
        .nth(2)
        .expect("the crate is two folders below the root")
}

/// The YAML files of a folder of the checkout, in order; at least one.
///
/// # Panics
/// There is no such folder, or no YAML in it.
pub fn yaml_files(folder: &str) -> Vec<PathBuf> {
    let folder = workspace_root().join(folder);
    let entries =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = entries.map(|entry| entry.expect("an entry of a folder").path());
    let is_yaml = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "yaml")
    };
    let mut files: Vec<_> = files.filter(is_yaml).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    files
}

/// The program `name` of this workspace, as built beside the running test or demo. Whether it was
/// built shows when it is started.
pub fn binary(name: &str) -> PathBuf {
    let running = env::current_exe().expect("a running program has a path");
    let folder = running.parent().expect("a program is in a folder");
    // Tests run from target/debug/deps, programs from target/debug.
    let folder = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    folder.join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// The folder with etcd, kube-apiserver, kube-controller-manager and kubectl: `KUBEBUILDER_ASSETS`
/// where that is set; else they are built, once (6 minutes), as `make controlplane` does.
///
/// # Errors
/// Where the build fails; it says why on standard error.
pub fn control_plane_assets() -> Result<PathBuf, Error> {
    if let Some(folder) = env::var_os("KUBEBUILDER_ASSETS").filter(|folder| !folder.is_empty()) {
        return Ok(folder.into());
    }
    built_by("tests/cluster/controlplane/build", "the control plane")
}

/// The program that asks Karpenter's own AMI provider (`tests/karpenter`): built once (3 minutes), as `make test` does.
///
/// # Errors
/// Where the build fails; it says why on standard error.
pub fn karpenter() -> Result<PathBuf, Error> {
    built_by("tests/karpenter/build", "Karpenter's AMI provider")
}

/// The helm that lints, renders and installs the chart (`tests/packaging/helm`): built once (2 minutes), as `make test`
/// does.
///
/// # Errors
/// Where the build fails; it says why on standard error.
pub fn helm() -> Result<PathBuf, Error> {
    built_by("tests/packaging/helm/build", "Helm")
}

/// The folder with Flux's controllers and their custom resource definitions (`tests/gitops/flux`): built once (8
/// minutes), as `make test` does.
///
/// # Errors
/// Where the build fails; it says why on standard error.
pub fn flux() -> Result<PathBuf, Error> {
    built_by("tests/gitops/flux/build", "Flux")
}

/// The program that says what kstatus and Argo CD make of objects (`tests/gitops/health`): built once (20 s), as
/// `make test` does.
///
/// # Errors
/// Where the build fails; it says why on standard error.
pub fn health() -> Result<PathBuf, Error> {
    built_by(
        "tests/gitops/health/build",
        "the program that judges objects",
    )
}

/// `promtool`, which checks alert rules and metrics (`tests/promtool`): built once (5 minutes), as `make test` does.
///
/// # Errors
/// Where the build fails; it says why on standard error.
pub fn promtool() -> Result<PathBuf, Error> {
    built_by("tests/promtool/build", "promtool")
}

/// What a script builds into a cache of its own, and prints the path of.
fn built_by(script: &str, what: &str) -> Result<PathBuf, Error> {
    let build = workspace_root().join(script);
    let answer = Command::new(&build)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(Error::file("run", &build))?;
    let path = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if answer.status.success() && !path.is_empty() {
        Ok(path.into())
    } else {
        let missing = format!("{what} could not be built: run {script}");
        Err(Error::Missing(missing))
    }
}
