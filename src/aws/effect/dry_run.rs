//! A step that EC2 tries without doing it: `DryRun`, which every EC2 call takes (EC2 API, "Common query parameters").
//! Systems Manager knows nothing like it.

use amity_core::image::identity::Place;
use amity_core::image::plan::step::Action;
use aws_sdk_ec2::Client as Ec2;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;

use super::guard;
use super::send::send;
use crate::aws::session::Sessions;

/// Asks EC2 to check a call and do nothing, before it is signed.
#[derive(Debug)]
struct DryRun;

impl Intercept for DryRun {
    fn name(&self) -> &'static str {
        "DryRun"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let body = request.body().bytes().ok_or("the body is no form")?;
        let body = [body, b"&DryRun=true"].concat();
        let length = body.len().to_string();
        *request.body_mut() = SdkBody::from(body);
        request.headers_mut().insert("content-length", length);
        Ok(())
    }
}

/// Whether EC2 would do it: none, if it would or cannot be asked, since the call is about something that is not there yet
/// or is not one of EC2; else why not.
pub async fn try_out(
    sessions: &Sessions,
    namespace: &str,
    place: &Place,
    action: &Action,
) -> Option<String> {
    guard(action)
        .ok()
        .filter(|()| action.parameter().is_none())?;
    let session = match sessions.open_for(&place.account, namespace).await {
        Ok(session) => session,
        Err(unreadable) => return Some(unreadable.message),
    };
    let dry = session.ec2(&place.region).config().to_builder();
    let ec2 = Ec2::from_conf(dry.interceptor(DryRun).build());
    let failure = send(&ec2, sessions.calls(), action).await.err()?;
    (!failure.is_dry_run()).then(|| failure.to_string())
}
