//! `DeregisterImage` (model; docs: UG deregister-ami).
//!
//! It is synchronous and final; of a pending copy it is the way to stop it (docs: `CopyingAMIs`).
//! What its half-made snapshots do then is not documented; here they go on and are left behind.

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::images::copy;
use crate::state::{Deregistered, WorkKind};
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

        let image = self.image_for(call, &id)?;
        if image.owner != call.account {
            return Err(
                ApiError::new("AuthFailure", format!("Not authorized for image:{id}"))
                    .with_status(403),
            );
        }
        // A reader that is behind still finds what is gone already.
        if image.deregistered.is_some() {
            return Err(ApiError::image_gone(&id));
        }
        let snapshots: Vec<String> = image.snapshot_ids().map(str::to_owned).collect();
        let (now, lag) = (self.now, self.lag());
        let listed_until = after(now, self.knobs.deregistered_visible_seconds * 1000);
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            image.deregistered = Some(Deregistered {
                at: now,
                listed_until,
                lag,
            });
        }
        self.fail_copies_of(&call.region, &id);

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

    /// A copy that still reads from an image fails when the image goes.
    fn fail_copies_of(&mut self, source_region: &str, source: &str) {
        for region in self.regions.values_mut() {
            for work in region
                .images
                .values_mut()
                .filter_map(|image| image.work.as_mut())
            {
                if work.kind
                    == (WorkKind::Copy {
                        region: source_region.to_owned(),
                        image: source.to_owned(),
                    })
                {
                    work.failure.get_or_insert_with(copy::source_gone);
                }
            }
        }
    }

    /// The return code for one snapshot: other images keep what they use.
    fn delete_with_image(&mut self, call: &Call, id: &str) -> Result<&'static str, ApiError> {
        let lag = self.lag();
        let now = self.now;
        let region = self.region_mut(&call.region)?;
        if region.images.values().any(|image| image.uses(id)) {
            return Ok("skipped");
        }
        let Some(snapshot) = region.snapshots.get_mut(id) else {
            return Ok("client-error");
        };
        if snapshot.owner != call.account {
            return Ok("missing-permissions");
        }
        if snapshot.deleted.is_some() {
            return Ok("client-error");
        }
        snapshot.deleted = Some(now);
        snapshot.gone = Some(lag);
        Ok("success")
    }
}
