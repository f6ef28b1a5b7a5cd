//! Whether the Recycle Bin has an image that lists no longer show, and which of its snapshots: no list of ours tells, so
//! that each is asked for by its id. Source: EC2 API, `ListImagesInRecycleBin`, `ListSnapshotsInRecycleBin`.

use amity_core::image::identity::Place;
use aws_sdk_ec2::Client as Ec2;
use jiff::SignedDuration;

use super::Inventory;
use super::read::Pages;
use crate::aws::calls::{self, EC2Calls};
use crate::aws::error::Failure;

const IMAGES: &str = "ListImagesInRecycleBin";
const SNAPSHOTS: &str = "ListSnapshotsInRecycleBin";

/// How long an answer serves. What was deregistered a moment ago may not be there yet.
const FRESH: SignedDuration = SignedDuration::from_mins(1);

/// What the Recycle Bin has of a lost image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Binned {
    /// The image, and these of its snapshots.
    Image(Vec<String>),
    /// Nothing, as far as that could be read.
    Nothing,
}

impl Inventory {
    /// What was answered of late about a lost image.
    pub(super) fn known_in_recycle_bin(&self, lost: &(Place, String)) -> Option<Binned> {
        self.recycled.get(lost, self.clock.now())
    }

    /// Asks for an image and its snapshots. What cannot be read is taken for nothing: then the image is made anew, which
    /// does no harm.
    pub(super) async fn read_recycle_bin(&self, place: &Place, id: &str, snapshots: &[String]) {
        let binned = match self.sessions.proven(&place.account) {
            None => Binned::Nothing,
            Some(session) => {
                let ec2 = session.ec2(&place.region);
                let read = binned(&ec2, self.sessions.calls(), id, snapshots);
                match self.in_turn(place, IMAGES, read).await {
                    Ok(Ok(binned)) => binned,
                    Ok(Err(failure)) => {
                        tracing::debug!(%place, id, %failure, "the Recycle Bin was not read");
                        Binned::Nothing
                    }
                    Err(_) => Binned::Nothing,
                }
            }
        };
        let now = self.clock.now();
        let lost = (place.clone(), id.to_owned());
        self.recycled.put(lost, binned, now + FRESH, now);
    }
}

async fn binned(
    ec2: &Ec2,
    calls: &EC2Calls,
    id: &str,
    snapshots: &[String],
) -> Result<Binned, Failure> {
    if !has_image(ec2, calls, id).await? {
        return Ok(Binned::Nothing);
    }
    let mut kept = Vec::new();
    // One at a time: of several, of which one is not there, EC2 would tell nothing.
    for id in snapshots {
        if has_snapshot(ec2, calls, id).await? {
            kept.push(id.clone());
        }
    }
    Ok(Binned::Image(kept))
}

async fn has_image(ec2: &Ec2, calls: &EC2Calls, id: &str) -> Result<bool, Failure> {
    let mut pages = Pages::default();
    loop {
        let request = ec2
            .list_images_in_recycle_bin()
            .image_ids(id)
            .set_next_token(pages.token().map(str::to_owned));
        let answer = calls::read(calls, IMAGES, || request.clone().send()).await;
        let Some(page) = unless_not_there(answer)? else {
            return Ok(false);
        };
        let mut images = page.images().iter();
        if images.any(|image| image.image_id() == Some(id)) {
            return Ok(true);
        }
        if pages.is_last(page.next_token())? {
            return Ok(false);
        }
    }
}

async fn has_snapshot(ec2: &Ec2, calls: &EC2Calls, id: &str) -> Result<bool, Failure> {
    let mut pages = Pages::default();
    loop {
        let request = ec2
            .list_snapshots_in_recycle_bin()
            .snapshot_ids(id)
            .set_next_token(pages.token().map(str::to_owned));
        let answer = calls::read(calls, SNAPSHOTS, || request.clone().send()).await;
        let Some(page) = unless_not_there(answer)? else {
            return Ok(false);
        };
        let mut snapshots = page.snapshots().iter();
        if snapshots.any(|snapshot| snapshot.snapshot_id() == Some(id)) {
            return Ok(true);
        }
        if pages.is_last(page.next_token())? {
            return Ok(false);
        }
    }
}

/// EC2 calls an id unknown that is not in the Recycle Bin.
fn unless_not_there<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Err(failure) if failure.is_not_there() => Ok(None),
        answer => answer.map(Some),
    }
}
