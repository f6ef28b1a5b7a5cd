//! A replica of the controller: the real one, from its lease to its effects, one life after the other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use amity::aws;
use amity::aws::session::Sessions;
use amity::controller::{self, Settings, lease};
use amity::telemetry::{Metrics, Readiness};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ec2sim::InProcess;
use http_body_util::BodyExt;
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::next_version;
use crate::process::{lock, sdk_config};
use crate::rights;
use crate::sabotage::OnTheWire;
use crate::universe::Universe;

/// How long it takes until a process that ended runs again: twice as long each time that it ends by itself, as the
/// kubelet does it.
const STARTS_WITHIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));

/// Lives, crashes, and lives again, for ever.
pub async fn keep(universe: Arc<Universe>, number: usize, crash: Arc<Notify>) {
    let mut life = 0;
    let mut starts_within = STARTS_WITHIN.0;
    loop {
        life += 1;
        let metrics = Metrics::default();
        lock(&universe.counted).push(metrics.clone());
        let clock = universe.clock.clone();
        let http = Ec2 {
            replica: number,
            service: universe.ec2(number),
            universe: universe.clone(),
        };
        let sessions = Sessions::over(
            &sdk_config(http, &clock),
            clock.clone(),
            metrics.ec2_calls.clone(),
        );
        let controlled = controller::control(
            universe.client(number),
            settings(&universe, format!("replica-{number}-{life}")),
            Arc::new(sessions),
            clock,
            metrics,
            Readiness::default(),
            std::future::pending(),
        );
        // A task of its own: what it holds is gone with it, wherever it is.
        let mut process = tokio::task::JoinSet::new();
        process.spawn(async move {
            Box::pin(controlled)
                .await
                .map_err(|error| error.to_string())
        });
        tokio::select! {
            biased;
            () = crash.notified() => {
                universe.note(&format!("replica {number} crashes"));
                lock(&universe.troubles).crashes += 1;
                starts_within = STARTS_WITHIN.0;
            }
            ended = process.join_next() => {
                universe.note(&format!("replica {number} ends: {ended:?}"));
                starts_within = STARTS_WITHIN.1.min(2 * starts_within);
            }
        }
        process.shutdown().await;
        tokio::time::sleep(starts_within).await;
    }
}

fn settings(universe: &Universe, holder: String) -> Settings {
    Settings {
        owner: rights::OWNER.to_owned(),
        take_over_from: lock(&universe.take_over_from).clone(),
        price_per_gib_month: None,
        concurrency: 32,
        listen: ([127, 0, 0, 1], 0).into(),
        lease: lease::Settings {
            namespace: "amity-system".to_owned(),
            holder,
            duration: universe.pace.lease_duration,
        },
        aws: aws::Settings {
            consistency_window: signed(universe.pace.consistency_window),
            rest_interval: signed(universe.pace.rest_interval),
            // Twelve hours are no other than these, only longer.
            permissions_interval: signed(universe.pace.rest_interval),
            ..aws::Settings::default()
        },
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).expect("a short duration")
}

/// EC2 as one replica reaches it: through the gate.
#[derive(Clone)]
struct Ec2 {
    replica: usize,
    universe: Arc<Universe>,
    service: InProcess,
}

impl fmt::Debug for Ec2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ec2")
            .field("replica", &self.replica)
            .finish_non_exhaustive()
    }
}

impl HttpConnector for Ec2 {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let (universe, service) = (self.universe.clone(), self.service.clone());
        let replica = self.replica;
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let authorization = request.headers().get("authorization").unwrap_or_default();
        let region = authorization
            .split('/')
            .nth(2)
            .unwrap_or_default()
            .to_owned();
        HttpConnectorFuture::new(async move {
            // What changes EC2 is only given out while the replica may act.
            let body = std::mem::replace(request.body_mut(), SdkBody::taken());
            let body = body
                .collect()
                .await
                .map_err(|error| ConnectorError::other(error, None))?;
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            universe
                .gate
                .turn(format!("ec2 {replica} {region} {body}"))
                .await;
            let body = if universe.next_version == Some(replica) {
                next_version::request(&body)
            } else {
                body
            };
            let sabotage = *lock(&universe.sabotage);
            let body = match sabotage.map(|one| one.of(&universe, &region, &body)) {
                None => body,
                Some(OnTheWire::Asks(body)) => body,
                Some(OnTheWire::Answers(answer)) => {
                    let answer = http::Response::new(SdkBody::from(answer));
                    return HttpResponse::try_from(answer)
                        .map_err(|error| ConnectorError::other(error.into(), None));
                }
            };
            universe.is_copied_in_time(&region, &body);
            *request.body_mut() = SdkBody::from(body);
            service.call(request).await
        })
    }
}

impl HttpClient for Ec2 {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
