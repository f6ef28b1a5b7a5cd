//! The HTTP client for the AWS SDK, and its faults.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

use super::*;
use crate::{Fault, InProcess};

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIAEC2SIMHOME000001/20260601/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=x";
const CAPTURE: &str =
    "Action=CreateImage&Version=2016-11-15&InstanceId=i-0a1b2c3d4e5f60718&Name=web-1";

fn client(world: &Arc<Mutex<World>>, fault: Fault) -> InProcess {
    let now: Timestamp = "2026-06-01T12:00:00Z".parse().expect("a moment");
    InProcess::new(world.clone(), move || now).with_faults(move |_: &crate::CallSummary| fault)
}

fn world() -> Arc<Mutex<World>> {
    Arc::new(Mutex::new(
        World::example().expect("a world").with_knobs(Knobs::calm()),
    ))
}

fn captured(world: &Arc<Mutex<World>>) -> bool {
    let world = world.lock().expect("nobody panicked");
    world.regions()["us-east-1"]
        .images
        .values()
        .any(|image| image.name == "web-1")
}

async fn send(client: &InProcess) -> Result<HttpResponse, ConnectorError> {
    let mut request = HttpRequest::new(SdkBody::from(CAPTURE));
    request.headers_mut().insert("authorization", SIGNED);
    client.call(request).await
}

#[tokio::test]
async fn without_faults_it_answers_as_ec2_does() {
    let world = world();
    let client = client(&world, Fault::None);
    let response = send(&client).await.expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers().get("server"), Some("AmazonEC2"));
    let body = String::from_utf8(response.body().bytes().expect("a body").to_vec()).expect("text");
    assert_eq!(
        response
            .headers()
            .get("x-amzn-requestid")
            .map(str::to_owned),
        text(&body, "requestId")
    );
    let records = client.log().records();
    assert_eq!(
        (records[0].action.as_str(), records[0].outcome.as_str()),
        ("CreateImage", "ok")
    );
    assert_eq!(
        records[0].ids,
        [INSTANCE.to_owned(), text(&body, "imageId").expect("an id")]
    );
}

#[tokio::test]
async fn a_lost_request_has_no_effect_and_a_lost_answer_has() {
    for (fault, effect) in [(Fault::LostRequest, false), (Fault::LostAnswer, true)] {
        let world = world();
        assert!(send(&client(&world, fault)).await.is_err());
        assert_eq!(captured(&world), effect, "{fault:?}");
    }
}

#[tokio::test]
async fn errors_of_the_service_have_the_effect_that_is_told() {
    for (fault, status, effect) in [
        (Fault::Throttle, 503, false),
        (Fault::InternalError { effect: false }, 500, false),
        (Fault::InternalError { effect: true }, 500, true),
    ] {
        let world = world();
        let response = send(&client(&world, fault)).await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{fault:?}");
        assert_eq!(captured(&world), effect, "{fault:?}");
    }
}

#[tokio::test]
async fn any_refusal_can_be_had_with_the_status_that_aws_sends() {
    for (code, status) in [
        ("UnauthorizedOperation", 403),
        ("AuthFailure", 401),
        ("RequestLimitExceeded", 503),
        ("InternalError", 500),
        ("InvalidAMIID.Unavailable", 400),
    ] {
        let world = world();
        let fault = Fault::Refuse {
            code,
            message: "because",
        };
        let response = send(&client(&world, fault)).await.expect("an answer");
        assert_eq!(response.status().as_u16(), status, "{code}");
        let body = response.body().bytes().expect("a body").to_vec();
        let body = String::from_utf8(body).expect("text");
        assert_eq!(text(&body, "Code").as_deref(), Some(code));
        assert_eq!(text(&body, "Message").as_deref(), Some("because"));
        assert!(!captured(&world), "{code}");
    }
}

#[tokio::test]
async fn a_truncated_answer_is_200_and_ends_early() {
    let world = world();
    let response = send(&client(&world, Fault::Truncated))
        .await
        .expect("an answer");
    assert_eq!(response.status().as_u16(), 200);
    assert!(
        !response
            .body()
            .bytes()
            .expect("a body")
            .ends_with(b"Response>")
    );
    assert!(captured(&world));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_never_answered() {
    let world = world();
    let client = client(&world, Fault::Hang { effect: false });
    assert!(
        tokio::time::timeout(Duration::from_hours(24), send(&client))
            .await
            .is_err()
    );
    assert!(!captured(&world));
}

#[tokio::test(start_paused = true)]
async fn latency_passes_on_the_virtual_clock() {
    let world = world();
    let client = client(&world, Fault::None).with_latency(|_| Duration::from_secs(10));
    let before = tokio::time::Instant::now();
    send(&client).await.expect("an answer");
    assert_eq!(before.elapsed(), Duration::from_secs(10));
}
