//! Plain HTTP to the programs on loopback: a GET, and nothing more.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use crate::Error;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The body at `url`, as text.
///
/// # Errors
/// [`Error::Http`] where there is no answer within 10 s or its status is not a success; the status
/// and the body are in it.
pub fn get_text(url: &str) -> Result<String, Error> {
    let failed = |reason: String| Error::Http {
        url: url.to_owned(),
        reason,
    };
    let agent = Agent::from(
        Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build(),
    );
    let mut answer = agent
        .get(url)
        .call()
        .map_err(|error| failed(error.to_string()))?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(u64::MAX)
        .read_to_string()
        .map_err(|error| failed(error.to_string()))?;
    if answer.status().is_success() {
        Ok(body)
    } else {
        Err(failed(format!("{} {}", answer.status(), body.trim())))
    }
}

/// The body at `url`, as JSON.
///
/// # Errors
/// As [`get_text`], and [`Error::Http`] for what is not JSON.
pub fn get_json(url: &str) -> Result<Value, Error> {
    let body = get_text(url)?;
    serde_json::from_str(&body).map_err(|error| Error::Http {
        url: url.to_owned(),
        reason: error.to_string(),
    })
}
