//! `DescribeSecurityGroups` (model). Groups have no rules here.

use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::network::BOUNDS;
use crate::paging::Paging;
use crate::state::SecurityGroup;
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "description",
        "group-id",
        "group-name",
        "owner-id",
        "tag-key",
        "vpc-id",
    ],
    not_modelled: &["egress", "ip-permission"],
    tags: true,
};

impl World {
    pub(crate) fn describe_security_groups(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("GroupId");
        let names = parameters.list("GroupName");
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let by_id = !(ids.is_empty() && names.is_empty());
        let paging = Paging::take(&mut parameters, request, &BOUNDS, by_id)?;
        ids.iter().try_for_each(|id| check_id("sg", id))?;
        parameters.finish_action()?;
        let network = self.network(&call.account, &call.region);
        if let Some(id) = ids.iter().find(|id| !network.groups.contains_key(*id)) {
            let message = format!("The security group '{id}' does not exist");
            return Err(ApiError::new("InvalidGroup.NotFound", message));
        }
        // Names are those of the default VPC (model: `GroupNames`).
        let default_vpc = network
            .default_vpc()
            .map(|vpc| vpc.id.clone())
            .unwrap_or_default();
        if let Some(name) = names
            .iter()
            .find(|name| network.group_named(&default_vpc, name).is_none())
        {
            let message = format!(
                "The security group '{name}' does not exist in default VPC '{default_vpc}'"
            );
            return Err(ApiError::new("InvalidGroup.NotFound", message));
        }
        let region = self.region(&call.region)?;
        let mut listed = Vec::new();
        for group in network.groups.into_values() {
            let tags = region.tags_seen(&group.id, &call.account, call.view);
            let is_named =
                ids.contains(&group.id) || names.contains(&group.name) && group.vpc == default_vpc;
            if (!by_id || is_named)
                && filters.pass(&tags, |name| field(&group, name, &call.account))
            {
                listed.push((group, tags));
            }
        }
        let (page, next) = paging.page(listed, |(one, _)| &one.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("securityGroupInfo", page, |xml, (group, tags)| {
                xml.text("ownerId", &call.account);
                xml.text("groupId", &group.id);
                xml.text("groupName", &group.name);
                xml.text("groupDescription", &group.description);
                xml.text("vpcId", &group.vpc);
                xml.text(
                    "securityGroupArn",
                    format!(
                        "arn:aws:ec2:{}:{}:security-group/{}",
                        call.region, call.account, group.id
                    ),
                );
                xml.element("ipPermissions", |_| {});
                xml.element("ipPermissionsEgress", |_| {});
                tags::write(xml, &tags);
            });
            xml.optional("nextToken", next);
        }))
    }
}

fn field(group: &SecurityGroup, name: &str, owner: &str) -> Vec<String> {
    let value = match name {
        "description" => group.description.clone(),
        "group-name" => group.name.clone(),
        "owner-id" => owner.to_owned(),
        "vpc-id" => group.vpc.clone(),
        _ => group.id.clone(),
    };
    vec![value]
}
