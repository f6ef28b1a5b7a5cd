//! What IAM is asked about a launch, and about launch templates (Service Authorization Reference: `RunInstances`;
//! docs: UG iam-policies-for-launch-templates, IAM `id_roles_use_passrole`).
//!
//! A launch is about everything that it uses or makes, whether its template says so or the call. A spot request is asked
//! about only where it gets tags. Of condition keys there are those that a text is compared with.

use super::actions::PASS_ROLE;
use super::asked::Asked;
use super::context::Context;
use super::evaluate::Check;
use crate::error::ApiError;
use crate::instances::take_data;
use crate::lag::View;
use crate::state::LaunchData;
use crate::templates::Template;
use crate::world::Call;

const RUN: &str = "ec2:RunInstances";

impl Asked<'_> {
    /// The template that a call names. Where there is none of that name it is one that is not there.
    pub(super) fn template(&self) -> Result<Option<Check>, ApiError> {
        let action = format!("ec2:{}", self.request.action);
        let Some(named) = Template::take(&mut self.parameters(), "")? else {
            return Ok(None);
        };
        Ok(self.template_check(&action, &named, self.ec2()))
    }

    fn template_check(&self, action: &str, named: &Template, context: Context) -> Option<Check> {
        let region = self.world.regions().get(self.region)?;
        if let Ok(template) = named.find(&self.call(), region) {
            return self.existing(action, &template.id, context);
        }
        let arn = self.arn(self.region, "launch-template", named.id().unwrap_or("*"));
        let asks = self.world.facts.missing_resources_are_denied;
        asks.then(|| Check::of_what_may_be_missing(action, &arn, context, false))
    }

    pub(super) fn launch(&self, checks: &mut Vec<Check>) -> Result<(), ApiError> {
        let call = self.call();
        let mut parameters = self.parameters();
        let template = Template::take(&mut parameters, "LaunchTemplate.")?;
        let asked = take_data(&mut parameters)?;
        let data = match self
            .world
            .with_template(&call, asked.clone(), template.as_ref())
        {
            Ok(data) => data,
            // What is not there is for the call to refuse.
            Err(_) => asked,
        };
        if let Some(image) = &data.image {
            let image = self.world.resolved_image(&call, image).unwrap_or_default();
            checks.extend(self.existing(RUN, &image, self.ec2()));
        }
        let template =
            template.and_then(|template| self.template_check(RUN, &template, self.ec2()));
        let by = template.as_ref().map(|check| check.resource.clone());
        self.made_by_launch(&data, by.as_deref(), checks);
        self.used_by_launch(&call, &data, checks);
        checks.extend(template);
        self.passed_role(&data, checks);
        for (kind, tags) in &data.tags {
            if !tags.is_empty() {
                let context = self
                    .ec2()
                    .with_request_tags(tags)
                    .with("ec2:CreateAction", "RunInstances");
                let arn = self.arn(self.region, kind, "*");
                checks.push(Check::of("ec2:CreateTags", &arn, context));
            }
        }
        Ok(())
    }

    /// Instance, interface and volumes, which have no ids yet.
    fn made_by_launch(&self, data: &LaunchData, template: Option<&str>, checks: &mut Vec<Check>) {
        let mut kinds = vec!["instance", "network-interface", "volume"];
        if data.tags.contains_key("spot-instances-request") {
            kinds.push("spot-instances-request");
        }
        for kind in kinds {
            let mut context = self.ec2().with_request_tags(&data.tags_of(kind));
            context = context.with_all("ec2:LaunchTemplate", template.map(str::to_owned));
            if kind == "instance" {
                let market = if data.spot.is_some() {
                    "spot"
                } else {
                    "on-demand"
                };
                context = context
                    .with("ec2:InstanceMarketType", market)
                    .with_all("ec2:InstanceType", data.instance_type.clone())
                    .with_all(
                        "ec2:InstanceProfile",
                        data.profile.as_ref().map(|named| self.profile_arn(named)),
                    )
                    .with_all("ec2:MetadataHttpTokens", data.metadata.http_tokens.clone());
            }
            let arn = self.arn(self.region, kind, "*");
            checks.push(Check::of(RUN, &arn, context));
        }
    }

    /// Subnet, groups, key pair, and the snapshots that it names.
    fn used_by_launch(&self, call: &Call, data: &LaunchData, checks: &mut Vec<Check>) {
        let network = self.world.network(self.account, self.region);
        let instance_type = data.instance_type.as_deref().unwrap_or_default();
        if let Ok(found) = self
            .world
            .launch_network(call, &network, data, instance_type)
        {
            let vpc = self.arn(self.region, "vpc", &found.attached.vpc);
            let context = || self.ec2().with("ec2:Vpc", &vpc);
            checks.extend(self.existing(RUN, &found.attached.subnet, context()));
            for (group, _) in &found.attached.groups {
                checks.extend(self.existing(RUN, group, context()));
            }
        }
        if let Some(key) = &data.key_name {
            let context = self.ec2().with("ec2:KeyPairName", key);
            checks.push(Check::of(
                RUN,
                &self.arn(self.region, "key-pair", key),
                context,
            ));
        }
        for snapshot in data
            .devices
            .iter()
            .filter_map(|device| device.snapshot.as_ref())
        {
            checks.extend(self.existing(RUN, snapshot, self.ec2()));
        }
    }

    /// Who gives an instance a profile passes its role to EC2.
    fn passed_role(&self, data: &LaunchData, checks: &mut Vec<Check>) {
        let Some(named) = &data.profile else {
            return;
        };
        let name = named.rsplit('/').next().unwrap_or(named);
        let account = self.world.accounts().get(self.account);
        if let Some(profile) = account.and_then(|account| account.instance_profiles.get(name)) {
            let arn = format!("arn:aws:iam::{}:role/{}", self.account, profile.role);
            let context = self.ec2().with("iam:PassedToService", "ec2.amazonaws.com");
            checks.push(Check::of(PASS_ROLE, &arn, context));
        }
    }

    fn profile_arn(&self, named: &str) -> String {
        if named.starts_with("arn:") {
            named.to_owned()
        } else {
            format!("arn:aws:iam::{}:instance-profile/{named}", self.account)
        }
    }

    /// EC2 itself looks things up, and sees everything.
    fn call(&self) -> Call {
        let far = jiff::Timestamp::MAX;
        Call {
            now: far,
            account: self.account.to_owned(),
            region: self.region.to_owned(),
            view: View {
                now: far,
                stale: false,
            },
        }
    }
}
