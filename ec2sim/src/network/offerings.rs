//! `DescribeInstanceTypeOfferings`: which types a region or each of its zones offers (model).

use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::images::one_of;
use crate::network::BOUNDS;
use crate::paging::Paging;
use crate::state::Tags;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &["instance-type", "location"],
    not_modelled: &[],
    tags: false,
};
const BY_REGION: &str = "region";
const BY_ZONE: &str = "availability-zone";
const BY_ZONE_ID: &str = "availability-zone-id";

struct Offering {
    instance_type: String,
    location: String,
    /// Type and location, by which pages are made.
    key: String,
}

impl World {
    pub(crate) fn describe_instance_type_offerings(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let by = parameters
            .text("LocationType")
            .unwrap_or_else(|| BY_REGION.to_owned());
        one_of("locationType", &by, &[BY_REGION, BY_ZONE, BY_ZONE_ID])?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, false)?;
        parameters.finish_action()?;
        let region = self.region(&call.region)?;
        let mut listed = Vec::new();
        for instance_type in region.types() {
            let offering = region
                .zones
                .iter()
                .filter(|(_, zone)| zone.offers(&instance_type));
            let mut locations: Vec<String> = offering
                .map(|(name, zone)| match by.as_str() {
                    BY_REGION => call.region.clone(),
                    BY_ZONE => name.clone(),
                    _ => zone.id.clone(),
                })
                .collect();
            locations.dedup();
            for location in locations {
                let field = |field: &str| match field {
                    "location" => vec![location.clone()],
                    _ => vec![instance_type.clone()],
                };
                if filters.pass(&Tags::new(), field) {
                    listed.push(Offering {
                        key: format!("{instance_type} {location}"),
                        instance_type: instance_type.clone(),
                        location,
                    });
                }
            }
        }
        let (page, next) = paging.page(listed, |one| &one.key, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("instanceTypeOfferingSet", page, |xml, one| {
                xml.text("instanceType", one.instance_type);
                xml.text("locationType", &by);
                xml.text("location", one.location);
            });
            xml.optional("nextToken", next);
        }))
    }
}
