//! `ec2sim` as a process: EC2 for the programs that the tests and the demo start.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::http::{call_json, post_form};
use crate::leash::{Leash, PartFolder};
use crate::{Error, Process, eventually, get_json};

const LISTENS_WITHIN: Duration = Duration::from_secs(30);

/// An EC2 simulator that runs.
pub struct Ec2Sim {
    process: Process,
    address: SocketAddr,
    // Last: the process writes into it until it has ended.
    _folder: PartFolder,
}

impl Ec2Sim {
    /// Starts `binary` on a free loopback port with further `arguments` and waits until it says
    /// where it listens.
    ///
    /// # Errors
    /// Where it cannot be started, ends, or prints no address.
    pub fn start(binary: &Path, arguments: &[&str]) -> Result<Self, Error> {
        let folder = Leash::get()?.folder("ec2sim")?;
        let stdout = folder.path().join("stdout");
        let mut command = Command::new(binary);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let log = folder.path().join("log");
        let mut process = Process::start_with_stdout(&mut command, &stdout, &log)?;
        let line = eventually(LISTENS_WITHIN, "ec2sim prints its address", || {
            let printed = fs::read_to_string(&stdout).map_err(|error| error.to_string())?;
            match printed.split_once('\n') {
                Some((line, _)) => Ok(Ok(line.to_owned())),
                None => match process.check_running() {
                    Err(ended) => Ok(Err(ended)),
                    Ok(()) => Err(format!("{printed:?}")),
                },
            }
        })??;
        let address = line
            .trim()
            .trim_start_matches("http://")
            .trim_end_matches('/');
        let address = address.parse().map_err(|_| Error::Unreadable {
            program: "ec2sim".to_owned(),
            expected: "the address it listens on",
            found: line.clone(),
        })?;
        Ok(Self {
            process,
            address,
            _folder: folder,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients take as `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What whoever has `access_key` does in `region`, and EC2's answer as XML.
    ///
    /// # Errors
    /// [`Error::Http`], also where EC2 refuses.
    pub fn call(
        &self,
        access_key: &str,
        region: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> Result<String, Error> {
        let mut form = vec![("Action", action), ("Version", "2016-11-15")];
        form.extend_from_slice(parameters);
        let authorization = authorization(access_key, region, "ec2");
        post_form(&self.endpoint(), &authorization, &form)
    }

    /// What whoever has `access_key` does with the parameters of `region`, and the answer of Systems Manager.
    ///
    /// # Errors
    /// [`Error::Http`], also where it refuses.
    pub fn call_ssm(
        &self,
        access_key: &str,
        region: &str,
        action: &str,
        body: &Value,
    ) -> Result<Value, Error> {
        let authorization = authorization(access_key, region, "ssm");
        let target = format!("AmazonSSM.{action}");
        call_json(&self.endpoint(), &authorization, &target, body)
    }

    /// Lets so much of EC2's time pass at once.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn advance(&self, time: Duration) -> Result<(), Error> {
        let url = format!(
            "{}/_ec2sim/clock?advance={}",
            self.endpoint(),
            time.as_secs()
        );
        post_form(&url, "", &[]).map(drop)
    }

    /// The log of calls: time, account, access key, region, action, outcome of each.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn calls(&self) -> Result<Value, Error> {
        self.get("calls")
    }

    /// What the policies of callers did so far, and what they denied.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn policies(&self) -> Result<Value, Error> {
        self.get("policies")
    }

    /// What EC2 holds now.
    ///
    /// # Errors
    /// [`Error::Http`]
    pub fn world(&self) -> Result<Value, Error> {
        self.get("world")
    }

    /// The process: its log, its memory, its end.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn get(&self, what: &str) -> Result<Value, Error> {
        get_json(&format!("{}/_ec2sim/{what}", self.endpoint()))
    }
}

/// ec2sim reads who calls what and where, and checks no signature.
fn authorization(access_key: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={access_key}/20260101/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=none"
    )
}
