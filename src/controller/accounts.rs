//! `AwsAccount`: which accounts the inventory reads, whether each was reached and is the right one, and when it may
//! go.

use std::collections::BTreeMap;
use std::time::Duration;

use amity_core::account::{Claims, Holdings};
use amity_core::api::conditions::{self, Reason};
use amity_core::api::{AwsAccount, AwsAccountStatus};
use amity_core::image::desired::FINALIZER;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::controller::Action;

use super::objects::Error;
use super::reconcile::Context;
use crate::aws::session::Sessions;

/// How soon an account that could not be reached, or of which something is not read yet, is looked at again.
const NOT_READY: Duration = Duration::from_secs(15);

/// After the finalizer was stored.
const AFTER_A_WRITE: Duration = Duration::from_millis(100);

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

/// Proves the account and says so in its status, with what of it nobody asks for any more. An account that was
/// reached once is kept until nothing of this installation is left in it.
///
/// # Errors
/// Kubernetes refused a write.
pub async fn reconcile(
    account: &AwsAccount,
    usable: &[AwsAccount],
    sessions: &Sessions,
    claims: &Claims,
    cx: &Context,
) -> Result<Action, Error> {
    let duplicate = duplicate(account, usable);
    if account.metadata.deletion_timestamp.is_some() {
        return end(account, duplicate.is_some(), claims, cx).await;
    }
    let verdict = match duplicate {
        Some(message) => Err((conditions::DUPLICATE_ACCOUNT, message)),
        None => sessions
            .open(account)
            .await
            .map_err(|unreadable| (unreadable.reason, unreadable.message)),
    };
    let requeue = match &verdict {
        Ok(_) if !is_held(account) => {
            cx.objects.hold_account(account).await?;
            return Ok(Action::requeue(AFTER_A_WRITE));
        }
        Ok(_) if is_read(account, cx) => READY,
        _ => NOT_READY,
    };
    let (status, reason, message) = match verdict {
        Ok(session) => {
            let (id, regions) = (session.account_id(), session.regions().len());
            let message = format!("account {id} was reached, {regions} regions");
            ("True", conditions::VERIFIED, message)
        }
        Err((reason, message)) => ("False", reason, message),
    };
    tell(account, (status, reason, message), claims, cx).await?;
    Ok(Action::requeue(requeue))
}

/// Lets an account go when nothing needs it any more, and says until then what does.
async fn end(
    account: &AwsAccount,
    is_duplicate: bool,
    claims: &Claims,
    cx: &Context,
) -> Result<Action, Error> {
    if !is_held(account) {
        return Ok(Action::await_change());
    }
    // What is in the account of a duplicate is the other object's.
    let holdings = if is_duplicate {
        Holdings::default()
    } else {
        cx.inventory.holdings(&account.spec.account_id)
    };
    let Some(why) = claims.keep(account.name(), &holdings, &cx.installation.cluster) else {
        cx.objects.release_account(account).await?;
        return Ok(Action::await_change());
    };
    cx.inventory.watch_snapshots(&account.spec.account_id);
    let message = format!(
        "deletion waits: {why}; if the account is closed, remove the finalizer {FINALIZER} by hand"
    );
    tell(
        account,
        ("False", conditions::DELETING, message),
        claims,
        cx,
    )
    .await?;
    Ok(Action::requeue(NOT_READY))
}

/// Which other account object has the same id and came first.
fn duplicate(account: &AwsAccount, usable: &[AwsAccount]) -> Option<String> {
    let other = usable
        .iter()
        .find(|other| other.spec.account_id == account.spec.account_id)
        .filter(|other| other.name() != account.name())?;
    Some(format!(
        "AwsAccount {:?} has the same accountId {} and is older: keep one of them",
        other.name(),
        account.spec.account_id
    ))
}

/// Whether all of it was read, so that its strays are known.
fn is_read(account: &AwsAccount, cx: &Context) -> bool {
    let holdings = cx.inventory.holdings(&account.spec.account_id);
    holdings.unreadable.is_empty()
}

fn is_held(account: &AwsAccount) -> bool {
    account.finalizers().iter().any(|name| name == FINALIZER)
}

/// Writes the status, if it says something new.
async fn tell(
    account: &AwsAccount,
    (status, reason, message): (&str, Reason, String),
    claims: &Claims,
    cx: &Context,
) -> Result<(), Error> {
    let before = account.status.clone().unwrap_or_default();
    let generation = account.metadata.generation.unwrap_or_default();
    let holdings = cx.inventory.holdings(&account.spec.account_id);
    // Before everything was read, what was said of strays stands.
    let strays = if holdings.unreadable.is_empty() {
        claims.strays(&holdings, &cx.installation.cluster)
    } else {
        before.strays
    };
    let message = match &strays {
        Some(strays) if status == "True" => format!("{message}; {strays}"),
        _ => message,
    };
    // What waits for somebody is not to be waited for: kstatus calls Stalled failed, and Ready alone in progress.
    let besides = if reason.stalls() {
        conditions::STALLED
    } else {
        conditions::RECONCILING
    };
    let besides = (status != "True").then_some((besides, "True"));
    let conditions = [(conditions::READY, status)].into_iter().chain(besides);
    let conditions = conditions.map(|(type_, status)| {
        let (message, now) = (message.clone(), cx.clock.now());
        conditions::condition(
            &before.conditions,
            type_,
            status,
            reason,
            message,
            generation,
            now,
        )
    });
    let status = AwsAccountStatus {
        observed_generation: generation,
        conditions: conditions.collect(),
        strays,
    };
    cx.objects.replace_account_status(account, status).await
}
