//! Reading objects again and again, at a small part of what starting kubectl each time costs.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::leash::{Leash, PartFolder};
use crate::{Error, Kubectl, Process, eventually, get_text};

const SERVES_WITHIN: Duration = Duration::from_secs(30);

/// Reads the API server over a `kubectl proxy`.
pub struct Reader {
    _process: Process,
    address: String,
    // Last: the process writes into it until it has ended.
    _folder: PartFolder,
}

impl Reader {
    /// Starts a proxy with the rights of `kubectl`.
    ///
    /// # Errors
    /// Where it cannot be started, ends, or prints no address.
    pub fn start(kubectl: &Kubectl) -> Result<Self, Error> {
        let folder = Leash::get()?.folder("proxy")?;
        let mut command = kubectl.command();
        command.args(["proxy", "--port=0"]);
        let mut process = Process::start(&mut command, &folder.path().join("log"))?;
        let address = eventually(SERVES_WITHIN, "kubectl proxy prints its address", || {
            if let Err(ended) = process.check_running() {
                return Ok(Err(ended));
            }
            let log = process.log();
            let printed = log.split_once("Starting to serve on ");
            match printed.and_then(|(_, rest)| rest.split_once('\n')) {
                Some((address, _)) => Ok(Ok(address.trim().to_owned())),
                None => Err(log),
            }
        })??;
        Ok(Self {
            _process: process,
            address,
            _folder: folder,
        })
    }

    /// The object at `path`, such as `/api/v1/namespaces/default`; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Http`] where it cannot be read, or is none of that type.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Error> {
        let url = format!("http://{}{path}", self.address);
        let text = match get_text(&url) {
            Err(Error::Http { reason, .. }) if reason.starts_with("404") => return Ok(None),
            answer => answer?,
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|error| Error::Http {
                url,
                reason: error.to_string(),
            })
    }
}
