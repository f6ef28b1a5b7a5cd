//! The networks of an account in a region, and its key pairs.

use std::collections::BTreeMap;

use crate::chance::digest;
use crate::state::Zone;

/// VPCs, subnets, security groups and key pairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Network {
    /// VPCs by id.
    pub vpcs: BTreeMap<String, Vpc>,
    /// Subnets by id.
    pub subnets: BTreeMap<String, Subnet>,
    /// Security groups by id.
    pub groups: BTreeMap<String, SecurityGroup>,
    /// Key pairs by name.
    pub key_pairs: BTreeMap<String, KeyPair>,
}

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vpc {
    /// `vpc-…`
    pub id: String,
    /// Its addresses.
    pub cidr: String,
    /// Whether launches that name no network go there.
    pub is_default: bool,
}

/// A part of a VPC, in one zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    /// `subnet-…`
    pub id: String,
    /// The VPC that it is part of.
    pub vpc: String,
    /// Its zone.
    pub zone: String,
    /// Its addresses.
    pub cidr: String,
    /// Whether launches into its zone that name no network go there.
    pub default_for_zone: bool,
    /// Whether instances get a public address unless it is said.
    pub public_ips: bool,
}

/// A security group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SecurityGroup {
    /// `sg-…`
    pub id: String,
    /// Its VPC.
    pub vpc: String,
    /// Its name, of which there is one in a VPC.
    pub name: String,
    /// Free text.
    pub description: String,
}

/// A key pair.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyPair {
    /// `key-…`
    pub id: String,
    /// `rsa` or `ed25519`.
    pub kind: String,
}

/// An instance profile with its role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InstanceProfile {
    /// `AIPA…`
    pub id: String,
    /// The name of its role.
    pub role: String,
    /// Whether the role lets the agent of Systems Manager register.
    pub systems_manager: bool,
}

impl Network {
    /// What every account has in a region: a default VPC with a default subnet in each zone and a default group
    /// (docs: VPC default-vpc).
    pub(crate) fn of_new_account(
        account: &str,
        region: &str,
        zones: &BTreeMap<String, Zone>,
    ) -> Self {
        let id = made("vpc", &[account, region]);
        let mut network = Self::default();
        for (number, zone) in zones.keys().enumerate() {
            let subnet = Subnet {
                id: made("subnet", &[account, zone]),
                vpc: id.clone(),
                zone: zone.clone(),
                cidr: format!("172.31.{}.0/20", number * 16),
                default_for_zone: true,
                public_ips: true,
            };
            network.subnets.insert(subnet.id.clone(), subnet);
        }
        let vpc = Vpc {
            id: id.clone(),
            cidr: "172.31.0.0/16".to_owned(),
            is_default: true,
        };
        network.vpcs.insert(id.clone(), vpc);
        network.add_default_group(&id);
        network
    }

    /// Every VPC has a group of this name.
    pub(crate) fn add_default_group(&mut self, vpc: &str) {
        if self.group_named(vpc, "default").is_none() {
            let group = SecurityGroup {
                id: made("sg", &[vpc]),
                vpc: vpc.to_owned(),
                name: "default".to_owned(),
                description: "default VPC security group".to_owned(),
            };
            self.groups.insert(group.id.clone(), group);
        }
    }

    pub(crate) fn group_named(&self, vpc: &str, name: &str) -> Option<&SecurityGroup> {
        let mut groups = self.groups.values();
        groups.find(|group| group.vpc == vpc && group.name == name)
    }

    pub(crate) fn default_vpc(&self) -> Option<&Vpc> {
        self.vpcs.values().find(|vpc| vpc.is_default)
    }
}

/// An id that is the same in every world.
pub(crate) fn made(prefix: &str, of: &[&str]) -> String {
    format!("{prefix}-0{:016x}", digest(&of.join("/")))
}
