//! The Recycle Bin: `ListImagesInRecycleBin`, `RestoreImageFromRecycleBin`,
//! `ListSnapshotsInRecycleBin`, `RestoreSnapshotFromRecycleBin` (model; docs: EBS
//! recycle-bin-concepts, recycle-bin-working-with-amis, recycle-bin-working-with-snaps).
//!
//! Retention rules are the world's: one for all images of an account in a region, and one for all
//! its snapshots. What is restored has its old id, its tags, and those it was shared with; an
//! image is available at once, but only after all its snapshots are restored.

use jiff::Timestamp;

use crate::error::{ApiError, check_id};
use crate::paging::{Bounds, Paging};
use crate::snapshots;
use crate::state::{Image, Snapshot};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, World};

const IMAGES: Bounds = Bounds { low: 1, high: 1000 };
const SNAPSHOTS: Bounds = Bounds { low: 5, high: 1000 };
/// How many images one call may name (model: `ListImagesInRecycleBin`).
const MOST_IMAGES: usize = 20;

impl World {
    pub(crate) fn list_images_in_recycle_bin(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("ImageId");
        let paging = Paging::take(&mut parameters, request, &IMAGES, !ids.is_empty())?;
        ids.iter().try_for_each(|id| check_id("ami", id))?;
        if ids.len() > MOST_IMAGES {
            return Err(ApiError::invalid_value(format!(
                "You may not specify more than {MOST_IMAGES} image ids in one call"
            )));
        }
        parameters.finish_action()?;

        let missing = |id: &&String| self.binned_image(call, id).is_none();
        let missing: Vec<String> = ids.iter().filter(missing).cloned().collect();
        if !missing.is_empty() {
            return Err(ApiError::images_not_found(&missing));
        }
        let all = self.region(&call.region)?.images.keys();
        let binned = all.filter(|id| ids.is_empty() || ids.contains(id));
        let binned = binned.filter_map(|id| self.binned_image(call, id));
        let binned: Vec<Image> = binned.cloned().collect();
        let (page, next) = paging.page(binned, |image| &image.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("imageSet", page, |xml, image| {
                xml.text("imageId", &image.id);
                xml.text("name", &image.name);
                xml.optional("description", image.description.as_ref());
                let end = image.deregistered.as_ref();
                write_times(
                    xml,
                    end.map(|end| end.at),
                    end.and_then(|end| end.recycled_until),
                );
            });
            xml.optional("nextToken", next);
        }))
    }

    pub(crate) fn restore_image_from_recycle_bin(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        check_id("ami", &id)?;
        parameters.finish_action()?;

        let image = self
            .binned_image(call, &id)
            .ok_or_else(|| ApiError::image_not_found(&id))?;
        let region = self.region(&call.region)?;
        let missing = image.snapshot_ids().find(|id| {
            let snapshot = region.snapshots.get(*id);
            snapshot.is_none_or(|snapshot| snapshot.deleted.is_some())
        });
        // Documented is that it fails, not how.
        if let Some(missing) = missing {
            return Err(ApiError::snapshot_not_found(missing));
        }
        let born = self.lag();
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            image.deregistered = None;
            image.born = born;
        }
        Ok(Reply::done())
    }

    pub(crate) fn list_snapshots_in_recycle_bin(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("SnapshotId");
        let paging = Paging::take(&mut parameters, request, &SNAPSHOTS, !ids.is_empty())?;
        ids.iter().try_for_each(|id| check_id("snap", id))?;
        parameters.finish_action()?;

        if let Some(id) = ids
            .iter()
            .find(|id| self.binned_snapshot(call, id).is_none())
        {
            return Err(ApiError::snapshot_not_found(id));
        }
        let all = self.region(&call.region)?.snapshots.keys();
        let binned = all.filter(|id| ids.is_empty() || ids.contains(id));
        let binned = binned.filter_map(|id| self.binned_snapshot(call, id));
        let binned: Vec<Snapshot> = binned.cloned().collect();
        let (page, next) = paging.page(binned, |one| &one.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("snapshotSet", page, |xml, snapshot| {
                xml.text("snapshotId", &snapshot.id);
                xml.text("description", &snapshot.description);
                xml.text("volumeId", &snapshot.volume);
                write_times(xml, snapshot.deleted, snapshot.recycled_until);
            });
            xml.optional("nextToken", next);
        }))
    }

    pub(crate) fn restore_snapshot_from_recycle_bin(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("SnapshotId")?;
        check_id("snap", &id)?;
        parameters.finish_action()?;

        self.binned_snapshot(call, &id)
            .ok_or_else(|| ApiError::snapshot_not_found(&id))?;
        let (born, now) = (self.lag(), self.now);
        let region = self.region_mut(&call.region)?;
        let snapshot = region.snapshots.get_mut(&id);
        let snapshot = snapshot.ok_or_else(|| ApiError::snapshot_not_found(&id))?;
        snapshot.deleted = None;
        snapshot.gone = None;
        snapshot.recycled_until = None;
        snapshot.born = born;
        let progress = format!("{}%", snapshot.progress(now));
        Ok(Reply::of(|xml| {
            snapshots::write_origin(xml, snapshot);
            // As the example of the AWS CLI has it; the next read says how it really is.
            xml.text("status", "recovering");
            xml.text("progress", progress);
        }))
    }

    /// An image of the caller's that is in the bin.
    fn binned_image(&self, call: &Call, id: &str) -> Option<&Image> {
        let image = self.regions.get(&call.region)?.images.get(id)?;
        let until = image.deregistered.as_ref()?.recycled_until?;
        (image.owner == call.account && self.now < until).then_some(image)
    }

    fn binned_snapshot(&self, call: &Call, id: &str) -> Option<&Snapshot> {
        let snapshot = self.regions.get(&call.region)?.snapshots.get(id)?;
        let until = snapshot.recycled_until?;
        (snapshot.owner == call.account && self.now < until).then_some(snapshot)
    }
}

fn write_times(xml: &mut Xml, entered: Option<Timestamp>, exits: Option<Timestamp>) {
    for (name, at) in [
        ("recycleBinEnterTime", entered),
        ("recycleBinExitTime", exits),
    ] {
        if let Some(at) = at {
            xml.time(name, at);
        }
    }
}
