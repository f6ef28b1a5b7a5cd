//! Which parameter a spec asks for, and whether the account's grants let its namespace write it.

use super::super::parameters::PublishedParameter;
use super::References;
use crate::api::Namespace;

pub(super) fn parameter(
    name: &str,
    namespace: &str,
    references: References<'_>,
) -> PublishedParameter {
    let namespace = Namespace {
        name: namespace,
        labels: references.namespace_labels,
    };
    let granted = references
        .account
        .map_or(Ok(()), |account| account.grants_parameter(namespace, name));
    PublishedParameter {
        name: name.to_owned(),
        not_granted: granted.err().map(Into::into),
    }
}
