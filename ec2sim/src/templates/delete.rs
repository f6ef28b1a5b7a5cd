//! `DeleteLaunchTemplateVersions` and `DeleteLaunchTemplate` (model).
//!
//! Versions that cannot be deleted are named in an answer that is a success: the default one, and one that is not there.
//! A template goes with all its versions, and its name is free at once; numbers of versions are not given again.

use crate::error::ApiError;
use crate::state::LaunchTemplate;
use crate::templates::{Template, version_key, write};
use crate::wire::parameters::Parameters;
use crate::wire::response::{Reply, Xml};
use crate::world::{Call, World};

/// How many versions a call may name (model).
const MOST: usize = 200;

/// Why a version is not deleted.
struct Refusal {
    number: u64,
    code: &'static str,
    message: String,
}

impl World {
    pub(crate) fn delete_launch_template_versions(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let named = Template::required(&mut parameters)?;
        let versions = parameters.list("LaunchTemplateVersion");
        let dry_run = parameters.flag("DryRun")?;
        parameters.finish()?;
        if versions.is_empty() {
            return Err(ApiError::missing("LaunchTemplateVersion"));
        }
        if versions.len() > MOST {
            return Err(ApiError::invalid_value(format!(
                "You may not specify more than {MOST} versions in one call"
            )));
        }
        let region = self.region(&call.region)?;
        let template = named.find(call, region)?.clone();
        if dry_run {
            return Err(ApiError::dry_run());
        }
        let (mut deleted, mut refused) = (Vec::new(), Vec::new());
        for version in &versions {
            let number = template.number(call, region, version).unwrap_or_default();
            if number == template.default_version {
                // The code for it is none of the model's own names of reasons.
                refused.push(Refusal {
                    number,
                    code: "unexpectedError",
                    message: format!(
                        "Cannot delete the default version {number} of the launch template {}. Set another version as \
                         the default version first.",
                        template.id
                    ),
                });
            } else if template.versions.contains_key(&number) {
                deleted.push(number);
            } else {
                refused.push(Refusal {
                    number,
                    code: "launchTemplateVersionDoesNotExist",
                    message: format!(
                        "Launch template {} does not have a version {version}.",
                        template.id
                    ),
                });
            }
        }
        let region = self.region_mut(&call.region)?;
        for number in &deleted {
            region.seen_from.remove(&version_key(&template.id, *number));
            if let Some(template) = region.launch_templates.get_mut(&template.id) {
                template.versions.remove(number);
            }
        }
        Ok(Reply::of(|xml| {
            xml.items(
                "successfullyDeletedLaunchTemplateVersionSet",
                deleted,
                |xml, number| write_deleted(xml, &template, number),
            );
            xml.items(
                "unsuccessfullyDeletedLaunchTemplateVersionSet",
                refused,
                |xml, refusal| {
                    write_deleted(xml, &template, refusal.number);
                    xml.element("responseError", |xml| {
                        xml.text("code", refusal.code);
                        xml.text("message", refusal.message);
                    });
                },
            );
        }))
    }

    pub(crate) fn delete_launch_template(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let named = Template::required(&mut parameters)?;
        let dry_run = parameters.flag("DryRun")?;
        parameters.finish()?;
        let region = self.region(&call.region)?;
        let template = named.find(call, region)?.clone();
        if dry_run {
            return Err(ApiError::dry_run());
        }
        let latest = template.newest_seen(call, region);
        let tags = region.tags(&template.id, &call.account);
        let region = self.region_mut(&call.region)?;
        region.launch_templates.remove(&template.id);
        region.tags.remove(&template.id);
        region
            .seen_from
            .retain(|id, _| !id.starts_with(&template.id));
        Ok(Reply::of(|xml| {
            xml.element("launchTemplate", |xml| write(xml, &template, latest, &tags));
        }))
    }
}

fn write_deleted(xml: &mut Xml, template: &LaunchTemplate, number: u64) {
    xml.text("launchTemplateId", &template.id);
    xml.text("launchTemplateName", &template.name);
    xml.text("versionNumber", number);
}
