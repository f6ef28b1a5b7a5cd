//! Plain HTTP to the programs on loopback.

use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::Error;

const TIMEOUT: Duration = Duration::from_secs(10);

/// The body at `url`, as text.
///
/// # Errors
/// [`Error::Http`] where there is no answer within 10 s or its status is not a success; the status
/// and the body are in it.
pub fn get_text(url: &str) -> Result<String, Error> {
    text(url, agent().get(url).call())
}

/// The body that answers a form, as text; `authorization` is the header of that name.
///
/// # Errors
/// As [`get_text`].
pub(crate) fn post_form(
    url: &str,
    authorization: &str,
    form: &[(&str, &str)],
) -> Result<String, Error> {
    let request = agent().post(url).header("authorization", authorization);
    text(url, request.send_form(form.iter().copied()))
}

/// The JSON that answers a call of a service that speaks JSON 1.1; `target` is the header `x-amz-target`.
///
/// # Errors
/// As [`get_json`].
pub(crate) fn call_json(
    url: &str,
    authorization: &str,
    target: &str,
    body: &Value,
) -> Result<Value, Error> {
    let request = agent()
        .post(url)
        .header("authorization", authorization)
        .header("x-amz-target", target)
        .header("content-type", "application/x-amz-json-1.1");
    parsed(url, &text(url, request.send(body.to_string()))?)
}

/// The JSON that answers a JSON.
///
/// # Errors
/// As [`get_json`].
pub(crate) fn post_json(url: &str, body: &Value) -> Result<Value, Error> {
    let request = agent().post(url).header("content-type", "application/json");
    parsed(url, &text(url, request.send(body.to_string()))?)
}

fn agent() -> Agent {
    Agent::from(
        Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build(),
    )
}

fn text(url: &str, answer: Result<Response<Body>, ureq::Error>) -> Result<String, Error> {
    let failed = |reason: String| Error::Http {
        url: url.to_owned(),
        reason,
    };
    let mut answer = answer.map_err(|error| failed(error.to_string()))?;
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
    parsed(url, &get_text(url)?)
}

fn parsed(url: &str, body: &str) -> Result<Value, Error> {
    serde_json::from_str(body).map_err(|error| Error::Http {
        url: url.to_owned(),
        reason: error.to_string(),
    })
}
