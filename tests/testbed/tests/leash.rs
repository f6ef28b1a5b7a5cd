//! What the testbed starts ends with the process that started it, however that ends.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use amity_testbed::{Process, eventually};

/// Names the folder of the victim's log to the copy of this test that is to be killed.
const VICTIM: &str = "AMITY_TESTBED_TEST_VICTIM";

/// Runs only in the copy that the test below kills: starts a process and waits for the end.
#[test]
fn victim() -> Result<(), Box<dyn Error>> {
    let Some(folder) = env::var_os(VICTIM).map(PathBuf::from) else {
        return Ok(());
    };
    let mut command = Command::new("/bin/sh");
    // The child of a child is not to be forgotten either.
    command.args(["-c", "sleep 1000 & wait"]);
    let process = Process::start(&mut command, &folder.join("log"))?;
    println!("\nstarted {}", process.id());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_killed_test_leaves_no_process_and_no_folder() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary)?;
    let mut test = Command::new(env::current_exe()?)
        .args(["--exact", "victim", "--nocapture"])
        .env(VICTIM, folder.path())
        .env("TMPDIR", &temporary)
        .env_remove("AMITY_TESTBED_DIR")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = BufReader::new(test.stdout.take().ok_or("it was asked for")?);
    let started = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("started ").map(str::to_owned))
        .ok_or("the test never started its process")?;
    assert!(Path::new("/proc").join(&started).exists());
    assert_ne!(fs::read_dir(&temporary)?.count(), 0);

    test.kill()?;
    test.wait()?;

    eventually(Duration::from_secs(10), "nothing is left", || {
        let folders = fs::read_dir(&temporary)
            .map_err(|error| error.to_string())?
            .count();
        let stat = fs::read_to_string(format!("/proc/{started}/stat")).unwrap_or_default();
        // A zombie has ended; who reaps it is not up to us.
        let runs = !stat.is_empty() && !stat.contains(") Z");
        if folders == 0 && !runs {
            Ok(())
        } else {
            Err(format!("{folders} folders; {stat}"))
        }
    })?;
    Ok(())
}
