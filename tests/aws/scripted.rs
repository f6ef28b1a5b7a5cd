//! EC2, except where a script says something else.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ec2sim::InProcess;
use http_body_util::BodyExt;

/// Given action and region: HTTP status and body, or nothing to let EC2 answer.
type Script = dyn Fn(&str, &str) -> Option<(u16, String)> + Send + Sync;

#[derive(Clone)]
pub struct Scripted {
    ec2: InProcess,
    script: Arc<Script>,
}

impl Scripted {
    pub fn new(
        ec2: InProcess,
        script: impl Fn(&str, &str) -> Option<(u16, String)> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ec2,
            script: Arc::new(script),
        }
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

impl HttpConnector for Scripted {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let Self { ec2, script } = self.clone();
        HttpConnectorFuture::new(async move {
            // What changes EC2 is given out only while the process may act.
            let body = std::mem::replace(request.body_mut(), SdkBody::taken());
            let body = body.collect().await;
            let body = body.map_err(|error| ConnectorError::other(error, None))?;
            let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
            let action = body
                .split('&')
                .find_map(|part| part.strip_prefix("Action="));
            let region = request.uri().split('.').nth(1).unwrap_or_default();
            let Some((status, answer)) = action.and_then(|action| script(action, region)) else {
                *request.body_mut() = SdkBody::from(body);
                return ec2.call(request).await;
            };
            let answer = http::Response::builder()
                .status(status)
                .body(SdkBody::from(answer))
                .expect("an answer");
            Ok(HttpResponse::try_from(answer).expect("an answer"))
        })
    }
}

impl HttpClient for Scripted {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
