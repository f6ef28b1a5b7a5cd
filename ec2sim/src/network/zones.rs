//! `DescribeAvailabilityZones`, which has no pages (model). All zones are there; none is local or must be opted into.

use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::state::Tags;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "group-name",
        "opt-in-status",
        "region-name",
        "state",
        "zone-id",
        "zone-name",
        "zone-type",
    ],
    not_modelled: &[
        "geography",
        "group-long-name",
        "message",
        "parent-zone-id",
        "parent-zone-name",
    ],
    tags: false,
};

impl World {
    pub(crate) fn describe_availability_zones(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let names = parameters.list("ZoneName");
        let ids = parameters.list("ZoneId");
        parameters.flag("AllAvailabilityZones")?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        parameters.finish_action()?;
        let zones = &self.region(&call.region)?.zones;
        let unknown_name = names.iter().find(|name| !zones.contains_key(*name));
        let unknown_id = ids
            .iter()
            .find(|id| !zones.values().any(|zone| zone.id == **id));
        if let Some(unknown) = unknown_name.or(unknown_id) {
            return Err(ApiError::invalid_value(format!(
                "Invalid availability zone: [{unknown}]"
            )));
        }
        let everything = names.is_empty() && ids.is_empty();
        let mut listed = Vec::new();
        for (name, zone) in zones {
            let field = |field: &str| {
                let value = match field {
                    "group-name" => format!("{}-zg-1", call.region),
                    "opt-in-status" => "opt-in-not-required".to_owned(),
                    "region-name" => call.region.clone(),
                    "state" => "available".to_owned(),
                    "zone-id" => zone.id.clone(),
                    "zone-type" => "availability-zone".to_owned(),
                    _ => name.clone(),
                };
                vec![value]
            };
            let is_named = names.contains(name) || ids.contains(&zone.id);
            if (everything || is_named) && filters.pass(&Tags::new(), field) {
                listed.push((name, zone));
            }
        }
        Ok(Reply::of(|xml| {
            xml.items("availabilityZoneInfo", listed, |xml, (name, zone)| {
                xml.text("zoneName", name);
                xml.text("zoneId", &zone.id);
                xml.text("zoneState", "available");
                xml.text("zoneType", "availability-zone");
                xml.text("regionName", &call.region);
                xml.text("groupName", format!("{}-zg-1", call.region));
                xml.text("networkBorderGroup", &call.region);
                xml.text("optInStatus", "opt-in-not-required");
                xml.element("messageSet", |_| {});
            });
        }))
    }
}
