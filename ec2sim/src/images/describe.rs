//! `DescribeImages` (model; docs: DG ec2-api-pagination).

use jiff::Timestamp;

use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::images::Found;
use crate::paging::{Bounds, Paging};
use crate::state::{Image, ImageState, Tags, Viewer};
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml, iso};
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "architecture",
        "block-device-mapping.delete-on-termination",
        "block-device-mapping.device-name",
        "block-device-mapping.encrypted",
        "block-device-mapping.snapshot-id",
        "block-device-mapping.volume-size",
        "block-device-mapping.volume-type",
        "creation-date",
        "description",
        "ena-support",
        "hypervisor",
        "image-id",
        "image-type",
        "is-public",
        "manifest-location",
        "name",
        "owner-alias",
        "owner-id",
        "platform",
        "root-device-name",
        "root-device-type",
        "source-image-id",
        "source-image-region",
        "source-instance-id",
        "state",
        "state-reason-code",
        "state-reason-message",
        "tag-key",
        "usage-operation",
        "virtualization-type",
    ],
    not_modelled: &[
        "free-tier-eligible",
        "image-allowed",
        "image-watermark",
        "kernel-id",
        "product-code",
        "public-ssm-parameter-name",
        "ramdisk-id",
        "scan-result",
        "sriov-net-support",
    ],
    tags: true,
};

/// The range is not in the model; one page holds at most this many of anything.
const BOUNDS: Bounds = Bounds { low: 1, high: 1000 };

/// What an image is listed with.
struct Listed<'a> {
    image: &'a Image,
    state: ImageState,
    source_instance: Option<&'a String>,
    source_image: Option<&'a (String, String)>,
    alias: Option<&'a String>,
    protection: String,
    tags: Tags,
}

/// Which images the caller asks for, besides filters.
struct Wanted {
    ids: Vec<String>,
    owners: Vec<String>,
    executable_by: Vec<String>,
    include_disabled: bool,
    include_deprecated: bool,
}

impl World {
    pub(crate) fn describe_images(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let wanted = Wanted {
            ids: parameters.list("ImageId"),
            owners: parameters.list("Owner"),
            executable_by: parameters.list("ExecutableBy"),
            include_disabled: parameters.flag("IncludeDisabled")?,
            include_deprecated: parameters.flag("IncludeDeprecated")?,
        };
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !wanted.ids.is_empty())?;
        wanted.ids.iter().try_for_each(|id| check_id("ami", id))?;
        wanted
            .owners
            .iter()
            .try_for_each(|owner| check_owner(owner))?;
        parameters.finish_action()?;

        let region = self
            .regions
            .get(&call.region)
            .ok_or_else(ApiError::bad_credentials)?;
        let viewer = self.viewer(&call.account);
        let mut found: Vec<(&Image, ImageState)> = Vec::new();
        if wanted.ids.is_empty() {
            let visible = region
                .images
                .values()
                .filter(|image| image.visible_to(viewer));
            found.extend(visible.filter_map(|image| Some((image, image.seen(call.view)?))));
        } else {
            let mut missing = Vec::new();
            for id in &wanted.ids {
                match region.find_image(id, viewer, call.view) {
                    Found::Image(image, state) => found.push((image, state)),
                    Found::InUseStill => {}
                    Found::Nothing => missing.push(id.clone()),
                }
            }
            if !missing.is_empty() {
                return Err(ApiError::images_not_found(&missing));
            }
            found.sort_by_key(|(image, _)| &image.id);
            found.dedup_by_key(|(image, _)| &image.id);
        }
        let mut listed = Vec::new();
        for (image, state) in found {
            let alias = self
                .accounts
                .get(&image.owner)
                .and_then(|account| account.alias.as_ref());
            if !wanted.wants(image, state, alias, viewer, call.now) {
                continue;
            }
            let sourced = image.sourced.seen(call.view);
            let tags = region.tags_seen(&image.id, &call.account, call.view);
            let item = Listed {
                image,
                state,
                source_instance: image.source_instance.as_ref().filter(|_| sourced),
                source_image: image.source_image.as_ref().filter(|_| sourced),
                alias,
                protection: self.protection_of(image),
                tags,
            };
            if filters.pass(&item.tags, |name| item.field(name)) {
                listed.push(item);
            }
        }
        let (page, next) =
            paging.page(listed, |item| &item.image.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("imagesSet", page, |xml, item| item.write(xml));
            xml.optional("nextToken", next);
        }))
    }
}

impl Wanted {
    fn wants(
        &self,
        image: &Image,
        state: ImageState,
        alias: Option<&String>,
        viewer: Viewer<'_>,
        now: Timestamp,
    ) -> bool {
        let caller = viewer.account;
        // Its owner always sees a deprecated image, others see it by its id (docs: ami-deprecate).
        let shown_deprecated = image.owner == caller || !self.ids.is_empty();
        let owned = |owner: &String| match owner.as_str() {
            "self" => image.owner == caller,
            other => image.owner == other || alias.is_some_and(|alias| alias == other),
        };
        // What is shared with an organization is shown to its accounts, and of another account
        // only what is shared with that itself (model: `ExecutableUsers`).
        let executable = |by: &String| match by.as_str() {
            "all" => image.public,
            "self" => image.shared_to(viewer),
            other if other == caller => image.shared_to(viewer),
            other => image.shared_with.contains(other),
        };
        (self.owners.is_empty() || self.owners.iter().any(owned))
            && (self.executable_by.is_empty() || self.executable_by.iter().any(executable))
            && (self.include_disabled || state != ImageState::Disabled)
            && (self.include_deprecated || shown_deprecated || !image.deprecated(now))
    }
}

fn check_owner(owner: &str) -> Result<(), ApiError> {
    let is_account = owner.len() == 12 && owner.bytes().all(|byte| byte.is_ascii_digit());
    if is_account || ["self", "amazon", "aws-marketplace", "aws-backup-vault"].contains(&owner) {
        return Ok(());
    }
    Err(ApiError::new(
        "InvalidUserID.Malformed",
        format!("Invalid user id: \"{owner}\""),
    ))
}

impl Listed<'_> {
    fn location(&self) -> String {
        format!("{}/{}", self.image.owner, self.image.name)
    }

    fn field(&self, name: &str) -> Vec<String> {
        let image = self.image;
        if let Some(name) = name.strip_prefix("block-device-mapping.") {
            return image
                .devices
                .iter()
                .filter_map(|device| device_field(device, name))
                .collect();
        }
        let value = match name {
            "architecture" => Some(image.machine.architecture.clone()),
            "creation-date" => Some(iso(image.created)),
            "description" => image.description.clone(),
            "ena-support" => image.machine.ena.then(|| "true".to_owned()),
            "hypervisor" => Some("xen".to_owned()),
            "image-id" => Some(image.id.clone()),
            "image-type" => Some("machine".to_owned()),
            "is-public" => Some(image.public.to_string()),
            "manifest-location" => Some(self.location()),
            "name" => Some(image.name.clone()),
            "owner-alias" => self.alias.cloned(),
            "owner-id" => Some(image.owner.clone()),
            "platform" => image.machine.windows().map(str::to_owned),
            "root-device-name" => Some(image.machine.root_device.clone()),
            "root-device-type" => Some("ebs".to_owned()),
            "source-image-id" => self.source_image.map(|(_, id)| id.clone()),
            "source-image-region" => self.source_image.map(|(region, _)| region.clone()),
            "source-instance-id" => self.source_instance.cloned(),
            "state" => Some(self.state.to_string()),
            "state-reason-code" => image.reason.as_ref().map(|reason| reason.code.clone()),
            "state-reason-message" => image.reason.as_ref().map(|reason| reason.message.clone()),
            "usage-operation" => image.machine.usage_operation().map(str::to_owned),
            "virtualization-type" => Some(image.machine.virtualization.clone()),
            _ => None,
        };
        value.into_iter().collect()
    }

    fn write(&self, xml: &mut Xml) {
        let image = self.image;
        xml.text("imageId", &image.id);
        xml.text("imageLocation", self.location());
        xml.text("imageState", self.state);
        xml.text("imageOwnerId", &image.owner);
        xml.time("creationDate", image.created);
        xml.text("isPublic", image.public);
        xml.text("architecture", &image.machine.architecture);
        xml.text("imageType", "machine");
        xml.optional("platform", image.machine.windows());
        xml.optional("platformDetails", image.machine.platform_details());
        xml.optional("usageOperation", image.machine.usage_operation());
        if let Some(reason) = &image.reason {
            xml.element("stateReason", |xml| {
                xml.text("code", &reason.code);
                xml.text("message", &reason.message);
            });
        }
        xml.optional("imageOwnerAlias", self.alias);
        xml.text("name", &image.name);
        xml.optional("description", image.description.as_ref());
        xml.text("rootDeviceType", "ebs");
        xml.text("rootDeviceName", &image.machine.root_device);
        xml.items("blockDeviceMapping", &image.devices, write_device);
        xml.text("virtualizationType", &image.machine.virtualization);
        tags::write(xml, &self.tags);
        xml.text("hypervisor", "xen");
        xml.optional("enaSupport", image.machine.ena.then_some(true));
        xml.optional("sriovNetSupport", image.machine.sriov.then_some("simple"));
        xml.optional("bootMode", image.machine.boot_mode.as_ref());
        xml.optional("deprecationTime", image.deprecation.map(iso));
        xml.text("deregistrationProtection", &self.protection);
        xml.optional("imdsSupport", image.machine.imds_support());
        xml.optional("sourceInstanceId", self.source_instance);
        if let Some((region, id)) = self.source_image {
            xml.text("sourceImageId", id);
            xml.text("sourceImageRegion", region);
        }
    }
}

fn device_field(device: &crate::state::Device, name: &str) -> Option<String> {
    if name == "device-name" {
        return Some(device.name.clone());
    }
    let ebs = device.ebs.as_ref()?;
    match name {
        "delete-on-termination" => Some(ebs.delete_on_termination.to_string()),
        "encrypted" => Some(ebs.encrypted.to_string()),
        "snapshot-id" => ebs.snapshot.clone(),
        "volume-size" => Some(ebs.size_gib.to_string()),
        "volume-type" => Some(ebs.volume_type.clone()),
        _ => None,
    }
}

fn write_device(xml: &mut Xml, device: &crate::state::Device) {
    xml.text("deviceName", &device.name);
    xml.optional("virtualName", device.virtual_name.as_ref());
    if let Some(ebs) = &device.ebs {
        xml.element("ebs", |xml| {
            xml.text("deleteOnTermination", ebs.delete_on_termination);
            xml.optional("snapshotId", ebs.snapshot.as_ref());
            xml.text("volumeSize", ebs.size_gib);
            xml.text("volumeType", &ebs.volume_type);
            xml.text("encrypted", ebs.encrypted);
        });
    }
}
