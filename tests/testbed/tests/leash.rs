//! What the testbed starts ends with the process that started it, however that ends, unless it is
//! told to leave it.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use amity_testbed::{Process, eventually, leave_running};

/// Names the folder of a log to the copy of this program that is to start a process.
const FOLDER: &str = "AMITY_TESTBED_TEST_FOLDER";
/// Set where that copy is to leave the process running.
const LEAVE: &str = "AMITY_TESTBED_TEST_LEAVE";

/// Does something only in the copy that the tests below start: starts a process, and then leaves it
/// or waits to be killed.
#[test]
fn starter() -> Result<(), Box<dyn Error>> {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else {
        return Ok(());
    };
    let mut command = Command::new("/bin/sh");
    // The child of a child is not to be forgotten either.
    command.args(["-c", "sleep 1000 & wait"]);
    let process = Process::start(&mut command, &folder.join("log"))?;
    println!("\nstarted: {}", process.id());
    if env::var_os(LEAVE).is_some() {
        println!("\nstopped by: {}", leave_running()?.stop_command());
        return Ok(());
    }
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_test_leaves_no_process_and_no_folder() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut starter = Starter::start(folder.path(), &[])?;
    let process = starter.printed("started: ")?;
    assert!(runs(&process));
    assert_ne!(folders_in(folder.path())?, 0);

    starter.process.kill()?;
    starter.process.wait()?;

    eventually(Duration::from_secs(10), "nothing is left", || {
        let folders = folders_in(folder.path()).map_err(|error| error.to_string())?;
        match (folders, runs(&process)) {
            (0, false) => Ok(()),
            (folders, runs) => Err(format!("{folders} folders; the process runs: {runs}")),
        }
    })?;
    Ok(())
}

#[test]
fn what_is_left_running_runs_until_it_is_stopped() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut starter = Starter::start(folder.path(), &[(LEAVE, "1")])?;
    let process = starter.printed("started: ")?;
    let stop = starter.printed("stopped by: ")?;

    assert!(starter.process.wait()?.success());
    assert!(runs(&process));
    assert_ne!(folders_in(folder.path())?, 0);

    assert!(
        Command::new("/bin/sh")
            .args(["-c", &stop])
            .status()?
            .success()
    );
    eventually(Duration::from_secs(10), "nothing is left", || {
        if runs(&process) {
            Err("the process runs".to_owned())
        } else {
            Ok(())
        }
    })?;
    assert_eq!(folders_in(folder.path())?, 0);
    Ok(())
}

/// A copy of this program that runs `starter` alone.
struct Starter {
    process: Child,
    output: Lines<BufReader<ChildStdout>>,
}

impl Starter {
    fn start(folder: &Path, environment: &[(&str, &str)]) -> Result<Self, Box<dyn Error>> {
        let temporary = folder.join("tmp");
        fs::create_dir(&temporary)?;
        let mut process = Command::new(env::current_exe()?)
            .args(["--exact", "starter", "--nocapture"])
            .env(FOLDER, folder)
            .env("TMPDIR", &temporary)
            .env_remove("AMITY_TESTBED_DIR")
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("it was asked for")?).lines();
        Ok(Self { process, output })
    }

    /// The rest of the next line that begins with `words`.
    fn printed(&mut self, words: &str) -> Result<String, Box<dyn Error>> {
        self.output
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix(words).map(str::to_owned))
            .ok_or_else(|| format!("it never printed {words:?}").into())
    }
}

fn folders_in(folder: &Path) -> Result<usize, std::io::Error> {
    Ok(fs::read_dir(folder.join("tmp"))?.count())
}

/// A zombie has ended; who reaps it is not up to us.
fn runs(process: &str) -> bool {
    fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}
