//! The container image, as far as it can be made where no container can, and what a release is made
//! with. The program is the one that the tests have, so that nothing is compiled.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use amity_testbed::{binary, workspace_root};
use tempfile::TempDir;

use crate::helm::{Helm, values};
use crate::manifests::only;

fn script(path: &str) -> Command {
    Command::new(workspace_root().join(path))
}

fn text(path: &str) -> String {
    fs::read_to_string(workspace_root().join(path)).unwrap()
}

/// Whether the script can run here: it takes the libraries from where Debian has them.
fn is_debian() -> bool {
    let is_debian = Path::new("/var/lib/dpkg/status").exists();
    if !is_debian {
        eprintln!("SKIPPED: this is no Debian");
    }
    is_debian
}

fn build(folder: &Path, program: &Path) -> Output {
    let mut command = script("deploy/image/build");
    command
        .args([folder, program])
        .env("SOURCE_DATE_EPOCH", "1700000000");
    command.output().unwrap()
}

/// Every file below `folder`, by its path from there.
fn files(folder: &Path) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(
                    path.strip_prefix(folder).unwrap().display().to_string(),
                    path,
                );
            }
        }
    }
    found
}

#[test]
fn the_image_is_the_program_and_what_it_needs() {
    if !is_debian() {
        return;
    }
    let folder = TempDir::new().unwrap();
    let answer = build(folder.path(), &binary("amity"));
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(answer.status.success(), "{said}");
    // The script starts it there, where it may.
    assert!(
        said.contains("image: amity 0.1.0, ") || said.contains("SKIPPED"),
        "{said}"
    );

    let files = files(folder.path());
    let (libraries, others): (Vec<&str>, Vec<&str>) = files
        .keys()
        .map(String::as_str)
        .partition(|path| path.contains(".so."));
    assert_eq!(
        others,
        [
            "etc/nsswitch.conf",
            "etc/os-release",
            "etc/ssl/certs/ca-certificates.crt",
            "usr/bin/amity",
            "usr/share/doc/ca-certificates/copyright",
            "usr/share/doc/libc6/copyright",
            "usr/share/doc/libgcc-s1/copyright",
            "var/lib/dpkg/status.d/ca-certificates",
            "var/lib/dpkg/status.d/libc6",
            "var/lib/dpkg/status.d/libgcc-s1",
        ]
    );
    assert_eq!(libraries.len(), 4, "{libraries:?}");
    for path in files.values() {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!(metadata.mtime(), 1_700_000_000, "{}", path.display());
        let mode = metadata.permissions().mode() & 0o777;
        assert!(
            [0o644, 0o755].contains(&mode),
            "{}: {mode:o}",
            path.display()
        );
    }
}

#[test]
fn a_program_that_links_something_else_is_refused() {
    if !is_debian() {
        return;
    }
    let folder = TempDir::new().unwrap();
    // dpkg is there, and links more than Amity does.
    let answer = build(folder.path(), Path::new("/usr/bin/dpkg"));
    let said = String::from_utf8_lossy(&answer.stderr);
    assert!(
        !answer.status.success() && said.contains("which the image is not meant to have"),
        "{said}"
    );
}

#[test]
fn the_image_is_made_by_the_compiler_of_the_tests_and_runs_as_nobody() {
    let dockerfile = text("Dockerfile");
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    for line in [
        &format!("ARG RUST=docker.io/library/rust:{channel}-bookworm"),
        &format!("ENV RUSTUP_TOOLCHAIN={channel}"),
        "FROM scratch",
        "USER 65532:65532",
    ] {
        assert!(dockerfile.lines().any(|one| one == line), "no line {line}");
    }
}

#[test]
fn everything_that_names_the_version_names_this_one() {
    let answer = script("deploy/release/check")
        .arg(env!("CARGO_PKG_VERSION"))
        .output()
        .unwrap();
    assert!(
        answer.status.success(),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );
    let answer = script("deploy/release/check")
        .arg("99.0.0")
        .output()
        .unwrap();
    assert!(!answer.status.success());
}

#[test]
fn the_chart_of_a_release_runs_the_image_of_that_release() {
    let folder = TempDir::new().unwrap();
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let answer = script("deploy/release/chart")
        .arg(amity_testbed::helm().unwrap())
        .args(["registry.example.com/platform/amity", &digest])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(
        answer.status.success(),
        "{}",
        String::from_utf8_lossy(&answer.stderr)
    );

    let package = folder
        .path()
        .join(format!("amity-{}.tgz", env!("CARGO_PKG_VERSION")));
    let render = |arguments: &[&str]| {
        let command = ["template", "amity", &package.display().to_string()];
        Helm::alone().run(&[&command, arguments].concat())
    };
    let manifests = crate::manifests::all(&render(&["--set", "ownerId=test"]).ok());
    let image =
        &only(&manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"];
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        *image,
        format!("registry.example.com/platform/amity:{version}@{digest}")
    );
    // What another says for another image is another's image.
    let manifests = crate::manifests::all(&render(&["--values", &values("all")]).ok());
    let image =
        &only(&manifests, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"];
    assert!(
        image
            .as_str()
            .unwrap()
            .starts_with("registry.example.com:5000/"),
        "{image}"
    );
}
