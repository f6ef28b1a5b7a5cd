//! With whom a spec asks to share, and with whom of them the account's grants let its namespace.

use std::collections::BTreeSet;

use super::super::permissions::{Grantee, Sharing};
use super::References;
use crate::api::{self, MachineImage, Namespace, Visibility};

/// The account itself needs no permission.
pub(super) fn sharing(
    asked: &api::Sharing,
    image: &MachineImage,
    references: References<'_>,
) -> Sharing {
    let account = references.account(&image.spec.account_name);
    let own = account.map(|account| &account.spec.account_id);
    let accounts = asked.accounts.iter().filter(|id| Some(*id) != own);
    let organizations = asked.organizations.iter();
    let units = asked.organizational_units.iter();
    let with: BTreeSet<_> = accounts
        .cloned()
        .map(Grantee::Account)
        .chain(organizations.cloned().map(Grantee::Organization))
        .chain(units.cloned().map(Grantee::OrganizationalUnit))
        .collect();
    let mut sharing = Sharing {
        public: asked.visibility == Visibility::Public,
        with,
        public_is_granted: true,
        ..Sharing::default()
    };
    let Some(account) = account else {
        return sharing;
    };
    let namespace = Namespace {
        name: image.namespace(),
        labels: references.namespace_labels,
    };
    for grantee in &sharing.with {
        if let Err(missing) = account.grants_sharing(namespace, grantee.id()) {
            sharing.not_granted.insert(grantee.clone());
            sharing.refusals.push(missing.into());
        }
    }
    if sharing.public
        && let Err(missing) = account.grants_public(namespace)
    {
        sharing.public_is_granted = false;
        sharing.refusals.push(missing.into());
    }
    sharing
}
