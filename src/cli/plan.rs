//! `amity plan`: what would be done, before anything is.

mod render;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use amity_core::api::MachineImage;
use amity_core::image::desired::Installation;
use amity_core::image::money::Price;
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Error;
use super::accounts::with_default_account;
use super::cluster::{self, Cluster};
use super::look::{Asked, Look};
use super::manifests::{Files, Manifests};
use super::run::{duration, owner_id, uid};
use crate::aws;
use summary::{ObjectPlan, Obstacle, Summary};

/// What `--detailed-exitcode` gives where something would be done.
const SOMETHING_TO_DO: u8 = 2;

/// The flags of `amity plan`.
#[expect(clippy::doc_markdown, reason = "help prints it as it stands")]
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    files: Files,

    #[command(flatten)]
    whose: Whose,

    /// Compare with this cluster of the kubeconfig: what is not in the files is taken from there.
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,

    /// Also plan the deletion of the MachineImages of the cluster that the files lack, in the namespaces that the files
    /// name: what Flux and Argo CD do where they prune.
    #[arg(long, requires = "context")]
    prune: bool,

    /// Let EC2 try everything that can be tried now, without doing it: rights, names, keys, quotas.
    #[arg(long)]
    preflight: bool,

    /// How the plan is written.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    output: Output,

    /// End with 0 where nothing would be done, with 2 where something would, and with 1 where that is not known.
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Whose images they are.
#[derive(Clone, Debug, Args)]
pub struct Whose {
    /// Who owns the images: what the controller was told as --owner-id.
    #[arg(long, env = "AMITY_OWNER_ID", value_name = "NAME", value_parser = owner_id)]
    pub(super) owner_id: String,

    /// The uid of namespace kube-system of the cluster whose images are taken over, as of amity run.
    #[arg(long, env = "AMITY_TAKE_OVER_FROM", value_name = "UID", value_parser = uid)]
    pub(super) take_over_from: Option<String>,

    /// How long EC2's reads may lag behind its writes, such as 10m.
    #[arg(long, env = "AMITY_CONSISTENCY_WINDOW", default_value = "10m", value_name = "TIME", value_parser = duration)]
    pub(super) consistency_window: SignedDuration,

    /// What a stored GiB costs in a month, such as 0.05.
    #[arg(long, env = "AMITY_PRICE_PER_GIB_MONTH", value_name = "PRICE")]
    pub(super) price_per_gib_month: Option<Price>,
}

impl Whose {
    /// The installation in that cluster; an empty one is not known.
    pub(super) fn installation(&self, cluster: String) -> Installation {
        Installation {
            owner: self.owner_id.clone(),
            cluster,
            take_over_from: self.take_over_from.clone(),
            consistency_window: self.consistency_window,
            price_per_gib_month: self.price_per_gib_month,
        }
    }

    /// What of it concerns AWS.
    pub(super) fn aws(&self) -> aws::Settings {
        aws::Settings {
            consistency_window: self.consistency_window,
            ..aws::Settings::default()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For a comment at a pull request.
    Markdown,
}

impl Plan {
    /// Plans, and prints the plan.
    ///
    /// # Errors
    /// The manifests, the cluster or AWS cannot be read.
    pub async fn run(self) -> Result<ExitCode, Error> {
        let mut manifests = self.files.read()?;
        let (clock, sessions) = super::aws().await;
        let sessions = Arc::new(sessions);
        if self.context.is_none() {
            with_default_account(&mut manifests, &sessions).await?;
        }
        let cluster = match &self.context {
            Some(context) => Some(cluster::read(&cluster::client(Some(context)).await?).await?),
            None => None,
        };
        let uid = cluster.as_ref().map(|cluster| cluster.uid.clone());
        let installation = self.whose.installation(uid.unwrap_or_default());
        let (asked, planned) = together(cluster, manifests.into(), self.prune);
        let look = Look::new(
            Arc::clone(&sessions),
            &self.whose.owner_id,
            clock.clone(),
            self.whose.aws(),
            asked.accounts.values().cloned(),
        );
        look.wait().await;
        let mut objects = Vec::new();
        for (key, is_new) in &planned {
            let image = &asked.images[key];
            let forecast = look.forecast(image, &asked, &installation).await;
            let mut object = ObjectPlan::of(
                image,
                &forecast,
                *is_new,
                clock.now(),
                self.whose.price_per_gib_month,
            );
            if self.preflight {
                let refused = look.preflight(&sessions, image, &forecast).await;
                object.refused = Some(refused.iter().map(Obstacle::of_refused).collect());
            }
            objects.push(object);
        }
        let summary = Summary::of(objects);
        let text = match self.output {
            Output::Json => serde_json::to_string_pretty(&summary)? + "\n",
            Output::Text => render::text(&summary, std::io::stdout().is_terminal()),
            Output::Markdown => render::markdown(&summary),
        };
        std::io::stdout().write_all(text.as_bytes())?;
        Ok(self.exit_code(&summary))
    }

    fn exit_code(&self, summary: &Summary) -> ExitCode {
        match (summary.is_known(), self.detailed_exitcode) {
            (false, _) => ExitCode::FAILURE,
            (true, true) if summary.changes_something() => ExitCode::from(SOMETHING_TO_DO),
            (true, _) => ExitCode::SUCCESS,
        }
    }
}

impl From<Manifests> for Asked {
    fn from(manifests: Manifests) -> Self {
        Self {
            images: manifests.images,
            accounts: manifests.accounts,
            namespaces: manifests.namespaces,
            config_maps: BTreeMap::new(),
        }
    }
}

/// What is asked for when the files are applied to the cluster, and the objects to plan: whether each is new.
fn together(
    cluster: Option<Cluster>,
    files: Asked,
    prunes: bool,
) -> (Asked, BTreeMap<String, bool>) {
    let mut asked = cluster.map(|cluster| cluster.asked).unwrap_or_default();
    let mut planned = BTreeMap::new();
    let namespaces: BTreeSet<_> = files
        .images
        .values()
        .map(|image| image.namespace().to_owned())
        .collect();
    if prunes {
        for (key, image) in &mut asked.images {
            if !files.images.contains_key(key) && namespaces.contains(image.namespace()) {
                let now = Time(jiff::Timestamp::now());
                image.metadata.deletion_timestamp.get_or_insert(now);
                planned.insert(key.clone(), false);
            }
        }
    }
    for (key, image) in files.images {
        let before = asked.images.remove(&key);
        planned.insert(key.clone(), before.is_none());
        asked.images.insert(key, applied(before, image));
    }
    asked.accounts.extend(files.accounts);
    asked.namespaces.extend(files.namespaces);
    (asked, planned)
}

/// The object as it is after a manifest was applied.
fn applied(before: Option<MachineImage>, manifest: MachineImage) -> MachineImage {
    let Some(mut object) = before else {
        return manifest;
    };
    if object.spec != manifest.spec {
        object.metadata.generation = object.metadata.generation.map(|number| number + 1);
        object.spec = manifest.spec;
    }
    let written = manifest.metadata.annotations.unwrap_or_default();
    object
        .metadata
        .annotations
        .get_or_insert_default()
        .extend(written);
    object
}
