//! Why nothing outlives the process that started it.
//!
//! Statics are not dropped, and a killed process drops nothing. So every program is started into
//! one process group, and a watcher outside that group reads a pipe whose other end only this
//! process holds. However this process ends, the pipe closes; the watcher then kills the group and
//! removes the data folder. (A parent-death signal would need unsafe code, and would fire when the
//! test's *thread* ends.)

use std::env;
use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use tempfile::TempDir;

use crate::Error;

/// Leads the process group, so that its number stays taken while anything may still join. It goes
/// by itself some seconds after this process.
const HOLDER: &str = "read -r _; sleep 10";

/// `$1` is the group; `$2` is the folder to remove, if any.
const WATCHER: &str = r#"
read -r word
[ "$word" = keep ] && exit
kill -s KILL -- "-$1"
[ -z "$2" ] && exit
for _ in 1 2 3; do rm -rf -- "$2" && break; sleep 1; done
"#;

const KEEP: &[u8] = b"keep\n";

/// Set once and for all by [`leave_running`].
static KEPT: AtomicBool = AtomicBool::new(false);

/// The one process group of this process, and its folder.
pub(crate) struct Leash {
    group: i32,
    folder: PathBuf,
    // Each holds the writing end of a pipe; dropping it would end the child.
    holder: Mutex<Child>,
    watcher: Mutex<Child>,
}

/// What [`leave_running`] left behind.
#[derive(Debug, Clone)]
pub struct LeftRunning {
    /// The process group of all programs.
    pub group: i32,
    /// The folder with all data and logs.
    pub folder: PathBuf,
}

impl LeftRunning {
    /// The shell command that takes all of it down.
    pub fn stop_command(&self) -> String {
        format!(
            "kill -s KILL -- -{}; rm -rf {}",
            self.group,
            self.folder.display()
        )
    }
}

/// From here on nothing is taken down any more, neither on drop nor when this process ends.
///
/// # Errors
/// Where nothing was started, or the watcher cannot be told.
pub fn leave_running() -> Result<LeftRunning, Error> {
    let leash = Leash::get()?;
    for child in [&leash.holder, &leash.watcher] {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipe) = child.stdin.as_mut() {
            pipe.write_all(KEEP)
                .map_err(Error::io("cannot tell the watcher to leave"))?;
        }
    }
    KEPT.store(true, Ordering::Relaxed);
    Ok(LeftRunning {
        group: leash.group,
        folder: leash.folder.clone(),
    })
}

/// Whether what is dropped should be taken down.
pub(crate) fn takes_down() -> bool {
    !KEPT.load(Ordering::Relaxed)
}

impl Leash {
    /// The leash of this process; made by the first who asks.
    pub(crate) fn get() -> Result<&'static Self, Error> {
        static LEASH: OnceLock<Result<Leash, String>> = OnceLock::new();
        LEASH
            .get_or_init(|| Self::make().map_err(|error| error.to_string()))
            .as_ref()
            .map_err(|error| Error::Missing(error.clone()))
    }

    /// Lets `command`, when spawned, end with this process at the latest.
    pub(crate) fn tie(&self, command: &mut Command) {
        command.process_group(self.group);
    }

    /// A folder for one part's data and logs.
    pub(crate) fn folder(&self, part: &str) -> Result<PartFolder, Error> {
        tempfile::Builder::new()
            .prefix(&format!("{part}-"))
            .tempdir_in(&self.folder)
            .map(|made| PartFolder(Some(made)))
            .map_err(Error::file("make a folder in", &self.folder))
    }

    fn make() -> Result<Self, Error> {
        let (folder, goes) = match env::var_os("AMITY_TESTBED_DIR") {
            Some(named) if !named.is_empty() => (PathBuf::from(named), false),
            _ => (new_temporary_folder()?, true),
        };
        fs::create_dir_all(&folder).map_err(Error::file("make", &folder))?;

        let holder = shell(HOLDER, &[])?;
        let group = i32::try_from(holder.id()).expect("Linux has no such process numbers");
        let removed = if goes {
            folder.as_path()
        } else {
            Path::new("")
        };
        let watcher = shell(WATCHER, &[Path::new(&group.to_string()), removed])?;
        Ok(Self {
            group,
            folder,
            holder: Mutex::new(holder),
            watcher: Mutex::new(watcher),
        })
    }
}

/// A folder that goes when it is dropped, unless all is to stay.
pub(crate) struct PartFolder(Option<TempDir>);

impl PartFolder {
    pub(crate) fn path(&self) -> &Path {
        self.0.as_ref().expect("taken only on drop").path()
    }
}

impl Drop for PartFolder {
    fn drop(&mut self) {
        let named = env::var_os("AMITY_TESTBED_DIR").is_some_and(|named| !named.is_empty());
        if let Some(folder) = self.0.take()
            && (named || !takes_down())
        {
            let _ = folder.keep();
        }
    }
}

fn new_temporary_folder() -> Result<PathBuf, Error> {
    tempfile::Builder::new()
        .prefix("amity-testbed-")
        .tempdir()
        .map(TempDir::keep)
        .map_err(Error::io("cannot make a temporary folder"))
}

/// A shell in a process group of its own, so that Ctrl-C in a terminal does not reach it, waiting
/// on a pipe that this process alone can close.
fn shell(script: &str, arguments: &[&Path]) -> Result<Child, Error> {
    Command::new("/bin/sh")
        .args(["-c", script, "amity-testbed"])
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("cannot start /bin/sh"))
}
