//! The account that nobody wrote down: without a cluster there is nobody whose grants could be missing.

use amity_core::api::AwsAccount;
use kube::ResourceExt;
use serde_json::json;

use super::Error;
use super::manifests::Manifests;
use crate::aws::session::Sessions;

/// The name that a spec has in mind where it names no account.
const DEFAULT: &str = "default";

/// Adds an `AwsAccount` called `default` where an object names it and no file has it: the account of the credentials, in
/// which everything is granted that needs no list, since whoever has them may do it anyway.
///
/// # Errors
/// AWS does not say whose the credentials are.
pub async fn with_default_account(
    manifests: &mut Manifests,
    sessions: &Sessions,
) -> Result<(), Error> {
    let names_it = manifests
        .images
        .values()
        .any(|image| image.spec.account_name == DEFAULT);
    if !names_it || manifests.accounts.contains_key(DEFAULT) {
        return Ok(());
    }
    let account = account(&sessions.own_account().await?, manifests)?;
    manifests.accounts.insert(account.name_any(), account);
    Ok(())
}

fn account(id: &str, manifests: &Manifests) -> Result<AwsAccount, Error> {
    let everybody = json!({"all": true});
    let sources = manifests.images.values().filter_map(|image| {
        let source = serde_json::to_value(&image.spec.source).ok()?;
        source["image"]["owner"].as_str().map(str::to_owned)
    });
    let known = ["self", "amazon"].map(str::to_owned);
    let owners: std::collections::BTreeSet<_> = sources.chain(known).collect();
    let sharing = manifests.images.values().filter_map(|image| {
        let asked = image.spec.sharing.as_ref()?;
        Some(json!({
            "namespaces": everybody,
            "accounts": asked.accounts,
            "organizations": asked.organizations,
            "organizationalUnits": asked.organizational_units,
        }))
    });
    let sharing: Vec<_> = sharing
        .filter(|grant| {
            ["accounts", "organizations", "organizationalUnits"]
                .iter()
                .any(|who| grant[who].as_array().is_some_and(|all| !all.is_empty()))
        })
        .collect();
    let spec = json!({
        "accountId": id,
        "grants": {
            "capture": [{"namespaces": everybody}],
            "snapshots": [{"namespaces": everybody}],
            "sourceOwners": [{"namespaces": everybody, "owners": owners}],
            "sharing": sharing,
            "public": [{"namespaces": everybody}],
            "adopt": [{"namespaces": everybody}],
            "parameters": [{"namespaces": everybody, "paths": ["/"]}],
        },
    });
    Ok(AwsAccount::new(DEFAULT, serde_json::from_value(spec)?))
}
