//! One long-running program: started with its output in a log file, watched, signalled, and ended
//! when it is dropped.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

use crate::leash::{self, Leash};
use crate::{Error, eventually};

/// Lines at the end of a log that an error quotes.
const TAIL: usize = 12;
/// Lines before them that an error quotes because they tell of a failure.
const FAILURES: usize = 6;

/// A program that runs.
#[derive(Debug)]
pub struct Process {
    program: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with what it writes appended to the file `log`.
    ///
    /// # Errors
    /// Where the log cannot be opened or the program cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self, Error> {
        let output = append_to(log)?;
        let errors = output.try_clone().map_err(Error::file("write", log))?;
        command.stdout(output);
        Self::spawn(command, errors, log)
    }

    /// As [`Process::start`], with standard output in the file `stdout` of its own.
    pub(crate) fn start_with_stdout(
        command: &mut Command,
        stdout: &Path,
        log: &Path,
    ) -> Result<Self, Error> {
        command.stdout(append_to(stdout)?);
        Self::spawn(command, append_to(log)?, log)
    }

    /// The program's process number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file that holds what the program wrote.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What the program wrote so far.
    pub fn log(&self) -> String {
        fs::read(&self.log).map_or_else(
            |error| format!("(cannot read {}: {error})", self.log.display()),
            |bytes| String::from_utf8_lossy(&bytes).into_owned(),
        )
    }

    /// The lines of the log that explain a failure.
    pub(crate) fn telling_lines(&self) -> String {
        telling_lines(&self.log())
    }

    /// How the program ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("only this value waits for the child")
    }

    /// An error that quotes the log if the program ended.
    ///
    /// # Errors
    /// [`Error::Ended`]
    pub fn check_running(&mut self) -> Result<(), Error> {
        match self.ended() {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                program: self.program.clone(),
                status,
                log: self.telling_lines(),
            }),
        }
    }

    /// Kills the program as the kernel would for want of memory, and waits until it is gone.
    pub fn kill9(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Stops the program where it is (SIGSTOP), as a node without processor time does.
    ///
    /// # Errors
    /// Where it cannot be signalled.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Lets a program go on that was stopped (SIGCONT).
    ///
    /// # Errors
    /// Where it cannot be signalled.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Asks the program to stop (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// [`Error::NotSeen`], with the end of the log, where it still runs after `deadline`.
    pub fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus, Error> {
        if self.ended().is_none() {
            self.signal(Signal::TERM)?;
        }
        let what = format!("{} stops after SIGTERM", self.program);
        eventually(deadline, &what, || {
            self.ended().ok_or_else(|| telling_lines(&self.log()))
        })
    }

    /// Resident memory in bytes, as the kernel counts it now; `None` where it cannot be read.
    pub fn resident_memory(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// The time of processors that it has used so far; `None` where it cannot be read.
    pub fn processor_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id())).ok()?;
        // The second field, the program's name in parentheses, may hold anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        let mut ticks = fields.split(' ').skip(11);
        let mut next = || ticks.next()?.parse::<u64>().ok();
        let (user, system) = (next()?, next()?);
        let each = u32::try_from(clock_ticks_per_second()).ok()?;
        Some(Duration::from_secs(user + system) / each)
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|errno| Error::io(format!("cannot signal {}", self.program))(errno.into()))
    }

    fn spawn(command: &mut Command, errors: File, log: &Path) -> Result<Self, Error> {
        Leash::get()?.tie(command);
        let path = Path::new(command.get_program()).to_owned();
        let child = command
            .stdin(Stdio::null())
            .stderr(errors)
            .spawn()
            .map_err(Error::file("start", &path))?;
        let program = path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        Ok(Self {
            program,
            child,
            log: log.to_owned(),
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if leash::takes_down() {
            self.kill9();
        }
    }
}

fn append_to(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(Error::file("open", path))
}

/// The lines of a log that explain a failure: the last ones, and before them those that speak of an
/// error in klog's, etcd's and Rust's way.
fn telling_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let (earlier, tail) = lines.split_at(lines.len().saturating_sub(TAIL));
    let failures: Vec<&str> = earlier
        .iter()
        .copied()
        .filter(|line| tells_of_failure(line))
        .collect();
    let failures = &failures[failures.len().saturating_sub(FAILURES)..];
    match (failures, tail) {
        ([], []) => "(nothing)".to_owned(),
        ([], tail) => tail.join("\n"),
        (failures, tail) => format!("{}\n…\n{}", failures.join("\n"), tail.join("\n")),
    }
}

fn tells_of_failure(line: &str) -> bool {
    let klog = line.starts_with(['E', 'F']) && line[1..].starts_with(|c: char| c.is_ascii_digit());
    klog || ["fatal", "panic", "ERROR", "Error:", "error:"]
        .iter()
        .any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_early_failure_is_quoted_besides_the_last_lines() {
        let mut log = vec!["I1123 starting", "F1123 12:00:00 no etcd"];
        log.extend(["goroutine 1"; 20]);
        let told = telling_lines(&log.join("\n"));
        assert!(
            told.starts_with("F1123 12:00:00 no etcd\n…\ngoroutine 1"),
            "{told}"
        );
        assert_eq!(told.lines().count(), 2 + TAIL);
    }

    #[test]
    fn a_program_that_ended_is_reported_with_what_it_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo it is too late; exit 3"]);
        let mut process = Process::start(&mut command, &folder.path().join("log")).unwrap();
        let error = eventually(Duration::from_secs(5), "the end", || {
            process
                .check_running()
                .err()
                .ok_or_else(|| "it runs".to_owned())
        })
        .unwrap();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
        assert!(error.to_string().contains("it is too late"), "{error}");
    }

    #[test]
    fn a_program_that_handles_sigterm_ends_with_its_own_code() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("/bin/sh");
        command.args([
            "-c",
            "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done",
        ]);
        let mut process = Process::start(&mut command, &folder.path().join("log")).unwrap();
        eventually(Duration::from_secs(5), "the trap", || {
            let log = process.log();
            if log.contains("ready") {
                Ok(())
            } else {
                Err(log)
            }
        })
        .unwrap();
        let status = process.terminate(Duration::from_secs(5)).unwrap();
        assert_eq!(status.code(), Some(7));
    }
}
