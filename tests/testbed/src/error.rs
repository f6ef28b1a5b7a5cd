//! Why a part of the testbed did not do what was asked. Each message is meant to be enough to go
//! on with: it quotes what the program itself said.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

/// Why a part of the testbed did not do what was asked.
///
/// `Debug` prints the message too, so that `unwrap` and a test that returns `Result` read well.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A program that should be running ended.
    #[error("{program} ended with {status}; its log says:\n{log}")]
    Ended {
        /// The program's name.
        program: String,
        /// How it ended.
        status: ExitStatus,
        /// The lines of its log that explain it.
        log: String,
    },
    /// Something was waited for in vain.
    #[error("{what}: not within {} s; last seen: {last}", deadline.as_secs_f32())]
    NotSeen {
        /// What was waited for.
        what: String,
        /// For how long.
        deadline: Duration,
        /// What the last look found instead.
        last: String,
    },
    /// A program refused or failed.
    #[error("`{command}` ended with {status}: {stderr}")]
    Refused {
        /// How it was called.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error.
        stderr: String,
    },
    /// An answer over HTTP was missing or not what it should be.
    #[error("{url}: {reason}")]
    Http {
        /// The address asked.
        url: String,
        /// What was wrong.
        reason: String,
    },
    /// A program printed something else than was agreed.
    #[error("{program} printed {found:?}, not {expected}")]
    Unreadable {
        /// The program's name.
        program: String,
        /// What it should have printed.
        expected: &'static str,
        /// What it printed.
        found: String,
    },
    /// A prerequisite is missing; the text says how to get it.
    #[error("{0}")]
    Missing(String),
}

impl Error {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    pub(crate) fn file(verb: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("cannot {verb} {}", path.display()))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
