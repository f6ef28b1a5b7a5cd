//! Amity: a Kubernetes controller that creates, copies and retires Amazon Machine Images until EC2 matches
//! one custom resource.
//!
//! ```text
//! watch ─► MachineImage ─► desired ─┐
//!                                    ├─► plan(desired, observed, now) ─► invariants ─► effect ─► report ─► status
//!    inventory (account × region) ─► observed ─┘
//! ```
//!
//! | folder | what it does |
//! | --- | --- |
//! | `amity_core` | decides: pure functions, in a crate of its own |
//! | [`aws`] | reads and changes EC2: the only folder that knows the SDK |
//! | [`controller`] | watches, reconciles and writes to Kubernetes |
//! | [`cli`] | one file a subcommand |
//! | [`telemetry`] | logs, metrics, health |

pub mod aws;
pub mod cli;
pub mod clock;
pub mod controller;
pub mod telemetry;
