//! Zones, networks, key pairs and instance profiles of a world file.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::chance::digest;
use crate::state::{
    InstanceProfile, KeyPair, Network, SecurityGroup, Subnet, Tags, Vpc, Zone, made, zone,
};
use crate::world_file::WorldFileError;
use crate::world_file::load::{Loader, check, wrong};

/// An availability zone.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ZoneFile {
    /// Such as `use1-az1`; made from its number if absent.
    pub id: String,
    /// Patterns of the instance types that it does not offer.
    pub without: BTreeSet<String>,
    /// Patterns of the instance types that it has no capacity for.
    pub full: BTreeSet<String>,
}

/// An instance profile.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct InstanceProfileFile {
    /// The name of its role; its own if absent.
    pub role: Option<String>,
    /// Whether the role lets the agent of Systems Manager register.
    pub systems_manager: bool,
}

/// A VPC.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VpcFile {
    /// `10.0.0.0/16` if absent.
    pub cidr: Option<String>,
    /// Whether it is the default one.
    pub default: bool,
    /// Its subnets by id.
    pub subnets: BTreeMap<String, SubnetFile>,
    /// Its security groups by id. A group named `default` is there in any case.
    pub security_groups: BTreeMap<String, SecurityGroupFile>,
    /// Its tags.
    pub tags: Tags,
}

/// A subnet.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SubnetFile {
    /// Its zone, such as `us-east-1a`.
    pub zone: String,
    /// `10.0.0.0/24` if absent.
    #[serde(default)]
    pub cidr: Option<String>,
    /// Whether it is the default subnet of its zone.
    #[serde(default)]
    pub default_for_zone: bool,
    /// Whether instances get a public address unless it is said.
    #[serde(default)]
    pub public_ips: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A security group.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecurityGroupFile {
    /// Its name, of which there is one in a VPC.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

/// A key pair.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KeyPairFile {
    /// `key-…`; made from its name if absent.
    pub id: Option<String>,
    /// `rsa` or `ed25519`, which it is if absent.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Its tags.
    pub tags: Tags,
}

/// The zones of a region.
pub(super) fn zones(region: &str, file: BTreeMap<String, ZoneFile>) -> BTreeMap<String, Zone> {
    if file.is_empty() {
        return zone::usual(region);
    }
    let of = |(name, file): (String, ZoneFile)| {
        let zone = Zone {
            id: file.id,
            without: file.without,
            full: file.full,
        };
        (name, zone)
    };
    zone::with_ids(region, file.into_iter().map(of).collect())
}

/// The instance profiles of an account.
pub(super) fn profiles(
    account: &str,
    file: BTreeMap<String, InstanceProfileFile>,
) -> BTreeMap<String, InstanceProfile> {
    let of = |(name, file): (String, InstanceProfileFile)| {
        let profile = InstanceProfile {
            id: format!("AIPA{:016X}0", digest(&format!("{account}/{name}"))),
            role: file.role.unwrap_or_else(|| name.clone()),
            systems_manager: file.systems_manager,
        };
        (name, profile)
    };
    file.into_iter().map(of).collect()
}

impl Loader<'_> {
    /// The networks that the file lists; without a list, and with key pairs, those of a new account.
    pub(super) fn network(
        &mut self,
        vpcs: Option<BTreeMap<String, VpcFile>>,
        key_pairs: BTreeMap<String, KeyPairFile>,
    ) -> Result<Option<Network>, WorldFileError> {
        let mut network = match &vpcs {
            None if key_pairs.is_empty() => return Ok(None),
            None => Network::of_new_account(self.account, self.name, &self.region.zones),
            Some(_) => Network::default(),
        };
        for (id, file) in vpcs.unwrap_or_default() {
            self.vpc(&mut network, id, file)?;
        }
        for (name, file) in key_pairs {
            let id = file
                .id
                .unwrap_or_else(|| made("key", &[self.account, self.name, &name]));
            self.region.born_with_tags(&id, self.account, file.tags);
            let kind = file.kind.unwrap_or_else(|| "ed25519".to_owned());
            if !["rsa", "ed25519"].contains(&kind.as_str()) {
                return Err(wrong(&name, "a key pair is of type rsa or ed25519"));
            }
            network.key_pairs.insert(name, KeyPair { id, kind });
        }
        Ok(Some(network))
    }

    fn vpc(
        &mut self,
        network: &mut Network,
        id: String,
        file: VpcFile,
    ) -> Result<(), WorldFileError> {
        check(&id, "vpc")?;
        if file.default && network.default_vpc().is_some() {
            return Err(wrong(&id, "there is another default VPC"));
        }
        for (subnet, file) in file.subnets {
            check(&subnet, "subnet")?;
            if !self.region.zones.contains_key(&file.zone) {
                return Err(wrong(&subnet, format!("there is no zone {}", file.zone)));
            }
            self.region.born_with_tags(&subnet, self.account, file.tags);
            let made = Subnet {
                id: subnet.clone(),
                vpc: id.clone(),
                zone: file.zone,
                cidr: file.cidr.unwrap_or_else(|| "10.0.0.0/24".to_owned()),
                default_for_zone: file.default_for_zone,
                public_ips: file.public_ips,
            };
            if network.subnets.insert(subnet.clone(), made).is_some() {
                return Err(wrong(&subnet, "this id is there twice"));
            }
        }
        for (group, file) in file.security_groups {
            check(&group, "sg")?;
            if network.group_named(&id, &file.name).is_some() {
                return Err(wrong(
                    &group,
                    format!("another group of {id} is named {}", file.name),
                ));
            }
            self.region.born_with_tags(&group, self.account, file.tags);
            let made = SecurityGroup {
                id: group.clone(),
                vpc: id.clone(),
                name: file.name,
                description: file.description,
            };
            if network.groups.insert(group.clone(), made).is_some() {
                return Err(wrong(&group, "this id is there twice"));
            }
        }
        network.add_default_group(&id);
        self.region.born_with_tags(&id, self.account, file.tags);
        let vpc = Vpc {
            id: id.clone(),
            cidr: file.cidr.unwrap_or_else(|| "10.0.0.0/16".to_owned()),
            is_default: file.default,
        };
        network.vpcs.insert(id, vpc);
        Ok(())
    }

    /// The zone of what says nothing of it.
    pub(super) fn first_zone(&self) -> String {
        let first = self.region.zones.keys().next();
        first.cloned().unwrap_or_else(|| format!("{}a", self.name))
    }
}
