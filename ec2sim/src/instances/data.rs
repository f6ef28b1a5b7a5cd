//! What a launch asks for, as `RunInstances` and the versions of launch templates take it, and as templates show it
//! (model: `RunInstances`, `RequestLaunchTemplateData`, `ResponseLaunchTemplateData`).

use crate::error::{ApiError, check_id};
use crate::images::one_of;
use crate::state::{Interface, LaunchData, LaunchDevice, MetadataOptions, ShutdownBehavior, Spot};
use crate::tags::{self, TagsAtBirth};
use crate::wire::base64;
use crate::wire::parameters::Parameters;
use crate::wire::response::Xml;

/// What EC2 has and this has not.
const NOT_MODELLED: [&str; 20] = [
    "AdditionalInfo",
    "CapacityReservationSpecification",
    "CpuOptions",
    "ElasticGpuSpecification",
    "ElasticInferenceAccelerator",
    "EnablePrimaryIpv6",
    "EnclaveOptions",
    "HibernationOptions",
    "InstanceRequirements",
    "Ipv6Address",
    "Ipv6AddressCount",
    "KernelId",
    "LicenseSpecification",
    "MaintenanceOptions",
    "NetworkPerformanceOptions",
    "PrivateDnsNameOptions",
    "PrivateIpAddress",
    "RamDiskId",
    "RamdiskId",
    "SecondaryInterface",
];
const VOLUME_TYPES: [&str; 7] = ["standard", "io1", "io2", "gp2", "sc1", "st1", "gp3"];
/// What a launch may give tags to.
const TAGGED: [&str; 4] = [
    "instance",
    "network-interface",
    "spot-instances-request",
    "volume",
];
/// The most user data in bytes, before base64 (docs: UG user-data).
const MOST_USER_DATA: usize = 16 * 1024;

/// Takes what `RunInstances` says.
pub(crate) fn take_data(parameters: &mut Parameters) -> Result<LaunchData, ApiError> {
    let tags = TagsAtBirth::take(parameters, &TAGGED)?;
    let mut data = take_either(parameters)?;
    data.subnet = parameters.text("SubnetId");
    data.tags = tags.all();
    Ok(data)
}

/// Takes what a version of a launch template says. Of it EC2 checks little (docs: UG launch-template-restrictions,
/// "not fully validated").
pub(crate) fn take_template_data(parameters: &mut Parameters) -> Result<LaunchData, ApiError> {
    let mut below = parameters.below("LaunchTemplateData");
    let tags = TagsAtBirth::take(&mut below, &TAGGED)?;
    let mut data = take_either(&mut below)?;
    data.tags = tags.all();
    below.finish()?;
    Ok(data)
}

fn take_either(given: &mut Parameters) -> Result<LaunchData, ApiError> {
    let (arn, name) = (
        given.text("IamInstanceProfile.Arn"),
        given.text("IamInstanceProfile.Name"),
    );
    if arn.is_some() && name.is_some() {
        return Err(ApiError::invalid_combination(
            "The parameter iamInstanceProfile.name may not be used in combination with iamInstanceProfile.arn",
        ));
    }
    let shutdown = given.text("InstanceInitiatedShutdownBehavior");
    let data = LaunchData {
        image: given.text("ImageId").filter(|image| !image.is_empty()),
        instance_type: given.text("InstanceType"),
        key_name: given.text("KeyName"),
        group_ids: given.list("SecurityGroupId"),
        group_names: given.list("SecurityGroup"),
        subnet: None,
        interfaces: take_interfaces(given)?,
        profile: arn.or(name),
        user_data: given.text("UserData").filter(|data| !data.is_empty()),
        devices: take_devices(given)?,
        metadata: take_metadata(given)?,
        spot: take_spot(given)?,
        shutdown: shutdown
            .map(|value| shutdown_behavior(&value))
            .transpose()?,
        disable_api_termination: given.boolean("DisableApiTermination")?,
        zone: given
            .text("Placement.AvailabilityZone")
            .filter(|zone| !zone.is_empty()),
        monitoring: given.boolean("Monitoring.Enabled")?,
        ebs_optimized: given.boolean("EbsOptimized")?,
        tags: std::collections::BTreeMap::new(),
    };
    // They change nothing that can be seen here.
    given.text("CreditSpecification.CpuCredits");
    let tenancy = given
        .text("Placement.Tenancy")
        .filter(|one| one != "default");
    if let Some(tenancy) = tenancy.filter(|one| !one.is_empty()) {
        return Err(ApiError::not_modelled(format!("the tenancy {tenancy}")));
    }
    if given.flag("DisableApiStop")? {
        return Err(ApiError::not_modelled("the parameter DisableApiStop"));
    }
    given.not_modelled(&["Placement", "Monitoring", "CreditSpecification"])?;
    given.not_modelled(&NOT_MODELLED)?;
    Ok(data)
}

/// `stop` or `terminate`.
pub(super) fn shutdown_behavior(value: &str) -> Result<ShutdownBehavior, ApiError> {
    match value {
        "stop" => Ok(ShutdownBehavior::Stop),
        "terminate" => Ok(ShutdownBehavior::Terminate),
        other => Err(ApiError::invalid_value(format!(
            "Value ({other}) for parameter instanceInitiatedShutdownBehavior is invalid."
        ))),
    }
}

/// User data must be in base64 and not be too long.
pub(crate) fn check_user_data(data: &LaunchData) -> Result<(), ApiError> {
    let Some(given) = &data.user_data else {
        return Ok(());
    };
    match base64::decode(given) {
        None => Err(ApiError::invalid_value(
            "Invalid BASE64 encoding of user data.",
        )),
        Some(bytes) if bytes.len() > MOST_USER_DATA => Err(ApiError::invalid_value(format!(
            "User data is limited to {MOST_USER_DATA} bytes"
        ))),
        Some(_) => Ok(()),
    }
}

fn take_interfaces(given: &mut Parameters) -> Result<Vec<Interface>, ApiError> {
    let mut interfaces = Vec::new();
    for mut one in given.structures("NetworkInterface") {
        interfaces.push(Interface {
            index: one.number("DeviceIndex")?.unwrap_or_default(),
            subnet: one.text("SubnetId"),
            groups: one.list("SecurityGroupId"),
            public_ip: one.boolean("AssociatePublicIpAddress")?,
            delete_on_termination: one.boolean("DeleteOnTermination")?,
            description: one.text("Description"),
        });
        one.not_modelled(&[
            "NetworkInterfaceId",
            "PrivateIpAddress",
            "PrivateIpAddresses",
            "SecondaryPrivateIpAddressCount",
            "InterfaceType",
            "NetworkCardIndex",
            "Ipv6AddressCount",
            "Ipv6Addresses",
        ])?;
        one.finish()?;
    }
    Ok(interfaces)
}

fn take_devices(given: &mut Parameters) -> Result<Vec<LaunchDevice>, ApiError> {
    let mut devices: Vec<LaunchDevice> = Vec::new();
    for mut one in given.structures("BlockDeviceMapping") {
        let device = LaunchDevice {
            name: one.required("DeviceName")?,
            no_device: one.text("NoDevice").is_some(),
            virtual_name: one.text("VirtualName"),
            snapshot: one.text("Ebs.SnapshotId"),
            size_gib: one.number("Ebs.VolumeSize")?,
            volume_type: one.text("Ebs.VolumeType"),
            iops: one.number("Ebs.Iops")?,
            throughput: one.number("Ebs.Throughput")?,
            delete_on_termination: one.boolean("Ebs.DeleteOnTermination")?,
            encrypted: one.boolean("Ebs.Encrypted")?,
            kms_key: one.text("Ebs.KmsKeyId"),
        };
        one.not_modelled(&["Ebs"])?;
        one.finish()?;
        if let Some(id) = &device.snapshot {
            check_id("snap", id)?;
        }
        if let Some(kind) = &device.volume_type {
            one_of("volumeType", kind, &VOLUME_TYPES)?;
        }
        if devices.iter().any(|other| other.name == device.name) {
            return Err(ApiError::new(
                "InvalidBlockDeviceMapping",
                format!(
                    "The device '{}' is used in more than one block-device mapping",
                    device.name
                ),
            ));
        }
        devices.push(device);
    }
    Ok(devices)
}

fn take_metadata(given: &mut Parameters) -> Result<MetadataOptions, ApiError> {
    let options = MetadataOptions {
        http_tokens: given.text("MetadataOptions.HttpTokens"),
        http_endpoint: given.text("MetadataOptions.HttpEndpoint"),
        hop_limit: given.number("MetadataOptions.HttpPutResponseHopLimit")?,
        instance_tags: given.text("MetadataOptions.InstanceMetadataTags"),
    };
    given.not_modelled(&["MetadataOptions"])?;
    let on_or_off = ["enabled", "disabled"];
    for (name, value, allowed) in [
        ("httpTokens", &options.http_tokens, ["optional", "required"]),
        ("httpEndpoint", &options.http_endpoint, on_or_off),
        ("instanceMetadataTags", &options.instance_tags, on_or_off),
    ] {
        if let Some(value) = value {
            one_of(name, value, &allowed)?;
        }
    }
    if options
        .hop_limit
        .is_some_and(|hops| !(1..=64).contains(&hops))
    {
        return Err(ApiError::invalid_value(
            "Value for parameter httpPutResponseHopLimit is invalid. It must be between 1 and 64.",
        ));
    }
    Ok(options)
}

fn take_spot(given: &mut Parameters) -> Result<Option<Spot>, ApiError> {
    let market = given.text("InstanceMarketOptions.MarketType");
    let kind = given.text("InstanceMarketOptions.SpotOptions.SpotInstanceType");
    let interruption = given.text("InstanceMarketOptions.SpotOptions.InstanceInterruptionBehavior");
    let max_price = given.text("InstanceMarketOptions.SpotOptions.MaxPrice");
    given.not_modelled(&["InstanceMarketOptions"])?;
    let Some(market) = market else {
        return Ok(None);
    };
    one_of("marketType", &market, &["spot"])?;
    if let Some(kind) = &kind {
        one_of("spotInstanceType", kind, &["one-time", "persistent"])?;
    }
    if let Some(interruption) = &interruption {
        one_of(
            "instanceInterruptionBehavior",
            interruption,
            &["hibernate", "stop", "terminate"],
        )?;
    }
    let persistent = kind.as_deref() == Some("persistent");
    if let Some(behavior) = interruption
        .as_deref()
        .filter(|one| *one != "terminate" && !persistent)
    {
        // hashicorp/terraform#16414, harmony-one/harmony-ops#285.
        return Err(ApiError::invalid_combination(format!(
            "The request with type 'one-time' is not supported when instanceInterruptionBehavior is set to '{behavior}'."
        )));
    }
    Ok(Some(Spot {
        persistent,
        interruption,
        max_price,
    }))
}

/// Writes what a version of a launch template says.
pub(crate) fn write_template_data(xml: &mut Xml, data: &LaunchData, image: Option<&String>) {
    xml.optional("ebsOptimized", data.ebs_optimized);
    if let Some(profile) = &data.profile {
        let name = if profile.starts_with("arn:") {
            "arn"
        } else {
            "name"
        };
        xml.element("iamInstanceProfile", |xml| xml.text(name, profile));
    }
    if !data.devices.is_empty() {
        xml.items("blockDeviceMappingSet", &data.devices, write_device);
    }
    if !data.interfaces.is_empty() {
        xml.items("networkInterfaceSet", &data.interfaces, write_interface);
    }
    xml.optional("imageId", image);
    xml.optional("instanceType", data.instance_type.as_ref());
    xml.optional("keyName", data.key_name.as_ref());
    if let Some(enabled) = data.monitoring {
        xml.element("monitoring", |xml| xml.text("enabled", enabled));
    }
    if let Some(zone) = &data.zone {
        xml.element("placement", |xml| xml.text("availabilityZone", zone));
    }
    xml.optional("disableApiTermination", data.disable_api_termination);
    xml.optional(
        "instanceInitiatedShutdownBehavior",
        data.shutdown.map(ShutdownBehavior::name),
    );
    xml.optional("userData", data.user_data.as_ref());
    if !data.tags.is_empty() {
        xml.items("tagSpecificationSet", &data.tags, |xml, (kind, of_kind)| {
            xml.text("resourceType", kind);
            tags::write(xml, of_kind);
        });
    }
    for (name, ids) in [
        ("securityGroupIdSet", &data.group_ids),
        ("securityGroupSet", &data.group_names),
    ] {
        if !ids.is_empty() {
            xml.element(name, |xml| ids.iter().for_each(|id| xml.text("item", id)));
        }
    }
    if let Some(spot) = &data.spot {
        xml.element("instanceMarketOptions", |xml| {
            xml.text("marketType", "spot");
            xml.element("spotOptions", |xml| {
                xml.optional("maxPrice", spot.max_price.as_ref());
                xml.text(
                    "spotInstanceType",
                    if spot.persistent {
                        "persistent"
                    } else {
                        "one-time"
                    },
                );
                xml.optional("instanceInterruptionBehavior", spot.interruption.as_ref());
            });
        });
    }
    if data.metadata != MetadataOptions::default() {
        xml.element("metadataOptions", |xml| {
            xml.optional("httpTokens", data.metadata.http_tokens.as_ref());
            xml.optional("httpPutResponseHopLimit", data.metadata.hop_limit);
            xml.optional("httpEndpoint", data.metadata.http_endpoint.as_ref());
            xml.optional("instanceMetadataTags", data.metadata.instance_tags.as_ref());
        });
    }
}

fn write_device(xml: &mut Xml, device: &LaunchDevice) {
    xml.text("deviceName", &device.name);
    xml.optional("virtualName", device.virtual_name.as_ref());
    if device.no_device {
        xml.text("noDevice", "");
    } else if device.virtual_name.is_none() {
        xml.element("ebs", |xml| {
            xml.optional("encrypted", device.encrypted);
            xml.optional("deleteOnTermination", device.delete_on_termination);
            xml.optional("iops", device.iops);
            xml.optional("kmsKeyId", device.kms_key.as_ref());
            xml.optional("snapshotId", device.snapshot.as_ref());
            xml.optional("volumeSize", device.size_gib);
            xml.optional("volumeType", device.volume_type.as_ref());
            xml.optional("throughput", device.throughput);
        });
    }
}

fn write_interface(xml: &mut Xml, interface: &Interface) {
    xml.optional("associatePublicIpAddress", interface.public_ip);
    xml.optional("deleteOnTermination", interface.delete_on_termination);
    xml.optional("description", interface.description.as_ref());
    xml.text("deviceIndex", interface.index);
    if !interface.groups.is_empty() {
        xml.element("groupSet", |xml| {
            interface
                .groups
                .iter()
                .for_each(|id| xml.text("groupId", id));
        });
    }
    xml.optional("subnetId", interface.subnet.as_ref());
}
