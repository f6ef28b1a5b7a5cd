//! `DescribeInstances`: each instance is a reservation of its own (model).

use crate::chance::digest;
use crate::error::{ApiError, check_id};
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
        "hypervisor",
        "image-id",
        "instance-id",
        "instance-state-code",
        "instance-state-name",
        "instance-type",
        "launch-time",
        "owner-id",
        "platform",
        "platform-details",
        "reservation-id",
        "root-device-name",
        "root-device-type",
        "tag-key",
        "virtualization-type",
    ],
    not_modelled: &[
        "affinity",
        "availability-zone-id",
        "boot-mode",
        "capacity-reservation-id",
        "capacity-reservation-specification",
        "client-token",
        "current-instance-boot-mode",
        "dns-name",
        "ebs-optimized",
        "ena-support",
        "enclave-options",
        "hibernation-options",
        "host-id",
        "iam-instance-profile",
        "instance-lifecycle",
        "instance",
        "ip-address",
        "ipv6-address",
        "kernel-id",
        "key-name",
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
        "reason",
        "requester-id",
        "source-dest-check",
        "spot-instance-request-id",
        "state-reason-code",
        "state-reason-message",
        "subnet-id",
        "tenancy",
        "tpm-support",
        "usage-operation",
        "usage-operation-update-time",
        "vpc-id",
    ],
    tags: true,
};

const BOUNDS: Bounds = Bounds { low: 5, high: 1000 };

/// An instance as answers show it.
pub(crate) struct Listed<'a> {
    pub instance: &'a Instance,
    pub region: &'a str,
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
        ids.iter().try_for_each(|id| check_id("i", id))?;
        parameters.finish_action()?;

        let region = self
            .regions
            .get(&call.region)
            .ok_or_else(ApiError::bad_credentials)?;
        let own = |id: &String| {
            region
                .instances
                .get(id)
                .is_some_and(|instance| instance.owner == call.account)
        };
        let missing: Vec<String> = ids.iter().filter(|id| !own(id)).cloned().collect();
        if !missing.is_empty() {
            return Err(ApiError::instances_not_found(&missing));
        }
        let mut listed = Vec::new();
        for instance in region.instances.values() {
            if instance.owner != call.account || !(ids.is_empty() || ids.contains(&instance.id)) {
                continue;
            }
            let tags = region.tags_seen(&instance.id, &call.account, call.view);
            let item = Listed {
                instance,
                region: &call.region,
                tags,
            };
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

    fn zone(&self) -> String {
        format!("{}a", self.region)
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
        let value = match name {
            "architecture" => Some(instance.machine.architecture.clone()),
            "availability-zone" => Some(self.zone()),
            "hypervisor" => Some("xen".to_owned()),
            "image-id" => Some(instance.image.clone()),
            "instance-id" => Some(instance.id.clone()),
            "instance-state-code" => Some(instance.state.code().to_string()),
            "instance-state-name" => Some(instance.state.to_string()),
            "instance-type" => Some(instance.instance_type.clone()),
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
        xml.text("amiLaunchIndex", 0);
        xml.text("instanceType", &instance.instance_type);
        xml.time("launchTime", instance.launched);
        xml.element("placement", |xml| {
            xml.text("availabilityZone", self.zone());
            xml.text("tenancy", "default");
        });
        xml.element("monitoring", |xml| xml.text("state", "disabled"));
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
