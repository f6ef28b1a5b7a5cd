//! `DescribeLaunchTemplateVersions`: of one template, or without one the latest or default versions of all (model).

use crate::error::ApiError;
use crate::filters::{Filters, Known};
use crate::paging::{Bounds, Paging};
use crate::state::{LaunchTemplate, Tags, TemplateVersion};
use crate::templates::create::write_version;
use crate::templates::{Template, resolved};
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;
use crate::wire::response::{Reply, iso};
use crate::world::{Call, World};

const FILTERS: Known = Known {
    fields: &[
        "create-time",
        "ebs-optimized",
        "iam-instance-profile",
        "image-id",
        "instance-type",
        "is-default-version",
    ],
    not_modelled: &[
        "host-resource-group-arn",
        "http-endpoint",
        "http-protocol-ipv4",
        "http-tokens",
        "kernel-id",
        "license-configuration-arn",
        "network-card-index",
        "ram-disk-id",
    ],
    tags: false,
};

const BOUNDS: Bounds = Bounds { low: 1, high: 200 };

struct Listed {
    template: LaunchTemplate,
    number: u64,
    version: TemplateVersion,
    image: Option<String>,
    /// Template and number, by which pages are made.
    key: String,
}

impl World {
    pub(crate) fn describe_launch_template_versions(
        &mut self,
        call: &Call,
        request: &Request,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let named = Template::take(&mut parameters, "")?;
        let wanted = parameters.list("LaunchTemplateVersion");
        let least: Option<u64> = parameters.number("MinVersion")?.map(u64::from);
        let most: Option<u64> = parameters.number("MaxVersion")?.map(u64::from);
        let resolves = parameters.flag("ResolveAlias")?;
        parameters.boolean("IncludeManagedResources")?;
        let filters = Filters::take(&mut parameters, &FILTERS)?;
        let paging = Paging::take(&mut parameters, request, &BOUNDS, !wanted.is_empty())?;
        parameters.finish_action()?;
        if !wanted.is_empty() && (least.is_some() || most.is_some()) {
            return Err(ApiError::invalid_combination(
                "Versions and a range of versions cannot be used in the same call",
            ));
        }
        let region = self.region(&call.region)?;
        let templates: Vec<&LaunchTemplate> = match &named {
            Some(named) => vec![named.find(call, region)?],
            None if wanted.is_empty() || wanted.iter().any(|one| !one.starts_with('$')) => {
                return Err(ApiError::new(
                    "MissingParameter",
                    "Either a launch template ID or a launch template name must be specified in the request",
                ));
            }
            None => {
                let all = region.launch_templates.values();
                all.filter(|one| one.owner == call.account && region.sees(&one.id, call.view))
                    .collect()
            }
        };
        let mut listed: Vec<Listed> = Vec::new();
        for template in templates {
            let mut numbers = Vec::new();
            for one in &wanted {
                numbers.push(template.version(call, region, one)?.0);
            }
            if wanted.is_empty() {
                let in_range = |number: &u64| {
                    least.is_none_or(|least| *number >= least)
                        && most.is_none_or(|most| *number <= most)
                };
                let seen = |number: &u64| template.sees_version(call, region, *number);
                numbers = template
                    .versions
                    .keys()
                    .copied()
                    .filter(in_range)
                    .filter(seen)
                    .collect();
            }
            numbers.sort_unstable();
            numbers.dedup();
            for number in numbers {
                let Some(version) = template.versions.get(&number) else {
                    continue;
                };
                let image = match &version.data.image {
                    Some(image) if resolves => Some(resolved(call, region, image)?),
                    image => image.clone(),
                };
                let one = Listed {
                    template: template.clone(),
                    number,
                    version: version.clone(),
                    image,
                    key: format!("{} {number}", template.id),
                };
                if filters.pass(&Tags::new(), |name| one.field(name)) {
                    listed.push(one);
                }
            }
        }
        let (page, next) = paging.page(listed, |one| &one.key, &mut self.chance, &self.knobs);
        Ok(Reply::of(|xml| {
            xml.items("launchTemplateVersionSet", page, |xml, one| {
                write_version(
                    xml,
                    &one.template,
                    one.number,
                    &one.version,
                    one.image.as_ref(),
                );
            });
            xml.optional("nextToken", next);
        }))
    }
}

impl Listed {
    fn field(&self, name: &str) -> Vec<String> {
        let data = &self.version.data;
        let value = match name {
            "create-time" => Some(iso(self.version.created)),
            "ebs-optimized" => data.ebs_optimized.map(|on| on.to_string()),
            "iam-instance-profile" => data.profile.clone(),
            "image-id" => data.image.clone(),
            "instance-type" => data.instance_type.clone(),
            _ => Some((self.number == self.template.default_version).to_string()),
        };
        value.into_iter().collect()
    }
}
