//! Block public access for images: `GetImageBlockPublicAccessState`,
//! `EnableImageBlockPublicAccess`, `DisableImageBlockPublicAccess` (model; docs: UG
//! block-public-access-to-amis).
//!
//! A setting of an account in a region, which is on where nobody turned it off. A change is
//! answered at once with what it will be and is in force only minutes later; until then the old
//! state is read and counts. Images that are public stay so.

use jiff::Timestamp;

use crate::chance::after;
use crate::error::ApiError;
use crate::images::one_of;
use crate::state::Place;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const BLOCKED: &str = "block-new-sharing";
const UNBLOCKED: &str = "unblocked";

impl World {
    pub(crate) fn get_image_block_public_access_state(
        &self,
        call: &Call,
        parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        parameters.finish_action()?;
        let place = self.place(&call.account, &call.region);
        let allowed = place.public_images_allowed(self.now);
        Ok(Reply::of(|xml| {
            xml.text("imageBlockPublicAccessState", state(allowed));
            xml.text("managedBy", "account");
        }))
    }

    pub(crate) fn enable_image_block_public_access(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let wanted = parameters.required("ImageBlockPublicAccessState")?;
        one_of("imageBlockPublicAccessState", &wanted, &[BLOCKED])?;
        parameters.finish_action()?;
        Ok(self.set_public_images_allowed(call, false))
    }

    pub(crate) fn disable_image_block_public_access(
        &mut self,
        call: &Call,
        parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        parameters.finish_action()?;
        Ok(self.set_public_images_allowed(call, true))
    }

    fn set_public_images_allowed(&mut self, call: &Call, allowed: bool) -> Reply {
        let now = self.now;
        let from = after(now, self.knobs.block_public_access_milliseconds);
        if let Some(place) = self.place_mut(&call.account, &call.region) {
            place.allows_public_images = place.public_images_allowed(now);
            place.allows_public_images_from = Some((from, allowed));
        }
        Reply::of(|xml| xml.text("imageBlockPublicAccessState", state(allowed)))
    }

    /// Whether an image may be made public now.
    pub(super) fn check_public_access(&self, call: &Call) -> Result<(), ApiError> {
        let place = self.place(&call.account, &call.region);
        if place.public_images_allowed(self.now) {
            return Ok(());
        }
        Err(ApiError::new(
            "OperationNotPermitted",
            "You can’t publicly share this image because block public access for AMIs is enabled for this \
             account. To publicly share the image, you must call the DisableImageBlockPublicAccess API.",
        ))
    }
}

impl Place {
    fn public_images_allowed(&self, now: Timestamp) -> bool {
        match self.allows_public_images_from {
            Some((from, allowed)) if from <= now => allowed,
            _ => self.allows_public_images,
        }
    }
}

fn state(allowed: bool) -> &'static str {
    if allowed { UNBLOCKED } else { BLOCKED }
}
