//! What stands before a world, however it is served: HTTP in, answer out, and the log.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::error::ApiError;
use crate::log::{CallLog, CallRecord};
use crate::wire::request::{Caller, HttpRequest, Request};
use crate::wire::response::Answer;
use crate::world::World;

/// A world that is shared, and the log of the calls to it.
#[derive(Clone, Debug)]
pub struct Front {
    world: Arc<Mutex<World>>,
    log: CallLog,
}

/// A request that was read, or the reason why it cannot be, with its caller.
pub(crate) struct Asked {
    pub caller: Caller,
    pub request: Result<Request, ApiError>,
}

impl Front {
    /// Stands before this world with an empty log.
    pub fn new(world: Arc<Mutex<World>>) -> Self {
        Self {
            world,
            log: CallLog::default(),
        }
    }

    /// The world. A panic while somebody held it does not make it unreadable: a call changes it
    /// only in ways that leave it whole.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log.
    pub fn log(&self) -> &CallLog {
        &self.log
    }

    /// Answers a request that arrives at `now`.
    pub fn answer(&self, now: Timestamp, request: HttpRequest<'_>) -> Answer {
        self.perform(now, &Asked::read(request))
    }

    pub(crate) fn perform(&self, now: Timestamp, asked: &Asked) -> Answer {
        let mut world = self.world();
        let answer = match &asked.request {
            Ok(request) => world.call(now, &asked.caller, request),
            Err(error) => world.refuse(now, asked.caller.service, error),
        };
        self.record(&world, asked, &answer);
        answer
    }

    /// Answers with an error that has nothing to do with the request.
    pub(crate) fn refuse(&self, now: Timestamp, asked: &Asked, error: &ApiError) -> Answer {
        let mut world = self.world();
        let answer = world.refuse(now, asked.caller.service, error);
        self.record(&world, asked, &answer);
        answer
    }

    /// Records under the lock, so that the order of the log is that of the effects.
    fn record(&self, world: &World, asked: &Asked, answer: &Answer) {
        let mut ids = asked.ids();
        ids.extend(answer.made.iter().cloned());
        let record = CallRecord {
            time: world.now,
            account: world.account_of(&asked.caller),
            access_key_id: asked.caller.access_key_id.clone(),
            region: asked.caller.region.clone(),
            action: asked.action().to_owned(),
            outcome: answer.error.clone().unwrap_or_else(|| "ok".to_owned()),
            ids,
            request_id: answer.request_id.clone(),
        };
        tracing::debug!(?record, "call");
        self.log.push(record);
    }
}

impl Asked {
    pub(crate) fn read(request: HttpRequest<'_>) -> Self {
        let (caller, request) = request.read();
        Self { caller, request }
    }

    pub(crate) fn action(&self) -> &str {
        self.request
            .as_ref()
            .map(|request| request.action.as_str())
            .unwrap_or_default()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.request.as_ref().map(Request::ids).unwrap_or_default()
    }
}

impl World {
    /// The account of a caller, if its access key is known.
    pub fn account_of(&self, caller: &Caller) -> Option<String> {
        let principal = self.principals.get(caller.access_key_id.as_deref()?)?;
        Some(principal.account.clone())
    }
}
