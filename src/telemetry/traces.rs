//! Spans over OTLP: one for each reconcile, one for each effect in it, and one for each reading of a region. Off unless
//! somebody says where they are collected; then nothing is made of them.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::http::{Request, Response, Uri};
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

/// The target of all spans, by which they are told from what is logged.
pub const SPANS: &str = "amity::spans";

/// Where a collector takes spans, below the endpoint (OTLP specification, "OTLP/HTTP Request").
const PATH: &str = "v1/traces";

/// How long a collector may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// More than a collector answers.
const LONGEST_ANSWER: usize = 1 << 20;

/// Spans on their way to a collector.
#[derive(Debug)]
pub struct Traces(SdkTracerProvider);

impl Traces {
    /// Spans for the collector at `endpoint`, sent by tasks of `runtime`. The headers that it wants, and which spans are
    /// taken, are in the environment (`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`).
    ///
    /// # Errors
    /// The endpoint is no URL, or the certificates that it is proved by cannot be read.
    pub fn to(
        endpoint: &Uri,
        runtime: Handle,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Sender {
            client: Client::builder(TokioExecutor::new()).build(connector),
            runtime,
            are_lost: AtomicBool::new(false),
        };
        let endpoint = endpoint.to_string();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/{PATH}", endpoint.trim_end_matches('/')))
            .build()?;
        let resource = Resource::builder()
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let resource = if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource.with_service_name("amity")
        } else {
            resource
        };
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self(provider))
    }

    /// What turns spans into those of the collector.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.0.tracer("amity");
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|of: &Metadata<'_>| of.target() == SPANS))
    }

    /// Sends what is left. The runtime must still run.
    pub fn end(self) {
        if let Err(error) = self.0.shutdown() {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

/// Sends from whatever thread, by tasks of the runtime: the SDK's own thread has none.
struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    /// Whether the last ones were lost, which is said once.
    are_lost: AtomicBool,
}

impl Sender {
    fn tell(&self, answer: &Result<Response<Bytes>, HttpError>) {
        let why = match answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let were_lost = self.are_lost.swap(why.is_some(), Ordering::Relaxed);
        if let Some(why) = why.filter(|_| !were_lost) {
            tracing::warn!(why, "the collector does not take spans: they are lost");
        }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> BoxFuture<'b, Result<Response<Bytes>, HttpError>>
    where
        'a: 'b,
        Self: 'b,
    {
        let answer = self.client.request(request.map(Full::new));
        let sent = self.runtime.spawn(async move {
            let answer = async {
                let (parts, body) = answer.await?.into_parts();
                let body = Limited::new(body, LONGEST_ANSWER).collect().await?;
                Ok::<_, HttpError>(Response::from_parts(parts, body.to_bytes()))
            };
            tokio::time::timeout(TIMEOUT, answer).await?
        });
        Box::pin(async move {
            let answer = sent.await.unwrap_or_else(|error| Err(error.into()));
            self.tell(&answer);
            answer
        })
    }
}
