//! `ModifyImageAttribute`, `DescribeImageAttribute`, `ResetImageAttribute`: description, IMDS
//! support and launch permissions (model).
//!
//! What is written is seen at once by every reader. An image that is made public is deprecated
//! two years after it was created, if not before (docs: UG ami-deprecate).

use crate::error::{ApiError, check_id};
use crate::images::launch_permission::{self, Changes};
use crate::images::{check_description, one_of};
use crate::state::{Image, ImageState};
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

/// What is to become of an image.
enum Change {
    Description(String),
    /// The metadata service in version 2; there is no way back.
    ImdsSupport,
    LaunchPermission(Changes),
}

impl World {
    pub(crate) fn modify_image_attribute(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        let change = Change::take(&mut parameters)?;
        check_id("ami", &id)?;
        parameters.finish_action()?;

        let image = self.own_image(call, &id)?;
        if image.state != ImageState::Available {
            return Err(ApiError::image_in_state(&id, image.state));
        }
        if let Change::LaunchPermission(changes) = &change {
            self.check_sharing(call, image, changes)?;
        }
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            change.apply(image);
        }
        self.fail_copies_without_grant(&call.region, |image| image.id == id);
        Ok(Reply::done())
    }

    pub(crate) fn describe_image_attribute(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        let attribute = parameters.required("Attribute")?;
        check_id("ami", &id)?;
        parameters.finish_action()?;
        let image = self.own_image(call, &id)?;
        let mut reply = Reply::default();
        reply.xml.text("imageId", &image.id);
        let value = match attribute.as_str() {
            "launchPermission" => {
                launch_permission::write(&mut reply, image);
                return Ok(reply);
            }
            "description" => image.description.clone(),
            "bootMode" => image.machine.boot_mode.clone(),
            "sriovNetSupport" => image.machine.sriov.then(|| "simple".to_owned()),
            "deregistrationProtection" => Some(self.protection_of(image)),
            "imdsSupport" => image.machine.imds_support().map(str::to_owned),
            // "The blockDeviceMapping attribute is deprecated. Using it returns
            // Client.AuthFailure" (model).
            "blockDeviceMapping" => {
                let message = "Unauthorized attempt to access restricted resource";
                return Err(ApiError::with_its_status("AuthFailure", message));
            }
            "kernel" | "ramdisk" | "productCodes" | "tpmSupport" | "uefiData"
            | "lastLaunchedTime" => {
                return Err(ApiError::not_modelled(format!("the attribute {attribute}")));
            }
            _ => return Err(invalid_attribute(&attribute)),
        };
        reply
            .xml
            .element(&attribute, |xml| xml.optional("value", value));
        Ok(reply)
    }

    /// Removes all launch permissions, that of everybody too (model).
    pub(crate) fn reset_image_attribute(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("ImageId")?;
        let attribute = parameters.required("Attribute")?;
        check_id("ami", &id)?;
        if attribute != "launchPermission" {
            return Err(invalid_attribute(&attribute));
        }
        parameters.finish_action()?;
        let image = self.own_image(call, &id)?;
        if image.state != ImageState::Available {
            return Err(ApiError::image_in_state(&id, image.state));
        }
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            image.public = false;
            image.shared_with.clear();
            image.shared_with_organizations.clear();
        }
        self.fail_copies_without_grant(&call.region, |image| image.id == id);
        Ok(Reply::done())
    }
}

impl Change {
    /// Takes the one change of a request, in either style: `LaunchPermission.Add.N.UserId`,
    /// `Description.Value` and `ImdsSupport.Value`, or `Attribute` with `OperationType`,
    /// `UserId.N` and `Value`.
    fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        parameters.not_modelled(&["ProductCode"])?;
        let attribute = parameters.text("Attribute");
        let value = parameters.text("Value");
        let mut description = parameters.text("Description.Value");
        let mut imds = parameters.text("ImdsSupport.Value");
        let changes = Changes::take(parameters)?;
        match (attribute.as_deref(), value) {
            (Some("description"), value) => description = description.or(value),
            (Some("imdsSupport"), value) => imds = imds.or(value),
            (None | Some("launchPermission"), None) => {}
            (None | Some("launchPermission"), Some(_)) => {
                return Err(ApiError::invalid_combination(
                    "The parameter Value can be used only with the attributes description and imdsSupport",
                ));
            }
            (Some(other), _) => return Err(invalid_attribute(other)),
        }
        let given = [
            ("description", description.is_some()),
            ("imdsSupport", imds.is_some()),
            ("launchPermission", !changes.is_empty()),
        ];
        let given: Vec<&str> = given
            .iter()
            .filter_map(|(name, there)| there.then_some(*name))
            .collect();
        if given.len() > 1 {
            return Err(ApiError::invalid_combination(format!(
                "Fields for multiple attribute types specified: {}",
                given.join(", ")
            )));
        }
        if let Some(description) = description {
            check_description(Some(&description))?;
            return Ok(Self::Description(description));
        }
        if let Some(imds) = imds {
            one_of("imdsSupport", &imds, &["v2.0"])?;
            return Ok(Self::ImdsSupport);
        }
        if changes.is_empty() {
            return Err(ApiError::invalid_combination("No attributes specified."));
        }
        Ok(Self::LaunchPermission(changes))
    }

    fn apply(self, image: &mut Image) {
        match self {
            Self::Description(text) => {
                image.description = Some(text).filter(|text| !text.is_empty());
            }
            Self::ImdsSupport => image.machine.imds_v2 = true,
            Self::LaunchPermission(changes) => changes.apply(image),
        }
    }
}

fn invalid_attribute(attribute: &str) -> ApiError {
    ApiError::invalid_value(format!(
        "Value ({attribute}) for parameter attribute is invalid. Unknown attribute."
    ))
}
