//! The log of calls: what was asked, by whom, and what came of it.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::wire::response::iso;

/// One call that reached EC2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallRecord {
    /// When, by the world's clock.
    #[serde(serialize_with = "time")]
    pub time: Timestamp,
    /// The caller's account; none if its access key is unknown.
    pub account: Option<String>,
    /// The caller's access key id; none if the request is not signed.
    pub access_key_id: Option<String>,
    /// The region of the signature.
    pub region: String,
    /// The action.
    pub action: String,
    /// `ok`, or the code of the error.
    pub outcome: String,
    /// The ids that the request names, and then those of what it made.
    pub ids: Vec<String>,
    /// The request id of the answer.
    pub request_id: String,
}

fn time<S: Serializer>(value: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&iso(*value))
}

/// A log that several hands write and read.
#[derive(Clone, Debug, Default)]
pub struct CallLog(Arc<Mutex<Vec<CallRecord>>>);

impl CallLog {
    /// All calls so far, in their order.
    pub fn records(&self) -> Vec<CallRecord> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn push(&self, record: CallRecord) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(record);
    }
}
