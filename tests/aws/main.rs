//! Sessions, inventory and effects against ec2sim: the real SDK, no network, time that passes in a moment.

mod adoption;
mod answers;
mod asked;
mod ebs_defaults;
mod effects;
mod fast_launch;
mod fence;
mod figures;
mod holdings;
mod inventory;
mod lab;
mod parameters;
mod permissions;
mod policy;
mod recycle_bin;
mod register;
mod scripted;
mod session_tags;
mod sessions;
mod slots;
mod sources;
mod usage;
mod usage_report;
