//! `amity apply`: the same controller without a cluster. What the manifests say is in memory, and EC2 is the database: what
//! was begun is found again by whoever applies next.

mod progress;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use amity_core::api::MachineImage;
use futures::FutureExt;
use kubesim::Kubernetes;
use serde_json::{Value, json};

use super::Error;
use super::accounts::with_default_account;
use super::manifests::{Files, Manifests};
use super::plan::Whose;
#[cfg(feature = "simulate")]
use super::simulate;
use crate::aws;
use crate::aws::session::Sessions;
use crate::clock::Clock;
use crate::controller::{self, Settings, lease, stop_signal};
use crate::telemetry::{self, LogFormat, Metrics, Readiness};
use progress::Progress;

/// How often it is looked how far it is.
const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// In the place of a cluster's uid: every `amity apply` has the same, and goes on with what another one began.
const SEED: u64 = 0;

/// The flags of `amity apply`.
#[derive(Debug, clap::Args)]
pub struct Apply {
    #[command(flatten)]
    files: Files,

    #[command(flatten)]
    whose: Whose,

    /// Do it in a simulated EC2 within this process, in which there is all that the manifests name: no AWS account is
    /// needed, and nothing is left of it.
    #[cfg(feature = "simulate")]
    #[arg(long)]
    simulate: bool,

    /// Which logs are written to standard error, such as info or amity=debug.
    #[arg(
        long,
        env = "AMITY_LOG",
        default_value = "error",
        value_name = "FILTER"
    )]
    log: String,
}

impl Apply {
    /// Applies, and waits until EC2 matches or somebody has to act.
    ///
    /// # Errors
    /// The manifests or AWS cannot be read.
    pub async fn run(self) -> Result<ExitCode, Error> {
        telemetry::init(&self.log, LogFormat::Text, None)?;
        let mut manifests = self.files.read()?;
        let (clock, metrics) = (Clock::real(), Metrics::default());
        let sessions = self.sessions(&manifests, &clock, &metrics).await?;
        with_default_account(&mut manifests, &sessions).await?;
        let cluster = cluster(&manifests)?;
        let controlled = controller::control(
            cluster.client(),
            self.settings(),
            Arc::new(sessions),
            clock,
            metrics,
            Readiness::default(),
            std::future::pending(),
        );
        let stopped = stop_signal()?.shared();
        tokio::select! {
            biased;
            ended = Box::pin(controlled) => {
                ended?;
                Err("the controller ended".into())
            }
            code = watch(&cluster, &manifests) => Ok(code),
            () = stopped => {
                eprintln!("amity: stopped; apply the same again to go on where it was");
                Ok(ExitCode::from(130))
            }
        }
    }

    async fn sessions(
        &self,
        manifests: &Manifests,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Sessions, Error> {
        #[cfg(feature = "simulate")]
        if self.simulate {
            let config = simulate::ec2(manifests, clock)?;
            let calls = metrics.ec2_calls.clone();
            return Ok(Sessions::over(&config, clock.clone(), calls));
        }
        let _ = manifests;
        Ok(Sessions::from_environment(clock.clone(), metrics.ec2_calls.clone()).await)
    }

    fn settings(&self) -> Settings {
        Settings {
            owner: self.whose.owner_id.clone(),
            take_over_from: self.whose.take_over_from.clone(),
            price_per_gib_month: self.whose.price_per_gib_month,
            concurrency: 32,
            // Nothing is served.
            listen: ([127, 0, 0, 1], 0).into(),
            lease: lease::Settings {
                namespace: "amity-system".to_owned(),
                holder: "amity-apply".to_owned(),
                duration: Duration::from_mins(1),
            },
            aws: aws::Settings {
                consistency_window: self.whose.consistency_window,
                ..aws::Settings::default()
            },
        }
    }
}

/// A cluster in memory that has the manifests.
fn cluster(manifests: &Manifests) -> Result<Kubernetes, Error> {
    let cluster = Kubernetes::new(SEED, jiff::Timestamp::now);
    for (_, definition) in amity_core::api::crds() {
        cluster.define(&definition);
    }
    let named = manifests.images.values().map(MachineImage::namespace);
    let namespaces: BTreeMap<&str, Value> = named
        .chain(["amity-system"])
        .map(|name| {
            let labels = manifests.namespaces.get(name);
            let metadata = json!({"name": name, "labels": labels});
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
            (name, namespace)
        })
        .collect();
    let accounts = manifests.accounts.values().map(serde_json::to_value);
    let accounts = accounts.collect::<Result<Vec<_>, _>>()?;
    let images = manifests.images.values().map(serde_json::to_value);
    let images = images.collect::<Result<Vec<_>, _>>()?;
    for object in namespaces.values().chain(&accounts).chain(&images) {
        cluster
            .apply(object)
            .map_err(|refusal| format!("{}: {refusal:?}", object["metadata"]["name"]))?;
    }
    Ok(cluster)
}

/// Shows how far it is until nothing goes on by itself any more.
async fn watch(cluster: &Kubernetes, manifests: &Manifests) -> ExitCode {
    let mut progress = Progress::new(manifests.images.keys());
    loop {
        let mut states = Vec::new();
        for image in manifests.images.values() {
            let now: Option<MachineImage> = cluster.get(Some(image.namespace()), image.name());
            if let Some(now) = now {
                states.push(progress.show(&now));
            }
        }
        if states.len() == manifests.images.len() && states.iter().all(|state| state.is_final()) {
            return progress.finish(&states);
        }
        tokio::time::sleep(LOOKS_EVERY).await;
    }
}
