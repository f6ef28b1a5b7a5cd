//! Whether this process is still the one that acts: asked before every call that changes EC2, and while one is
//! under way.
//!
//! Of several replicas one acts, for as long as it surely holds a lease. EC2 knows nothing of leases, so
//! that a call must end before the lease does: it is sent only if the lease outlasts the call's timeout.
//!
//! A process may be stopped at any moment and go on much later: so whether it may act is also asked before each
//! step of the call, and when the body of the request is written to the connection, which is a task of its own.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody};

use super::session::CALL_TIMEOUT;

/// Keeps a process that may no longer act from acting.
#[derive(Clone)]
pub struct Fence {
    call_timeout: Duration,
    outlasts: Arc<dyn Fn(Duration) -> bool + Send + Sync>,
}

impl Fence {
    /// A fence that is open while `outlasts` says that this process may act for so long from now. A call that
    /// changes EC2 may take `call_timeout`.
    pub fn new(
        call_timeout: Duration,
        outlasts: impl Fn(Duration) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            call_timeout,
            outlasts: Arc::new(outlasts),
        }
    }

    /// No fence, for a process that is certainly the only one.
    pub fn absent() -> Self {
        Self::new(CALL_TIMEOUT, |_| true)
    }

    /// Whether a call that is sent now ends while this process may act, however it ends.
    pub(super) fn is_open(&self) -> bool {
        (self.outlasts)(self.call_timeout)
    }

    fn may_act(&self) -> bool {
        (self.outlasts)(Duration::ZERO)
    }

    /// What comes of a call; `None` when it is given up, because it took too long or this process may not act
    /// any more.
    pub(super) async fn in_time<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut call = pin!(call);
        let mut timeout = pin!(tokio::time::sleep(self.call_timeout));
        poll_fn(|cx| {
            let is_over = timeout.as_mut().poll(cx).is_ready() || !self.may_act();
            if is_over {
                Poll::Ready(None)
            } else {
                call.as_mut().poll(cx).map(Some)
            }
        })
        .await
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence")
            .field("call_timeout", &self.call_timeout)
            .finish_non_exhaustive()
    }
}

/// A call that changes EC2 is given this.
impl Intercept for Fence {
    fn name(&self) -> &'static str {
        "Fence"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request_mut().body_mut();
        let bytes = body.bytes().ok_or("a request without a body")?.to_vec();
        *body = self.guarded(bytes);
        Ok(())
    }
}

impl Fence {
    /// A body that is given out only while this process may act. A connection asks for it right before it writes the
    /// request, and writes nothing of it when there is an error.
    fn guarded(&self, bytes: Vec<u8>) -> SdkBody {
        let fence = self.clone();
        let last_look = async move {
            if !fence.may_act() {
                return Err(BoxError::from("this process may not act any more"));
            }
            match Full::from(bytes).frame().await {
                Some(Ok(frame)) => Ok(frame),
                Some(Err(never)) => match never {},
                None => Err(BoxError::from("an empty request")),
            }
        };
        SdkBody::from_body_1_x(StreamBody::new(stream::once(last_look)))
    }
}
