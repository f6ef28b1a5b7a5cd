//! `amity status`: what there is of each object, and what there is of none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use amity_core::account::{Held, Holdings};
use amity_core::api::{MachineImage, conditions};
use amity_core::image::identity::tag;
use amity_core::image::money::gib;
use kube::Client;

use super::Error;
use super::accounts::with_default_account;
use super::cluster;
use super::look::{Asked, Look};
use super::manifests::Files;
use super::plan::Whose;
use crate::aws::session::Sessions;

/// How often it is drawn anew.
const DRAWN_EVERY: Duration = Duration::from_secs(2);

/// Clears a terminal.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

/// The flags of `amity status`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("filename", |files| files.required(false)))]
pub struct Status {
    /// Only what is called so: NAME, or NAMESPACE/NAME.
    #[arg(value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    whose: Whose,

    /// The cluster of the kubeconfig; the current one, if none is named.
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,

    /// Without a cluster: the objects of these manifests.
    #[command(flatten)]
    files: Option<Files>,

    /// Draw it anew every other second.
    #[arg(short, long)]
    watch: bool,
}

impl Status {
    /// Reads, and prints the tree.
    ///
    /// # Errors
    /// The cluster or AWS cannot be read.
    pub async fn run(self) -> Result<ExitCode, Error> {
        let (clock, sessions) = super::aws().await;
        let sessions = Arc::new(sessions);
        let cluster = match self.files {
            Some(_) => None,
            None => Some(cluster::client(self.context.as_deref()).await?),
        };
        let mut asked = self.asked(cluster.as_ref(), &sessions).await?;
        let look = Look::new(
            sessions.clone(),
            &self.whose.owner_id,
            clock,
            self.whose.aws(),
            asked.accounts.values().cloned(),
        );
        look.wait().await;
        let clears = self.watch && std::io::stdout().is_terminal();
        loop {
            let text = self.tree(&asked, &look);
            let clear = if clears { CLEAR } else { "" };
            std::io::stdout().write_all(format!("{clear}{text}").as_bytes())?;
            std::io::stdout().flush()?;
            if !self.watch {
                return Ok(ExitCode::SUCCESS);
            }
            tokio::time::sleep(DRAWN_EVERY).await;
            asked = self.asked(cluster.as_ref(), &sessions).await?;
        }
    }

    async fn asked(&self, cluster: Option<&Client>, sessions: &Sessions) -> Result<Asked, Error> {
        if let Some(cluster) = cluster {
            return Ok(cluster::read(cluster).await?.asked);
        }
        let files = self.files.as_ref();
        let mut manifests = files.map(Files::read).transpose()?.unwrap_or_default();
        with_default_account(&mut manifests, sessions).await?;
        Ok(manifests.into())
    }

    fn is_meant(&self, object: &str) -> bool {
        let name = object.rsplit_once('/').map_or(object, |(_, name)| name);
        self.name
            .as_deref()
            .is_none_or(|meant| meant == object || meant == name)
    }

    fn tree(&self, asked: &Asked, look: &Look) -> String {
        let accounts = asked.accounts.values().map(|one| &one.spec.account_id);
        let accounts: BTreeSet<_> = accounts.collect();
        let holdings: Vec<_> = accounts
            .into_iter()
            .map(|account| look.inventory.holdings(account))
            .collect();
        let mut held: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
        for one in holdings.iter().flat_map(|holdings| &holdings.held) {
            let object = one.tags.get(tag::OBJECT).unwrap_or_default();
            held.entry(object).or_default().push(one);
        }
        let mut text = String::new();
        for (key, image) in asked.images.iter().filter(|(key, _)| self.is_meant(key)) {
            let held = held.remove(key.as_str()).unwrap_or_default();
            object(&mut text, image, &held);
        }
        let left = held
            .iter()
            .filter(|(key, _)| !asked.images.contains_key(**key));
        for (key, held) in left.filter(|(key, _)| self.is_meant(key)) {
            heading(&mut text, key, Some("of no MachineImage here"), held);
            revisions(&mut text, held, &BTreeMap::new());
        }
        unreadable(&mut text, &holdings);
        text
    }
}

/// Whose it is, what there is to say of that, and how much all of it stores.
fn heading(text: &mut String, key: &str, says: Option<&str>, held: &[&Held]) {
    let stored = gib(held.iter().map(|one| one.bytes).sum());
    let says = says.map_or(String::new(), |says| format!("  {says}"));
    let _ = writeln!(text, "{key}{says}  {stored} GiB");
}

fn unreadable(text: &mut String, holdings: &[Holdings]) {
    for (place, unreadable) in holdings.iter().flat_map(|one| &one.unreadable) {
        let _ = writeln!(text, "{place} cannot be read: {}", unreadable.message);
    }
}

fn object(text: &mut String, image: &MachineImage, held: &[&Held]) {
    heading(text, &image.key(), condition(image).as_deref(), held);
    let mut users: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let regions = image.status.iter().flat_map(|status| &status.regions);
    for user in regions.flat_map(|region| &region.in_use_by) {
        let by = user.arn.as_deref().or(user.account_id.as_deref());
        users
            .entry(&user.image_id)
            .or_default()
            .push(by.unwrap_or_default());
    }
    revisions(text, held, &users);
    for step in image.status.iter().flat_map(|status| &status.next_steps) {
        let region = step.region.as_deref();
        let at = region.map_or(String::new(), |region| format!(" in {region}"));
        let waits = step.waits_for.as_deref();
        let waits = waits.map_or(String::new(), |what| format!(", waits for {what}"));
        let _ = writeln!(text, "    next: {}{at} ({}){waits}", step.step, step.why);
    }
}

/// The gravest that the object says.
fn condition(image: &MachineImage) -> Option<String> {
    let status = image.status.as_ref()?;
    let stalled = status.says(conditions::STALLED);
    let stalled = stalled.map(|one| format!("Stalled, {}: {}", one.reason, one.message));
    let ready = status.says(conditions::READY).map(|_| "Ready".to_owned());
    let goes_on = status.says(conditions::RECONCILING);
    let goes_on = goes_on.map(|one| format!("Reconciling, {}: {}", one.reason, one.message));
    stalled.or(ready).or(goes_on)
}

/// By revision, the published one first, and by place.
fn revisions(text: &mut String, held: &[&Held], users: &BTreeMap<&str, Vec<&str>>) {
    let mut by_revision: BTreeMap<(u8, &str), Vec<&Held>> = BTreeMap::new();
    for one in held {
        let revision = one.tags.get(tag::REVISION).unwrap_or("of no revision");
        by_revision
            .entry((standing(held, revision), revision))
            .or_default()
            .push(one);
    }
    for ((standing, revision), held) in by_revision {
        let standing = ["published", "being made", "superseded"][usize::from(standing)];
        let _ = writeln!(text, "  revision {revision}, {standing}");
        let mut by_place: BTreeMap<_, Vec<&Held>> = BTreeMap::new();
        for one in held {
            by_place.entry(&one.place).or_default().push(one);
        }
        for (place, held) in by_place {
            let (images, snapshots): (Vec<&Held>, Vec<&Held>) =
                held.into_iter().partition(|one| one.id.starts_with("ami-"));
            let ids: Vec<_> = images.iter().map(|image| image.id.as_str()).collect();
            let stored = gib(snapshots.iter().map(|one| one.bytes).sum());
            let many = match snapshots.len() {
                1 => "1 snapshot".to_owned(),
                many => format!("{many} snapshots"),
            };
            let used: Vec<_> = ids
                .iter()
                .filter_map(|id| users.get(id))
                .flatten()
                .copied()
                .collect();
            let used = if used.is_empty() {
                String::new()
            } else {
                format!(", used by {}", used.join(", "))
            };
            let ids = if ids.is_empty() {
                "no image".to_owned()
            } else {
                ids.join(", ")
            };
            let _ = writeln!(
                text,
                "    {:<16} {ids}  {many}, {stored} GiB{used}",
                place.region
            );
        }
    }
}

/// 0: published, 1: neither, 2: superseded.
fn standing(held: &[&Held], revision: &str) -> u8 {
    let of_it = || {
        let held = held.iter();
        held.filter(|one| one.tags.get(tag::REVISION) == Some(revision))
    };
    let has = |key: &str| of_it().any(|one| one.tags.contains_key(key));
    match () {
        () if has(tag::PUBLISHED) => 0,
        () if has(tag::SUPERSEDED) => 2,
        () => 1,
    }
}
