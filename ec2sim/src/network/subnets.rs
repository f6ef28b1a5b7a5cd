//! `DescribeSubnets` (model).

use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::network::BOUNDS;
use crate::paging::Paging;
use crate::state::Subnet;
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "availability-zone",
        "availability-zone-id",
        "availabilityZone",
        "availabilityZoneId",
        "cidr",
        "cidr-block",
        "cidrBlock",
        "default-for-az",
        "defaultForAz",
        "map-public-ip-on-launch",
        "owner-id",
        "state",
        "subnet-arn",
        "subnet-id",
        "tag-key",
        "vpc-id",
    ],
    not_modelled: &[
        "available-ip-address-count",
        "customer-owned-ipv4-pool",
        "enable-dns64",
        "enable-lni-at-device-index",
        "ipv6-cidr-block-association",
        "ipv6-native",
        "map-customer-owned-ip-on-launch",
        "outpost-arn",
        "private-dns-name-options-on-launch",
    ],
    tags: true,
};

impl World {
    pub(crate) fn describe_subnets(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("SubnetId");
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !ids.is_empty())?;
        ids.iter().try_for_each(|id| check_id("subnet", id))?;
        parameters.finish_action()?;
        let network = self.network(&call.account, &call.region);
        if let Some(id) = ids.iter().find(|id| !network.subnets.contains_key(*id)) {
            let message = format!("The subnet ID '{id}' does not exist");
            return Err(ApiError::new("InvalidSubnetID.NotFound", message));
        }
        let region = self.region(&call.region)?;
        let mut listed = Vec::new();
        for subnet in network.subnets.into_values() {
            let zone_id = region.zones.get(&subnet.zone).map(|zone| zone.id.clone());
            let zone_id = zone_id.unwrap_or_default();
            let tags = region.tags_seen(&subnet.id, &call.account, call.view);
            let wanted = ids.is_empty() || ids.contains(&subnet.id);
            if wanted && filters.pass(&tags, |name| field(&subnet, name, &zone_id, call)) {
                listed.push((subnet, zone_id, tags));
            }
        }
        let (page, next) =
            paging.page(listed, |(one, _, _)| &one.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("subnetSet", page, |xml, (subnet, zone_id, tags)| {
                xml.text("subnetId", &subnet.id);
                xml.text("subnetArn", arn(&subnet, call));
                xml.text("state", "available");
                xml.text("ownerId", &call.account);
                xml.text("vpcId", &subnet.vpc);
                xml.text("cidrBlock", &subnet.cidr);
                xml.text("availableIpAddressCount", free_addresses(&subnet.cidr));
                xml.text("availabilityZone", &subnet.zone);
                xml.text("availabilityZoneId", zone_id);
                xml.text("defaultForAz", subnet.default_for_zone);
                xml.text("mapPublicIpOnLaunch", subnet.public_ips);
                tags::write(xml, &tags);
                xml.text("assignIpv6AddressOnCreation", false);
            });
            xml.optional("nextToken", next);
        }))
    }
}

fn arn(subnet: &Subnet, call: &Call) -> String {
    format!(
        "arn:aws:ec2:{}:{}:subnet/{}",
        call.region, call.account, subnet.id
    )
}

/// All but the five that AWS keeps (docs: VPC subnet-sizing); instances use none up here.
fn free_addresses(cidr: &str) -> u64 {
    let bits = cidr
        .split_once('/')
        .and_then(|(_, bits)| bits.parse::<u32>().ok());
    let free = bits.and_then(|bits| 1_u64.checked_shl(32_u32.checked_sub(bits)?));
    free.unwrap_or_default().saturating_sub(5)
}

fn field(subnet: &Subnet, name: &str, zone_id: &str, call: &Call) -> Vec<String> {
    let value = match name {
        "availability-zone" | "availabilityZone" => subnet.zone.clone(),
        "availability-zone-id" | "availabilityZoneId" => zone_id.to_owned(),
        "cidr" | "cidr-block" | "cidrBlock" => subnet.cidr.clone(),
        "default-for-az" | "defaultForAz" => subnet.default_for_zone.to_string(),
        "map-public-ip-on-launch" => subnet.public_ips.to_string(),
        "owner-id" => call.account.clone(),
        "state" => "available".to_owned(),
        "subnet-arn" => arn(subnet, call),
        "vpc-id" => subnet.vpc.clone(),
        _ => subnet.id.clone(),
    };
    vec![value]
}
