//! Which accounts are in which organization and units.

use std::collections::BTreeSet;

use crate::state::{is_organization_id, is_unit_id, organization_arn, unit_arn};
use crate::world::World;
use crate::world_file::load::wrong;
use crate::world_file::{OrganizationFile, WorldFileError};

impl World {
    /// Tells each account of an organization what it is a member of.
    pub(super) fn add_organization(
        &mut self,
        id: &str,
        file: &OrganizationFile,
    ) -> Result<(), WorldFileError> {
        if !is_organization_id(id) {
            let reason = "the id of an organization is o- and 10 to 32 small letters or digits";
            return Err(wrong(id, reason));
        }
        let whole = BTreeSet::from([organization_arn(&file.management, id)]);
        let direct = file.accounts.iter().filter(|it| **it != file.management);
        let in_units = file.units.values().flat_map(|unit| &unit.accounts);
        if !in_units.clone().any(|it| *it == file.management) {
            self.join(id, &file.management, whole.clone())?;
        }
        for account in direct {
            self.join(id, account, whole.clone())?;
        }
        for (unit, content) in &file.units {
            let mut member_of = whole.clone();
            for part in with_parents(file, unit)? {
                member_of.insert(unit_arn(&file.management, id, part));
            }
            for account in &content.accounts {
                self.join(unit, account, member_of.clone())?;
            }
        }
        Ok(())
    }

    fn join(
        &mut self,
        place: &str,
        account: &str,
        member_of: BTreeSet<String>,
    ) -> Result<(), WorldFileError> {
        let found = self.account_mut(account);
        let found =
            found.ok_or_else(|| wrong(place, format!("there is no account {account} here")))?;
        if !found.member_of.is_empty() {
            return Err(wrong(
                place,
                format!("the account {account} is in an organization or unit already"),
            ));
        }
        found.member_of = member_of;
        Ok(())
    }
}

/// A unit, the unit it is part of, and so on.
fn with_parents<'a>(
    file: &'a OrganizationFile,
    unit: &'a str,
) -> Result<BTreeSet<&'a str>, WorldFileError> {
    let mut parts = BTreeSet::new();
    let mut next = Some(unit);
    while let Some(id) = next {
        if !is_unit_id(id) {
            let reason = "the id of a unit is ou-, the code of the root, and one of its own";
            return Err(wrong(id, reason));
        }
        let found = file.units.get(id);
        let found = found.ok_or_else(|| wrong(unit, format!("there is no unit {id}")))?;
        if !parts.insert(id) {
            return Err(wrong(unit, "this unit is part of itself"));
        }
        next = found.parent.as_deref();
    }
    Ok(parts)
}
