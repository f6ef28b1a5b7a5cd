//! kubectl, as a user runs it.

use std::ffi::OsStr;
use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use serde_json::Value;

use crate::Error;
use crate::leash::Leash;

/// kubectl with a kubeconfig, and perhaps a namespace.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    namespace: Option<String>,
}

/// What a run of kubectl left.
#[derive(Debug, Clone)]
#[must_use = "kubectl may have refused: ask `ok` or look at `status`"]
pub struct Output {
    /// How it was called, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error: refusals and warnings.
    pub stderr: String,
}

impl Kubectl {
    /// The kubectl at `program`, acting as the user of `kubeconfig`.
    pub fn new(program: &Path, kubeconfig: &Path) -> Self {
        Self {
            program: program.to_owned(),
            kubeconfig: kubeconfig.to_owned(),
            namespace: None,
        }
    }

    /// The same user in `namespace`, for every call whose arguments or manifest name none.
    #[must_use]
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: Some(namespace.to_owned()),
            ..self.clone()
        }
    }

    /// The kubeconfig it uses.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs kubectl. A refusal is no error here but part of the output.
    ///
    /// # Errors
    /// Where kubectl cannot be started.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Output, Error> {
        self.run_with_input(arguments, "")
    }

    /// As [`Kubectl::run`], with `input` on standard input.
    ///
    /// # Errors
    /// Where kubectl cannot be started.
    pub fn run_with_input<A: AsRef<OsStr>>(
        &self,
        arguments: &[A],
        input: &str,
    ) -> Result<Output, Error> {
        let mut command = self.command();
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Leash::get()?.tie(&mut command);

        let mut child = command
            .spawn()
            .map_err(Error::file("start", &self.program))?;
        let mut pipe = child.stdin.take().expect("it was asked for");
        let output = thread::scope(|scope| {
            // kubectl may end without reading: what it has to say then is in its output.
            scope.spawn(move || pipe.write_all(input.as_bytes()));
            child.wait_with_output()
        })
        .map_err(Error::file("wait for", &self.program))?;
        Ok(Output {
            command: described(arguments),
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// kubectl as this user, before its arguments.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            // Beside the kubeconfig: what one API server has is no news of the next on its port.
            .arg("--cache-dir")
            .arg(self.kubeconfig.with_extension("cache"))
            .args(
                self.namespace
                    .iter()
                    .flat_map(|namespace| ["--namespace", namespace]),
            );
        command
    }

    /// `kubectl apply -f PATH`, a file or a folder. The answer is what kubectl printed.
    ///
    /// # Errors
    /// [`Error::Refused`] where the API server refuses.
    pub fn apply(&self, path: &Path) -> Result<String, Error> {
        self.run(&[OsStr::new("apply"), OsStr::new("-f"), path.as_os_str()])?
            .ok()
    }

    /// `kubectl apply -f -` with a manifest.
    ///
    /// # Errors
    /// [`Error::Refused`] where the API server refuses.
    pub fn apply_yaml(&self, manifest: &str) -> Result<String, Error> {
        self.run_with_input(&["apply", "-f", "-"], manifest)?.ok()
    }

    /// `kubectl get ARGUMENTS -o json`.
    ///
    /// # Errors
    /// [`Error::Refused`] where it is not there or may not be read.
    pub fn get_json(&self, arguments: &[&str]) -> Result<Value, Error> {
        let arguments = [&["get"], arguments, &["-o", "json"]].concat();
        let printed = self.run(&arguments)?.ok()?;
        serde_json::from_str(&printed).map_err(|_| Error::Unreadable {
            program: described(&arguments),
            expected: "JSON",
            found: printed,
        })
    }
}

impl Output {
    /// Standard output, or what went wrong.
    ///
    /// # Errors
    /// [`Error::Refused`] where kubectl did not end with 0.
    pub fn ok(self) -> Result<String, Error> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        let Self {
            command,
            status,
            stderr,
            ..
        } = self;
        Err(Error::Refused {
            command,
            status,
            stderr: stderr.trim_end().to_owned(),
        })
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` ended with {}\n{}{}",
            self.command, self.status, self.stdout, self.stderr
        )
    }
}

fn described<A: AsRef<OsStr>>(arguments: &[A]) -> String {
    let words = arguments
        .iter()
        .map(|argument| argument.as_ref().to_string_lossy());
    ["kubectl".into()]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}
