//! Whether this process is still the one that acts: asked before every call that changes EC2, and while one is
//! under way.
//!
//! Of several replicas one acts, for as long as it surely holds a lease. EC2 knows nothing of leases, so
//! that a call must end before the lease does: it is sent only if the lease outlasts the call's timeout.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

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

    /// What comes of a call; `None` when it is given up, because it took too long or this process may not act
    /// any more.
    ///
    /// That is asked before each step of the call: a process that was stopped in the middle of one, and goes on
    /// an hour later, must not go on with it.
    pub(super) async fn in_time<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let mut call = pin!(call);
        let mut timeout = pin!(tokio::time::sleep(self.call_timeout));
        poll_fn(|cx| {
            let is_over = timeout.as_mut().poll(cx).is_ready() || !(self.outlasts)(Duration::ZERO);
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
