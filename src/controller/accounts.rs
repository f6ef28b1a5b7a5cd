//! `AwsAccount`: which accounts the inventory reads, and whether each was reached and is the right one.

use std::collections::BTreeMap;
use std::time::Duration;

use amity_core::api::conditions::{self, Reason};
use amity_core::api::{AwsAccount, AwsAccountStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::runtime::controller::Action;

use super::objects::{Error, Objects};
use crate::aws::session::Sessions;
use crate::clock::Clock;

/// How soon an account that could not be reached is tried again.
const NOT_READY: Duration = Duration::from_secs(15);

/// How often an account that was reached is looked at again.
const READY: Duration = Duration::from_mins(10);

/// The accounts that may be used: one object for each account id, the oldest where there are several.
pub fn one_per_account_id(accounts: impl IntoIterator<Item = AwsAccount>) -> Vec<AwsAccount> {
    let mut oldest: BTreeMap<String, AwsAccount> = BTreeMap::new();
    for account in accounts {
        match oldest.get(&account.spec.account_id) {
            Some(other) if age_key(other) <= age_key(&account) => {}
            _ => drop(oldest.insert(account.spec.account_id.clone(), account)),
        }
    }
    oldest.into_values().collect()
}

fn age_key(account: &AwsAccount) -> (Option<Timestamp>, &str) {
    (
        account
            .metadata
            .creation_timestamp
            .as_ref()
            .map(|time| time.0),
        account.name(),
    )
}

/// Proves the account and says so in its status.
///
/// # Errors
/// Kubernetes refused the write of the status.
pub async fn reconcile(
    account: &AwsAccount,
    usable: &[AwsAccount],
    sessions: &Sessions,
    objects: &Objects,
    clock: &Clock,
) -> Result<Action, Error> {
    let other = usable
        .iter()
        .find(|other| other.spec.account_id == account.spec.account_id);
    let verdict = match other {
        Some(other) if other.name() != account.name() => Err((
            conditions::DUPLICATE_ACCOUNT,
            format!(
                "AwsAccount {:?} has the same accountId {} and is older: keep one of them",
                other.name(),
                account.spec.account_id
            ),
        )),
        _ => sessions
            .open(account)
            .await
            .map(|session| (session.account_id().to_owned(), session.regions().len()))
            .map_err(|unreadable| (unreadable.reason, unreadable.message)),
    };
    let requeue = if verdict.is_ok() { READY } else { NOT_READY };
    let condition = match verdict {
        Ok((id, regions)) => ready(
            account,
            "True",
            conditions::VERIFIED,
            format!("account {id} was reached, {regions} regions"),
            clock,
        ),
        Err((reason, message)) => ready(account, "False", reason, message, clock),
    };
    let generation = account.metadata.generation.unwrap_or_default();
    let status = AwsAccountStatus {
        observed_generation: generation,
        conditions: vec![condition],
        strays: None,
    };
    objects.replace_account_status(account, status).await?;
    Ok(Action::requeue(requeue))
}

fn ready(
    account: &AwsAccount,
    status: &str,
    reason: Reason,
    message: String,
    clock: &Clock,
) -> Condition {
    let before = account.status.iter().flat_map(|status| &status.conditions);
    let unchanged = before
        .into_iter()
        .find(|old| old.type_ == conditions::READY && old.status == status);
    let now = clock.now();
    Condition {
        type_: conditions::READY.to_owned(),
        status: status.to_owned(),
        reason: reason.name.to_owned(),
        message,
        last_transition_time: unchanged.map_or_else(
            || Time(Timestamp::from_second(now.as_second()).unwrap_or(now)),
            |old| old.last_transition_time.clone(),
        ),
        observed_generation: account.metadata.generation,
    }
}
