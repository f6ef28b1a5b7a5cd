//! What the replica that acts tells whoever asks: how things stand, and what is planned.

use std::collections::BTreeMap;

use amity_core::api::AwsAccount;
use kube::runtime::reflector::ObjectRef;

use super::conditions::Says;
use super::process::{self, Process};
use super::{Cached, object_ref};
use crate::telemetry::figures::{Figures, Leader, NoPlan};
use crate::telemetry::plan_page::PlanPage;

/// How many objects are named to whoever asks for one that is not there.
const NAMED: usize = 100;

const IMAGE: &str = "MachineImage";
const ACCOUNT: &str = "AwsAccount";

impl Leader for Process {
    fn figures(&self) -> Figures {
        let images = self.images.state();
        let accounts = self.accounts.state();
        let count = |all: usize| u64::try_from(all).unwrap_or(u64::MAX);
        let mut figures = Figures {
            objects: BTreeMap::from([
                (IMAGE, count(images.len())),
                (ACCOUNT, count(accounts.len())),
            ]),
            price: self.cx.installation.price_per_gib_month,
            ..Figures::default()
        };
        let of_images = images.iter().flat_map(|image| image.says().all(IMAGE));
        let readable = accounts
            .iter()
            .filter_map(|account| account.0.as_ref().ok());
        let of_accounts = readable.flat_map(|account| says(account).all(ACCOUNT));
        for condition in of_images.chain(of_accounts) {
            *figures.conditions.entry(condition).or_default() += 1;
        }
        let usable = self.usable_accounts();
        let names: BTreeMap<&str, &str> = usable
            .iter()
            .map(|account| (account.spec.account_id.as_str(), account.name()))
            .collect();
        for (place, of_place) in self.cx.inventory.figures() {
            if let Some(name) = names.get(place.account.as_str()) {
                let key = ((*name).to_owned(), place.region);
                figures.places.insert(key, of_place);
            }
        }
        figures
    }

    fn plan(&self, object: &str) -> Result<PlanPage, NoPlan> {
        let asked: Option<ObjectRef<Cached>> = object_ref(object);
        let asked = asked.and_then(|asked| self.images.get(&asked));
        let published = || Some(asked.as_ref()?.read().ok()?.status?.published?.revision);
        if let Some(page) = self.cx.plans.of(object, published) {
            return Ok(page);
        }
        let images = self.images.state();
        let mut some: Vec<String> = images
            .iter()
            .map(|image| process::key_of(image.as_ref()))
            .collect();
        some.sort_unstable();
        some.truncate(NAMED);
        Err(NoPlan {
            is_there: asked.is_some(),
            some,
            all: images.len(),
        })
    }
}

fn says(account: &AwsAccount) -> Says {
    let conditions = account.status.iter().flat_map(|status| &status.conditions);
    Says::of(conditions)
}
