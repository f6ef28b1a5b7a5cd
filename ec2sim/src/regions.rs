//! `DescribeRegions`: without `AllRegions`, the regions that the account can use (model).

use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::state::Tags;
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &["endpoint", "opt-in-status", "region-name"],
    not_modelled: &["geography"],
    tags: false,
};

impl World {
    pub(crate) fn describe_regions(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let names = parameters.list("RegionName");
        let all = parameters.flag("AllRegions")?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        parameters.finish_action()?;

        if let Some(unknown) = names.iter().find(|name| !self.regions.contains_key(*name)) {
            return Err(ApiError::invalid_value(format!(
                "Invalid region provided: {unknown}"
            )));
        }
        let mut listed = Vec::new();
        for (name, region) in &self.regions {
            let enabled = self.enabled(&call.account, name);
            let status = match (region.opt_in, enabled) {
                (false, _) => "opt-in-not-required",
                (true, true) => "opted-in",
                (true, false) => "not-opted-in",
            };
            let endpoint = format!("ec2.{name}.amazonaws.com");
            let field = |field: &str| match field {
                "endpoint" => vec![endpoint.clone()],
                "opt-in-status" => vec![status.to_owned()],
                _ => vec![name.clone()],
            };
            let wanted = names.is_empty() || names.contains(name);
            // A region that is asked for by name is shown whether it is enabled or not.
            if wanted && (all || enabled || !names.is_empty()) && filters.pass(&Tags::new(), field)
            {
                listed.push((name.clone(), endpoint, status));
            }
        }
        Ok(Reply::of(|xml| {
            xml.items("regionInfo", &listed, |xml, (name, endpoint, status)| {
                xml.text("regionName", name);
                xml.text("regionEndpoint", endpoint);
                xml.text("optInStatus", status);
            });
        }))
    }
}
