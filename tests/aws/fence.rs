//! Only a process that may act sends what changes EC2.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use amity::aws::fence::Fence;
use amity_core::api::conditions;
use amity_core::image::identity::Place;
use amity_core::image::observed::Asked;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use ec2sim::{Fault, InProcess, Knobs};

use crate::lab::{ACCOUNT, Lab, capture, copy, desired};

/// As with a lease of a minute.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

/// A fence that is as its switch says.
fn switched(open: &Arc<AtomicBool>) -> Fence {
    let open = open.clone();
    Fence::new(CALL_TIMEOUT, move |_| open.load(Ordering::Relaxed))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_that_could_be_answered_too_late() {
    let lab = Lab::calm().started().await;
    let ends = lab.clock.now() + CALL_TIMEOUT;
    let clock = lab.clock.clone();
    let fence = Fence::new(CALL_TIMEOUT, move |time| clock.now() + time <= ends);
    let lab = lab.fenced(fence);
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(5).await;
    let before = lab.all_calls();

    let copied = lab
        .perform(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;

    let refusal = copied.result.expect_err("not sent");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::PROGRESSING, true)
    );
    assert!(refusal.message.contains("its lease"), "{refusal:?}");
    assert_eq!(lab.all_calls(), before);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_sent_is_asked_again_soon_however_often() {
    let open = Arc::new(AtomicBool::new(false));
    let lab = Lab::calm().started().await.fenced(switched(&open));
    let desired = desired("web", &["us-east-1"]);
    for _ in 0..10 {
        let outcome = lab.perform(&desired, "us-east-1", capture(&desired)).await;
        let refusal = outcome.result.expect_err("not sent");
        let wait = refusal.retry_at.duration_since(lab.clock.now());
        assert_eq!(wait.as_secs(), 2);
        let asked = Asked::of(&Place::new(ACCOUNT, "us-east-1"), &capture(&desired));
        let shown = &lab.observe(&desired).await.refusals[&asked];
        assert_eq!(shown, &refusal, "so that the planner waits");
        lab.clock.sleep_until(refusal.retry_at).await;
    }
    assert_eq!(lab.reached("CreateImage"), 0);
    open.store(true, Ordering::Relaxed);
    lab.make(&desired, "us-east-1", capture(&desired)).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_within_its_timeout_and_may_have_been_done() {
    let open = Arc::new(AtomicBool::new(true));
    let lab = Lab::calm().started().await.fenced(switched(&open));
    let desired = desired("web", &["us-east-1"]);
    lab.fail("CreateImage", Fault::Hang { effect: true });
    let sent = lab.clock.now();

    let outcome = lab.perform(&desired, "us-east-1", capture(&desired)).await;

    let refusal = outcome.result.expect_err("no answer");
    assert!(!refusal.certain, "{refusal:?}");
    assert_eq!(lab.clock.now().duration_since(sent).as_secs(), 30);
    assert_eq!(lab.calls.count("CreateImage", "unknown"), 1);
}

/// The connection is a task of its own: that nobody waits for the answer any more does not keep it from writing.
#[tokio::test(start_paused = true)]
async fn a_request_that_a_connection_has_not_written_is_not_written_when_the_lease_is_over() {
    let lab = Lab::build(Knobs::calm(), |ec2| LateConnection {
        ec2,
        is_a_task: true,
    });
    let (lab, open) = stopped_in_the_middle_of_a_capture(lab).await;
    let desired = desired("web", &["us-east-1"]);
    open.store(true, Ordering::Relaxed);
    lab.make(&desired, "us-east-1", capture(&desired)).await;
}

/// Connections that write requests with a body that is not in memory 10 s late.
#[derive(Clone, Debug)]
struct LateConnection {
    ec2: InProcess,
    /// Whether they write it whoever waits.
    is_a_task: bool,
}

impl HttpConnector for LateConnection {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let is_effect = request.body().bytes().is_none();
        let ec2 = self.ec2.clone();
        let connection = async move {
            if is_effect {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            ec2.call(request).await
        };
        if !self.is_a_task {
            return HttpConnectorFuture::new(connection);
        }
        let connection = tokio::spawn(connection);
        HttpConnectorFuture::new(async move { connection.await.expect("it never panics") })
    }
}

impl HttpClient for LateConnection {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

/// As one that is stopped in the middle of a call, and goes on when its lease has run out.
#[tokio::test(start_paused = true)]
async fn a_call_under_way_does_not_go_on_when_the_lease_is_over() {
    let lab = Lab::build(Knobs::calm(), |ec2| LateConnection {
        ec2,
        is_a_task: false,
    });
    stopped_in_the_middle_of_a_capture(lab).await;
}

/// The lease runs out 3 s after a capture was begun: nothing of it reaches EC2. Gives what opens the fence again.
async fn stopped_in_the_middle_of_a_capture(lab: Lab) -> (Lab, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(true));
    let lab = lab.started().await.fenced(switched(&open));
    let desired = desired("web", &["us-east-1"]);
    let stopped = async {
        lab.pass(3).await;
        open.store(false, Ordering::Relaxed);
    };

    let (outcome, ()) = tokio::join!(
        lab.perform(&desired, "us-east-1", capture(&desired)),
        stopped
    );

    assert!(outcome.result.is_err(), "{outcome:?}");
    lab.pass(60).await;
    assert_eq!(lab.reached("CreateImage"), 0);
    (lab, open)
}
