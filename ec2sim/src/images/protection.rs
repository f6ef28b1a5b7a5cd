//! `EnableImageDeregistrationProtection` and `DisableImageDeregistrationProtection` (model; docs:
//! UG ami-deregistration-protection).
//!
//! Both may be repeated, and answer with the state of the protection instead of `true` (examples
//! of the AWS CLI). What is written is seen at once by every reader. A copy is not protected, nor
//! is any other new image.

use jiff::Timestamp;
use jiff::fmt::strtime;

use crate::chance::after;
use crate::error::{ApiError, check_id};
use crate::state::{Image, Protection};
use crate::wire::parameters::Parameters;
use crate::wire::response::{Reply, iso};
use crate::world::{Call, World};

const COOLDOWN_MILLISECONDS: u64 = 24 * 3_600_000;

impl World {
    pub(crate) fn enable_image_deregistration_protection(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        let with_cooldown = parameters.flag("WithCooldown")?;
        check_id("ami", &id)?;
        parameters.finish_action()?;

        let before = self.whole_image(call, &id)?.protection;
        let cools = match before {
            Protection::Enabled { with_cooldown } => with_cooldown,
            Protection::CoolingDown { .. } => before.holds(self.now),
            Protection::Disabled => false,
        };
        let kept = cools && !self.facts.cooldown_can_be_dropped;
        let enabled = Protection::Enabled {
            with_cooldown: with_cooldown || kept,
        };
        self.protect(call, &id, enabled)
    }

    pub(crate) fn disable_image_deregistration_protection(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        check_id("ami", &id)?;
        parameters.finish_action()?;

        let until = after(self.now, COOLDOWN_MILLISECONDS);
        let disabled = match self.whole_image(call, &id)?.protection {
            Protection::Enabled {
                with_cooldown: true,
            } => Protection::CoolingDown { until },
            Protection::Enabled { .. } => Protection::Disabled,
            // The cooldown goes on.
            before => before,
        };
        self.protect(call, &id, disabled)
    }

    fn protect(
        &mut self,
        call: &Call,
        id: &str,
        protection: Protection,
    ) -> Result<Reply, ApiError> {
        let shown = self.shown(protection);
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(id) {
            image.protection = protection;
        }
        Ok(Reply::of(|xml| xml.text("return", shown)))
    }

    /// `deregistrationProtection` of an image.
    pub(crate) fn protection_of(&self, image: &Image) -> String {
        self.shown(image.protection)
    }

    fn shown(&self, protection: Protection) -> String {
        match protection {
            Protection::Enabled {
                with_cooldown: true,
            } => "enabled-with-cooldown".to_owned(),
            Protection::Enabled { .. } => "enabled-without-cooldown".to_owned(),
            Protection::CoolingDown { until } if self.now < until => {
                format!("disabled after {}", self.end_of_cooldown(until))
            }
            Protection::CoolingDown { .. } | Protection::Disabled => "disabled".to_owned(),
        }
    }

    fn end_of_cooldown(&self, until: Timestamp) -> String {
        let written = strtime::format(&self.facts.cooldown_end_format, until);
        written.unwrap_or_else(|_| iso(until))
    }
}
