//! What launches fast, and that it is off before its image goes (1, 4).

use std::sync::Arc;

use super::*;
use crate::image::fast_launch::{
    FastLaunch, FastLaunchSettings, FastLaunchState, FastLaunchView, WantedFastLaunch,
};

const SETTINGS: FastLaunchSettings = FastLaunchSettings {
    target_resource_count: 5,
    max_parallel_launches: 6,
};

fn enable(id: &str) -> Step {
    let id = id.to_owned();
    let settings = SETTINGS;
    step(HOME, Action::EnableFastLaunch { id, settings })
}

fn disable(id: &str) -> Step {
    let id = id.to_owned();
    step(HOME, Action::DisableFastLaunch { id })
}

fn wanting(wanted: WantedFastLaunch) -> World {
    let mut world = world();
    world.desired.fast_launch = Some(wanted);
    world
}

#[test]
fn only_what_is_published_launches_fast_as_the_spec_says() {
    world().refuses(enable("ami-home"), 1, "does not say so");
    wanting(WantedFastLaunch::Off).refuses(enable("ami-home"), 1, "does not say so");
    let mut world = wanting(WantedFastLaunch::On(SETTINGS));
    world.allows(enable("ami-home"));
    let image = world.image("ami-home", &[(tag::SELF, "ami-home")]);
    world.known(HOME).images = vec![image];
    world.refuses(enable("ami-home"), 1, "not published");
}

#[test]
fn only_what_is_ours_is_switched_on_or_off() {
    let mut world = wanting(WantedFastLaunch::On(SETTINGS));
    world.refuses(enable("ami-another"), 1, "not proven");
    world.refuses(disable("ami-another"), 1, "not proven");
    world.allows(disable("ami-home"));
    world.desired.fast_launch = None;
    world.refuses(disable("ami-home"), 1, "says nothing of it");
}

#[test]
fn an_image_goes_once_its_fast_launch_is_off() {
    let mut world = wanting(WantedFastLaunch::Off);
    world.desired.deleted_since = Some(NOW);
    let usage = Usage::By(Vec::new());
    let key = (place(HOME), "ami-home".to_owned());
    world.observed.usage.insert(key, usage);
    world.allows(deregister(HOME, "ami-home"));
    Arc::make_mut(&mut world.known(HOME).images[0].attributes).is_windows = true;
    world.refuses(deregister(HOME, "ami-home"), 4, "was not read");
    let nothing = FastLaunchView::Known(BTreeMap::new());
    world.observed.fast_launches.insert(place(HOME), nothing);
    world.allows(deregister(HOME, "ami-home"));
    let it = FastLaunch {
        settings: SETTINGS,
        state: FastLaunchState::Disabling,
        reason: None,
        since: None,
    };
    let known = FastLaunchView::Known(BTreeMap::from([("ami-home".to_owned(), it)]));
    world.observed.fast_launches.insert(place(HOME), known);
    world.refuses(deregister(HOME, "ami-home"), 4, "is disabling");
    world.desired.fast_launch = None;
    world.allows(deregister(HOME, "ami-home"));
}
