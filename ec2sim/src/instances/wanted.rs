//! What a launch means at its place: which network, which groups, which key pair and profile, and whether the zone has
//! the type (docs: DG errors-overview for the codes; texts as users pasted them in public issues).

use crate::error::{ApiError, check_id};
use crate::instances::types;
use crate::state::{Attached, Image, LaunchData, Network, Subnet, UsedProfile};
use crate::world::{Call, World};

/// Where a launch goes.
pub(crate) struct LaunchNetwork {
    pub zone: String,
    pub attached: Attached,
}

/// Everything that a launch named and that is there.
pub(super) struct Wanted {
    pub network: LaunchNetwork,
    pub profile: Option<UsedProfile>,
    pub instance_type: String,
}

impl World {
    /// The networks and key pairs of an account in a region.
    pub(crate) fn network(&self, account: &str, region: &str) -> Network {
        if let Some(own) = self.place(account, region).network {
            return own;
        }
        let zones = self.regions.get(region).map(|region| region.zones.clone());
        Network::of_new_account(account, region, &zones.unwrap_or_default())
    }

    /// Looks up all that a launch names, or says what is not there.
    pub(super) fn wanted(
        &self,
        call: &Call,
        data: &LaunchData,
        image: &Image,
    ) -> Result<Wanted, ApiError> {
        let network = self.network(&call.account, &call.region);
        if let Some(key) = data
            .key_name
            .as_ref()
            .filter(|key| !network.key_pairs.contains_key(*key))
        {
            let message = format!("The key pair '{key}' does not exist");
            return Err(ApiError::new("InvalidKeyPair.NotFound", message));
        }
        let named = data.instance_type.clone();
        let instance_type = named.clone().unwrap_or_else(|| types::DEFAULT.to_owned());
        let region = self.region(&call.region)?;
        if !region.types().contains(&instance_type) {
            return Err(ApiError::invalid_value(format!(
                "Invalid value '{instance_type}' for InstanceType."
            )));
        }
        let architecture = types::architecture(&instance_type);
        // A launch that names no type is not held to the architecture of the usual one.
        if named.is_some() && !image.machine.architecture.starts_with(architecture) {
            return Err(ApiError::invalid_value(format!(
                "The architecture '{architecture}' of the specified instance type does not match the architecture \
                 '{}' of the specified AMI. Specify an instance type and an AMI that have matching architectures, and \
                 try again. You can use 'describe-instance-types' or 'describe-images' to discover the architecture of \
                 the instance type or AMI.",
                image.machine.architecture
            )));
        }
        let found = self.launch_network(call, &network, data, &instance_type)?;
        self.check_zone(call, &found.zone, &instance_type)?;
        Ok(Wanted {
            network: found,
            profile: self.used_profile(call, data)?,
            instance_type,
        })
    }

    /// The subnet and the groups that a launch means.
    pub(crate) fn launch_network(
        &self,
        call: &Call,
        network: &Network,
        data: &LaunchData,
        instance_type: &str,
    ) -> Result<LaunchNetwork, ApiError> {
        let first = data.interfaces.iter().find(|one| one.index == 0);
        if first.is_some() && !(data.group_ids.is_empty() && data.group_names.is_empty()) {
            return Err(ApiError::invalid_combination(
                "Network interfaces and an instance-level security groups may not be specified on the same request",
            ));
        }
        if first.is_some() && data.subnet.is_some() {
            return Err(ApiError::invalid_combination(
                "Network interfaces and an instance-level subnet ID may not be specified on the same request",
            ));
        }
        let named = first
            .and_then(|one| one.subnet.as_ref())
            .or(data.subnet.as_ref());
        let subnet = match named {
            Some(id) => network.subnets.get(id).ok_or_else(|| {
                let message = format!("The subnet ID '{id}' does not exist");
                ApiError::new("InvalidSubnetID.NotFound", message)
            })?,
            None => self.default_subnet(call, network, data.zone.as_deref(), instance_type)?,
        };
        if let Some(zone) = data.zone.as_ref().filter(|zone| **zone != subnet.zone) {
            return Err(ApiError::invalid_value(format!(
                "The availability zone '{zone}' does not match that of the subnet '{}'",
                subnet.id
            )));
        }
        if named.is_some() && !data.group_names.is_empty() {
            return Err(ApiError::invalid_combination(
                "The parameter groupName cannot be used with the parameter subnet",
            ));
        }
        let ids = first.map_or(&data.group_ids, |one| &one.groups);
        let mut groups = Vec::new();
        for id in ids {
            check_id("sg", id)?;
            let group = network.groups.get(id).ok_or_else(|| {
                let message = format!("The security group '{id}' does not exist");
                ApiError::new("InvalidGroup.NotFound", message)
            })?;
            if group.vpc != subnet.vpc {
                let message = format!(
                    "Security group {id} and subnet {} belong to different networks.",
                    subnet.id
                );
                return Err(ApiError::new("InvalidParameter", message));
            }
            groups.push((group.id.clone(), group.name.clone()));
        }
        for name in &data.group_names {
            let group = network.group_named(&subnet.vpc, name).ok_or_else(|| {
                let message = format!(
                    "The security group '{name}' does not exist in default VPC '{}'",
                    subnet.vpc
                );
                ApiError::new("InvalidGroup.NotFound", message)
            })?;
            groups.push((group.id.clone(), group.name.clone()));
        }
        if groups.is_empty() {
            let usual = network.group_named(&subnet.vpc, "default");
            groups.extend(usual.map(|group| (group.id.clone(), group.name.clone())));
        }
        Ok(LaunchNetwork {
            zone: subnet.zone.clone(),
            attached: Attached {
                vpc: subnet.vpc.clone(),
                subnet: subnet.id.clone(),
                groups,
            },
        })
    }

    /// The default subnet of a zone, or of the first one that offers the type and has room for it.
    fn default_subnet<'a>(
        &self,
        call: &Call,
        network: &'a Network,
        zone: Option<&str>,
        instance_type: &str,
    ) -> Result<&'a Subnet, ApiError> {
        let zones = &self.region(&call.region)?.zones;
        if let Some(zone) = zone.filter(|zone| !zones.contains_key(*zone)) {
            return Err(ApiError::invalid_value(format!(
                "Invalid availability zone: [{zone}]"
            )));
        }
        let vpc = network
            .default_vpc()
            .ok_or_else(|| ApiError::new("VPCIdNotSpecified", "No default VPC for this user"))?;
        let mut subnets: Vec<&Subnet> = network
            .subnets
            .values()
            .filter(|one| one.vpc == vpc.id && one.default_for_zone)
            .filter(|one| zone.is_none_or(|zone| one.zone == zone))
            .collect();
        subnets.sort_by(|one, other| one.zone.cmp(&other.zone));
        let fits = |one: &&&Subnet| {
            let zone = zones.get(&one.zone);
            zone.is_some_and(|zone| zone.offers(instance_type) && zone.has_room(instance_type))
        };
        let found = subnets.iter().find(fits).or(subnets.first());
        found.copied().ok_or_else(|| {
            let message = format!(
                "No subnets found for the default VPC '{}'. Please specify a subnet.",
                vpc.id
            );
            ApiError::new("MissingInput", message)
        })
    }

    /// Whether the zone has the type at all, and has room for one.
    fn check_zone(&self, call: &Call, name: &str, instance_type: &str) -> Result<(), ApiError> {
        let zones = &self.region(&call.region)?.zones;
        let others = |fits: &dyn Fn(&crate::state::Zone) -> bool| {
            let fitting = zones
                .iter()
                .filter(|(other, zone)| *other != name && fits(zone));
            fitting
                .map(|(name, _)| name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let Some(zone) = zones.get(name) else {
            return Ok(());
        };
        if !zone.offers(instance_type) {
            return Err(ApiError::new(
                "Unsupported",
                format!(
                    "Your requested instance type ({instance_type}) is not supported in your requested Availability \
                     Zone ({name}). Please retry your request by not specifying an Availability Zone or choosing {}.",
                    others(&|zone| zone.offers(instance_type))
                ),
            ));
        }
        if !zone.has_room(instance_type) {
            let fits = |zone: &crate::state::Zone| {
                zone.offers(instance_type) && zone.has_room(instance_type)
            };
            return Err(no_capacity(instance_type, name, &others(&fits)));
        }
        Ok(())
    }

    fn used_profile(
        &self,
        call: &Call,
        data: &LaunchData,
    ) -> Result<Option<UsedProfile>, ApiError> {
        let Some(named) = &data.profile else {
            return Ok(None);
        };
        let (by, kind, name) = match named.rsplit_once('/') {
            Some((start, name))
                if start == format!("arn:aws:iam::{}:instance-profile", call.account) =>
            {
                ("arn", "ARN", name)
            }
            _ if named.starts_with("arn:") => ("arn", "ARN", ""),
            _ => ("name", "name", named.as_str()),
        };
        let account = self.accounts.get(&call.account);
        let found = account.and_then(|account| account.instance_profiles.get(name));
        let profile = found.ok_or_else(|| {
            ApiError::invalid_value(format!(
                "Value ({named}) for parameter iamInstanceProfile.{by} is invalid. Invalid IAM Instance Profile {kind}"
            ))
        })?;
        Ok(Some(UsedProfile {
            arn: format!("arn:aws:iam::{}:instance-profile/{name}", call.account),
            id: profile.id.clone(),
            systems_manager: profile.systems_manager,
        }))
    }
}

/// EC2 has no room: HTTP 500.
pub(super) fn no_capacity(instance_type: &str, zone: &str, others: &str) -> ApiError {
    ApiError::with_its_status(
        "InsufficientInstanceCapacity",
        &format!(
            "We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested \
             ({zone}). Our system will be working on provisioning additional capacity. You can currently get \
             {instance_type} capacity by not specifying an Availability Zone in your request or choosing {others}."
        ),
    )
}
