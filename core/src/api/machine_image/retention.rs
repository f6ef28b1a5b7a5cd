//! How long superseded revisions stay.

use jiff::SignedDuration;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::duration;
use crate::api::rules;

/// Which superseded revisions are kept besides the published one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// How many superseded revisions are kept, the latest ones, 0 to 20. Going back to one of
    /// them, for example by a revert in Git, publishes it again and builds and copies nothing.
    /// Each keeps its snapshots, which cost. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 20))]
    pub revisions: i32,

    /// How long every superseded revision is kept, counted from when it was superseded: hours (h),
    /// minutes (m) and seconds (s), for example 168h for a week, at most 8760h. A revision goes
    /// only when it is beyond revisions and older than this. Deleting this object or removing a
    /// region waits for neither. Default: 0s.
    #[serde(default = "no_time")]
    #[schemars(length(max = 18))]
    #[x_kube(validation = rules::min_age())]
    pub min_age: String,
}

impl Retention {
    /// The longest [`min_age`](Self::min_age) that the API server lets through.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(8760);

    /// How long a superseded revision is kept at least. What cannot be read, which the API server
    /// refuses, counts as the longest: a misread age must not delete early.
    pub fn min_age(&self) -> SignedDuration {
        duration::parse(&self.min_age).unwrap_or(Self::LONGEST)
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            revisions: one(),
            min_age: no_time(),
        }
    }
}

fn one() -> i32 {
    1
}

fn no_time() -> String {
    "0s".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn min_age(text: &str) -> SignedDuration {
        Retention {
            min_age: text.into(),
            ..Retention::default()
        }
        .min_age()
    }

    #[test]
    fn one_revision_is_kept_for_no_time_by_default() {
        let said_nothing: Retention = serde_json::from_value(serde_json::json!({})).unwrap();
        assert_eq!(said_nothing, Retention::default());
        assert_eq!(said_nothing.revisions, 1);
        assert_eq!(said_nothing.min_age(), SignedDuration::ZERO);
    }

    #[test]
    fn an_age_is_the_sum_of_its_parts() {
        assert_eq!(min_age("168h"), SignedDuration::from_hours(168));
        assert_eq!(min_age("1h30m15s"), SignedDuration::from_secs(5415));
        assert_eq!(min_age("90m"), SignedDuration::from_mins(90));
    }

    #[test]
    fn what_cannot_be_read_deletes_nothing_early() {
        for text in [
            "", "h", "7d", "168", "-1h", "1h ", "1.5h", "123456h", "1h1h1h1h", "1ä", "ü",
        ] {
            assert_eq!(min_age(text), Retention::LONGEST, "{text:?}");
        }
    }
}
