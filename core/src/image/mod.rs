//! What is decided about one `MachineImage`: what it asks for, what EC2 has, and the steps between the two.
//!
//! Everything here is a pure function. Nothing may read a clock, a file, a cluster or EC2.
//!
//! | file | question it answers |
//! | --- | --- |
//! | [`identity`] | whose is this image, and what are its tags, name and token? |
//! | [`desired`] | what does the spec ask for, and may it? |
//! | [`observed`] | what has EC2, or why can we not know? |
//! | [`plan`] | what is to be done, in which order, and why? |
//! | [`invariants`] | what may no plan ever do? |
//! | [`report`] | what does the user read? |
//! | [`forecast`] | what does all of that lead to? |

#![expect(
    clippy::result_large_err,
    reason = "what is in the way of a step is as common as the step, and is made once"
)]

pub mod attributes;
pub mod desired;
pub mod encryption;
pub mod fast_launch;
pub mod forecast;
pub mod identity;
pub mod invariants;
pub mod machines;
pub mod money;
pub mod observed;
pub mod parameters;
pub mod permissions;
pub mod plan;
pub mod report;
pub mod tags;
