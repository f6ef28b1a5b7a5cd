//! The accounts that a spec names, and those that the object may still have images in.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kube::ResourceExt;

use super::super::identity::Place;
use super::super::plan::Finding;
use super::{ACCOUNTS, LIMIT_LIFTED_UNTIL, References};
use crate::api::conditions::{self, Reason};
use crate::api::{AwsAccount, MachineImage, Namespace, RegionTarget};

/// What the cluster has of an `AwsAccount` that an object names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountReference {
    /// The `AwsAccount`, if there is one that can be used.
    pub account: Option<AwsAccount>,
    /// Why the `AwsAccount` of that name, which is there, cannot be used.
    pub unusable: Option<String>,
    /// The regions that the account was proven to have; `None` before it was reached.
    pub regions: Option<Vec<String>>,
}

impl AccountReference {
    /// One that can be used, by its name; which regions it has is not known.
    pub fn to(account: AwsAccount) -> (String, Self) {
        let reference = Self {
            account: Some(account),
            ..Self::default()
        };
        let name = reference.account.as_ref().map(AwsAccount::name);
        (name.unwrap_or_default().to_owned(), reference)
    }
}

/// An account that the object has images in, or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What its `AwsAccount` is called.
    pub name: String,
    /// Until when any number of its images may go at once.
    pub limit_lifted_until: Option<Timestamp>,
    /// Why nothing may be copied into it, if so: a grant that is missing.
    pub refusal: Option<Finding>,
    /// Whether what other accounts use counts, of the object's images there.
    pub reports_usage: bool,
}

/// The names of the `AwsAccount`s that `image` asks for, its home first, and of those that it may have images in.
pub fn named(image: &MachineImage) -> impl Iterator<Item = &str> {
    let asked = image.spec.accounts.iter().map(|asked| asked.name.as_str());
    std::iter::once(image.spec.account_name.as_str())
        .chain(asked)
        .chain(recorded(image))
}

/// The names of the `AwsAccount`s in which something was made once, as the object's annotation has them.
pub(super) fn recorded(image: &MachineImage) -> impl Iterator<Item = &str> {
    let text = image.annotations().get(ACCOUNTS).map(String::as_str);
    let names = text.unwrap_or_default().split(',');
    names.filter(|name| !name.is_empty())
}

/// The annotation's value.
pub fn annotation<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
    names.join(",")
}

/// What stands for the account's id in a place of an account that is not known.
pub(super) fn unknown(name: &str) -> String {
    format!("AwsAccount {name}")
}

/// The name in such a text.
pub(super) fn name_of_unknown(account: &str) -> Option<&str> {
    account.strip_prefix("AwsAccount ")
}

/// The wanted places with what is asked of each, in the spec's order, the home account's first.
pub(super) fn wanted<'a>(
    image: &'a MachineImage,
    references: References<'a>,
) -> impl Iterator<Item = (Place, &'a RegionTarget)> {
    let spec = &image.spec;
    let home = references.id_of(&spec.account_name).unwrap_or_default();
    let at_home = spec
        .regions
        .iter()
        .map(move |region| (home.clone(), region));
    let elsewhere = spec.accounts.iter().flat_map(move |asked| {
        let id = references.id_of(&asked.name);
        let id = id.unwrap_or_else(|| unknown(&asked.name));
        asked.regions.iter().map(move |region| (id.clone(), region))
    });
    let all = at_home.chain(elsewhere);
    all.map(|(account, region)| (Place::new(account, &region.name), region))
}

/// The accounts by their ids, as far as they are known.
pub(super) fn accounts(
    image: &MachineImage,
    references: References<'_>,
) -> BTreeMap<String, Account> {
    let home = references.id_of(&image.spec.account_name);
    let known = named(image).filter_map(|name| {
        let account = references.account(name)?;
        let id = account.spec.account_id.clone();
        let is_home = home.as_ref() == Some(&id);
        let refusal = home
            .as_ref()
            .filter(|_| !is_home)
            .and_then(|home| refusal(account, image, home, references));
        let limit = account.annotations().get(LIMIT_LIFTED_UNTIL);
        let namespace = Namespace {
            name: image.namespace(),
            labels: references.namespace_labels,
        };
        let known = Account {
            name: name.to_owned(),
            reports_usage: account.grants_usage_reports(namespace),
            limit_lifted_until: limit.and_then(|text| text.parse().ok()),
            refusal,
        };
        Some((id, known))
    });
    known.collect()
}

/// Images of the home account are copied into another one as those of any owner are: by its grant.
fn refusal(
    account: &AwsAccount,
    image: &MachineImage,
    home: &str,
    references: References<'_>,
) -> Option<Finding> {
    let namespace = Namespace {
        name: image.namespace(),
        labels: references.namespace_labels,
    };
    let granted = account.grants_source_owner(namespace, home, None);
    granted.err().map(Finding::from)
}

/// What of the accounts that the spec names forbids to make anything.
pub(super) fn refusals(image: &MachineImage, references: References<'_>) -> Vec<Finding> {
    let spec = &image.spec;
    let source = spec.source.region();
    let at_home: Vec<&str> = spec.region_names().chain([source]).collect();
    let elsewhere = spec.accounts.iter().map(|asked| {
        let regions = asked.regions.iter().map(|region| region.name.as_str());
        (
            asked.name.as_str(),
            regions.collect::<Vec<_>>(),
            "spec.accounts",
        )
    });
    let home = (
        spec.account_name.as_str(),
        at_home,
        "spec.regions and spec.source",
    );
    let mut refusals: Vec<_> = std::iter::once(home)
        .chain(elsewhere)
        .filter_map(|(name, regions, field)| unusable(name, &regions, field, references))
        .collect();
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for name in std::iter::once(&spec.account_name).chain(spec.accounts.iter().map(|one| &one.name))
    {
        if let Some(id) = references.id_of(name)
            && let Some(other) = seen.insert(id, name)
        {
            let message = format!(
                "AwsAccounts {other:?} and {name:?} are one account: write its regions once, in spec.regions or in one \
                 entry of spec.accounts"
            );
            refusals.push(finding(conditions::INVALID_SPEC, message));
        }
    }
    refusals
}

fn finding(reason: Reason, message: String) -> Finding {
    Finding {
        reason,
        place: None,
        message,
    }
}

fn unusable(
    name: &str,
    regions: &[&str],
    field: &str,
    references: References<'_>,
) -> Option<Finding> {
    let reference = references.accounts.get(name);
    let Some(account) = references.account(name) else {
        if let Some(why) = reference.and_then(|reference| reference.unusable.as_ref()) {
            let message = format!("AwsAccount {name:?} cannot be used: {why}");
            return Some(finding(conditions::ACCOUNT_NOT_READY, message));
        }
        let message = format!(
            "there is no AwsAccount {name:?}: create it, or name one that exists (kubectl get awsaccounts)"
        );
        return Some(finding(conditions::ACCOUNT_NOT_FOUND, message));
    };
    if account.metadata.deletion_timestamp.is_some() {
        let message = format!(
            "AwsAccount {name:?} is being deleted: nothing is made in it any more; delete this MachineImage, too, or \
             create the AwsAccount anew"
        );
        return Some(finding(conditions::ACCOUNT_NOT_READY, message));
    }
    let enabled = reference.and_then(|reference| reference.regions.as_ref());
    let outside = regions.iter().find(|region| {
        let is_enabled = |enabled: &Vec<String>| enabled.iter().any(|name| name == *region);
        !account.may_use(region) || !enabled.is_none_or(is_enabled)
    });
    let region = outside?;
    let message = format!(
        "{region} is not among the regions of AwsAccount {name:?}: take it out of {field}, add it to the AwsAccount's \
         spec.regions, or enable it for account {}",
        account.spec.account_id
    );
    Some(finding(conditions::REGION_NOT_IN_ACCOUNT, message))
}
