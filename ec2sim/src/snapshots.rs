//! `DescribeSnapshots` and `DeleteSnapshot` (model; docs: EBS ebs-deleting-snapshot).

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::paging::{Bounds, Paging};
use crate::state::{Snapshot, SnapshotState, Tags};
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml, iso};
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "description",
        "encrypted",
        "owner-alias",
        "owner-id",
        "progress",
        "snapshot-id",
        "start-time",
        "status",
        "storage-tier",
        "tag-key",
        "volume-id",
        "volume-size",
    ],
    not_modelled: &["transfer-type"],
    tags: true,
};

const BOUNDS: Bounds = Bounds { low: 5, high: 1000 };

struct Listed<'a> {
    snapshot: &'a Snapshot,
    alias: Option<&'a String>,
    progress: String,
    tags: Tags,
}

impl World {
    pub(crate) fn describe_snapshots(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("SnapshotId");
        let owners = parameters.list("Owner");
        let restorable_by = parameters.list("RestorableBy");
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !ids.is_empty())?;
        ids.iter().try_for_each(|id| check_id("snap", id))?;
        parameters.finish_action()?;

        let region = self
            .regions
            .get(&call.region)
            .ok_or_else(ApiError::bad_credentials)?;
        // An id that the caller may not see is left out; one that does not exist is an error.
        let absent = |id: &&String| {
            !region
                .snapshots
                .get(*id)
                .is_some_and(|snapshot| snapshot.seen(call.view))
        };
        if let Some(id) = ids.iter().find(absent) {
            return Err(ApiError::snapshot_not_found(id));
        }
        let mut listed = Vec::new();
        for snapshot in region.snapshots.values() {
            let alias = self
                .accounts
                .get(&snapshot.owner)
                .and_then(|account| account.alias.as_ref());
            let owned = |owner: &String| match owner.as_str() {
                "self" => snapshot.owner == call.account,
                other => snapshot.owner == other || alias.is_some_and(|alias| alias == other),
            };
            let restorable = |by: &String| match by.as_str() {
                "all" => snapshot.public,
                "self" => snapshot.usable_by(&call.account),
                other => snapshot.shared_with.contains(other) || snapshot.owner == other,
            };
            let wanted = snapshot.seen(call.view)
                && snapshot.usable_by(&call.account)
                && (ids.is_empty() || ids.contains(&snapshot.id))
                && (owners.is_empty() || owners.iter().any(owned))
                && (restorable_by.is_empty() || restorable_by.iter().any(restorable));
            if !wanted {
                continue;
            }
            let tags = region.tags_seen(&snapshot.id, &call.account, call.view);
            let item = Listed {
                snapshot,
                alias,
                progress: format!("{}%", snapshot.progress(call.now)),
                tags,
            };
            if filters.pass(&item.tags, |name| item.field(name)) {
                listed.push(item);
            }
        }
        let (page, next) = paging.page(
            listed,
            |item| &item.snapshot.id,
            &mut self.chance,
            &self.knobs,
        );
        Ok(Reply::of(|xml| {
            xml.items("snapshotSet", page, |xml, item| item.write(xml));
            xml.optional("nextToken", next);
        }))
    }

    pub(crate) fn delete_snapshot(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("SnapshotId")?;
        check_id("snap", &id)?;
        parameters.finish_action()?;
        self.own_snapshot(call, &id)?;
        let region = self.region(&call.region)?;
        if let Some(image) = region.image_using(&id, self.now, self.knobs.snapshot_hold_seconds) {
            let message = format!("The snapshot {id} is currently in use by {}", image.id);
            return Err(ApiError::new("InvalidSnapshot.InUse", message));
        }
        self.discard_snapshot(call, &id);
        Ok(Reply::done())
    }

    /// Deletes a snapshot that may be deleted; a retention rule keeps it in the Recycle Bin.
    pub(crate) fn discard_snapshot(&mut self, call: &Call, id: &str) {
        let (now, lag) = (self.now, self.lag());
        let place = self.place(&call.account, &call.region);
        let days = place.snapshot_recycle_bin_days;
        let recycled_until = (days > 0).then(|| after(now, days * 24 * 3_600_000));
        let region = self.regions.get_mut(&call.region);
        let snapshot = region.and_then(|region| region.snapshots.get_mut(id));
        if let Some(snapshot) = snapshot.filter(|snapshot| snapshot.deleted.is_none()) {
            snapshot.deleted = Some(now);
            snapshot.gone = Some(lag);
            snapshot.recycled_until = recycled_until;
        }
    }

    /// A snapshot of the caller's that is really there, as far as this read sees.
    pub(crate) fn own_snapshot(&self, call: &Call, id: &str) -> Result<&Snapshot, ApiError> {
        let found = self.region(&call.region)?.snapshots.get(id);
        let found = found.filter(|snapshot| {
            snapshot.usable_by(&call.account)
                && snapshot.seen(call.view)
                && snapshot.deleted.is_none()
        });
        let snapshot = found.ok_or_else(|| ApiError::snapshot_not_found(id))?;
        if snapshot.owner == call.account {
            return Ok(snapshot);
        }
        let message = format!("Not authorized for snapshot:{id}");
        Err(ApiError::new("AuthFailure", message).with_status(403))
    }
}

impl Listed<'_> {
    fn field(&self, name: &str) -> Vec<String> {
        let snapshot = self.snapshot;
        let value = match name {
            "description" => Some(snapshot.description.clone()),
            "encrypted" => Some(snapshot.key.is_some().to_string()),
            "owner-alias" => self.alias.cloned(),
            "owner-id" => Some(snapshot.owner.clone()),
            "progress" => Some(self.progress.clone()),
            "snapshot-id" => Some(snapshot.id.clone()),
            "start-time" => Some(iso(snapshot.started)),
            "status" => Some(snapshot.state.to_string()),
            "storage-tier" => Some("standard".to_owned()),
            "volume-id" => Some(snapshot.volume.clone()),
            "volume-size" => Some(snapshot.size_gib.to_string()),
            _ => None,
        };
        value.into_iter().collect()
    }

    fn write(&self, xml: &mut Xml) {
        let snapshot = self.snapshot;
        write_origin(xml, snapshot);
        xml.text("status", snapshot.state);
        xml.optional("statusMessage", snapshot.message.as_ref());
        if snapshot.state == SnapshotState::Completed {
            xml.time("completionTime", snapshot.ends);
            xml.text("fullSnapshotSizeInBytes", snapshot.full_size());
        }
        xml.text("progress", &self.progress);
        xml.optional("ownerAlias", self.alias);
        xml.optional("kmsKeyId", snapshot.key.as_ref());
        xml.text("storageTier", "standard");
        tags::write(xml, &self.tags);
    }
}

/// What never changes about a snapshot.
pub(crate) fn write_origin(xml: &mut Xml, snapshot: &Snapshot) {
    xml.text("snapshotId", &snapshot.id);
    xml.text("volumeId", &snapshot.volume);
    xml.time("startTime", snapshot.started);
    xml.text("ownerId", &snapshot.owner);
    xml.text("volumeSize", snapshot.size_gib);
    xml.text("description", &snapshot.description);
    xml.text("encrypted", snapshot.key.is_some());
}
