//! Who may launch an image: accounts, organizations, organizational units, or everybody (model:
//! `ModifyImageAttribute`; docs: UG sharingamis-explicit, share-amis-with-organizations-and-OUs,
//! block-public-access-to-amis, ami-quotas).
//!
//! An organization or unit counts once, need not be the owner's, and is named by its whole ARN.
//! A grant says nothing about the snapshots: who is to copy the image must be let to them, too.

use crate::error::ApiError;
use crate::state::{Image, is_organization, is_unit};
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

/// How many accounts, organizations and units an image can be shared with (docs: ami-quotas).
const MOST_ENTITIES: usize = 1000;
/// How many public images an account can have in a region (docs: ami-quotas).
const MOST_PUBLIC_IMAGES: usize = 5;
/// How many accounts one request may name (model: `LaunchPermission`).
const MOST_IN_A_REQUEST: usize = 10_000;

/// Who may launch an image.
#[derive(PartialEq, Eq)]
pub(super) enum Grantee {
    Everybody,
    Account(String),
    /// An organization or a unit of one.
    Organization(String),
}

/// Those who are let in and those who are shut out.
#[derive(Default)]
pub(super) struct Changes {
    add: Vec<Grantee>,
    remove: Vec<Grantee>,
}

impl Changes {
    /// Takes `LaunchPermission.Add.N.…` and `.Remove.N.…`, and the older `UserId.N`,
    /// `UserGroup.N`, `OrganizationArn.N` and `OrganizationalUnitArn.N` with `OperationType`.
    pub(super) fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let operation = parameters.text("OperationType");
        let mut changes = Self {
            add: take_structures(parameters, "LaunchPermission.Add")?,
            remove: take_structures(parameters, "LaunchPermission.Remove")?,
        };
        let mut named = take_lists(parameters)?;
        match operation.as_deref() {
            Some("add") => changes.add.append(&mut named),
            Some("remove") => changes.remove.append(&mut named),
            Some(other) => {
                return Err(ApiError::invalid_value(format!(
                    "Value ({other}) for parameter operationType is invalid"
                )));
            }
            None if named.is_empty() => {}
            None => return Err(ApiError::missing("OperationType")),
        }
        if changes.add.len() + changes.remove.len() > MOST_IN_A_REQUEST {
            return Err(ApiError::invalid_value(format!(
                "At most {MOST_IN_A_REQUEST} launch permissions can be changed in a request"
            )));
        }
        Ok(changes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty()
    }

    /// What is added goes in first, so that who is in both is out.
    pub(super) fn apply(&self, image: &mut Image) {
        for grantee in &self.add {
            match grantee {
                Grantee::Everybody => image.publish(),
                Grantee::Account(id) => {
                    image.shared_with.insert(id.clone());
                }
                Grantee::Organization(arn) => {
                    image.shared_with_organizations.insert(arn.clone());
                }
            }
        }
        for grantee in &self.remove {
            match grantee {
                Grantee::Everybody => image.public = false,
                Grantee::Account(id) => {
                    image.shared_with.remove(id);
                }
                Grantee::Organization(arn) => {
                    image.shared_with_organizations.remove(arn);
                }
            }
        }
    }
}

impl World {
    /// What may not be shared: anything under the AWS managed key, and with everybody nothing
    /// encrypted, and nothing at all while block public access is on.
    pub(super) fn check_sharing(
        &self,
        call: &Call,
        image: &Image,
        changes: &Changes,
    ) -> Result<(), ApiError> {
        if changes.add.is_empty() {
            return Ok(());
        }
        let region = self.region(&call.region)?;
        let managed = crate::kms::aws_managed(&call.account, &call.region);
        let keys: Vec<&String> = image
            .snapshot_ids()
            .filter_map(|id| region.snapshots.get(id)?.key.as_ref())
            .collect();
        if keys.contains(&&managed) {
            return Err(ApiError::new(
                "InvalidParameter",
                "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot.",
            ));
        }
        if changes.add.contains(&Grantee::Everybody) {
            // As seen in opendevstack/ods-core#1062.
            if !keys.is_empty() {
                return Err(ApiError::new(
                    "UnsupportedOperation",
                    "Encrypted snapshots can’t be shared publicly. Specify another snapshot.",
                ));
            }
            self.check_public_access(call)?;
        }
        self.check_quotas(call, image, changes)
    }

    /// The code for more than the quotas allow is not documented.
    fn check_quotas(&self, call: &Call, image: &Image, changes: &Changes) -> Result<(), ApiError> {
        let refuse = |what: &str, most: usize| {
            Err(ApiError::new(
                "ResourceLimitExceeded",
                format!("You have reached the limit of {most} {what}"),
            ))
        };
        let region = self.region(&call.region)?;
        let others = region.images.values().filter(|other| {
            let there = match &other.deregistered {
                None => true,
                // "incl. Recycle Bin" (docs: ami-quotas).
                Some(end) => end.recycled_until.is_some_and(|until| self.now < until),
            };
            other.owner == call.account && other.public && there && other.id != image.id
        });
        let mut shared = image.clone();
        changes.apply(&mut shared);
        if shared.public && !image.public && others.count() >= MOST_PUBLIC_IMAGES {
            return refuse("public images", MOST_PUBLIC_IMAGES);
        }
        if shared.shared_with.len() + shared.shared_with_organizations.len() > MOST_ENTITIES {
            return refuse("entities that an image is shared with", MOST_ENTITIES);
        }
        Ok(())
    }
}

/// `UserId`, `Group`, `OrganizationArn` or `OrganizationalUnitArn` of each structure.
fn take_structures(parameters: &mut Parameters, path: &str) -> Result<Vec<Grantee>, ApiError> {
    let mut all = Vec::new();
    for mut given in parameters.structures(path) {
        if let Some(id) = given.text("UserId") {
            all.push(account(id)?);
        }
        if let Some(group) = given.text("Group") {
            all.push(everybody(&group)?);
        }
        if let Some(arn) = given.text("OrganizationArn") {
            all.push(organization(arn)?);
        }
        if let Some(arn) = given.text("OrganizationalUnitArn") {
            all.push(unit(arn)?);
        }
        given.finish()?;
    }
    Ok(all)
}

fn take_lists(parameters: &mut Parameters) -> Result<Vec<Grantee>, ApiError> {
    let accounts = parameters.list("UserId").into_iter().map(account);
    let groups = parameters.list("UserGroup").into_iter();
    let groups = groups.map(|group| everybody(&group));
    let organizations = parameters.list("OrganizationArn").into_iter();
    let units = parameters.list("OrganizationalUnitArn").into_iter();
    accounts
        .chain(groups)
        .chain(organizations.map(organization))
        .chain(units.map(unit))
        .collect()
}

fn account(id: String) -> Result<Grantee, ApiError> {
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Grantee::Account(id));
    }
    Err(invalid_item(&id, "userId"))
}

fn everybody(group: &str) -> Result<Grantee, ApiError> {
    if group == "all" {
        return Ok(Grantee::Everybody);
    }
    Err(invalid_item(group, "group"))
}

fn organization(arn: String) -> Result<Grantee, ApiError> {
    if is_organization(&arn) {
        return Ok(Grantee::Organization(arn));
    }
    Err(invalid_item(&arn, "OrganizationArn"))
}

fn unit(arn: String) -> Result<Grantee, ApiError> {
    if is_unit(&arn) {
        return Ok(Grantee::Organization(arn));
    }
    Err(invalid_item(&arn, "OrganizationalUnitArn"))
}

/// As seen in hashicorp/packer-plugin-amazon#156.
fn invalid_item(item: &str, kind: &str) -> ApiError {
    ApiError::new(
        "InvalidAMIAttributeItemValue",
        format!("Invalid attribute item value \"{item}\" for {kind} item type."),
    )
}

/// The list that `DescribeImageAttribute` answers.
pub(super) fn write(reply: &mut Reply, image: &Image) {
    let everybody = image.public.then_some(("group", "all"));
    let accounts = image.shared_with.iter().map(|id| ("userId", id.as_str()));
    let organizations = image.shared_with_organizations.iter().map(|arn| {
        let is_unit = is_unit(arn);
        let name = if is_unit {
            "organizationalUnitArn"
        } else {
            "organizationArn"
        };
        (name, arn.as_str())
    });
    reply.xml.items(
        "launchPermission",
        everybody.into_iter().chain(accounts).chain(organizations),
        |xml, (name, value)| xml.text(name, value),
    );
}
