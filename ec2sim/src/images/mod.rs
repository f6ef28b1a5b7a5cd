//! Machine images: one file for each thing that happens to them.

mod attributes;
mod block_public_access;
mod copy;
mod create;
mod deprecation;
mod deregister;
mod describe;
mod encryption;
mod fast_launch;
mod launch_permission;
mod lost_source;
mod mapping;
mod protection;
mod register;
mod timed_copy;
mod usage_report;

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::lag::{Lag, View};
use crate::state::{
    Deregistered, Image, ImageState, InstanceState, Platform, Region, Snapshot, SnapshotState,
    Viewer,
};
use crate::world::{Call, Due, World};

/// What a read by id finds.
pub(crate) enum Found<'a> {
    Image(&'a Image, ImageState),
    /// Deregistered and no longer listed, but instances still name it: an empty answer.
    InUseStill,
    Nothing,
}

impl Region {
    pub(crate) fn find_image(&self, id: &str, viewer: Viewer<'_>, view: View) -> Found<'_> {
        let Some(image) = self.images.get(id).filter(|image| image.visible_to(viewer)) else {
            return Found::Nothing;
        };
        match image.seen(view) {
            Some(state) => Found::Image(image, state),
            None if image.deregistered.is_some() && self.is_used(id) => Found::InUseStill,
            None => Found::Nothing,
        }
    }

    fn is_used(&self, image: &str) -> bool {
        self.instances
            .values()
            .any(|instance| instance.image == image && instance.state != InstanceState::Terminated)
    }

    /// An image that uses a snapshot, or used it until a moment ago.
    pub(crate) fn image_using(
        &self,
        snapshot: &str,
        now: jiff::Timestamp,
        hold_seconds: u64,
    ) -> Option<&Image> {
        self.images.values().find(|image| {
            let held = |end: &crate::state::Deregistered| now < after(end.at, hold_seconds * 1000);
            image.maps(snapshot) && image.deregistered.as_ref().is_none_or(held)
        })
    }
}

impl World {
    /// An image that a call names in order to do something with it.
    pub(crate) fn image_for(&self, call: &Call, id: &str) -> Result<&Image, ApiError> {
        check_id("ami", id)?;
        let region = self.region(&call.region)?;
        match region.find_image(id, self.viewer(&call.account), call.view) {
            Found::Image(image, ImageState::Deregistered) => Err(ApiError::image_gone(&image.id)),
            Found::Image(image, _) => Ok(image),
            Found::InUseStill => Err(ApiError::image_gone(id)),
            Found::Nothing => Err(ApiError::image_not_found(id)),
        }
    }

    /// An image of the caller's that is really there: a reader that is behind still finds what is
    /// gone already.
    fn own_image(&self, call: &Call, id: &str) -> Result<&Image, ApiError> {
        let image = self.image_for(call, id)?;
        if image.owner != call.account {
            return Err(ApiError::not_your_image(id));
        }
        if image.deregistered.is_some() {
            return Err(ApiError::image_gone(id));
        }
        Ok(image)
    }

    /// An image of the caller's that is whole, disabled or not. Another one "is not in a state
    /// from which you can … modify attributes" (docs: DG errors-overview).
    fn whole_image(&self, call: &Call, id: &str) -> Result<&Image, ApiError> {
        let image = self.own_image(call, id)?;
        match image.state {
            ImageState::Available | ImageState::Disabled => Ok(image),
            state => Err(ApiError::image_in_state(id, state)),
        }
    }

    /// Starts the snapshots of a new image and the image itself: it is done when they all are.
    pub(crate) fn begin(
        &mut self,
        region: &str,
        image: Image,
        snapshots: Vec<Snapshot>,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let last = snapshots.iter().map(|snapshot| snapshot.ends).max();
        let ends = last.unwrap_or_else(|| after(now, self.knobs.base_milliseconds));
        let fails = image
            .work
            .as_ref()
            .is_some_and(|work| work.failure.is_some());
        for snapshot in &snapshots {
            if !fails {
                self.schedule(
                    snapshot.ends,
                    Due::Snapshot {
                        region: region.to_owned(),
                        id: snapshot.id.clone(),
                    },
                );
            }
        }
        self.schedule(
            ends,
            Due::Image {
                region: region.to_owned(),
                id: image.id.clone(),
            },
        );
        let region = self.region_mut(region)?;
        region.snapshots.extend(
            snapshots
                .into_iter()
                .map(|snapshot| (snapshot.id.clone(), snapshot)),
        );
        region.images.insert(image.id.clone(), image);
        Ok(())
    }

    /// A snapshot that is begun now.
    pub(crate) fn new_snapshot(
        &mut self,
        call: &Call,
        size_gib: u64,
        volume: &str,
        born: Lag,
    ) -> Snapshot {
        let duration = self.duration(size_gib);
        Snapshot {
            id: self.new_id("snap", &call.region),
            owner: call.account.clone(),
            volume: volume.to_owned(),
            size_gib,
            full_bytes: None,
            platform: Platform::Linux,
            billing_metadata: true,
            description: String::new(),
            key: None,
            started: self.now,
            ends: after(self.now, duration),
            state: SnapshotState::Pending,
            message: None,
            public: false,
            shared_with: std::collections::BTreeSet::new(),
            deleted: None,
            recycled_until: None,
            born,
            gone: None,
            copied: false,
            timed: None,
        }
    }

    /// A name is taken by any image of the account in the region, also by a copy, and for a while
    /// by one that is deregistered (docs: errors-overview, `InvalidAMIName.Duplicate`) or in the
    /// Recycle Bin.
    pub(crate) fn check_name_is_free(&self, call: &Call, name: &str) -> Result<(), ApiError> {
        let milliseconds = self.knobs.name_hold_seconds * 1000;
        let recycled = |end: &Deregistered| {
            let there = end.recycled_until.is_some_and(|until| self.now < until);
            self.facts.recycled_names_are_taken && there
        };
        let taken = self.region(&call.region)?.images.values().find(|image| {
            let held = image
                .deregistered
                .as_ref()
                .is_none_or(|end| self.now < after(end.at, milliseconds) || recycled(end));
            image.owner == call.account && image.name == name && held
        });
        taken.map_or(Ok(()), |image| {
            let message = format!("AMI name {name} is already in use by AMI {}", image.id);
            Err(ApiError::new("InvalidAMIName.Duplicate", message))
        })
    }

    /// The ARN of the key that new snapshots of a caller get when none is named.
    pub(crate) fn default_key(&self, account: &str, region: &str) -> String {
        self.place(account, region)
            .default_key
            .unwrap_or_else(|| crate::kms::aws_managed(account, region))
    }
}

/// 3 to 128 of EC2's characters (model: `CreateImage`).
fn check_name(name: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if (3..=128).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(ApiError::new(
        "InvalidAMIName.Malformed",
        "AMI names must be between 3 and 128 characters long, and may only contain letters, numbers, and the \
         following special characters: '-', '_', '.', '/', '(', and ')'.",
    ))
}

fn check_description(description: Option<&String>) -> Result<(), ApiError> {
    if description.is_some_and(|text| text.chars().count() > 255) {
        return Err(ApiError::invalid_value(
            "The description must not be longer than 255 characters",
        ));
    }
    Ok(())
}

pub(crate) fn one_of(parameter: &str, value: &str, allowed: &[&str]) -> Result<(), ApiError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(ApiError::invalid_value(format!(
        "Value ({value}) for parameter {parameter} is invalid. Valid values: {}",
        allowed.join(", ")
    )))
}
