//! The only folder that knows the AWS SDK: what EC2 has comes in here as Amity's own types, and what is to
//! be done goes out as one call a step.
//!
//! Nothing here decides anything about an image. It may read EC2 and STS, and change EC2 as a step says;
//! it may not talk to Kubernetes.
//!
//! | file | question it answers |
//! | --- | --- |
//! | [`session`] | how is an account reached, and is it the right one? |
//! | [`inventory`] | what has EC2, including what we wrote and it does not show yet? |
//! | [`effect`] | how is a step performed, and what came of it? |
//! | [`fence`] | may this process still act? |
//! | [`budget`] | when may something be asked, and asked again that was refused? |
//! | [`error`] | what does an answer of AWS mean? |
//! | [`calls`] | how many calls were made? |

pub mod budget;
pub mod calls;
pub mod effect;
pub mod error;
pub mod fence;
pub mod inventory;
pub mod session;

use jiff::SignedDuration;

/// What of this folder an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long EC2's reads may lag behind its writes (`--consistency-window`).
    pub consistency_window: SignedDuration,
    /// How often a place is read in which nothing goes on.
    pub rest_interval: SignedDuration,
    /// How often snapshots are listed in a place in which nothing goes on, to find strays.
    pub strays_interval: SignedDuration,
    /// How often it is read who else may use an image or snapshot that is shared and was in line.
    pub permissions_interval: SignedDuration,
    /// How many snapshots are copied into a place at a time, at least 1 (`--copy-slots`).
    pub copy_slots: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            consistency_window: SignedDuration::from_mins(10),
            rest_interval: SignedDuration::from_mins(5),
            strays_interval: SignedDuration::from_hours(24),
            permissions_interval: SignedDuration::from_hours(12),
            // EC2's own limit (EBS User Guide, "Quotas for Amazon EBS").
            copy_slots: 20,
        }
    }
}
