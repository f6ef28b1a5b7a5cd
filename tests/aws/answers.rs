//! What comes of an answer that is none of those that ec2sim gives.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use amity_core::api::conditions;
use amity_core::image::identity::Reference;
use amity_core::image::observed::{ImageState, SourceView};
use amity_core::image::plan::{Reads, SourceQuery};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use ec2sim::{InProcess, Knobs};

use crate::lab::{ACCOUNT, INSTANCE, Lab, capture, copy, desired};

/// An error: HTTP status, code and sentence.
type Said = (u16, &'static str, &'static str);

type Script = dyn Fn(&str, &str) -> Option<Said> + Send + Sync;

/// EC2, except where the script, given action and region, says something else.
#[derive(Clone)]
struct Scripted {
    ec2: InProcess,
    script: Arc<Script>,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scripted").finish_non_exhaustive()
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default()).into_owned();
        let action = body
            .split('&')
            .find_map(|part| part.strip_prefix("Action="));
        let region = request.uri().split('.').nth(1).unwrap_or_default();
        let Some((status, code, words)) = action.and_then(|action| (self.script)(action, region))
        else {
            return self.ec2.call(request);
        };
        let error = format!(
            "<Response><Errors><Error><Code>{code}</Code><Message>{words}</Message></Error></Errors>\
             <RequestID>r</RequestID></Response>"
        );
        let answer = http::Response::builder()
            .status(status)
            .body(SdkBody::from(error))
            .expect("an answer");
        HttpConnectorFuture::ready(Ok(HttpResponse::try_from(answer).expect("an answer")))
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

/// A lab in which some calls are answered so.
fn answering(script: impl Fn(&str, &str) -> Option<Said> + Send + Sync + 'static) -> Lab {
    let script: Arc<Script> = Arc::new(script);
    Lab::build(Knobs::calm(), |ec2| Scripted { ec2, script })
}

/// The same answer to every call of an action.
fn always(action: &'static str, said: Said) -> impl Fn(&str, &str) -> Option<Said> + Send + Sync {
    move |called, _| (called == action).then_some(said)
}

#[tokio::test(start_paused = true)]
async fn a_denied_copy_names_the_missing_permission_and_stalls_alone() {
    let words = "You are not authorized to perform this operation. User: arn:aws:sts::111122223333:assumed-role/a/b is not \
                 authorized to perform: ec2:CreateTags on resource: x because no identity-based policy allows it.";
    let lab = answering(move |action, region| {
        (action == "CopyImage" && region == "eu-west-1").then_some((
            403,
            "UnauthorizedOperation",
            words,
        ))
    });
    let lab = lab.started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1", "us-west-2"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(5).await;
    let outcome = lab
        .perform(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;
    let refusal = outcome.result.expect_err("denied");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::ACCESS_DENIED, true)
    );
    assert!(
        refusal
            .message
            .contains("allow ec2:CreateTags in the policy"),
        "{}",
        refusal.message
    );
    lab.make(&desired, "us-west-2", copy(&desired, &origin, "us-west-2"))
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_copy_of_an_image_whose_snapshots_are_not_shared_says_what_to_share() {
    let words = "You do not have permission to access the storage of this ami";
    let lab = answering(always("CopyImage", (400, "InvalidRequest", words)))
        .started()
        .await;
    let desired = desired("web", &["eu-west-1"]);
    let outcome = lab
        .perform(
            &desired,
            "eu-west-1",
            copy(&desired, "ami-0a2b3c4d5e6f70819", "eu-west-1"),
        )
        .await;
    let refusal = outcome.result.expect_err("refused");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::REFUSED, true)
    );
    let remedy = "let the owner of us-east-1/ami-0a2b3c4d5e6f70819 share its snapshots with account 111122223333";
    assert!(refusal.message.contains(remedy), "{}", refusal.message);
}

#[tokio::test(start_paused = true)]
async fn an_internal_error_with_status_400_may_have_been_done() {
    let lab = answering(always(
        "CreateImage",
        (400, "InternalError", "An internal error has occurred"),
    ));
    let lab = lab.started().await;
    let desired = desired("web", &["us-east-1"]);
    let outcome = lab.perform(&desired, "us-east-1", capture(&desired)).await;
    let refusal = outcome.result.expect_err("no answer");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::PROGRESSING, false)
    );
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_disabled_is_unreadable_and_the_account_is_proven_anew() {
    let words = "AWS was not able to validate the provided access credentials";
    let lab = answering(move |action, region| {
        (action == "DescribeImages" && region == "eu-west-1").then_some((401, "AuthFailure", words))
    });
    let lab = lab.started().await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let unreadable = lab.unreadable(&desired, "eu-west-1").await;
    assert_eq!(unreadable.reason, conditions::REGION_NOT_IN_ACCOUNT);
    assert!(
        unreadable.message.contains("enable eu-west-1 for account"),
        "{}",
        unreadable.message
    );
    lab.known(&desired, "us-east-1").await;
    assert!(
        lab.calls.count("GetCallerIdentity", "success") > 1,
        "bad credentials are answered alike"
    );
    let before = lab.calls.count("GetCallerIdentity", "success");
    lab.pass(600).await;
    let proofs = lab.calls.count("GetCallerIdentity", "success") - before;
    assert!((5..=20).contains(&proofs), "{proofs} proofs in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_disabled_closes_no_account_while_sts_cannot_be_asked() {
    let is_out = Arc::new(AtomicBool::new(false));
    let out = Arc::clone(&is_out);
    let lab = answering(move |action, region| {
        let refused = action == "DescribeImages" && region == "eu-west-1";
        let unreachable = action == "GetCallerIdentity";
        match out.load(Ordering::Relaxed) {
            true if refused => Some((401, "AuthFailure", "AWS was not able to validate")),
            true if unreachable => Some((503, "ServiceUnavailable", "The service is unavailable.")),
            _ => None,
        }
    });
    let lab = lab.started().await;
    is_out.store(true, Ordering::Relaxed);
    lab.pass(900).await;
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    lab.known(&desired, "us-east-1").await;
    assert_eq!(
        lab.unreadable(&desired, "eu-west-1").await.reason,
        conditions::REGION_NOT_IN_ACCOUNT
    );
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_got_anew_and_the_step_is_taken_again() {
    let expired = Arc::new(AtomicBool::new(true));
    let is_expired = Arc::clone(&expired);
    let lab = answering(move |action, _| {
        (action == "CreateImage" && is_expired.load(Ordering::Relaxed)).then_some((
            400,
            "RequestExpired",
            "Request has expired.",
        ))
    });
    let lab = lab.started().await;
    let desired = desired("web", &["us-east-1"]);
    let outcome = lab.perform(&desired, "us-east-1", capture(&desired)).await;
    let refusal = outcome.result.expect_err("expired");
    assert_eq!(
        (refusal.reason, refusal.certain),
        (conditions::NO_CREDENTIALS, true)
    );
    lab.pass(5).await;
    assert_eq!(
        lab.calls.count("GetCallerIdentity", "success"),
        2,
        "the session was opened anew"
    );
    expired.store(false, Ordering::Relaxed);
    lab.make(&desired, "us-east-1", capture(&desired)).await;
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_somebody_elses_is_missing_and_not_a_region_that_is_disabled() {
    let lab = answering(always(
        "DescribeInstances",
        (
            400,
            "AuthFailure",
            "Not authorized for images: [ami-0a2b3c4d5e6f70819]",
        ),
    ));
    let lab = lab.started().await;
    let desired = desired("web", &["us-east-1"]);
    let reads = Reads {
        source: Some(SourceQuery::Instance(Reference::new("us-east-1", INSTANCE))),
        ..Reads::default()
    };
    let source = lab.inventory.observe(&desired, &reads).await.source;
    assert!(matches!(source, SourceView::Missing { .. }), "{source:?}");
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_fails_late_for_its_key_says_to_look_at_the_key() {
    let lab = Lab::calm().started().await;
    let key = "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-1234-1234-123456789012";
    lab.world(|world| {
        let place = world.place_mut(ACCOUNT, "eu-west-1").expect("a place");
        place.encryption_by_default = true;
        place.default_key = Some(key.to_owned());
        place.broken_keys.insert(key.to_owned());
    });
    let desired = desired("web", &["us-east-1", "eu-west-1"]);
    let origin = lab.make(&desired, "us-east-1", capture(&desired)).await;
    lab.pass(5).await;
    lab.make(&desired, "eu-west-1", copy(&desired, &origin, "eu-west-1"))
        .await;
    lab.pass(60).await;
    let known = lab.known(&desired, "eu-west-1").await;
    assert_eq!(known.images[0].state, ImageState::Failed);
    let reason = known.images[0].state_reason.clone().unwrap_or_default();
    assert!(
        reason.starts_with("Copy image failed with an internal error ("),
        "{reason}"
    );
    assert!(reason.contains("KMS key"), "{reason}");
}
