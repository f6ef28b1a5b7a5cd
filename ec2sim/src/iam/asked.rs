//! A call taken apart: which actions on which resources, and in which context.
//!
//! ARNs and condition keys are those of the Service Authorization Reference. What a call makes has
//! no id yet and is `…/*`. A new resource has the tags of the request, and one that is there has
//! its own, as EC2 itself knows them; where the reference gives an action no `aws:ResourceTag`, it
//! has none here.

use std::collections::BTreeSet;

use super::actions::{EC2, MACHINES, READER, REFERENCES, SEND_COMMAND, SSM, Touches};
use super::context::Context;
use super::evaluate::Check;
use super::identity_arn;
use crate::error::ApiError;
use crate::state::{Image, Principal, Snapshot, Tags, parameter};
use crate::wire::parameters::Parameters;
use crate::wire::request::{Caller, Request, Service};
use crate::world::World;

/// All that must be allowed for a call. What the call does not say, or what is not there, is for
/// the call itself to refuse.
pub(super) fn checks(
    world: &World,
    caller: &Caller,
    principal: &Principal,
    request: &Request,
) -> Result<Vec<Check>, ApiError> {
    let common = Context::default()
        .with("aws:PrincipalArn", identity_arn(principal))
        .with("aws:PrincipalAccount", &principal.account)
        .with("aws:RequestedRegion", &caller.region)
        .with_principal_tags(&principal.tags);
    let asked = Asked {
        world,
        account: &principal.account,
        region: &caller.region,
        request,
        common,
    };
    match caller.service {
        Service::Ec2 => asked.of_ec2(),
        Service::Ssm => asked.of_ssm(),
        Service::Sts => Ok(asked.of_sts()),
    }
}

/// A call, as it is taken apart.
pub(super) struct Asked<'a> {
    pub(super) world: &'a World,
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) request: &'a Request,
    common: Context,
}

impl Asked<'_> {
    fn of_ec2(&self) -> Result<Vec<Check>, ApiError> {
        let action = self.request.action.as_str();
        let Some((_, touches)) = EC2.iter().find(|(name, _)| *name == action) else {
            return Err(ApiError::not_modelled(format!(
                "policies for the action {action}"
            )));
        };
        let mut checks = Vec::new();
        for touched in *touches {
            match touched {
                Touches::Nothing => {
                    checks.push(Check::of(&format!("ec2:{action}"), "*", self.ec2()));
                }
                Touches::Named(parameter) => self.named(parameter, &mut checks),
                Touches::SourceImage => checks.extend(self.source_image()),
                Touches::MappedSnapshots => self.mapped_snapshots(&mut checks),
                Touches::New(kind) => {
                    let context = self.ec2().with_request_tags(&self.born_with(kind)?);
                    let arn = self.arn(self.region, kind, "*");
                    checks.push(Check::of(&format!("ec2:{action}"), &arn, context));
                }
                Touches::TagsAtBirth => {
                    for kind in [
                        "image",
                        "snapshot",
                        "instance",
                        "volume",
                        "image-usage-report",
                        "launch-template",
                    ] {
                        let tags = self.born_with(kind)?;
                        if !tags.is_empty() {
                            let context = self.ec2().with_request_tags(&tags);
                            let context = context.with("ec2:CreateAction", action);
                            let arn = self.arn(self.region, kind, "*");
                            checks.push(Check::of("ec2:CreateTags", &arn, context));
                        }
                    }
                }
                Touches::Tagged => self.tagged(&mut checks),
                Touches::ReadsInTheCallersName => self.reads(&mut checks),
                Touches::Template => checks.extend(self.template()?),
                Touches::Launch => self.launch(&mut checks)?,
            }
        }
        self.check_snapshots_of_deregistered(action)?;
        Ok(checks)
    }

    fn of_ssm(&self) -> Result<Vec<Check>, ApiError> {
        let action = self.request.action.as_str();
        if MACHINES.contains(&action) {
            return Ok(self.of_machines(action));
        }
        let Some((_, named)) = SSM.iter().find(|(name, _)| *name == action) else {
            return Ok(Vec::new());
        };
        let of = |action: &str| format!("ssm:{action}");
        let Some(named) = named else {
            let arn = format!("arn:aws:ssm:{}:{}:*", self.region, self.account);
            return Ok(vec![Check::of(&of(action), &arn, self.common.clone())]);
        };
        let given = tags_of(&mut self.parameters(), "Tags");
        let keys = self.parameters().list("TagKeys");
        let mut checks = Vec::new();
        for name in self.parameters().one_or_more(named) {
            let name = name.split(':').next().unwrap_or_default();
            let arn = parameter::arn(self.region, self.account, name);
            let mut context = self.common.clone().with_request_tags(&given);
            context = context.with_all("aws:TagKeys", keys.clone());
            let region = self.world.region(self.region)?;
            // The reference gives `PutParameter` no `aws:ResourceTag`.
            if action != "PutParameter" {
                context = context.with_tags(&region.parameter_tags(self.account, name));
            }
            // One that is put is made where it is missing.
            let is_there =
                action == "PutParameter" || region.parameter(self.account, name).is_some();
            if !is_there && !self.world.facts.missing_resources_are_denied {
                continue;
            }
            let (of, asked) = (of(action), context.clone());
            checks.push(Check::of_what_may_be_missing(&of, &arn, asked, is_there));
            if action == "PutParameter" && !given.is_empty() {
                checks.push(Check::of("ssm:AddTagsToResource", &arn, context));
            }
        }
        Ok(checks)
    }

    /// A command is about its document, which is AWS's own, and each instance.
    fn of_machines(&self, action: &str) -> Vec<Check> {
        let of = format!("ssm:{action}");
        if action != SEND_COMMAND {
            return vec![Check::of(&of, "*", self.common.clone())];
        }
        let mut parameters = self.parameters();
        let document = parameters.text("DocumentName").unwrap_or_default();
        let arn = format!("arn:aws:ssm:{}::document/{document}", self.region);
        let mut checks = vec![Check::of(&of, &arn, self.common.clone())];
        for id in parameters.list("InstanceIds") {
            let mut context = self.common.clone();
            if let Some(region) = self.world.regions().get(self.region) {
                for (key, value) in region.tags(&id, self.account) {
                    context = context.with(&format!("ssm:resourceTag/{key}"), value);
                }
            }
            checks.extend(self.existing(&of, &id, context));
        }
        checks
    }

    /// `GetCallerIdentity` needs no permission, and tags need one of their own.
    fn of_sts(&self) -> Vec<Check> {
        let mut parameters = self.parameters();
        let Some(arn) = parameters.text("RoleArn") else {
            return Vec::new();
        };
        if self.request.action != "AssumeRole" {
            return Vec::new();
        }
        let tags = tags_of(&mut parameters, "Tags.member");
        let tagging = self.common.clone().with_request_tags(&tags);
        let mut context = tagging.clone();
        for (key, name) in [
            ("sts:ExternalId", "ExternalId"),
            ("sts:RoleSessionName", "RoleSessionName"),
        ] {
            context = context.with_all(key, parameters.text(name));
        }
        let mut checks = vec![Check::of("sts:AssumeRole", &arn, context)];
        if !tags.is_empty() {
            checks.push(Check::of("sts:TagSession", &arn, tagging));
        }
        checks
    }

    fn named(&self, parameter: &str, checks: &mut Vec<Check>) {
        let action = format!("ec2:{}", self.request.action);
        for id in self.parameters().one_or_more(parameter) {
            checks.extend(self.existing(&action, &id, self.ec2()));
        }
    }

    /// `CreateTags` and `DeleteTags`. A key without a value is a key all the same.
    fn tagged(&self, checks: &mut Vec<Check>) {
        let action = format!("ec2:{}", self.request.action);
        let (mut context, mut keys) = (self.ec2(), BTreeSet::new());
        for mut tag in self.parameters().structures("Tag") {
            let key = tag.text("Key").unwrap_or_default();
            if let Some(value) = tag.text("Value") {
                context = context.with(&format!("aws:RequestTag/{key}"), value);
            }
            keys.insert(key);
        }
        let context = context.with_all("aws:TagKeys", keys);
        for id in self.parameters().list("ResourceId") {
            checks.extend(self.existing(&action, &id, context.clone()));
        }
    }

    fn source_image(&self) -> Option<Check> {
        let mut parameters = self.parameters();
        let id = parameters.text("SourceImageId")?;
        let region = parameters.text("SourceRegion")?;
        let mut context = self.ec2().with("ec2:ImageID", &id);
        let image = self.world.regions().get(&region)?.images.get(&id);
        context = context.with_all("ec2:Owner", image.map(|image| self.owner(&image.owner)));
        let arn = self.arn(&region, "image", &id);
        Some(Check::of("ec2:CopyImage", &arn, context))
    }

    fn mapped_snapshots(&self, checks: &mut Vec<Check>) {
        let action = format!("ec2:{}", self.request.action);
        for mut mapping in self.parameters().structures("BlockDeviceMapping") {
            if let Some(id) = mapping.text("Ebs.SnapshotId") {
                checks.extend(self.existing(&action, &id, self.ec2()));
            }
        }
    }

    fn reads(&self, checks: &mut Vec<Check>) {
        let mut parameters = self.parameters();
        let all = parameters.flag("IncludeAllResourceTypes").unwrap_or(true);
        let types = parameters.structures("ResourceType").into_iter();
        let types: Vec<_> = types
            .filter_map(|mut one| one.text("ResourceType"))
            .collect();
        for (kind, actions) in REFERENCES {
            if all || types.iter().any(|one| one == kind) {
                for action in actions {
                    let via = [READER.to_owned()];
                    let context = self.common.clone().with_all("aws:CalledVia", via);
                    checks.push(Check::of(action, &self.read_by(action), context));
                }
            }
        }
    }

    /// What an action of another service is about when EC2 reads everything.
    fn read_by(&self, action: &str) -> String {
        let (region, account) = (self.region, self.account);
        match action {
            "ssm:DescribeParameters" => format!("arn:aws:ssm:{region}:{account}:*"),
            "ssm:GetParameters" => format!("arn:aws:ssm:{region}:{account}:parameter/*"),
            "imagebuilder:GetContainerRecipe" => {
                format!("arn:aws:imagebuilder:{region}:{account}:container-recipe/*")
            }
            _ => "*".to_owned(),
        }
    }

    /// The check of a resource that is there. Of one that is not it is a fact whether IAM is asked.
    pub(super) fn existing(&self, action: &str, id: &str, context: Context) -> Option<Check> {
        let region = self.world.regions().get(self.region)?;
        let account = self.account;
        let (kind, context, is_there) = match id.split('-').next()? {
            "ami" => {
                let context = context.with("ec2:ImageID", id);
                let found = region.images.get(id);
                let viewer = self.world.viewer(account);
                // What is in the Recycle Bin has its tags, which policies look at.
                let is_there = |one: &&Image| {
                    let mut end = one.deregistered.iter();
                    end.all(|end| end.recycled_until.is_some()) && one.visible_to(viewer)
                };
                match found.filter(is_there) {
                    Some(image) => {
                        let context = context.with("ec2:Owner", self.owner(&image.owner));
                        let context = context.with("ec2:Public", image.public.to_string());
                        ("image", context, true)
                    }
                    None => ("image", context, false),
                }
            }
            "snap" => {
                let context = context.with("ec2:SnapshotID", id);
                let found = region.snapshots.get(id);
                let is_there = |one: &&Snapshot| {
                    (one.deleted.is_none() || one.recycled_until.is_some())
                        && one.usable_by(account)
                };
                match found.filter(is_there) {
                    Some(snapshot) => {
                        let context = context.with("ec2:Owner", self.owner(&snapshot.owner));
                        ("snapshot", context, true)
                    }
                    None => ("snapshot", context, false),
                }
            }
            "i" => {
                let found = region.instances.get(id);
                let found = found.filter(|one| one.owner == account);
                let mut context = context.with("ec2:InstanceID", id);
                if let Some(one) = found {
                    let market = if one.asked.spot.is_some() {
                        "spot"
                    } else {
                        "on-demand"
                    };
                    context = context.with("ec2:InstanceType", &one.instance_type);
                    context = context.with("ec2:InstanceMarketType", market);
                    let profile = one.profile.iter().map(|profile| profile.arn.clone());
                    context = context.with_all("ec2:InstanceProfile", profile);
                }
                ("instance", context, found.is_some())
            }
            "lt" => {
                let found = region.launch_templates.get(id);
                let is_there = found.is_some_and(|one| one.owner == account);
                ("launch-template", context, is_there)
            }
            "sg" => (
                "security-group",
                context.with("ec2:SecurityGroupID", id),
                true,
            ),
            "subnet" => ("subnet", context.with("ec2:SubnetID", id), true),
            "vol" => ("volume", context, true),
            // The call refuses what is no id.
            _ => return None,
        };
        let context = if is_there {
            context.with_tags(&region.tags(id, account))
        } else if self.world.facts.missing_resources_are_denied {
            context
        } else {
            return None;
        };
        let arn = self.arn(self.region, kind, id);
        Some(Check::of_what_may_be_missing(
            action, &arn, context, is_there,
        ))
    }

    /// The tags that a resource of this type is to be born with, copied ones too.
    fn born_with(&self, kind: &str) -> Result<Tags, ApiError> {
        let mut tags = Tags::new();
        let mut parameters = self.parameters();
        if kind == "image" && parameters.flag("CopyImageTags")? {
            let source = parameters.text("SourceImageId").unwrap_or_default();
            let from = parameters.text("SourceRegion").unwrap_or_default();
            if let Some(region) = self.world.regions().get(&from) {
                tags.extend(region.tags(&source, self.account));
            }
        }
        for mut specification in parameters.structures("TagSpecification") {
            if specification.text("ResourceType").as_deref() == Some(kind) {
                tags.extend(tags_of(&mut specification, "Tag"));
            }
        }
        Ok(tags)
    }

    /// What is deleted with its image needs the right to be, or is left: who may not delete it is
    /// told so for each snapshot, which is not modelled together with policies.
    fn check_snapshots_of_deregistered(&self, action: &str) -> Result<(), ApiError> {
        if action == "DeregisterImage" && self.parameters().flag("DeleteAssociatedSnapshots")? {
            return Err(ApiError::not_modelled(
                "DeleteAssociatedSnapshots under policies",
            ));
        }
        Ok(())
    }

    pub(super) fn ec2(&self) -> Context {
        self.common.clone().with("ec2:Region", self.region)
    }

    /// Images and snapshots name no account.
    pub(super) fn arn(&self, region: &str, kind: &str, id: &str) -> String {
        let account = match kind {
            "image" | "snapshot" => "",
            _ => self.account,
        };
        format!("arn:aws:ec2:{region}:{account}:{kind}/{id}")
    }

    /// `ec2:Owner` is the alias where the owner has one.
    fn owner(&self, account: &str) -> String {
        let alias = self
            .world
            .accounts()
            .get(account)
            .and_then(|one| one.alias.clone());
        alias.unwrap_or_else(|| account.to_owned())
    }

    pub(super) fn parameters(&self) -> Parameters {
        Parameters::new(&self.request.parameters)
    }
}

/// Tags in a list of that name. What is wrong with them is the call's to say.
fn tags_of(parameters: &mut Parameters, list: &str) -> Tags {
    let tags = parameters.structures(list).into_iter();
    let pair =
        |mut tag: Parameters| Some((tag.text("Key")?, tag.text("Value").unwrap_or_default()));
    tags.filter_map(pair).collect()
}
