//! Organizations and their units, as far as images are shared with them (docs: UG
//! share-amis-with-organizations-and-OUs).

use std::collections::BTreeSet;

/// Who looks at an image: an account, and the ARNs of what it is a member of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewer<'a> {
    pub account: &'a str,
    pub member_of: &'a BTreeSet<String>,
}

/// The ARN of an organization, as its management account has it.
pub(crate) fn organization_arn(management: &str, id: &str) -> String {
    format!("arn:aws:organizations::{management}:organization/{id}")
}

/// The ARN of an organizational unit.
pub(crate) fn unit_arn(management: &str, organization: &str, id: &str) -> String {
    format!("arn:aws:organizations::{management}:ou/{organization}/{id}")
}

/// Whether a text is the whole ARN of an organization; its id alone is not.
pub(crate) fn is_organization(arn: &str) -> bool {
    of_kind(arn, "organization").is_some_and(is_organization_id)
}

/// Whether a text is the whole ARN of an organizational unit.
pub(crate) fn is_unit(arn: &str) -> bool {
    let path = of_kind(arn, "ou").and_then(|path| path.split_once('/'));
    path.is_some_and(|(organization, unit)| is_organization_id(organization) && is_unit_id(unit))
}

/// `o-` and 10 to 32 letters or digits (model organizations: `OrganizationId`).
pub(crate) fn is_organization_id(id: &str) -> bool {
    id.strip_prefix("o-").is_some_and(|rest| is_code(rest, 10))
}

/// `ou-`, the code of the root, and one of its own (model organizations: `OrganizationalUnitId`).
pub(crate) fn is_unit_id(id: &str) -> bool {
    let codes = id.strip_prefix("ou-").and_then(|rest| rest.split_once('-'));
    codes.is_some_and(|(root, own)| is_code(root, 4) && is_code(own, 8))
}

fn of_kind<'a>(arn: &'a str, kind: &str) -> Option<&'a str> {
    let rest = arn.strip_prefix("arn:aws:organizations::")?;
    let (management, resource) = rest.split_once(':')?;
    let is_account = management.len() == 12 && management.bytes().all(|b| b.is_ascii_digit());
    let path = resource.strip_prefix(kind)?.strip_prefix('/')?;
    is_account.then_some(path)
}

fn is_code(text: &str, least: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (least..=32).contains(&text.len()) && text.bytes().all(allowed)
}
