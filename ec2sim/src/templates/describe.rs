//! `DescribeLaunchTemplates` (model).

use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::paging::{Bounds, Paging};
use crate::templates::{Template, check_template_id, write};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, iso};
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &["create-time", "launch-template-name", "tag-key"],
    not_modelled: &[],
    tags: true,
};

const BOUNDS: Bounds = Bounds { low: 1, high: 200 };

impl World {
    pub(crate) fn describe_launch_templates(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let ids = parameters.list("LaunchTemplateId");
        let names = parameters.list("LaunchTemplateName");
        parameters.boolean("IncludeManagedResources")?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let by_id = !(ids.is_empty() && names.is_empty());
        let paging = Paging::take(&mut parameters, request, &BOUNDS, by_id)?;
        ids.iter().try_for_each(|id| check_template_id(id))?;
        parameters.finish_action()?;
        if !ids.is_empty() && !names.is_empty() {
            return Err(ApiError::invalid_combination(
                "The parameter launchTemplateNames cannot be used with the parameter launchTemplateIds",
            ));
        }
        let region = self.region(&call.region)?;
        let by_name = |name: &String| Template {
            id: None,
            name: Some(name.clone()),
            version: None,
        };
        let of_id = |id: &String| Template {
            id: Some(id.clone()),
            name: None,
            version: None,
        };
        for named in ids.iter().map(of_id).chain(names.iter().map(by_name)) {
            named.find(call, region)?;
        }
        let mut listed = Vec::new();
        for template in region.launch_templates.values() {
            let seen = template.owner == call.account && region.sees(&template.id, call.view);
            let is_named = ids.contains(&template.id) || names.contains(&template.name);
            let tags = region.tags_seen(&template.id, &call.account, call.view);
            let field = |field: &str| match field {
                "create-time" => vec![iso(template.created)],
                _ => vec![template.name.clone()],
            };
            if seen && (!by_id || is_named) && filters.pass(&tags, field) {
                listed.push((template.clone(), template.newest_seen(call, region), tags));
            }
        }
        let (page, next) =
            paging.page(listed, |(one, _, _)| &one.id, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("launchTemplates", page, |xml, (template, latest, tags)| {
                write(xml, &template, latest, &tags);
            });
            xml.optional("nextToken", next);
        }))
    }
}
