//! EC2 on a port: the API on every path, and under `/_ec2sim/` pages about it and its clock.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::front::Front;
use crate::wire::request::HttpRequest;
use crate::wire::response::{Answer, HEADERS};

/// A clock that begins now and runs so many times faster than real time.
#[derive(Clone, Copy, Debug)]
pub struct FastClock {
    begun: Instant,
    start: Timestamp,
    speed: f64,
}

impl FastClock {
    /// Begins now.
    pub fn start(speed: f64) -> Self {
        Self {
            begun: Instant::now(),
            start: Timestamp::now(),
            speed,
        }
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        let passed = self.begun.elapsed().mul_f64(self.speed);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        self.start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Shows so much more from now on.
    pub fn advance(&mut self, by: SignedDuration) {
        self.start = self.start.checked_add(by).unwrap_or(Timestamp::MAX);
    }
}

struct Shared {
    front: Front,
    clock: Mutex<FastClock>,
}

impl Shared {
    fn now(&self) -> Timestamp {
        self.clock().now()
    }

    fn clock(&self) -> std::sync::MutexGuard<'_, FastClock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Deserialize)]
struct Advance {
    /// Seconds.
    advance: u32,
}

/// Serves until the task is dropped.
///
/// # Errors
/// Where the listener fails.
pub async fn serve(listener: TcpListener, front: Front, clock: FastClock) -> std::io::Result<()> {
    let clock = Mutex::new(clock);
    let shared = Arc::new(Shared { front, clock });
    let router = Router::new()
        .route("/_ec2sim/calls", get(calls))
        .route("/_ec2sim/world", get(world))
        .route("/_ec2sim/policies", get(policies))
        .route("/_ec2sim/clock", post(advance))
        .fallback(api)
        .with_state(shared);
    axum::serve(listener, router).await
}

async fn calls(State(shared): State<Arc<Shared>>) -> Response {
    Json(shared.front.log().records()).into_response()
}

async fn policies(State(shared): State<Arc<Shared>>) -> Response {
    let ledger = shared.front.world().policy_ledger().clone();
    Json(json!({
        "policies": ledger.policies(),
        "unused": ledger.unused(),
        "denials": ledger.denials(),
    }))
    .into_response()
}

async fn world(State(shared): State<Arc<Shared>>) -> Response {
    let mut world = shared.front.world();
    world.advance(shared.now());
    Json(world.to_json()).into_response()
}

async fn advance(State(shared): State<Arc<Shared>>, Query(by): Query<Advance>) -> Response {
    shared
        .clock()
        .advance(SignedDuration::from_secs(by.advance.into()));
    Json(json!({"now": shared.now()})).into_response()
}

async fn api(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method != Method::POST && method != Method::GET {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let answer = shared.front.answer(
        shared.now(),
        HttpRequest {
            authorization: header("authorization"),
            security_token: header("x-amz-security-token"),
            target: header("x-amz-target"),
            query: uri.query(),
            body: &body,
        },
    );
    respond(answer)
}

fn respond(answer: Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (
        status,
        HEADERS,
        [
            ("content-type", answer.content_type.to_owned()),
            ("x-amzn-requestid", answer.request_id),
        ],
        answer.body,
    )
        .into_response()
}
