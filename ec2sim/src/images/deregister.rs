//! `DeregisterImage` (model; docs: UG deregister-ami).
//!
//! It is synchronous and final; of a pending copy it is the way to stop it (docs: `CopyingAMIs`).
//! Half-made snapshots go on and are left behind, or go with it: a fact.

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::lag::Lag;
use crate::state::{Deregistered, ImageState, SnapshotState};
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

impl World {
    pub(crate) fn deregister_image(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        let delete_snapshots = parameters.flag("DeleteAssociatedSnapshots")?;
        check_id("ami", &id)?;
        parameters.finish_action()?;

        let image = self.own_image(call, &id)?;
        if image.protection.holds(self.now) {
            return Err(ApiError::new(
                &self.facts.protected_image_code,
                format!("The image '{id}' is protected against being deregistered"),
            ));
        }
        let pending = image.state == ImageState::Pending;
        let snapshots: Vec<String> = image.snapshot_ids().map(str::to_owned).collect();
        let (now, lag) = (self.now, self.lag());
        let days = self.place(&call.account, &call.region).recycle_bin_days;
        let recycled_until = (days > 0).then(|| after(now, days * 24 * 3_600_000));
        let listed_until = after(now, self.knobs.deregistered_visible_seconds * 1000);
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            image.deregistered = Some(Deregistered {
                at: now,
                listed_until,
                recycled_until,
                lag,
            });
        }
        self.fail_copies_of(&call.region, &id);
        if pending && !self.facts.pending_snapshots_outlive_image {
            self.delete_unfinished(call, &snapshots, lag)?;
        }

        let mut results = Vec::new();
        if delete_snapshots {
            for snapshot in snapshots {
                let code = self.delete_with_image(call, &snapshot)?;
                results.push((snapshot, code));
            }
        }
        Ok(Reply::of(|xml| {
            xml.text("return", true);
            if delete_snapshots {
                xml.items(
                    "deleteSnapshotResultSet",
                    &results,
                    |xml, (snapshot, code)| {
                        xml.text("snapshotId", snapshot);
                        xml.text("returnCode", code);
                    },
                );
            }
        }))
    }

    /// Half-made snapshots that go with the image they were made for.
    fn delete_unfinished(
        &mut self,
        call: &Call,
        snapshots: &[String],
        lag: Lag,
    ) -> Result<(), ApiError> {
        let now = self.now;
        let region = self.region_mut(&call.region)?;
        for id in snapshots {
            if let Some(snapshot) = region.snapshots.get_mut(id)
                && snapshot.state == SnapshotState::Pending
            {
                snapshot.deleted = Some(now);
                snapshot.gone = Some(lag);
            }
        }
        Ok(())
    }

    /// The return code for one snapshot: other images keep what they use.
    fn delete_with_image(&mut self, call: &Call, id: &str) -> Result<&'static str, ApiError> {
        let region = self.region(&call.region)?;
        if region.images.values().any(|image| image.uses(id)) {
            return Ok("skipped");
        }
        let Some(snapshot) = region.snapshots.get(id) else {
            return Ok("client-error");
        };
        if snapshot.owner != call.account {
            return Ok("missing-permissions");
        }
        if snapshot.deleted.is_some() {
            return Ok("client-error");
        }
        self.discard_snapshot(call, id);
        Ok("success")
    }
}
