//! `ModifyLaunchTemplate`: which version is the default one (model; the name on the wire is `SetDefaultVersion`).
//!
//! It is so at once. A token is taken and not needed: a repeat does the same.

use crate::error::ApiError;
use crate::templates::{Template, write};
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

impl World {
    pub(crate) fn modify_launch_template(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let named = Template::required(&mut parameters)?;
        let version = parameters
            .text("SetDefaultVersion")
            .filter(|version| !version.is_empty());
        parameters.text("ClientToken");
        let dry_run = parameters.flag("DryRun")?;
        parameters.finish()?;
        let region = self.region(&call.region)?;
        let mut template = named.find(call, region)?.clone();
        if let Some(version) = version {
            template.default_version = template.version(call, region, &version)?.0;
        }
        if dry_run {
            return Err(ApiError::dry_run());
        }
        let latest = template.newest_seen(call, region);
        let tags = region.tags(&template.id, &call.account);
        let reply = Reply::of(|xml| {
            xml.element("launchTemplate", |xml| write(xml, &template, latest, &tags));
        });
        let region = self.region_mut(&call.region)?;
        region
            .launch_templates
            .insert(template.id.clone(), template);
        Ok(reply)
    }
}
