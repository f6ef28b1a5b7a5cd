//! What befalls a control plane: its API server is killed, its past is forgotten, and its data are those of a while
//! ago.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::ControlPlane;
use crate::Error;
use crate::http::post_json;

/// What etcd held at some moment.
#[derive(Debug)]
pub struct Backup(TempDir);

impl ControlPlane {
    /// Kills the API server (SIGKILL), does something without it, and starts it again.
    ///
    /// # Errors
    /// Where it is not ready again within two minutes.
    pub fn restart_api_server(&self, meanwhile: impl FnOnce()) -> Result<(), Error> {
        let mut programs = self.programs();
        programs.api_server.kill9();
        meanwhile();
        programs.api_server = self.parts.start_api_server(&mut programs.etcd)?;
        Ok(())
    }

    /// Makes etcd forget all that was before now, as the API server makes it every five minutes.
    ///
    /// # Errors
    /// [`Error::Http`] where it refuses.
    pub fn compact_etcd(&self) -> Result<(), Error> {
        let address = self.parts.etcd_address();
        let ask =
            |action: &str, body: &Value| post_json(&format!("{address}/v3/kv/{action}"), body);
        // Any key will do: each answer says which revision it is of.
        let answer = ask("range", &json!({"key": "AA=="}))?;
        let revision = answer["header"]["revision"].clone();
        ask("compaction", &json!({"revision": revision})).map(drop)
    }

    /// Copies what etcd holds. It stands still meanwhile, so that the copy is what it would find after a crash.
    ///
    /// # Errors
    /// Where the data cannot be copied.
    pub fn back_up(&self) -> Result<Backup, Error> {
        let folder = tempfile::tempdir().map_err(Error::io("cannot make a temporary folder"))?;
        let programs = self.programs();
        programs.etcd.pause()?;
        let copied = copy(&self.parts.etcd_data(), &folder.path().join("etcd"));
        programs.etcd.resume()?;
        copied.map(|()| Backup(folder))
    }

    /// Stops everything, puts the data of `backup` in the place of today's, and starts everything again.
    ///
    /// # Errors
    /// Where the data cannot be copied, or it is not ready again within two minutes.
    pub fn restore(&self, backup: &Backup) -> Result<(), Error> {
        let mut programs = self.programs();
        programs.controller_manager.kill9();
        programs.api_server.kill9();
        programs.etcd.kill9();
        let data = self.parts.etcd_data();
        fs::remove_dir_all(&data).map_err(Error::file("remove", &data))?;
        copy(&backup.0.path().join("etcd"), &data)?;
        *programs = self.parts.start_all()?;
        Ok(())
    }
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    let answer = Command::new("cp").arg("-a").args([from, to]).output();
    let answer = answer.map_err(Error::io("cannot start cp"))?;
    if answer.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&answer.stderr).into_owned();
    Err(Error::Missing(format!("cp {}: {stderr}", from.display())))
}
