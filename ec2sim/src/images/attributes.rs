//! `ModifyImageAttribute`, `DescribeImageAttribute`, `ResetImageAttribute`: description, IMDS
//! support and launch permissions (model; docs: UG sharingamis-explicit,
//! block-public-access-to-amis).
//!
//! Sharing with organizations is not modelled: there are none here. What is written is seen at
//! once by every reader. An image that is made public is deprecated two years after it was
//! created, if not before (docs: UG ami-deprecate).

use crate::error::{ApiError, check_id};
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
    LaunchPermission {
        add: Vec<Who>,
        remove: Vec<Who>,
    },
}

/// Who may launch an image.
#[derive(PartialEq, Eq)]
enum Who {
    Everybody,
    Account(String),
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
        if let Change::LaunchPermission { add, .. } = &change {
            self.check_sharing(call, image, add)?;
        }
        if let Some(image) = self.region_mut(&call.region)?.images.get_mut(&id) {
            change.apply(image);
        }
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
                write_permissions(&mut reply, image);
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
        }
        Ok(Reply::done())
    }

    /// What may not be shared: anything under the AWS managed key, and with everybody nothing
    /// encrypted, and nothing at all while block public access is on.
    fn check_sharing(&self, call: &Call, image: &Image, add: &[Who]) -> Result<(), ApiError> {
        if add.is_empty() {
            return Ok(());
        }
        let region = self.region(&call.region)?;
        let managed = crate::kms::aws_managed(&call.account, &call.region);
        let keys: Vec<&String> = image
            .snapshot_ids()
            .filter_map(|id| region.snapshots.get(id)?.key.as_ref())
            .collect();
        if keys.contains(&&managed) {
            return Err(ApiError::new(
                "InvalidParameter",
                "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.",
            ));
        }
        if !add.contains(&Who::Everybody) {
            return Ok(());
        }
        // The text for an encrypted image is not known.
        if !keys.is_empty() {
            return Err(ApiError::new(
                "InvalidParameter",
                "Images with encrypted snapshots can't be made public.",
            ));
        }
        if !self.place(&call.account, &call.region).allows_public_images {
            return Err(ApiError::new(
                "OperationNotPermitted",
                "You can’t publicly share this image because block public access for AMIs is enabled for this \
                 account. To publicly share the image, you must call the DisableImageBlockPublicAccess API.",
            ));
        }
        Ok(())
    }
}

impl Change {
    /// Takes the one change of a request, in either style: `LaunchPermission.Add.N.UserId`,
    /// `Description.Value` and `ImdsSupport.Value`, or `Attribute` with `OperationType`,
    /// `UserId.N` and `Value`.
    fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        parameters.not_modelled(&["OrganizationArn", "OrganizationalUnitArn", "ProductCode"])?;
        let attribute = parameters.text("Attribute");
        let value = parameters.text("Value");
        let operation = parameters.text("OperationType");
        let mut description = parameters.text("Description.Value");
        let mut imds = parameters.text("ImdsSupport.Value");
        let mut add = take_permissions(parameters, "LaunchPermission.Add")?;
        let mut remove = take_permissions(parameters, "LaunchPermission.Remove")?;
        let mut named = take_named(parameters)?;
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
        match operation.as_deref() {
            Some("add") => add.append(&mut named),
            Some("remove") => remove.append(&mut named),
            Some(other) => {
                return Err(ApiError::invalid_value(format!(
                    "Value ({other}) for parameter operationType is invalid"
                )));
            }
            None if named.is_empty() => {}
            None => return Err(ApiError::missing("OperationType")),
        }
        let permissions = !(add.is_empty() && remove.is_empty());
        let given = [
            ("description", description.is_some()),
            ("imdsSupport", imds.is_some()),
            ("launchPermission", permissions),
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
        if permissions {
            return Ok(Self::LaunchPermission { add, remove });
        }
        Err(ApiError::invalid_combination("No attributes specified."))
    }

    fn apply(self, image: &mut Image) {
        match self {
            Self::Description(text) => {
                image.description = Some(text).filter(|text| !text.is_empty());
            }
            Self::ImdsSupport => image.machine.imds_v2 = true,
            Self::LaunchPermission { add, remove } => {
                for who in add {
                    match who {
                        Who::Everybody => image.publish(),
                        Who::Account(id) => {
                            image.shared_with.insert(id);
                        }
                    }
                }
                for who in remove {
                    match who {
                        Who::Everybody => image.public = false,
                        Who::Account(id) => {
                            image.shared_with.remove(&id);
                        }
                    }
                }
            }
        }
    }
}

/// `LaunchPermission.Add.N.UserId` and `.Group`.
fn take_permissions(parameters: &mut Parameters, path: &str) -> Result<Vec<Who>, ApiError> {
    let mut all = Vec::new();
    for mut given in parameters.structures(path) {
        given.not_modelled(&["OrganizationArn", "OrganizationalUnitArn"])?;
        if let Some(id) = given.text("UserId") {
            all.push(account(id)?);
        }
        if let Some(group) = given.text("Group") {
            all.push(everybody(&group)?);
        }
        given.finish()?;
    }
    Ok(all)
}

/// `UserId.N` and `UserGroup.N`.
fn take_named(parameters: &mut Parameters) -> Result<Vec<Who>, ApiError> {
    let accounts = parameters.list("UserId").into_iter().map(account);
    let accounts: Vec<_> = accounts.collect::<Result<_, _>>()?;
    let groups = parameters.list("UserGroup");
    let groups = groups.iter().map(|group| everybody(group));
    let groups: Vec<_> = groups.collect::<Result<_, _>>()?;
    Ok(accounts.into_iter().chain(groups).collect())
}

fn account(id: String) -> Result<Who, ApiError> {
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Who::Account(id));
    }
    Err(ApiError::new(
        "InvalidAMIAttributeItemValue",
        format!("Invalid attribute item value \"{id}\" for userId item type."),
    ))
}

fn everybody(group: &str) -> Result<Who, ApiError> {
    if group == "all" {
        return Ok(Who::Everybody);
    }
    Err(ApiError::new(
        "InvalidAMIAttributeItemValue",
        format!("Invalid attribute item value \"{group}\" for group item type."),
    ))
}

fn invalid_attribute(attribute: &str) -> ApiError {
    ApiError::invalid_value(format!(
        "Value ({attribute}) for parameter attribute is invalid. Unknown attribute."
    ))
}

fn write_permissions(reply: &mut Reply, image: &Image) {
    let everybody = image.public.then_some(("group", "all"));
    let accounts = image.shared_with.iter().map(|id| ("userId", id.as_str()));
    reply.xml.items(
        "launchPermission",
        everybody.into_iter().chain(accounts),
        |xml, (name, value)| xml.text(name, value),
    );
}
