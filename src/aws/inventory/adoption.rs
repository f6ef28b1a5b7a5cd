//! Images that a spec lists to be taken over: no list of ours shows them, so that each is asked for by its id, and
//! remembered for half a minute.

use amity_core::image::identity::Place;
use amity_core::image::observed::AdoptionView;
use futures::TryFutureExt;
use jiff::SignedDuration;

use super::Inventory;
use super::read::{filter, list_shown};

/// How long an answer serves.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// The same for a failure.
const FAILURE_FRESH: SignedDuration = SignedDuration::from_secs(5);

const ACTION: &str = "DescribeImages";

impl Inventory {
    /// What EC2 answered of late about an image that is to be taken over.
    pub(super) fn known_adoption(
        &self,
        key: &(Place, String),
        object: &str,
    ) -> Option<AdoptionView> {
        if let Some(unreadable) = self.state().why_unreadable(&key.0, object) {
            return Some(AdoptionView::Unknown(unreadable));
        }
        self.adoptions.get(key, self.clock.now())
    }

    /// Reads such an image, if the account owns it.
    pub(super) async fn read_adoption(&self, place: &Place, id: &str) {
        let view = match self.sessions.proven(&place.account) {
            None => AdoptionView::Unknown(self.why_closed(place)),
            Some(session) => {
                let ec2 = session.ec2(&place.region);
                let of_id = filter("image-id", [id.to_owned()]);
                let read =
                    list_shown(&ec2, self.sessions.calls(), of_id).map_err(|(_, failure)| failure);
                match self.in_turn(place, ACTION, read).await {
                    Err(not_now) => AdoptionView::Unknown(not_now),
                    Ok(Err(failure)) => AdoptionView::Unknown(failure.unreadable(ACTION, place)),
                    Ok(Ok(images)) => images
                        .into_iter()
                        .find(|image| image.id == id)
                        .map_or(AdoptionView::Missing, |image| {
                            AdoptionView::Image(Box::new(image))
                        }),
                }
            }
        };
        let fresh = match view {
            AdoptionView::Unknown(_) => FAILURE_FRESH,
            _ => FRESH,
        };
        let now = self.clock.now();
        let key = (place.clone(), id.to_owned());
        self.adoptions.put(key, view, now + fresh, now);
    }
}
