//! `DescribeVpcs` (model).

use crate::error::{ApiError, check_id};
use crate::filters::{Filters, Known};
use crate::network::BOUNDS;
use crate::paging::Paging;
use crate::state::{Vpc, made};
use crate::tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "cidr",
        "cidr-block-association.cidr-block",
        "is-default",
        "isDefault",
        "owner-id",
        "state",
        "tag-key",
        "vpc-id",
    ],
    not_modelled: &[
        "cidr-block-association",
        "dhcp-options-id",
        "ipv6-cidr-block-association",
    ],
    tags: true,
};

impl World {
    pub(crate) fn describe_vpcs(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("VpcId");
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !ids.is_empty())?;
        ids.iter().try_for_each(|id| check_id("vpc", id))?;
        parameters.finish_action()?;
        let network = self.network(&call.account, &call.region);
        if let Some(id) = ids.iter().find(|id| !network.vpcs.contains_key(*id)) {
            let message = format!("The vpc ID '{id}' does not exist");
            return Err(ApiError::new("InvalidVpcID.NotFound", message));
        }
        let region = self.region(&call.region)?;
        let mut listed = Vec::new();
        for vpc in network.vpcs.into_values() {
            let tags = region.tags_seen(&vpc.id, &call.account, call.view);
            let wanted = ids.is_empty() || ids.contains(&vpc.id);
            if wanted && filters.pass(&tags, |name| field(&vpc, name, &call.account)) {
                listed.push((vpc, tags));
            }
        }
        let (page, next) = paging.page(listed, |(vpc, _)| &vpc.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("vpcSet", page, |xml, (vpc, tags)| {
                xml.text("vpcId", &vpc.id);
                xml.text("ownerId", &call.account);
                xml.text("state", "available");
                xml.text("cidrBlock", &vpc.cidr);
                xml.items("cidrBlockAssociationSet", [&vpc], |xml, vpc| {
                    xml.text("associationId", made("vpc-cidr-assoc", &[&vpc.id]));
                    xml.text("cidrBlock", &vpc.cidr);
                    xml.element("cidrBlockState", |xml| xml.text("state", "associated"));
                });
                xml.text(
                    "dhcpOptionsId",
                    made("dopt", &[&call.account, &call.region]),
                );
                xml.text("instanceTenancy", "default");
                xml.text("isDefault", vpc.is_default);
                tags::write(xml, &tags);
            });
            xml.optional("nextToken", next);
        }))
    }
}

fn field(vpc: &Vpc, name: &str, owner: &str) -> Vec<String> {
    let value = match name {
        "cidr" | "cidr-block-association.cidr-block" => vpc.cidr.clone(),
        "is-default" | "isDefault" => vpc.is_default.to_string(),
        "owner-id" => owner.to_owned(),
        "state" => "available".to_owned(),
        _ => vpc.id.clone(),
    };
    vec![value]
}
