//! What Amity decides: pure functions from a `MachineImage` and what EC2 has to a plan and a status.
//!
//! [`api`] is what users write and read; [`image`] is what is decided about one image, [`account`] what about all
//! of an account together. There is no client, no
//! SDK, no clock and no I/O here, and this crate's dependencies are the proof.

pub mod account;
pub mod api;
pub mod image;
