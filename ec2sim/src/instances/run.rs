//! `RunInstances` (model; docs: EC2 ec2-api-idempotency, DG errors-overview).
//!
//! The image is named by its id, by a parameter or by a launch template ([`crate::templates`]). An instance is pending
//! for a while; what becomes of it then is [`super::life`]'s. A dry run looks up everything that the launch names, but
//! has no part in chance: it does not say whether there is capacity.

use std::collections::BTreeMap;

use crate::chance::Stream;
use crate::error::ApiError;
use crate::instances::data::{check_user_data, take_data};
use crate::instances::describe::{Listed, reservation_of};
use crate::instances::types;
use crate::instances::wanted::{Wanted, no_capacity};
use crate::state::{
    Device, GuestFault, Image, ImageState, Instance, InstanceState, LaunchData, Launched, Volume,
};
use crate::templates::Template;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, World};

/// How many instances one call may start here.
const MOST: u32 = 100;
/// How long a token may be.
const LONGEST_TOKEN: usize = 64;

impl World {
    pub(crate) fn run_instances(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let template = Template::take(&mut parameters, "LaunchTemplate.")?;
        let token = parameters
            .text("ClientToken")
            .filter(|token| !token.is_empty());
        let least = parameters.number("MinCount")?;
        let least = least.ok_or_else(|| ApiError::missing("MinCount"))?;
        let most = parameters.number("MaxCount")?;
        let most = most.ok_or_else(|| ApiError::missing("MaxCount"))?;
        let asked = take_data(&mut parameters)?;
        if asked.image.is_none() && template.is_none() {
            return Err(ApiError::missing("ImageId"));
        }
        if least == 0 || most < least || most > MOST {
            return Err(ApiError::invalid_value(format!(
                "MinCount {least} and MaxCount {most} are not valid"
            )));
        }
        if token
            .as_ref()
            .is_some_and(|token| token.len() > LONGEST_TOKEN || !token.is_ascii())
        {
            return Err(ApiError::new(
                "InvalidClientToken",
                "The specified client token is not valid.",
            ));
        }
        let dry_run = parameters.flag("DryRun")?;
        parameters.finish()?;

        let data = self.with_template(call, asked, template.as_ref())?;
        let image = data
            .image
            .clone()
            .ok_or_else(|| ApiError::missing("ImageId"))?;
        let image = self.resolved_image(call, &image)?;
        if let Some(token) = token.as_ref().filter(|_| !dry_run)
            && let Some(started) = self.launched_before(call, request, token, &data)?
        {
            return Ok(answer(call, &started, &data));
        }
        let image = self.image_for(call, &image)?.clone();
        if image.state != ImageState::Available {
            return Err(ApiError::image_in_state(&image.id, image.state));
        }
        check_user_data(&data)?;
        check_metadata_tags(&data)?;
        let wanted = self.wanted(call, &data, &image)?;
        let disks = self.disks(call, &image, &data)?;
        if dry_run {
            return Err(ApiError::dry_run());
        }
        self.check_capacity(call, &wanted, &data, most)?;
        let started: Vec<_> = (0..most)
            .map(|_| self.launch(call, &image, &data, &wanted, &disks, token.as_ref()))
            .collect();
        if let Some(token) = token {
            let launched = Launched {
                parameters: parameters_of(request),
                instances: started.iter().map(|instance| instance.id.clone()).collect(),
            };
            let key = self.token_key(call, token, &data);
            self.region_mut(&call.region)?
                .launches
                .insert(key, launched);
        }
        Ok(answer(call, &started, &data))
    }

    /// What the first call with the same token started, if it was the same call; not where one of them is gone
    /// (boto/boto3#4406).
    fn launched_before(
        &self,
        call: &Call,
        request: &Request,
        token: &str,
        data: &LaunchData,
    ) -> Result<Option<Vec<Instance>>, ApiError> {
        let region = self.region(&call.region)?;
        let key = self.token_key(call, token.to_owned(), data);
        let Some(before) = region.launches.get(&key) else {
            return Ok(None);
        };
        if before.parameters != parameters_of(request) {
            return Err(ApiError::new(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            ));
        }
        let found = before.instances.iter().map(|id| region.instances.get(id));
        let is_gone = |one: &Instance| {
            matches!(
                one.state,
                InstanceState::ShuttingDown | InstanceState::Terminated
            )
        };
        let found: Option<Vec<_>> = found
            .map(|one| one.filter(|one| !is_gone(one)).cloned())
            .collect();
        found.map(Some).ok_or_else(|| {
            ApiError::new(
                "IdempotentInstanceTerminated",
                "The client token you have provided is associated with a terminated instance. Please use a different \
                 client token.",
            )
        })
    }

    /// A token counts in the zone that a launch names, by a subnet or itself, or in the region (docs: EC2
    /// ec2-api-idempotency).
    fn token_key(&self, call: &Call, token: String, data: &LaunchData) -> (String, String, String) {
        let network = self.network(&call.account, &call.region);
        let mut subnets = data.interfaces.iter().filter_map(|one| one.subnet.as_ref());
        let subnet = data.subnet.as_ref().or_else(|| subnets.next());
        let of_subnet = subnet.and_then(|id| Some(network.subnets.get(id)?.zone.clone()));
        let zone = data.zone.clone().or(of_subnet).unwrap_or_default();
        (call.account.clone(), token, zone)
    }

    /// The processors that the account may still have, and what chance says.
    fn check_capacity(
        &mut self,
        call: &Call,
        wanted: &Wanted,
        data: &LaunchData,
        count: u32,
    ) -> Result<(), ApiError> {
        let instance_type = &wanted.instance_type;
        if let Some(limit) = self.knobs.vcpu_limit {
            let is_up = |one: &&Instance| {
                matches!(one.state, InstanceState::Pending | InstanceState::Running)
            };
            let spot = data.spot.is_some();
            let all = self.region(&call.region)?.instances.values();
            let own =
                all.filter(|one| one.owner == call.account && one.asked.spot.is_some() == spot);
            let before: u32 = own
                .filter(is_up)
                .map(|one| types::vcpus(&one.instance_type))
                .sum();
            let more = types::vcpus(instance_type).saturating_mul(count);
            if before.saturating_add(more) > limit {
                // Each bucket has a limit of its own at AWS; here they have the same.
                return Err(if spot {
                    ApiError::new(
                        "MaxSpotInstanceCountExceeded",
                        "Max spot instance count exceeded",
                    )
                } else {
                    ApiError::new(
                        "VcpuLimitExceeded",
                        format!(
                            "You have requested more vCPU capacity than your current vCPU limit of {limit} allows for \
                             the instance bucket that the specified instance type belongs to. Please visit \
                             http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
                        ),
                    )
                });
            }
        }
        let per_mille = self.knobs.insufficient_capacity_per_mille;
        if self.chance.happens(Stream::Guest, per_mille) {
            if data.spot.is_some() {
                return Err(ApiError::with_its_status(
                    "InsufficientInstanceCapacity",
                    "There is no Spot capacity available that matches your request.",
                ));
            }
            return Err(no_capacity(
                instance_type,
                &wanted.network.zone,
                "another one",
            ));
        }
        Ok(())
    }

    fn launch(
        &mut self,
        call: &Call,
        image: &Image,
        data: &LaunchData,
        wanted: &Wanted,
        disks: &[(Device, Option<String>)],
        token: Option<&String>,
    ) -> Instance {
        let id = self.new_id("i", &call.region);
        let volumes = disks.iter().filter_map(|(device, key)| {
            let ebs = device.ebs.as_ref()?;
            Some((device.name.clone(), ebs.clone(), key.clone()))
        });
        let volumes: Vec<_> = volumes
            .map(|(device, ebs, key)| Volume {
                id: self.new_id("vol", &call.region),
                device,
                size_gib: ebs.size_gib,
                volume_type: ebs.volume_type,
                delete_on_termination: ebs.delete_on_termination,
                key,
                snapshot: ebs.snapshot,
            })
            .collect();
        let mut guest = image.guest.clone();
        if guest.fault.is_none() {
            guest.fault = self.chance_of_a_fault(image);
        }
        let instance = Instance {
            id: id.clone(),
            owner: call.account.clone(),
            state: InstanceState::Pending,
            image: image.id.clone(),
            instance_type: wanted.instance_type.clone(),
            machine: image.machine.clone(),
            launched: self.now,
            volumes,
            zone: wanted.network.zone.clone(),
            network: Some(wanted.network.attached.clone()),
            asked: data.clone(),
            client_token: token.cloned(),
            profile: wanted.profile.clone(),
            guest,
            ..Instance::new()
        };
        let born = self.lag();
        if let Ok(region) = self.region_mut(&call.region) {
            region.born_with_tags(&id, &call.account, data.tags_of("instance"));
            for volume in &instance.volumes {
                region.born_with_tags(&volume.id, &call.account, data.tags_of("volume"));
            }
            region.seen_from.insert(id.clone(), born);
            region.instances.insert(id.clone(), instance.clone());
        }
        self.starts(&call.region, &id);
        instance
    }

    fn chance_of_a_fault(&mut self, image: &Image) -> Option<GuestFault> {
        let per_mille = self.knobs.faulty_guests_per_mille;
        if !self.chance.happens(Stream::Guest, per_mille) {
            return None;
        }
        let mut faults = vec![
            GuestFault::Hangs,
            GuestFault::TerminatesItself,
            GuestFault::Impaired,
            GuestFault::NeverStops,
        ];
        if image.machine.platform.is_windows() {
            faults.push(GuestFault::CorruptProfile);
        }
        let most = u64::try_from(faults.len()).unwrap_or(1) - 1;
        let drawn = self.chance.between(Stream::Guest, 0, most);
        faults
            .get(usize::try_from(drawn).unwrap_or_default())
            .copied()
    }
}

/// Keys of tags that are shown in the instance's metadata may not have everything in them (docs: `Using_Tags`); which
/// text refuses them nobody pasted.
fn check_metadata_tags(data: &LaunchData) -> Result<(), ApiError> {
    if data.metadata.instance_tags.as_deref() != Some("enabled") {
        return Ok(());
    }
    let wrong =
        |key: &&String| key.contains(['/', ' ']) || [".", "..", "_index"].contains(&key.as_str());
    match data.tags_of("instance").keys().find(wrong) {
        None => Ok(()),
        Some(key) => Err(ApiError::invalid_value(format!(
            "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not \
             be a reserved name ('.', '..', '_index')"
        ))),
    }
}

fn parameters_of(request: &Request) -> BTreeMap<String, String> {
    let mut parameters = request.parameters.clone();
    parameters.remove("DryRun");
    parameters
}

fn answer(call: &Call, started: &[Instance], data: &LaunchData) -> Reply {
    let reply = Reply::of(|xml| {
        let first = started.first().map(|instance| reservation_of(&instance.id));
        xml.optional("reservationId", first);
        xml.text("ownerId", &call.account);
        xml.element("groupSet", |_| {});
        xml.items("instancesSet", started, |xml, instance| {
            let item = Listed {
                instance,
                tags: data.tags_of("instance"),
            };
            item.write(xml);
        });
    });
    started
        .iter()
        .fold(reply, |reply, instance| reply.made(&instance.id))
}
