//! Sessions, inventory and effects against ec2sim: the real SDK, no network, time that passes in a moment.

mod answers;
mod effects;
mod inventory;
mod lab;
mod sessions;
mod slots;
