//! What a launch names besides its image, as far as it can be looked up: VPCs, subnets, security groups, key pairs, zones
//! and instance types. They come from the world file, and no call changes them.

mod groups;
mod key_pairs;
mod offerings;
mod subnets;
mod vpcs;
mod zones;

use crate::paging::Bounds;

/// The pages of those that have any (model).
const BOUNDS: Bounds = Bounds { low: 5, high: 1000 };
