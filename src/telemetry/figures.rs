//! What the replica that acts knows at the moment it is asked. Nothing is kept up to date for this between two scrapes,
//! and what is gone has no figure any more.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use amity_core::image::money::Price;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, EncodeMetric,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use super::catalogue::{self, Described};
use super::plan_page::PlanPage;
use crate::aws::inventory::PlaceFigures;

/// All figures of one moment.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// How many objects of each kind there are.
    pub objects: BTreeMap<&'static str, u64>,
    /// How many of them say what.
    pub conditions: BTreeMap<Condition, u64>,
    /// The name of an `AwsAccount` and a region of it, with what goes on there.
    pub places: BTreeMap<(String, String), PlaceFigures>,
    /// What a stored GiB costs in a month, where that is given.
    pub price: Option<Price>,
}

/// What one condition says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub struct Condition {
    /// Of which kind of object.
    pub kind: &'static str,
    /// Its type.
    pub r#type: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// Its reason.
    pub reason: &'static str,
}

/// The replica that acts, as far as somebody may ask it.
pub trait Leader: Send + Sync {
    /// How things stand.
    fn figures(&self) -> Figures;

    /// The plan that was made last for an object (`namespace/name`).
    ///
    /// # Errors
    /// There is none.
    fn plan(&self, object: &str) -> Result<PlanPage, NoPlan>;
}

/// Why there is no plan of an object, and of which there may be one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoPlan {
    /// Whether there is an object of that name.
    pub is_there: bool,
    /// Some of the objects.
    pub some: Vec<String>,
    /// How many there are.
    pub all: usize,
}

/// Whoever acts in this process, if anybody does.
#[derive(Clone, Default)]
pub struct Led(Arc<Mutex<Option<Weak<dyn Leader>>>>);

impl Led {
    /// From now on `leader` is asked, for as long as it is there.
    pub fn by(&self, leader: &Arc<dyn Leader>) {
        *self.lock() = Some(Arc::downgrade(leader));
    }

    /// Whoever acts.
    pub fn leader(&self) -> Option<Arc<dyn Leader>> {
        self.lock().as_ref()?.upgrade()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Weak<dyn Leader>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Led {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Led").finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Place {
    account: String,
    region: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Slots {
    account: String,
    region: String,
    state: &'static str,
}

impl Collector for Led {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(leader) = self.leader() else {
            return Ok(());
        };
        let figures = leader.figures();
        let objects = figures.objects.iter();
        let objects = objects.map(|(kind, count)| (Kind { kind }, *count));
        gauge(&mut encoder, &catalogue::OBJECTS, objects)?;
        let conditions = figures.conditions.iter();
        let conditions = conditions.map(|(condition, count)| (condition.clone(), *count));
        gauge(&mut encoder, &catalogue::OBJECT_CONDITIONS, conditions)?;
        let ages = figures.each(|place| place.age);
        gauge(&mut encoder, &catalogue::INVENTORY_AGE, ages)?;
        gauge(&mut encoder, &catalogue::COPY_SLOTS, figures.slots())?;
        let waiting = figures.each(|place| count(place.copies_waiting));
        gauge(&mut encoder, &catalogue::COPIES_WAITING, waiting)?;
        let throttled = figures.each(|place| count(place.throttled));
        gauge(&mut encoder, &catalogue::THROTTLED_ACTIONS, throttled)?;
        let stored = figures.each(|place| place.stored_bytes);
        gauge(&mut encoder, &catalogue::STORED, stored)?;
        if let Some(price) = figures.price {
            let cost = figures.each(|place| {
                let cost = price.of(place.stored_bytes);
                cost.parse::<f64>().unwrap_or(f64::NAN)
            });
            gauge(&mut encoder, &catalogue::STORAGE_COST, cost)?;
        }
        Ok(())
    }
}

impl Figures {
    fn each<V>(&self, value: impl Fn(&PlaceFigures) -> V) -> impl Iterator<Item = (Place, V)> {
        self.places.iter().map(move |((account, region), place)| {
            let labels = Place {
                account: account.clone(),
                region: region.clone(),
            };
            (labels, value(place))
        })
    }

    fn slots(&self) -> impl Iterator<Item = (Slots, u64)> {
        self.places.iter().flat_map(|((account, region), place)| {
            let states = [("used", place.slots_used), ("free", place.slots_free)];
            states.map(|(state, slots)| {
                let labels = Slots {
                    account: account.clone(),
                    region: region.clone(),
                    state,
                };
                (labels, count(slots))
            })
        })
    }
}

fn gauge<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    described: &Described,
    samples: impl Iterator<Item = (L, V)>,
) -> fmt::Result {
    let help = format!("{}.", described.help);
    let mut metric = encoder.encode_descriptor(described.name, &help, None, MetricType::Gauge)?;
    for (labels, value) in samples {
        ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
    }
    Ok(())
}

fn count(number: usize) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}
