//! What others do to the world of a story: they use our images, copy them, deregister them, strip their tags,
//! and publish newer images under old names.

use ec2sim::state::{ImageState, InstanceState, LaunchTemplate};
use ec2sim::{Caller, Request};

use crate::plot::UPSTREAM;
use crate::process::{ACCESS_KEY, lock};
use crate::universe::{ACCOUNT, Universe};

/// The instance that others are made like.
const INSTANCE: (&str, &str) = ("us-east-1", "i-0a1b2c3d4e5f60718");

/// An image of ours, by region and id.
pub type Ours = (String, String);

/// Somebody launches an instance from the image, or puts it into a launch template.
pub fn use_image(universe: &Universe, (region, image): &Ours) {
    let digits = image.trim_start_matches("ami-").to_owned();
    let mut world = lock(&universe.world);
    let like = world.regions()[INSTANCE.0].instances[INSTANCE.1].clone();
    let place = world.regions_mut().get_mut(region).expect("a region");
    if universe.chance.per_mille(500) {
        let id = format!("i-{digits}");
        let instance = ec2sim::state::Instance {
            id: id.clone(),
            image: image.clone(),
            reboots: Vec::new(),
            ..like
        };
        place.instances.insert(id, instance);
    } else {
        let id = format!("lt-{digits}");
        let template = LaunchTemplate {
            id: id.clone(),
            owner: ACCOUNT.to_owned(),
            name: format!("of-{image}"),
            versions: [(1, Some(image.clone())), (2, None)].into(),
        };
        place.launch_templates.insert(id, template);
    }
}

/// Nobody uses the image any more.
pub fn stop_using(universe: &Universe, (region, image): &Ours) {
    let digits = image.trim_start_matches("ami-");
    let mut world = lock(&universe.world);
    let place = world.regions_mut().get_mut(region).expect("a region");
    place.launch_templates.remove(&format!("lt-{digits}"));
    if let Some(instance) = place.instances.get_mut(&format!("i-{digits}")) {
        instance.state = InstanceState::Terminated;
    }
}

/// The publisher of an image that a spec gives by its name has a newer one of that name.
pub fn publish_upstream(universe: &Universe) {
    let now = universe.clock.now();
    let mut world = lock(&universe.world);
    let place = world.regions_mut().get_mut(UPSTREAM.0).expect("a region");
    let like = place.images.values().find(|image| image.name == UPSTREAM.1);
    let mut image = like.expect("an upstream image").clone();
    image.id = format!("ami-0{:016x}", universe.chance.next());
    image.created = now;
    place.images.insert(image.id.clone(), image);
}

/// Somebody deregisters an image of ours.
pub fn deregister(universe: &Universe, (region, image): &Ours) {
    call(universe, region, "DeregisterImage", &[("ImageId", image)]);
}

/// Somebody takes all our tags from an image of ours: it is theirs from now on.
#[allow(dead_code, reason = "not drawn yet: a story with it writes late")]
pub fn strip_tags(universe: &Universe, (region, image): &Ours) {
    let tags = lock(&universe.world).regions()[region].tags(image, ACCOUNT);
    let keys: Vec<_> = tags
        .into_keys()
        .enumerate()
        .map(|(number, key)| (format!("Tag.{}.Key", number + 1), key))
        .collect();
    let mut parameters = vec![("ResourceId.1", image.as_str())];
    parameters.extend(keys.iter().map(|(name, key)| (name.as_str(), key.as_str())));
    call(universe, region, "DeleteTags", &parameters);
    lock(&universe.strangers).insert(image.clone());
}

/// Somebody copies an image of ours with all its tags.
pub fn copy_with_tags(universe: &Universe, (region, image): &Ours) {
    let parameters = [
        ("SourceImageId", image.as_str()),
        ("SourceRegion", region),
        ("Name", "a copy of somebody's"),
        ("CopyImageTags", "true"),
    ];
    let made = call(universe, region, "CopyImage", &parameters);
    lock(&universe.strangers).extend(made);
}

/// Gives the ids of what was made.
fn call(
    universe: &Universe,
    region: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Vec<String> {
    let caller = Caller::ec2(ACCESS_KEY, region);
    let request = Request::new(action, parameters);
    let answer = lock(&universe.world).call(universe.clock.now(), &caller, &request);
    assert_eq!(answer.error, None, "{action}: {}", answer.body);
    answer.made
}

/// The images of ours that can be launched, in order.
pub fn published(universe: &Universe) -> Vec<Ours> {
    let world = lock(&universe.world);
    let strangers = lock(&universe.strangers);
    let all = world.regions().iter().flat_map(|(region, place)| {
        place
            .images
            .values()
            .filter(|image| image.state == ImageState::Available && image.deregistered.is_none())
            .filter(|image| !strangers.contains(&image.id))
            .filter(|image| {
                place
                    .tags(&image.id, ACCOUNT)
                    .contains_key("amity.dev/published")
            })
            .map(|image| (region.clone(), image.id.clone()))
    });
    all.collect()
}
