//! Which parameter a spec asks for, and whether the grants of its accounts let its namespace write it.

use super::super::parameters::PublishedParameter;
use super::References;
use crate::api::{MachineImage, Namespace};

/// The parameter of that name, which every account of the spec has to grant.
pub(super) fn parameter(
    name: &str,
    image: &MachineImage,
    references: References<'_>,
) -> PublishedParameter {
    let namespace = Namespace {
        name: image.namespace(),
        labels: references.namespace_labels,
    };
    let spec = &image.spec;
    let elsewhere = spec.accounts.iter().map(|asked| &asked.name);
    let mut accounts = std::iter::once(&spec.account_name)
        .chain(elsewhere)
        .filter_map(|account| references.account(account));
    let missing = accounts.find_map(|account| account.grants_parameter(namespace, name).err());
    PublishedParameter {
        name: name.to_owned(),
        not_granted: missing.map(Into::into),
    }
}
