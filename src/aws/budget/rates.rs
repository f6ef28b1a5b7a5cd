//! How much Amity asks of EC2 at most.
//!
//! EC2 keeps a bucket of requests per account, region and action, and refuses when it is empty, whoever emptied
//! it (EC2 Developer Guide, "Request throttling for the Amazon EC2 API", which has the numbers). Amity keeps a
//! smaller one beside each, since it is not alone in the account:
//!
//! - **half of the size**, so that after the largest burst of ours a person at the console, or a pipeline, still
//!   finds half a bucket;
//! - **four fifths of the refill**, so that while Amity works for hours at its full rate the bucket still fills.

use std::fmt;

/// A whole request, in millionths: buckets are counted without fractions.
pub(super) const REQUEST: i64 = 1_000_000;

/// What of EC2's bucket Amity uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    /// The size of EC2's bucket.
    size: i64,
    /// How many requests EC2's bucket regains in a second.
    refill: i64,
}

impl Rate {
    /// The rate of an action. Actions without a number of their own share one with all that change something,
    /// or with all that read.
    pub(super) fn of(action: &str) -> Self {
        let (size, refill) = match action {
            "CopyImage" => (100, 1),
            "DeregisterImage"
            | "ModifyImageAttribute"
            | "DeleteSnapshot"
            | "ModifySnapshotAttribute"
            | "CreateLaunchTemplateVersion"
            | "ModifyLaunchTemplate"
            | "TerminateInstances" => (100, 5),
            "CreateTags" | "DeleteTags" => (100, 10),
            "RunInstances" | "StartInstances" => (5, 2),
            // Systems Manager says 3 a second for `PutParameter` and nothing of the others that are not for reading values
            // (AWS General Reference, "Systems Manager endpoints and quotas").
            "PutParameter"
            | "DeleteParameter"
            | "AddTagsToResource"
            | "ListTagsForResource"
            | "DescribeParameters" => (20, 3),
            read if read.starts_with("Describe") => (100, 20),
            _ => (50, 5),
        };
        Self { size, refill }
    }

    /// How much Amity may ask at once, in millionths of a request.
    pub(super) fn burst(self) -> i64 {
        (self.size * REQUEST / 2).max(REQUEST)
    }

    /// How much Amity may ask in each millisecond after that, in millionths of a request.
    pub(super) fn per_millisecond(self) -> i64 {
        self.refill * (REQUEST / 1000) * 4 / 5
    }
}

/// `50 calls at once and 0.8 a second`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.per_millisecond() * 10_000 / REQUEST;
        write!(
            f,
            "{} calls at once and {}.{} a second",
            self.burst() / REQUEST,
            tenths / 10,
            tenths % 10
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amity_leaves_half_of_the_bucket_and_a_fifth_of_the_refill_to_others() {
        for (action, ours) in [
            ("CopyImage", "50 calls at once and 0.8 a second"),
            ("CreateImage", "25 calls at once and 4.0 a second"),
            ("RegisterImage", "25 calls at once and 4.0 a second"),
            ("DeregisterImage", "50 calls at once and 4.0 a second"),
            ("DeleteSnapshot", "50 calls at once and 4.0 a second"),
            ("CreateTags", "50 calls at once and 8.0 a second"),
            ("DeleteTags", "50 calls at once and 8.0 a second"),
            ("DescribeImages", "50 calls at once and 16.0 a second"),
            ("RunInstances", "2 calls at once and 1.6 a second"),
            ("PutParameter", "10 calls at once and 2.4 a second"),
            ("GetParameters", "25 calls at once and 4.0 a second"),
        ] {
            assert_eq!(Rate::of(action).to_string(), ours, "{action}");
        }
    }
}
