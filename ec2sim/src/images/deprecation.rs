//! `EnableImageDeprecation` and `DisableImageDeprecation` (model; docs: UG ami-deprecate).
//!
//! Both may be repeated. What is written is seen at once by every reader. A public image keeps
//! its deprecation, and it only ever comes sooner; one that a world file makes public has none
//! unless the file says so.

use jiff::{Span, Timestamp, ToSpan, Unit, tz::TimeZone};

use crate::error::{ApiError, check_id};
use crate::state::Image;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

impl World {
    pub(crate) fn enable_image_deprecation(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        let at = parameters.required("DeprecateAt")?;
        check_id("ami", &id)?;
        let at = take_time(&at)?;
        parameters.finish_action()?;

        let image = self.whole_image(call, &id)?;
        self.check_deprecation(image, at)?;
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            // "Amazon EC2 rounds the seconds to the nearest minute" (model).
            image.deprecation = Some(at.round(Unit::Minute).unwrap_or(at));
        }
        Ok(Reply::done())
    }

    pub(crate) fn disable_image_deprecation(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        check_id("ami", &id)?;
        parameters.finish_action()?;

        let image = self.whole_image(call, &id)?;
        if image.public && image.deprecation.is_some() {
            return Err(self.public_deprecation(&id));
        }
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            image.deprecation = None;
        }
        Ok(Reply::done())
    }

    /// Not in the past, at most 10 years from now, and for public images neither later than two
    /// years after they were created nor later than it is now. The texts are not known.
    fn check_deprecation(&self, image: &Image, at: Timestamp) -> Result<(), ApiError> {
        let refuse = |why: &str| {
            Err(ApiError::invalid_value(format!(
                "Value ({at}) for parameter deprecateAt is invalid. {why}"
            )))
        };
        if at < self.now {
            return refuse("The date must not be in the past.");
        }
        if at > later(self.now, 10.years()) {
            return refuse("The date must be within 10 years from now.");
        }
        if !image.public {
            return Ok(());
        }
        if at > later(image.created, 2.years()) {
            return refuse(
                "The date of a public image must be within 2 years from its creation date.",
            );
        }
        if image.deprecation.is_some_and(|before| at > before) {
            return Err(self.public_deprecation(&image.id));
        }
        Ok(())
    }

    /// "To cancel the deprecation date, or to move the deprecation to a later date, you must make
    /// the AMI private" (docs: UG ami-deprecate).
    fn public_deprecation(&self, id: &str) -> ApiError {
        ApiError::new(
            &self.facts.public_deprecation_code,
            format!(
                "The deprecation of the public image '{id}' can be neither cancelled nor moved to a later date"
            ),
        )
    }
}

impl Image {
    /// Makes it everybody's.
    pub(super) fn publish(&mut self) {
        let limit = later(self.created, 2.years());
        self.public = true;
        self.deprecation = Some(self.deprecation.map_or(limit, |before| before.min(limit)));
    }
}

/// So many years later by the calendar.
fn later(at: Timestamp, years: Span) -> Timestamp {
    let later = at.to_zoned(TimeZone::UTC).checked_add(years);
    later.map_or(Timestamp::MAX, |later| later.timestamp())
}

fn take_time(text: &str) -> Result<Timestamp, ApiError> {
    text.parse().map_err(|_| {
        ApiError::invalid_value(format!(
            "Value ({text}) for parameter deprecateAt is invalid. The value must be a date and time in UTC."
        ))
    })
}
