//! Amazon EC2, as far as machine images go, as a pure state machine.
//!
//! [`World`] holds accounts, regions, instances, snapshots and images. [`World::call`] takes a
//! moment, a caller and a request, and gives the answer that EC2 would: what takes time takes
//! time, reads lag behind writes, lists come in pages, buckets run empty. All chance comes from a
//! seed, so that the same calls at the same moments give the same world.
//!
//! It is served in two ways over the same code: [`InProcess`] is an HTTP client for the AWS SDK,
//! with a hook for faults, and [`serve`] listens on a port, which is what the program `ec2sim`
//! does. Signatures and secrets are not checked: the access key id says whose account it is.
//!
//! An action that is not here answers `InvalidAction`, a parameter `UnknownParameter`, and what
//! EC2 knows but this crate does not, `UnsupportedOperation`: never silence.

mod allowed_images;
mod chance;
mod connector;
mod describe_tags;
mod ebs_defaults;
mod error;
mod facts;
mod filters;
mod front;
pub mod iam;
mod images;
mod instances;
mod kms;
mod knobs;
mod lag;
mod limits;
mod log;
mod network;
mod paging;
mod recycle_bin;
mod references;
mod regions;
mod server;
mod snapshot_attributes;
mod snapshots;
mod ssm;
pub mod state;
mod step;
mod sts;
mod tags;
mod templates;
#[cfg(test)]
mod tests;
mod view;
mod wire;
mod world;
pub mod world_file;

pub use connector::{CallSummary, Fault, Faults, InProcess};
pub use error::ApiError;
pub use facts::{Facts, MissingBilling, PendingSource};
pub use front::Front;
pub use iam::{Policy, PolicyError, PolicyLedger};
pub use knobs::Knobs;
pub use log::{CallLog, CallRecord};
pub use server::{FastClock, serve};
pub use step::{ImageSeen, SnapshotSeen};
pub use wire::request::{Caller, HttpRequest, Request, Service};
pub use wire::response::Answer;
pub use world::World;
pub use world_file::{WorldFile, WorldFileError};
