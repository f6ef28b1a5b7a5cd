//! EC2 inside the process: an HTTP client for the AWS SDK that sends nothing anywhere.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::retry::ErrorKind;
use jiff::Timestamp;

use crate::error::ApiError;
use crate::front::{Asked, Front};
use crate::log::CallLog;
use crate::wire::request::HttpRequest as ReadRequest;
use crate::wire::response::{Answer, HEADERS};
use crate::world::World;

/// What goes wrong with a call on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The request never reaches EC2; the client sees a broken connection.
    LostRequest,
    /// EC2 does what it is asked; the client sees a broken connection.
    LostAnswer,
    /// HTTP 503 `RequestLimitExceeded`, and no effect.
    Throttle,
    /// HTTP 500 `InternalError`.
    InternalError {
        /// Whether EC2 did what it was asked all the same.
        effect: bool,
    },
    /// This error of the service, with the HTTP status that it has at AWS, and no effect.
    Refuse {
        /// The code clients decide by, such as `UnauthorizedOperation`.
        code: &'static str,
        /// The sentence for a person.
        message: &'static str,
    },
    /// EC2 does what it is asked; of its answer only the first half arrives, with HTTP 200.
    Truncated,
    /// The client never hears anything.
    Hang {
        /// Whether EC2 did what it was asked.
        effect: bool,
    },
}

/// A call, as far as a fault may depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSummary {
    /// How many calls this client made before.
    pub number: u64,
    /// When it is sent.
    pub time: Timestamp,
    /// The caller's account, if its access key is known.
    pub account: Option<String>,
    /// The region of the signature.
    pub region: String,
    /// The action.
    pub action: String,
    /// The ids that the request names.
    pub ids: Vec<String>,
}

impl CallSummary {
    /// Whether the action changes nothing.
    pub fn is_read(&self) -> bool {
        ["Describe", "Get", "List"]
            .iter()
            .any(|verb| self.action.starts_with(verb))
    }
}

/// Decides what goes wrong.
pub trait Faults: Send + Sync {
    /// What goes wrong with this call.
    fn decide(&self, call: &CallSummary) -> Fault;
}

impl<F: Fn(&CallSummary) -> Fault + Send + Sync> Faults for F {
    fn decide(&self, call: &CallSummary) -> Fault {
        self(call)
    }
}

type Clock = dyn Fn() -> Timestamp + Send + Sync;
type Latency = dyn Fn(&CallSummary) -> Duration + Send + Sync;

/// The HTTP client to give to `SdkConfig::builder().http_client(…)`. Clones share everything.
#[derive(Clone)]
pub struct InProcess {
    front: Front,
    clock: Arc<Clock>,
    faults: Option<Arc<dyn Faults>>,
    latency: Option<Arc<Latency>>,
    calls: Arc<AtomicU64>,
}

impl fmt::Debug for InProcess {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl InProcess {
    /// A client of this world, whose time is what `clock` says.
    pub fn new(
        world: Arc<Mutex<World>>,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        Self::over(Front::new(world), clock)
    }

    /// A client that shares a front, and so the log of calls, with others: two processes, say,
    /// each with faults of its own.
    pub fn over(front: Front, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            front,
            clock: Arc::new(clock),
            faults: None,
            latency: None,
            calls: Arc::default(),
        }
    }

    /// The same client with faults.
    #[must_use]
    pub fn with_faults(self, faults: impl Faults + 'static) -> Self {
        Self {
            faults: Some(Arc::new(faults)),
            ..self
        }
    }

    /// The same client where each call takes a while: half of it on the way there, half on the
    /// way back. It sleeps by tokio's clock, so that a paused one is advanced.
    #[must_use]
    pub fn with_latency(
        self,
        latency: impl Fn(&CallSummary) -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self {
            latency: Some(Arc::new(latency)),
            ..self
        }
    }

    /// The log of the calls that reached EC2.
    pub fn log(&self) -> &CallLog {
        self.front.log()
    }

    async fn perform(self, mut request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        // The body must be drained, or the SDK's stalled-stream protection ends slow calls.
        let body = ByteStream::new(std::mem::replace(request.body_mut(), SdkBody::taken()));
        let body = body
            .collect()
            .await
            .map_err(|error| ConnectorError::io(error.into()))?
            .into_bytes();
        let asked = Asked::read(ReadRequest {
            authorization: request.headers().get("authorization"),
            security_token: request.headers().get("x-amz-security-token"),
            target: request.headers().get("x-amz-target"),
            query: request.uri().split_once('?').map(|(_, query)| query),
            body: &body,
        });
        let call = CallSummary {
            number: self.calls.fetch_add(1, Ordering::Relaxed),
            time: (self.clock)(),
            account: self.front.world().account_of(&asked.caller),
            region: asked.caller.region.clone(),
            action: asked.action().to_owned(),
            ids: asked.ids(),
        };
        let fault = self
            .faults
            .as_ref()
            .map_or(Fault::None, |faults| faults.decide(&call));
        let half = self.latency.as_ref().map(|latency| latency(&call) / 2);
        // What was sent arrives, also when the caller is gone by then.
        let arrived = tokio::spawn(async move {
            sleep(half).await;
            self.answer(&asked, fault).await
        });
        let answer = arrived
            .await
            .map_err(|error| ConnectorError::other(error.into(), None))?;
        sleep(half).await;
        respond(&answer?)
    }

    async fn answer(&self, asked: &Asked, fault: Fault) -> Result<Answer, ConnectorError> {
        let done = || self.front.perform((self.clock)(), asked);
        match fault {
            Fault::None => Ok(done()),
            Fault::LostRequest => Err(broken()),
            Fault::LostAnswer => {
                done();
                Err(broken())
            }
            Fault::Throttle => Ok(self
                .front
                .refuse((self.clock)(), asked, &ApiError::throttled())),
            Fault::Refuse { code, message } => Ok(self.front.refuse(
                (self.clock)(),
                asked,
                &ApiError::with_its_status(code, message),
            )),
            Fault::InternalError { effect } => {
                if effect {
                    done();
                }
                Ok(self
                    .front
                    .refuse((self.clock)(), asked, &ApiError::internal()))
            }
            Fault::Truncated => {
                let mut answer = done();
                let half = answer.body.len() / 2;
                let cut = (0..=half)
                    .rev()
                    .find(|at| answer.body.is_char_boundary(*at))
                    .unwrap_or_default();
                answer.body.truncate(cut);
                Ok(answer)
            }
            Fault::Hang { effect } => {
                if effect {
                    done();
                }
                std::future::pending().await
            }
        }
    }
}

async fn sleep(duration: Option<Duration>) {
    if let Some(duration) = duration.filter(|duration| !duration.is_zero()) {
        tokio::time::sleep(duration).await;
    }
}

/// What a real client sees when the connection closes before the first byte of an answer.
fn broken() -> ConnectorError {
    ConnectorError::other(
        "connection closed before message completed".into(),
        Some(ErrorKind::TransientError),
    )
}

fn respond(answer: &Answer) -> Result<HttpResponse, ConnectorError> {
    let invalid = |error: http::Error| ConnectorError::other(error.into(), None);
    let mut response = http::Response::builder()
        .status(answer.status)
        .header("content-type", answer.content_type)
        .header("x-amzn-requestid", &answer.request_id);
    for (name, value) in HEADERS {
        response = response.header(name, value);
    }
    let response = response
        .body(SdkBody::from(answer.body.as_str()))
        .map_err(invalid)?;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::new(self.clone().perform(request))
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
