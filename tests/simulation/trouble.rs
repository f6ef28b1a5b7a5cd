//! What stands between the controller and EC2 when a region is in trouble.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ec2sim::InProcess;
use tokio::time::Instant;

use crate::chance::Chance;

/// What a region does with calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Refuses every one: a service control policy of the organisation.
    Denies,
    /// Answers none.
    IsSilent,
    /// Throttles so many in a thousand.
    Throttles(u64),
}

/// An EC2 in some regions of which something is wrong.
#[derive(Clone, Debug)]
pub struct Troubled {
    ec2: InProcess,
    regions: Arc<BTreeMap<&'static str, Trouble>>,
    begins: Instant,
    chance: Chance,
}

impl Troubled {
    /// The trouble begins after a while.
    pub fn new(
        ec2: InProcess,
        regions: impl IntoIterator<Item = (&'static str, Trouble)>,
        begins_after: Duration,
    ) -> Self {
        Self {
            ec2,
            regions: Arc::new(regions.into_iter().collect()),
            begins: Instant::now() + begins_after,
            chance: Chance::new(1),
        }
    }

    fn trouble_of(&self, request: &HttpRequest) -> Option<Trouble> {
        if Instant::now() < self.begins {
            return None;
        }
        // Credential=KEY/DATE/REGION/SERVICE/aws4_request
        let authorization = request.headers().get("authorization")?;
        self.regions.get(authorization.split('/').nth(2)?).copied()
    }
}

impl HttpConnector for Troubled {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.trouble_of(&request) {
            Some(Trouble::Denies) => HttpConnectorFuture::new(refused(
                403,
                "UnauthorizedOperation",
                "You are not authorized to perform this operation.",
            )),
            Some(Trouble::IsSilent) => HttpConnectorFuture::new(std::future::pending()),
            Some(Trouble::Throttles(rate)) if self.chance.per_mille(rate) => {
                HttpConnectorFuture::new(refused(
                    503,
                    "RequestLimitExceeded",
                    "Request limit exceeded.",
                ))
            }
            _ => self.ec2.call(request),
        }
    }
}

async fn refused(
    status: u16,
    code: &'static str,
    words: &'static str,
) -> Result<HttpResponse, ConnectorError> {
    tokio::time::sleep(Duration::from_millis(120)).await;
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{words}</Message></Error></Errors>\
         <RequestID>00000000-0000-4000-8000-000000000000</RequestID></Response>"
    );
    let response = http::Response::builder()
        .status(status)
        .body(SdkBody::from(body))
        .expect("a response");
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}

impl HttpClient for Troubled {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
