//! `DescribeInstances`: each instance is a reservation of its own (model). A new one is seen late (docs: EC2
//! eventual-consistency); what it came to is seen at once.

use crate::chance::digest;
use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::paging::{Bounds, Paging};
use crate::state::{Instance, Tags, Volume};
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml, iso};
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "architecture",
        "availability-zone",
        "block-device-mapping.attach-time",
        "block-device-mapping.delete-on-termination",
        "block-device-mapping.device-name",
        "block-device-mapping.status",
        "block-device-mapping.volume-id",
        "client-token",
        "hypervisor",
        "iam-instance-profile.arn",
        "iam-instance-profile.id",
        "image-id",
        "instance-id",
        "instance-lifecycle",
        "instance-state-code",
        "instance-state-name",
        "instance-type",
        "instance.group-id",
        "instance.group-name",
        "key-name",
        "launch-time",
        "metadata-options.http-tokens",
        "owner-id",
        "platform",
        "platform-details",
        "reservation-id",
        "root-device-name",
        "root-device-type",
        "state-reason-code",
        "state-reason-message",
        "subnet-id",
        "tag-key",
        "virtualization-type",
        "vpc-id",
    ],
    not_modelled: &[
        "affinity",
        "availability-zone-id",
        "boot-mode",
        "capacity-reservation-id",
        "capacity-reservation-specification",
        "current-instance-boot-mode",
        "dns-name",
        "ebs-optimized",
        "ena-support",
        "enclave-options",
        "hibernation-options",
        "host-id",
        "instance",
        "ip-address",
        "ipv6-address",
        "kernel-id",
        "launch-index",
        "maintenance-options",
        "metadata-options",
        "monitoring-state",
        "network-interface",
        "network-performance-options",
        "operator",
        "outpost-arn",
        "placement-group-name",
        "placement-partition-number",
        "private-dns-name",
        "private-dns-name-options",
        "private-ip-address",
        "product-code",
        "ramdisk-id",
        "requester-id",
        "source-dest-check",
        "spot-instance-request-id",
        "tenancy",
        "tpm-support",
        "usage-operation",
        "usage-operation-update-time",
    ],
    tags: true,
};

const BOUNDS: Bounds = Bounds { low: 5, high: 1000 };

/// An instance as answers show it.
pub(crate) struct Listed<'a> {
    pub instance: &'a Instance,
    pub tags: Tags,
}

impl World {
    pub(crate) fn describe_instances(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("InstanceId");
        parameters.boolean("IncludeManagedResources")?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !ids.is_empty())?;
        parameters.finish_action()?;

        self.check_instances(call, &ids, true)?;
        let region = self
            .regions
            .get(&call.region)
            .ok_or_else(ApiError::bad_credentials)?;
        let mut listed = Vec::new();
        for instance in region.instances.values() {
            let wanted = ids.is_empty() || ids.contains(&instance.id);
            if !wanted || region.instance_seen(call, &instance.id).is_none() {
                continue;
            }
            let tags = region.tags_seen(&instance.id, &call.account, call.view);
            let item = Listed { instance, tags };
            if filters.pass(&item.tags, |name| item.field(name)) {
                listed.push(item);
            }
        }
        let (page, next) = paging.page(
            listed,
            |item| &item.instance.id,
            &mut self.chance,
            &self.knobs,
        );
        Ok(Reply::of(|xml| {
            xml.items("reservationSet", page, |xml, item| {
                xml.text("reservationId", item.reservation());
                xml.text("ownerId", &item.instance.owner);
                xml.element("groupSet", |_| {});
                xml.items("instancesSet", [item], |xml, item| item.write(xml));
            });
            xml.optional("nextToken", next);
        }))
    }
}

impl Listed<'_> {
    fn reservation(&self) -> String {
        reservation_of(&self.instance.id)
    }

    fn field(&self, name: &str) -> Vec<String> {
        let instance = self.instance;
        if let Some(name) = name.strip_prefix("block-device-mapping.") {
            return instance
                .volumes
                .iter()
                .filter_map(|volume| volume_field(instance, volume, name))
                .collect();
        }
        if let Some(name) = name.strip_prefix("instance.group-") {
            let groups = instance.network.iter().flat_map(|it| &it.groups);
            return groups
                .map(|(id, of)| if name == "id" { id.clone() } else { of.clone() })
                .collect();
        }
        let value = match name {
            "architecture" => Some(instance.machine.architecture.clone()),
            "availability-zone" => Some(instance.zone.clone()),
            "client-token" => instance.client_token.clone(),
            "hypervisor" => Some("xen".to_owned()),
            "iam-instance-profile.arn" => instance.profile.as_ref().map(|it| it.arn.clone()),
            "iam-instance-profile.id" => instance.profile.as_ref().map(|it| it.id.clone()),
            "image-id" => Some(instance.image.clone()),
            "instance-id" => Some(instance.id.clone()),
            "instance-lifecycle" => instance.asked.spot.as_ref().map(|_| "spot".to_owned()),
            "instance-state-code" => Some(instance.state.code().to_string()),
            "instance-state-name" => Some(instance.state.to_string()),
            "instance-type" => Some(instance.instance_type.clone()),
            "key-name" => instance.asked.key_name.clone(),
            "metadata-options.http-tokens" => Some(self.http_tokens().to_owned()),
            "state-reason-code" => instance.reason.as_ref().map(|it| it.code.clone()),
            "state-reason-message" => instance.reason.as_ref().map(|it| it.message.clone()),
            "subnet-id" => instance.network.as_ref().map(|it| it.subnet.clone()),
            "vpc-id" => instance.network.as_ref().map(|it| it.vpc.clone()),
            "launch-time" => Some(iso(instance.launched)),
            "owner-id" => Some(instance.owner.clone()),
            "platform" => instance.machine.windows().map(str::to_owned),
            "platform-details" => instance.machine.platform_details(),
            "reservation-id" => Some(self.reservation()),
            "root-device-name" => Some(instance.machine.root_device.clone()),
            "root-device-type" => Some("ebs".to_owned()),
            "virtualization-type" => Some(instance.machine.virtualization.clone()),
            _ => None,
        };
        value.into_iter().collect()
    }

    pub(crate) fn write(&self, xml: &mut Xml) {
        let instance = self.instance;
        xml.text("instanceId", &instance.id);
        xml.text("imageId", &instance.image);
        xml.element("instanceState", |xml| {
            xml.text("code", instance.state.code());
            xml.text("name", instance.state);
        });
        xml.text("privateDnsName", "");
        xml.text("dnsName", "");
        xml.text("reason", &instance.transition);
        xml.optional("keyName", instance.asked.key_name.as_ref());
        xml.text("amiLaunchIndex", 0);
        xml.text("instanceType", &instance.instance_type);
        xml.time("launchTime", instance.launched);
        xml.element("placement", |xml| {
            xml.text("availabilityZone", &instance.zone);
            xml.text("tenancy", "default");
        });
        let monitoring = instance.asked.monitoring == Some(true);
        xml.element("monitoring", |xml| {
            xml.text("state", if monitoring { "enabled" } else { "disabled" });
        });
        if let Some(network) = &instance.network {
            xml.text("subnetId", &network.subnet);
            xml.text("vpcId", &network.vpc);
            xml.items("groupSet", &network.groups, |xml, (id, name)| {
                xml.text("groupId", id);
                xml.text("groupName", name);
            });
        }
        if let Some(reason) = &instance.reason {
            xml.element("stateReason", |xml| {
                xml.text("code", &reason.code);
                xml.text("message", &reason.message);
            });
        }
        xml.optional("clientToken", instance.client_token.as_ref());
        if let Some(profile) = &instance.profile {
            xml.element("iamInstanceProfile", |xml| {
                xml.text("arn", &profile.arn);
                xml.text("id", &profile.id);
            });
        }
        xml.optional(
            "instanceLifecycle",
            instance.asked.spot.as_ref().map(|_| "spot"),
        );
        if instance.asked.spot.is_some() {
            xml.text("spotInstanceRequestId", request_of(&instance.id));
        }
        xml.text("ebsOptimized", instance.asked.ebs_optimized == Some(true));
        self.write_metadata_options(xml);
        xml.text("architecture", &instance.machine.architecture);
        xml.optional("platform", instance.machine.windows());
        xml.optional("platformDetails", instance.machine.platform_details());
        xml.optional("usageOperation", instance.machine.usage_operation());
        xml.text("rootDeviceType", "ebs");
        xml.text("rootDeviceName", &instance.machine.root_device);
        xml.items("blockDeviceMapping", &instance.volumes, |xml, volume| {
            xml.text("deviceName", &volume.device);
            xml.element("ebs", |xml| {
                xml.text("volumeId", &volume.id);
                xml.text("status", "attached");
                xml.time("attachTime", instance.launched);
                xml.text("deleteOnTermination", volume.delete_on_termination);
            });
        });
        xml.text("virtualizationType", &instance.machine.virtualization);
        tags::write(xml, &self.tags);
        xml.text("hypervisor", "xen");
        xml.optional("enaSupport", instance.machine.ena.then_some(true));
        xml.optional("bootMode", instance.machine.boot_mode.as_ref());
    }
}

impl Listed<'_> {
    /// Version 2 is asked for where the launch or the image says so.
    fn http_tokens(&self) -> &str {
        let asked = self.instance.asked.metadata.http_tokens.as_deref();
        let of_image = if self.instance.machine.imds_v2 {
            "required"
        } else {
            "optional"
        };
        asked.unwrap_or(of_image)
    }

    fn write_metadata_options(&self, xml: &mut Xml) {
        let options = &self.instance.asked.metadata;
        let usual_hops = if self.instance.machine.imds_v2 { 2 } else { 1 };
        let usually =
            |value: &Option<String>, usual: &str| value.clone().unwrap_or_else(|| usual.to_owned());
        xml.element("metadataOptions", |xml| {
            xml.text("state", "applied");
            xml.text("httpTokens", self.http_tokens());
            xml.text(
                "httpPutResponseHopLimit",
                options.hop_limit.unwrap_or(usual_hops),
            );
            xml.text("httpEndpoint", usually(&options.http_endpoint, "enabled"));
            xml.text(
                "instanceMetadataTags",
                usually(&options.instance_tags, "disabled"),
            );
        });
    }
}

/// The request of a spot instance.
fn request_of(instance: &str) -> String {
    let number = digest(&format!("spot {instance}"));
    format!("sir-{:08x}", number >> 32)
}

/// The reservation of an instance.
pub(crate) fn reservation_of(instance: &str) -> String {
    format!("r-0{:016x}", digest(instance))
}

fn volume_field(instance: &Instance, volume: &Volume, name: &str) -> Option<String> {
    match name {
        "attach-time" => Some(iso(instance.launched)),
        "delete-on-termination" => Some(volume.delete_on_termination.to_string()),
        "device-name" => Some(volume.device.clone()),
        "status" => Some("attached".to_owned()),
        "volume-id" => Some(volume.id.clone()),
        _ => None,
    }
}
