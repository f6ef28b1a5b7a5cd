//! IAM, as far as image calls go: policies are evaluated on every call of who has any.
//!
//! Identity-based policies belong to an access key or to a role, service control policies to an
//! account. Who has no policies may do everything, as everybody may in a world without any; an
//! empty list allows nothing. Trust between accounts is the role's (`sts`), not a policy's here.
//!
//! A document is read strictly: an element, operator, condition key or action that this module
//! does not evaluate is an error when the document is loaded, never passed over later. Rules: IAM
//! user guide, `reference_policies_evaluation-logic`; which resources and keys an action has:
//! Service Authorization Reference (`list_amazonec2`, `list_awssystemsmanager`,
//! `list_awssecuritytokenservice`), in `actions` and `asked`.

mod actions;
mod asked;
mod authorize;
mod condition;
mod context;
mod denial;
mod document;
mod evaluate;
mod launch;
mod ledger;
mod pattern;
mod policy;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use ledger::{ActionUse, ConditionUse, DenialRecord, PolicyLedger, PolicyUse, StatementUse};
pub use policy::{Policy, PolicyError};

use crate::state::Principal;
use crate::world::World;
use crate::world_file::{IamFile, WorldFileError};

/// Who has which policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Iam {
    /// Identity-based policies by access key id or by the ARN of a role.
    identities: BTreeMap<String, Vec<Arc<Policy>>>,
    /// Service control policies by account.
    accounts: BTreeMap<String, Vec<Arc<Policy>>>,
    ledger: PolicyLedger,
}

impl World {
    /// Gives an access key or a role, by its ARN, these policies instead of those it had.
    ///
    /// # Errors
    /// Where nobody has that key, or no account that role.
    pub fn set_policies(&mut self, who: &str, policies: Vec<Policy>) -> Result<(), WorldFileError> {
        let known = match role_of(who) {
            Some((account, role)) => self
                .accounts
                .get(account)
                .is_some_and(|account| account.roles.contains_key(role)),
            None => self.principals.contains_key(who),
        };
        if !known {
            return Err(wrong(
                who,
                "policies are those of an access key or of a role's ARN",
            ));
        }
        let policies = self.iam.register(policies);
        self.iam.identities.insert(who.to_owned(), policies);
        Ok(())
    }

    /// Gives an account these service control policies instead of those it had. AWS's own
    /// `FullAWSAccess` is thought to be attached besides, so that they can only deny.
    ///
    /// # Errors
    /// Where there is no such account, or where one of them allows something.
    pub fn set_service_control_policies(
        &mut self,
        account: &str,
        policies: Vec<Policy>,
    ) -> Result<(), WorldFileError> {
        if !self.accounts.contains_key(account) {
            return Err(wrong(account, "there is no such account"));
        }
        if let Some(policy) = policies.iter().find(|policy| policy.allows_something()) {
            let reason = format!(
                "{}: a service control policy can only deny here, FullAWSAccess is attached besides",
                policy.name()
            );
            return Err(wrong(account, &reason));
        }
        let policies = self.iam.register(policies);
        self.iam.accounts.insert(account.to_owned(), policies);
        Ok(())
    }

    /// What the policies did so far: in this world, and in every other that shares the ledger, as
    /// clones do.
    pub fn policy_ledger(&self) -> &PolicyLedger {
        &self.iam.ledger
    }

    /// The same world, whose policies write to this ledger from now on.
    #[must_use]
    pub fn with_policy_ledger(mut self, ledger: PolicyLedger) -> Self {
        let all = self
            .iam
            .identities
            .values()
            .chain(self.iam.accounts.values());
        for policy in all.flatten() {
            ledger.register(policy);
        }
        self.iam.ledger = ledger;
        self
    }

    /// Loads what a world file says.
    pub(crate) fn load_policies(&mut self, file: IamFile) -> Result<(), WorldFileError> {
        for (who, documents) in file.policies {
            let policies = parse(&who, &documents)?;
            self.set_policies(&who, policies)?;
        }
        for (account, documents) in file.service_control_policies {
            let policies = parse(&account, &documents)?;
            self.set_service_control_policies(&account, policies)?;
        }
        Ok(())
    }
}

impl Iam {
    fn register(&self, policies: Vec<Policy>) -> Vec<Arc<Policy>> {
        for policy in &policies {
            self.ledger.register(policy);
        }
        policies.into_iter().map(Arc::new).collect()
    }

    /// The policies of whoever has these credentials; none: it may do everything.
    fn identity(&self, access_key: Option<&str>, principal: &Principal) -> Option<&[Arc<Policy>]> {
        let who = match &principal.session {
            Some(_) => identity_arn(principal),
            None => access_key?.to_owned(),
        };
        self.identities.get(&who).map(Vec::as_slice)
    }

    fn account(&self, account: &str) -> &[Arc<Policy>] {
        self.accounts.get(account).map_or(&[], Vec::as_slice)
    }
}

/// `aws:PrincipalArn`: of a session the ARN of its role.
fn identity_arn(principal: &Principal) -> String {
    let session = principal.arn.split_once(":assumed-role/");
    let role = session.and_then(|(_, rest)| rest.split_once('/'));
    match role {
        Some((role, _)) => format!("arn:aws:iam::{}:role/{role}", principal.account),
        None => principal.arn.clone(),
    }
}

/// Account and name of a role's ARN.
fn role_of(arn: &str) -> Option<(&str, &str)> {
    arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")
}

fn parse(who: &str, documents: &[serde_json::Value]) -> Result<Vec<Policy>, WorldFileError> {
    let numbered = documents.iter().enumerate();
    let policies = numbered.map(|(number, document)| {
        let name = format!("{who} #{}", number + 1);
        Policy::parse(&name, &document.to_string()).map_err(|error| wrong(who, &error.to_string()))
    });
    policies.collect()
}

fn wrong(place: &str, reason: &str) -> WorldFileError {
    WorldFileError::Content {
        place: place.to_owned(),
        reason: reason.to_owned(),
    }
}
