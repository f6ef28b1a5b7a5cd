//! What becomes of objects, found out as the controller finds it out, and nothing is changed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use amity_core::account::{Claim, Claims};
use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::desired::{
    AccountReference, Desired, Installation, References, chain, named_accounts,
};
use amity_core::image::forecast::{Forecast, Outset, forecast};
use amity_core::image::identity::{Place, tag};
use amity_core::image::observed::{ConfigMaps, Observed, SourceView};
use amity_core::image::plan::{Reads, SourceQuery};
use tokio::task::JoinSet;

use crate::aws;
use crate::aws::budget::Budget;
use crate::aws::effect;
use crate::aws::inventory::Inventory;
use crate::aws::session::Sessions;
use crate::clock::Clock;
use crate::controller::reconcile::departures;

/// How long it is waited for EC2 to answer; what it has not told by then is not known.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often it is looked whether it has.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// All that is asked for, as far as objects refer to each other.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The `MachineImage`s by `namespace/name`.
    pub images: BTreeMap<String, MachineImage>,
    /// The `AwsAccount`s by name.
    pub accounts: BTreeMap<String, AwsAccount>,
    /// The labels of namespaces.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// The ConfigMaps of objects, as far as there is a cluster.
    pub config_maps: BTreeMap<String, ConfigMaps>,
}

/// What EC2 has, being read.
pub struct Look {
    pub(super) inventory: Arc<Inventory>,
    clock: Clock,
    // Ends with this.
    _reading: JoinSet<()>,
}

impl Look {
    /// Begins to read what carries the tag of `owner` in these accounts.
    pub fn new(
        sessions: Arc<Sessions>,
        owner: &str,
        clock: Clock,
        settings: aws::Settings,
        accounts: impl IntoIterator<Item = AwsAccount>,
    ) -> Self {
        let budget = Arc::new(Budget::new(clock.clone()));
        let inventory = Inventory::new(sessions, owner, clock.clone(), settings, budget);
        inventory.set_accounts(accounts);
        let mut reading = JoinSet::new();
        reading.spawn(Arc::clone(&inventory).run());
        Self {
            inventory,
            clock,
            _reading: reading,
        }
    }

    /// Waits until every region was read, or could not be.
    pub async fn wait(&self) {
        let read = async {
            while !self.inventory.was_read_once() {
                tokio::time::sleep(LOOKS_EVERY).await;
            }
        };
        // What was not read until then is said to be unreadable.
        let _ = tokio::time::timeout(PATIENCE, read).await;
    }

    /// What becomes of an object.
    pub async fn forecast(
        &self,
        image: &MachineImage,
        asked: &Asked,
        installation: &Installation,
    ) -> Forecast {
        let names = named_accounts(image);
        let accounts = names
            .map(|name| (name.to_owned(), self.account(asked.accounts.get(name))))
            .collect();
        let machine_images = chain(image, |name| {
            let key = format!("{}/{name}", image.namespace());
            asked.images.get(&key).cloned()
        });
        let labels = asked.namespaces.get(image.namespace()).cloned();
        let labels = labels.unwrap_or_default();
        let references = References {
            accounts: &accounts,
            namespace_labels: &labels,
            machine_images: &machine_images,
        };
        let desired = Desired::of(image, installation, references);
        let patience = tokio::time::Instant::now() + PATIENCE;
        let mut read = Reads::default();
        let mut sources = BTreeMap::new();
        loop {
            let is_late = tokio::time::Instant::now() >= patience;
            let mut observed = self.inventory.observe(&desired, &read).await;
            observed.config_maps = asked.config_maps.get(&image.key()).cloned();
            if read.departures {
                observed.departures = departures(&desired, &claims(asked), &self.inventory);
            }
            remember(&mut sources, &read, &observed, is_late);
            if !is_late && !is_told(&read, &observed, &sources) {
                tokio::time::sleep(LOOKS_EVERY).await;
                continue;
            }
            let outset = Outset {
                image,
                installation: &of_its_cluster(installation, &desired, &observed),
                references,
                observed: &observed,
                sources: &sources,
                read: &read,
            };
            match forecast(&outset, self.clock.now()) {
                Ok(forecast) => return forecast,
                Err(more) => {
                    read.add(*more);
                    read.read_now();
                }
            }
        }
    }

    fn account(&self, account: Option<&AwsAccount>) -> AccountReference {
        let regions = account.and_then(|account| self.inventory.regions(&account.spec.account_id));
        AccountReference {
            account: account.cloned(),
            unusable: None,
            regions,
        }
    }
}

/// What all objects that are known ask for.
fn claims(asked: &Asked) -> Claims {
    let claim = |(key, image): (&String, &MachineImage)| (key.clone(), Arc::new(Claim::of(image)));
    asked.images.iter().map(claim).collect()
}

/// Where the cluster is not known, it is the one that made the object's images.
fn of_its_cluster(
    installation: &Installation,
    desired: &Desired,
    observed: &Observed,
) -> Installation {
    let mut installation = installation.clone();
    if installation.cluster.is_empty() {
        let mut images = observed.known().flat_map(|(_, known)| &known.images);
        let made = images.find(|image| desired.identity.is_claimed_by(&image.tags));
        let cluster = made.and_then(|image| image.tags.get(tag::CLUSTER));
        cluster
            .unwrap_or("unknown")
            .clone_into(&mut installation.cluster);
    }
    installation
}

/// Keeps what EC2 told of a source; what it did not tell in time cannot be read.
fn remember(
    sources: &mut BTreeMap<SourceQuery, SourceView>,
    read: &Reads,
    observed: &Observed,
    is_late: bool,
) {
    let told = [
        (&read.source, Some(&observed.source)),
        (&read.follow, observed.followed.as_ref()),
    ];
    for (query, view) in told {
        if let (Some(query), Some(view)) = (query, view)
            && (*view != SourceView::NotRead || is_late)
        {
            sources.insert(query.clone(), view.clone());
        }
    }
}

/// Whether everything that was asked for is answered. A place that cannot be read answers nothing.
fn is_told(read: &Reads, observed: &Observed, sources: &BTreeMap<SourceQuery, SourceView>) -> bool {
    let usage = read.usage.iter();
    let usage = usage.map(|key| (&key.0, observed.usage.contains_key(key)));
    let reports = read.usage_reports.iter();
    let reports = reports.map(|key| (&key.0, observed.usage_reports.contains_key(key)));
    let adoptions = read.adoptions.iter();
    let adoptions = adoptions.map(|key| (&key.0, observed.adoptions.contains_key(key)));
    let permissions = read.permissions.keys();
    let permissions = permissions.map(|key| (&key.0, observed.permissions.contains_key(key)));
    let defaults = read.ebs_defaults.iter();
    let defaults = defaults.map(|place| (place, observed.ebs_defaults.contains_key(place)));
    let fast_launches = read.fast_launches.keys();
    let fast_launches =
        fast_launches.map(|place| (place, observed.fast_launches.contains_key(place)));
    let parameters = read.parameters.keys();
    let parameters = parameters.map(|place| (place, observed.parameters.contains_key(place)));
    let machines = read.machines.keys();
    let machines = machines.map(|place| (place, observed.machines.contains_key(place)));
    let mut queries = read.source.iter().chain(&read.follow);
    let mut asked = usage
        .chain(reports)
        .chain(adoptions)
        .chain(permissions)
        .chain(defaults)
        .chain(fast_launches)
        .chain(parameters)
        .chain(machines);
    queries.all(|query| sources.contains_key(query))
        && asked.all(|(place, is_told)| is_told || observed.known_at(place).is_none())
}

impl Look {
    /// Lets EC2 try each step of a forecast that is about what is there already, without doing it.
    pub async fn preflight(
        &self,
        sessions: &Sessions,
        image: &MachineImage,
        forecast: &Forecast,
    ) -> Vec<Refused> {
        let mut refused = Vec::new();
        for foreseen in &forecast.steps {
            let Some(place) = &foreseen.step.place else {
                continue;
            };
            let tried = effect::try_out(sessions, image.namespace(), place, &foreseen.step.action);
            if let Some(message) = tried.await {
                refused.push(Refused {
                    action: foreseen.step.action.name(),
                    place: place.clone(),
                    message,
                });
            }
        }
        refused
    }
}

/// What EC2 would not do.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The call.
    pub action: &'static str,
    /// Where.
    pub place: Place,
    /// EC2's words.
    pub message: String,
}
