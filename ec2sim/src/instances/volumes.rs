//! `DescribeVolumes`: those of instances, and those that outlived theirs (model).

use jiff::Timestamp;

use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::paging::{Bounds, Paging};
use crate::state::{Instance, Tags, Volume};
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "attachment.delete-on-termination",
        "attachment.device",
        "attachment.instance-id",
        "attachment.status",
        "availability-zone",
        "encrypted",
        "size",
        "snapshot-id",
        "status",
        "tag-key",
        "volume-id",
        "volume-type",
    ],
    not_modelled: &[
        "attachment.attach-time",
        "availability-zone-id",
        "create-time",
        "fast-restored",
        "multi-attach-enabled",
        "operator",
    ],
    tags: true,
};

const BOUNDS: Bounds = Bounds { low: 5, high: 500 };

struct Listed {
    volume: Volume,
    zone: String,
    created: Timestamp,
    instance: Option<String>,
    tags: Tags,
}

impl World {
    pub(crate) fn describe_volumes(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("VolumeId");
        parameters.boolean("IncludeManagedResources")?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !ids.is_empty())?;
        ids.iter().try_for_each(|id| check_id("vol", id))?;
        parameters.finish_action()?;

        let region = self.region(&call.region)?;
        let mut listed = Vec::new();
        let seen = |one: &&Instance| region.instance_seen(call, &one.id).is_some();
        for instance in region.instances.values().filter(seen) {
            for volume in &instance.volumes {
                listed.push(Listed {
                    volume: volume.clone(),
                    zone: instance.zone.clone(),
                    created: instance.launched,
                    instance: Some(instance.id.clone()),
                    tags: region.tags_seen(&volume.id, &call.account, call.view),
                });
            }
        }
        for left in region
            .detached_volumes
            .values()
            .filter(|one| one.owner == call.account)
        {
            listed.push(Listed {
                volume: left.volume.clone(),
                zone: left.zone.clone(),
                created: left.created,
                instance: None,
                tags: region.tags_seen(&left.volume.id, &call.account, call.view),
            });
        }
        if let Some(id) = ids
            .iter()
            .find(|id| !listed.iter().any(|one| one.volume.id == **id))
        {
            let message = format!("The volume '{id}' does not exist.");
            return Err(ApiError::new("InvalidVolume.NotFound", message));
        }
        listed.retain(|one| ids.is_empty() || ids.contains(&one.volume.id));
        listed.retain(|one| filters.pass(&one.tags, |name| one.field(name)));
        let (page, next) = paging.page(
            listed,
            |item| &item.volume.id,
            &mut self.chance,
            &self.knobs,
        );
        Ok(Reply::of(|xml| {
            xml.items("volumeSet", page, |xml, item| item.write(xml));
            xml.optional("nextToken", next);
        }))
    }
}

impl Listed {
    fn status(&self) -> &'static str {
        if self.instance.is_some() {
            "in-use"
        } else {
            "available"
        }
    }

    fn field(&self, name: &str) -> Vec<String> {
        let volume = &self.volume;
        let attached = |value: String| self.instance.is_some().then_some(value);
        let value = match name {
            "attachment.delete-on-termination" => {
                attached(volume.delete_on_termination.to_string())
            }
            "attachment.device" => attached(volume.device.clone()),
            "attachment.instance-id" => self.instance.clone(),
            "attachment.status" => attached("attached".to_owned()),
            "availability-zone" => Some(self.zone.clone()),
            "encrypted" => Some(volume.key.is_some().to_string()),
            "size" => Some(volume.size_gib.to_string()),
            "snapshot-id" => volume.snapshot.clone(),
            "status" => Some(self.status().to_owned()),
            "volume-id" => Some(volume.id.clone()),
            _ => Some(volume.volume_type.clone()),
        };
        value.into_iter().collect()
    }

    fn write(&self, xml: &mut Xml) {
        let volume = &self.volume;
        xml.text("volumeId", &volume.id);
        xml.text("size", volume.size_gib);
        xml.text("snapshotId", volume.snapshot.as_deref().unwrap_or_default());
        xml.text("availabilityZone", &self.zone);
        xml.text("status", self.status());
        xml.time("createTime", self.created);
        xml.items("attachmentSet", &self.instance, |xml, instance| {
            xml.text("volumeId", &volume.id);
            xml.text("instanceId", instance);
            xml.text("device", &volume.device);
            xml.text("status", "attached");
            xml.time("attachTime", self.created);
            xml.text("deleteOnTermination", volume.delete_on_termination);
        });
        tags::write(xml, &self.tags);
        xml.text("volumeType", &volume.volume_type);
        xml.text("encrypted", volume.key.is_some());
        xml.optional("kmsKeyId", volume.key.as_ref());
        xml.text("multiAttachEnabled", false);
    }
}
