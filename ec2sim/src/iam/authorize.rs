//! Every call comes through here before it is done: dry runs, too.
//!
//! All checks of a call must be allowed, by the identity's policies and the account's service
//! control policies. The first one that is not is the answer.

use std::sync::Arc;

use super::denial::{self, Why};
use super::evaluate::{Check, Decision, about, evaluate};
use super::ledger::DenialRecord;
use super::{Policy, asked, identity_arn};
use crate::error::ApiError;
use crate::state::Principal;
use crate::wire::request::{Caller, Request};
use crate::wire::response::iso;
use crate::world::World;

impl World {
    /// Refuses what the caller's policies do not allow.
    pub(crate) fn authorize(
        &self,
        caller: &Caller,
        principal: &Principal,
        request: &Request,
    ) -> Result<(), ApiError> {
        let identity = self
            .iam
            .identity(caller.access_key_id.as_deref(), principal);
        let account = self.iam.account(&principal.account);
        if identity.is_none() && account.is_empty() {
            return Ok(());
        }
        let ledger = &self.iam.ledger;
        let checks = asked::checks(self, caller, principal, request)?;
        let mut allowed = Vec::new();
        for check in &checks {
            for voice in about(identity.unwrap_or_default(), check).chain(about(account, check)) {
                ledger.considered(check, voice);
            }
            if let Some(why) = denied_by_account(self, account, check) {
                return Err(self.denial(caller, principal, request, check, why));
            }
            match identity.map(|policies| evaluate(policies, check)) {
                None => {}
                Some(Decision::Allowed(voices)) => allowed.push((check, voices)),
                Some(Decision::Denied(voice)) => {
                    ledger.denied(check, voice);
                    return Err(self.denial(caller, principal, request, check, Why::ExplicitDeny));
                }
                Some(Decision::NotAllowed) => {
                    let why = Why::NoIdentityPolicy;
                    return Err(self.denial(caller, principal, request, check, why));
                }
            }
        }
        for (check, voices) in allowed {
            ledger.allowed(check, &voices);
        }
        Ok(())
    }

    fn denial(
        &self,
        caller: &Caller,
        principal: &Principal,
        request: &Request,
        check: &Check,
        why: Why,
    ) -> ApiError {
        self.iam.ledger.denial(DenialRecord {
            time: iso(self.now),
            principal: identity_arn(principal),
            region: caller.region.clone(),
            call: request.action.clone(),
            action: check.action.clone(),
            resource: check.resource.clone(),
            reason: why.words(&check.action),
            missing: check.missing,
        });
        denial::error(
            caller.service,
            &principal.arn,
            &check.action,
            &check.resource,
            why,
        )
    }
}

/// What is not denied is allowed by `FullAWSAccess`.
fn denied_by_account(world: &World, policies: &[Arc<Policy>], check: &Check) -> Option<Why> {
    match evaluate(policies, check) {
        Decision::Denied(voice) => {
            world.iam.ledger.denied(check, voice);
            Some(Why::ServiceControlPolicy)
        }
        Decision::Allowed(_) | Decision::NotAllowed => None,
    }
}
