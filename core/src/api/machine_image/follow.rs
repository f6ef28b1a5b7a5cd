//! When a source is looked at again by itself.

use jiff::SignedDuration;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::duration;
use crate::api::rules;

/// Opts in to new revisions when the source leads to another image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Follow {
    /// How often the source is looked at: hours (h) and minutes (m), for example 24h, at least 10m
    /// and at most 8760h. It is not looked at while a revision is being made, so that a source that
    /// changes fast keeps none from being published.
    #[schemars(length(max = 18))]
    #[x_kube(validation = rules::follow_interval())]
    pub interval: String,
}

impl Follow {
    /// The longest [`interval`](Self::interval) that the API server lets through.
    pub const LONGEST: SignedDuration = SignedDuration::from_hours(8760);

    /// How often the source is looked at. What cannot be read, which the API server refuses, counts as the longest.
    pub fn interval(&self) -> SignedDuration {
        duration::parse(&self.interval).unwrap_or(Self::LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_cannot_be_read_is_the_longest() {
        let interval = |text: &str| {
            Follow {
                interval: text.into(),
            }
            .interval()
        };
        assert_eq!(interval("24h"), SignedDuration::from_hours(24));
        assert_eq!(interval("1h30m"), SignedDuration::from_mins(90));
        assert_eq!(interval("1d"), Follow::LONGEST);
    }
}
