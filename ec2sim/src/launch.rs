//! `RunInstances` and `TerminateInstances`: who uses an image, and who no longer does (model).
//!
//! The image is named by its id, by a parameter or by a launch template ([`crate::templates`]). An instance runs at once, and is terminated at once; it stays listed for ever. It has what its image says,
//! and neither network nor software.

use crate::error::{ApiError, check_id};
use crate::instances::{Listed, reservation_of};
use crate::state::{Ebs, Image, ImageState, Instance, InstanceState, Volume};
use crate::tags::TagsAtBirth;
use crate::templates::Named;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

/// How many instances one call may start here.
const MOST: u32 = 100;

impl World {
    pub(crate) fn run_instances(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let named = Named::take(&mut parameters)?;
        let token = parameters.text("ClientToken");
        let least = parameters.number("MinCount")?;
        let least = least.ok_or_else(|| ApiError::missing("MinCount"))?;
        let most = parameters.number("MaxCount")?;
        let most = most.ok_or_else(|| ApiError::missing("MaxCount"))?;
        let instance_type = parameters.text("InstanceType");
        let tags = TagsAtBirth::take(&mut parameters, &["instance", "volume"])?;
        if least == 0 || most < least || most > MOST {
            return Err(ApiError::invalid_value(format!(
                "MinCount {least} and MaxCount {most} are not valid"
            )));
        }
        parameters.finish_action()?;

        let image = self.image_to_launch(call, &named)?;
        let image = self.image_for(call, &image)?.clone();
        if image.state != ImageState::Available {
            return Err(ApiError::new(
                "InvalidAMIID.Unavailable",
                format!(
                    "The AMI ID '{}' is currently {} and may not be used for this operation",
                    image.id, image.state
                ),
            ));
        }
        let key = token.map(|token| (call.account.clone(), token));
        let before = key.as_ref().and_then(|key| {
            let region = self.regions.get(&call.region)?;
            Some(region.launches.get(key)?.clone())
        });
        let started = match before {
            Some(ids) => self.launched_before(call, &image, most, &ids)?,
            None => self.launch(call, &image, most, instance_type.as_deref(), &tags)?,
        };
        if let Some(key) = key {
            let ids = started.iter().map(|instance| instance.id.clone()).collect();
            let region = self.region_mut(&call.region)?;
            region.launches.insert(key, ids);
        }
        let reply = Reply::of(|xml| {
            let first = started.first().map(|instance| reservation_of(&instance.id));
            xml.optional("reservationId", first);
            xml.text("ownerId", &call.account);
            xml.element("groupSet", |_| {});
            xml.items("instancesSet", &started, |xml, instance| {
                let item = Listed {
                    instance,
                    region: &call.region,
                    tags: tags.of("instance"),
                };
                item.write(xml);
            });
        });
        Ok(started
            .iter()
            .fold(reply, |reply, instance| reply.made(&instance.id)))
    }

    fn launch(
        &mut self,
        call: &Call,
        image: &Image,
        count: u32,
        instance_type: Option<&str>,
        tags: &TagsAtBirth,
    ) -> Result<Vec<Instance>, ApiError> {
        let mut started = Vec::new();
        for _ in 0..count {
            let instance = self.instance_of(call, image, instance_type);
            let region = self.region_mut(&call.region)?;
            region.born_with_tags(&instance.id, &call.account, tags.of("instance"));
            region
                .instances
                .insert(instance.id.clone(), instance.clone());
            started.push(instance);
        }
        Ok(started)
    }

    /// What the first call with the same token started, if it was the same call (docs: EC2 ec2-api-idempotency).
    fn launched_before(
        &self,
        call: &Call,
        image: &Image,
        count: u32,
        ids: &[String],
    ) -> Result<Vec<Instance>, ApiError> {
        let region = self.region(&call.region)?;
        let known = ids.iter().filter_map(|id| region.instances.get(id));
        let started: Vec<_> = known.cloned().collect();
        let is_same = started.iter().all(|instance| instance.image == image.id);
        if !is_same || u32::try_from(started.len()) != Ok(count) {
            return Err(ApiError::new(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            ));
        }
        Ok(started)
    }

    fn instance_of(&mut self, call: &Call, image: &Image, instance_type: Option<&str>) -> Instance {
        let disks = image.devices.iter().filter_map(|device| {
            let ebs = device.ebs.as_ref()?;
            Some((device.name.clone(), ebs.clone(), self.volume_key(call, ebs)))
        });
        let disks: Vec<_> = disks.collect();
        Instance {
            id: self.new_id("i", &call.region),
            owner: call.account.clone(),
            state: InstanceState::Running,
            image: image.id.clone(),
            instance_type: instance_type.unwrap_or("m1.small").to_owned(),
            machine: image.machine.clone(),
            launched: self.now,
            volumes: disks
                .into_iter()
                .map(|(device, ebs, key)| Volume {
                    id: self.new_id("vol", &call.region),
                    device,
                    size_gib: ebs.size_gib,
                    volume_type: ebs.volume_type,
                    delete_on_termination: ebs.delete_on_termination,
                    key,
                })
                .collect(),
            reboots: Vec::new(),
        }
    }

    /// The key of a new volume: that of its snapshot if both are the caller's; the default key
    /// if the snapshot is another's, or if encryption is the default (docs: `AMIEncryption`).
    fn volume_key(&self, call: &Call, ebs: &Ebs) -> Option<String> {
        let region = self.regions.get(&call.region)?;
        let snapshot = ebs.snapshot.as_ref();
        let snapshot = snapshot.and_then(|id| region.snapshots.get(id));
        let by_default = self
            .place(&call.account, &call.region)
            .encryption_by_default;
        match snapshot.and_then(|snapshot| Some((snapshot, snapshot.key.as_ref()?))) {
            Some((snapshot, key)) if snapshot.owner == call.account => Some(key.clone()),
            None if !ebs.encrypted && !by_default => None,
            _ => Some(self.default_key(&call.account, &call.region)),
        }
    }

    pub(crate) fn terminate_instances(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("InstanceId");
        if ids.is_empty() {
            return Err(ApiError::missing("InstanceId"));
        }
        ids.iter().try_for_each(|id| check_id("i", id))?;
        parameters.finish_action()?;

        let region = self.region_mut(&call.region)?;
        let own = |id: &String| {
            let instance = region.instances.get(id);
            instance.is_some_and(|instance| instance.owner == call.account)
        };
        let missing: Vec<String> = ids.iter().filter(|id| !own(id)).cloned().collect();
        if !missing.is_empty() {
            return Err(ApiError::instances_not_found(&missing));
        }
        let mut ended = Vec::new();
        for id in ids {
            if let Some(instance) = region.instances.get_mut(&id) {
                let before = std::mem::replace(&mut instance.state, InstanceState::Terminated);
                ended.push((id, before));
            }
        }
        Ok(Reply::of(|xml| {
            xml.items("instancesSet", ended, |xml, (id, before)| {
                xml.text("instanceId", id);
                for (name, state) in [
                    ("currentState", InstanceState::Terminated),
                    ("previousState", before),
                ] {
                    xml.element(name, |xml| {
                        xml.text("code", state.code());
                        xml.text("name", state);
                    });
                }
            });
        }))
    }
}
