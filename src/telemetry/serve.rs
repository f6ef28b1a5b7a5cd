//! Health, metrics and plans over HTTP. Whoever reaches the address may read them: no secret is in them, and nothing
//! that a status would not say.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde::Deserialize;
use tokio::net::TcpListener;

use super::figures::{Led, NoPlan};
use super::{Metrics, Readiness};

/// What Prometheus asks for first.
const OPEN_METRICS: &str = "application/openmetrics-text";

#[derive(Clone)]
struct Served {
    readiness: Readiness,
    registry: Arc<Registry>,
    led: Led,
}

/// Serves `/healthz` (the process answers), `/readyz` (it reconciles, or could take over), `/metrics`, and
/// `/debug/plan/NAMESPACE/NAME`, until it is dropped.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    metrics: &Metrics,
) -> std::io::Result<()> {
    let registry = metrics.registry();
    let led = metrics.led.clone();
    let listener = TcpListener::bind(address).await?;
    tracing::info!(
        address = %listener.local_addr()?,
        "serving /healthz, /readyz, /metrics and /debug/plan/NAMESPACE/NAME"
    );
    let app = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics_text))
        .route("/debug/plan", get(plan_of_nothing))
        .route("/debug/plan/{namespace}/{name}", get(plan))
        .with_state(Served {
            readiness,
            registry: Arc::new(registry),
            led,
        });
    axum::serve(listener, app).await
}

async fn readyz(State(served): State<Served>) -> impl IntoResponse {
    if served.readiness.is_ready() {
        (StatusCode::OK, "ok")
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            "the cluster was not read yet; are the custom resource definitions there?",
        )
    }
}

async fn metrics_text(State(served): State<Served>, headers: HeaderMap) -> Response {
    let mut text = String::new();
    if encode(&mut text, &served.registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let (kind, text) = if accepts(&headers, OPEN_METRICS) {
        (
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            text,
        )
    } else {
        ("text/plain; version=0.0.4; charset=utf-8", plain(&text))
    };
    ([(CONTENT_TYPE, kind)], text).into_response()
}

fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains(kind))
}

/// Prometheus' older format, in which a counter is announced by the name of its samples, and in which there is no end.
fn plain(open_metrics: &str) -> String {
    let lines: Vec<&str> = open_metrics.lines().collect();
    let counters: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut plain = String::with_capacity(open_metrics.len());
    for line in lines.iter().filter(|line| **line != "# EOF") {
        let announced = ["# HELP ", "# TYPE "]
            .iter()
            .find_map(|word| Some((word, line.strip_prefix(word)?.split_once(' ')?)));
        match announced {
            Some((word, (name, rest))) if counters.contains(&name) => {
                plain.extend([word, name, "_total ", rest, "\n"]);
            }
            _ => plain.extend([*line, "\n"]),
        }
    }
    plain
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
}

async fn plan(
    State(served): State<Served>,
    Path((namespace, name)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    let Some(leader) = served.led.leader() else {
        return stands_by();
    };
    match leader.plan(&format!("{namespace}/{name}")) {
        Ok(page)
            if asked.format.as_deref() == Some("json") || accepts(&headers, "application/json") =>
        {
            axum::Json(page).into_response()
        }
        Ok(page) => page.to_string().into_response(),
        Err(none) => (StatusCode::NOT_FOUND, there_is(&none)).into_response(),
    }
}

async fn plan_of_nothing(State(served): State<Served>) -> Response {
    match served.led.leader() {
        Some(leader) => {
            let none = leader.plan("").err().unwrap_or_default();
            (StatusCode::NOT_FOUND, there_is(&none)).into_response()
        }
        None => stands_by(),
    }
}

fn stands_by() -> Response {
    let words = "this replica stands by and makes no plans: ask the one whose amity_leader is 1\n";
    (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
}

fn there_is(none: &NoPlan) -> String {
    let mut text = if none.is_there {
        "no plan of it was made yet\n".to_owned()
    } else {
        "no MachineImage is called so: ask for /debug/plan/NAMESPACE/NAME\n".to_owned()
    };
    if !none.some.is_empty() {
        text.push_str("there are:\n");
    }
    for object in &none.some {
        text.extend(["  ", object, "\n"]);
    }
    if let more @ 1.. = none.all.saturating_sub(none.some.len()) {
        let _ = writeln!(text, "  and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_plain_text_a_counter_is_announced_by_the_name_of_its_samples() {
        let open = "# HELP a_calls Calls.\n# TYPE a_calls counter\na_calls_total{x=\"y\"} 1\n\
                    # HELP a_age Age.\n# TYPE a_age gauge\na_age 2\n# EOF\n";
        assert_eq!(
            plain(open),
            "# HELP a_calls_total Calls.\n# TYPE a_calls_total counter\na_calls_total{x=\"y\"} 1\n\
             # HELP a_age Age.\n# TYPE a_age gauge\na_age 2\n"
        );
    }

    #[test]
    fn who_asks_for_what_is_not_there_reads_what_is() {
        let none = NoPlan {
            is_there: false,
            some: vec!["team/web".to_owned()],
            all: 3,
        };
        assert_eq!(
            there_is(&none),
            "no MachineImage is called so: ask for /debug/plan/NAMESPACE/NAME\nthere are:\n  team/web\n  and 2 more\n"
        );
    }
}
