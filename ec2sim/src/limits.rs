//! Request buckets: per account, region and action (docs: DG ec2-api-throttling).

use jiff::Timestamp;

use crate::wire::request::Request;

/// How many requests a bucket holds, and how many thousandths of one it regains each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub size: u64,
    pub refill: u64,
}

/// The capacity for a request. Five Describe actions have a smaller bucket when they are
/// called without filter and paging.
pub(crate) fn capacity(request: &Request) -> Capacity {
    let capacity = |size, refill: u64| Capacity {
        size,
        refill: refill * 1000,
    };
    let unbounded = || {
        !request
            .parameters
            .keys()
            .any(|key| key == "MaxResults" || key.starts_with("Filter."))
    };
    match request.action.as_str() {
        "CopyImage" => capacity(100, 1),
        "DeregisterImage"
        | "ModifyImageAttribute"
        | "CreateLaunchTemplateVersion"
        | "ModifyLaunchTemplate"
        | "TerminateInstances"
        | "DeleteSnapshot"
        | "ModifySnapshotAttribute" => capacity(100, 5),
        "EnableImageBlockPublicAccess" | "DisableImageBlockPublicAccess" => Capacity {
            size: 1,
            refill: 100,
        },
        "EnableFastLaunch" | "DisableFastLaunch" | "RunInstances" | "StartInstances" => {
            capacity(5, 2)
        }
        "CreateTags" | "DeleteTags" => capacity(100, 10),
        "DescribeSnapshots"
        | "DescribeInstances"
        | "DescribeInstanceStatus"
        | "DescribeSecurityGroups"
        | "DescribeVolumes"
            if unbounded() =>
        {
            capacity(50, 10)
        }
        action
            if ["Describe", "Get", "List"]
                .iter()
                .any(|verb| action.starts_with(verb)) =>
        {
            capacity(100, 20)
        }
        _ => capacity(50, 5),
    }
}

const MILLION: u64 = 1_000_000;

/// A bucket of requests, counted in millionths: thousandths of a second regain thousandths of a
/// request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bucket {
    millionths: u64,
    at: Timestamp,
}

impl Bucket {
    pub(crate) fn full(capacity: Capacity, now: Timestamp) -> Self {
        Self {
            millionths: capacity.size * MILLION,
            at: now,
        }
    }

    /// Takes one request out, if there is one.
    pub(crate) fn take(&mut self, capacity: Capacity, now: Timestamp) -> bool {
        let passed = u64::try_from(now.duration_since(self.at).as_millis()).unwrap_or_default();
        let refilled = self
            .millionths
            .saturating_add(passed.saturating_mul(capacity.refill));
        self.millionths = refilled.min(capacity.size * MILLION);
        self.at = now;
        match self.millionths.checked_sub(MILLION) {
            Some(rest) => {
                self.millionths = rest;
                true
            }
            None => false,
        }
    }
}
