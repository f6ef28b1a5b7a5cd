//! Pending copies that lose their source: it is deregistered, or whoever copies it may no longer
//! use it. They fail, and they do so late.

use crate::state::{Failure, Image, Region, Work, WorkKind};
use crate::world::World;

impl World {
    /// A copy that still reads from an image fails when the image goes.
    pub(super) fn fail_copies_of(&mut self, region: &str, source: &str) {
        self.fail_copies(|_, _, (from, image)| from == region && image == source);
    }

    /// So it does when its owner's right to the image, or to a snapshot of it, is taken away: a
    /// fact. `changed` says of which images of the region that may be so.
    pub(crate) fn fail_copies_without_grant(
        &mut self,
        source_region: &str,
        changed: impl Fn(&Image) -> bool,
    ) {
        if self.facts.copies_outlive_their_grants {
            return;
        }
        self.fail_copies(|world, copier, (from, image)| {
            let region = world.regions.get(from).filter(|_| from == source_region);
            let source = region.and_then(|region| region.images.get(image));
            match (region, source) {
                (Some(region), Some(source)) => {
                    changed(source) && !world.may_copy(copier, region, source)
                }
                _ => false,
            }
        });
    }

    /// Whether an account may launch an image and use all its snapshots.
    fn may_copy(&self, account: &str, region: &Region, source: &Image) -> bool {
        let usable = |id| {
            let snapshot = region.snapshots.get(id);
            snapshot.is_some_and(|snapshot| snapshot.usable_by(account))
        };
        source.visible_to(self.viewer(account)) && source.snapshot_ids().all(usable)
    }

    /// Lets the pending copies fail of whose owner and source this is true.
    fn fail_copies(&mut self, fails: impl Fn(&Self, &str, (&str, &str)) -> bool) {
        let mut lost = Vec::new();
        for (name, region) in &self.regions {
            for copy in region.images.values() {
                let work = copy.work.as_ref().map(|work| &work.kind);
                if let Some(WorkKind::Copy { region, image }) = work
                    && fails(self, &copy.owner, (region, image))
                {
                    lost.push((name.clone(), copy.id.clone()));
                }
            }
        }
        let failure = self.lost_source();
        for (region, id) in lost {
            if let Some(work) = self.work_mut(&region, &id) {
                work.failure.get_or_insert_with(|| failure.clone());
            }
        }
    }

    fn work_mut(&mut self, region: &str, image: &str) -> Option<&mut Work> {
        let region = self.regions.get_mut(region)?;
        region.images.get_mut(image)?.work.as_mut()
    }

    /// The failure of a copy whose source is not there for it any more.
    pub(crate) fn lost_source(&self) -> Failure {
        self.failed_copy(super::copy::FAILED)
    }
}
