//! What others do to the world of a story: they use our images, copy them, deregister them, strip their tags,
//! and publish newer images under old names.

use ec2sim::state::{ImageState, InstanceState, LaunchTemplate, Protection};
use ec2sim::{Caller, Request};
use serde_json::Value;

use crate::cast::{Account, FRIENDS, Key, STRANGER};
use crate::process::lock;
use crate::sources::{Kind, UPSTREAM, UPSTREAM_PARAMETER};
use crate::universe::Universe;

/// Where the sources are.
const SOURCES_IN: &str = "us-east-1";

/// An image of ours, by region and id.
pub type Ours = (String, String);

/// Another account, with which the image was shared once, has it in a launch template.
pub fn use_image_elsewhere(universe: &Universe, (region, image): &Ours) {
    let mut world = lock(&universe.world);
    let place = world.regions_mut().get_mut(region).expect("a region");
    let template = template_of(FRIENDS[0], image);
    place.launch_templates.insert(template.id.clone(), template);
}

fn template_of(owner: &str, image: &str) -> LaunchTemplate {
    LaunchTemplate::of_images(
        format!("lt-{}", image.trim_start_matches("ami-")),
        owner,
        format!("of-{image}"),
        [Some(image.to_owned()), None],
    )
}

/// Somebody launches an instance from the image, or puts it into a launch template.
pub fn use_image(universe: &Universe, account: &Account, (region, image): &Ours) {
    let digits = image.trim_start_matches("ami-").to_owned();
    let mut world = lock(&universe.world);
    let like = world.regions()[SOURCES_IN].instances[account.instance].clone();
    let place = world.regions_mut().get_mut(region).expect("a region");
    if universe.chance.per_mille(500) {
        let id = format!("i-{digits}");
        let instance = ec2sim::state::Instance {
            id: id.clone(),
            image: image.clone(),
            reboots: Vec::new(),
            state: InstanceState::Running,
            ..like
        };
        place.instances.insert(id, instance);
    } else {
        let template = template_of(account.id, image);
        place.launch_templates.insert(template.id.clone(), template);
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

/// The publisher of an image that a spec gives by its name has a newer one of that name, and lets the parameters name it.
pub fn publish_upstream(universe: &Universe) {
    let now = universe.clock.now();
    let mut world = lock(&universe.world);
    let place = world.regions_mut().get_mut(UPSTREAM.0).expect("a region");
    let like = place.images.values().find(|image| image.name == UPSTREAM.1);
    let mut image = like.expect("an upstream image").clone();
    image.id = format!("ami-0{:016x}", universe.chance.next());
    image.created = now;
    for own in place.parameters.values_mut() {
        if let Some(held) = own.get_mut(UPSTREAM_PARAMETER) {
            held.value.clone_from(&image.id);
            held.version += 1;
        }
    }
    place.images.insert(image.id.clone(), image);
}

/// Where the source of an object's spec leads now; none, where the spec itself names what the image is made from, or names
/// another object that has published nothing.
pub fn leads_to(universe: &Universe, key: &Key, spec: &Value) -> Option<String> {
    match Kind::of(spec) {
        Kind::Instance | Kind::Snapshot | Kind::Image => None,
        Kind::Upstream | Kind::Parameter => Some(upstream(universe)),
        Kind::Published => {
            let name = spec["source"]["image"]["machineImageName"].as_str()?;
            let other = Key {
                name: name.to_owned(),
                ..key.clone()
            };
            let mut published = published(universe, &other).into_iter();
            let there = published.find(|(region, _)| region == SOURCES_IN);
            there.map(|(_, id)| id)
        }
    }
}

/// The newest image of the publisher.
pub fn upstream(universe: &Universe) -> String {
    let world = lock(&universe.world);
    let images = world.regions()[UPSTREAM.0].images.values();
    let published = images.filter(|image| image.name == UPSTREAM.1);
    let newest = published.max_by_key(|image| image.created);
    newest.expect("an upstream image").id.clone()
}

/// Somebody deregisters an image, protected or not.
pub fn deregister(universe: &Universe, account: &Account, (region, image): &Ours) {
    for action in ["DisableImageDeregistrationProtection", "DeregisterImage"] {
        call(universe, account, region, action, &[("ImageId", image)]);
    }
}

/// Whether EC2 lets somebody deregister an image at once.
pub fn can_go_at_once(universe: &Universe, (region, image): &Ours) -> bool {
    let world = lock(&universe.world);
    let image = world.regions()[region].images.get(image);
    let cools = |image: &ec2sim::state::Image| match image.protection {
        Protection::Enabled { with_cooldown } => with_cooldown,
        Protection::CoolingDown { .. } => true,
        Protection::Disabled => false,
    };
    image.is_some_and(|image| !cools(image))
}

/// Whether an image is not deregistered.
pub fn is_there(universe: &Universe, (region, image): &Ours) -> bool {
    let world = lock(&universe.world);
    let image = world.regions()[region].images.get(image);
    image.is_some_and(|image| image.deregistered.is_none())
}

/// Somebody takes a deregistered image out of the Recycle Bin.
pub fn restore(universe: &Universe, (region, image): &Ours) {
    let mut world = lock(&universe.world);
    let place = world.regions_mut().get_mut(region).expect("a region");
    let image = place.images.get_mut(image).expect("an image");
    image.deregistered = None;
}

/// Deregistered images of an account are kept for a while from now on, or no longer.
pub fn recycle(universe: &Universe, account: &Account, region: &str, days: u64) {
    let mut world = lock(&universe.world);
    let place = world.place_mut(account.id, region).expect("an account");
    place.recycle_bin_days = days;
}

/// Somebody terminates the instance that an account's objects are made from.
pub fn terminate_instance(universe: &Universe, account: &Account) {
    let id = [("InstanceId.1", account.instance)];
    call(universe, account, SOURCES_IN, "TerminateInstances", &id);
}

/// The account gives up a region, or has it again.
pub fn enable(universe: &Universe, account: &Account, region: &str, enabled: bool) {
    let mut world = lock(&universe.world);
    let opted_in = &mut world.account_mut(account.id).expect("an account").opted_in;
    if enabled {
        opted_in.insert(region.to_owned());
    } else {
        opted_in.remove(region);
    }
}

/// Somebody registers an image of a name that we are going to want. Gives its id.
pub fn take_name(universe: &Universe, account: &Account, name: &str) -> Ours {
    let parameters = [
        ("Name", name),
        ("RootDeviceName", "/dev/xvda"),
        ("Architecture", "x86_64"),
        ("BlockDeviceMapping.1.DeviceName", "/dev/xvda"),
        ("BlockDeviceMapping.1.Ebs.SnapshotId", account.snapshot),
    ];
    let made = call(universe, account, SOURCES_IN, "RegisterImage", &parameters);
    let [image] = made.as_slice() else {
        panic!("not one image: {made:?}")
    };
    (SOURCES_IN.to_owned(), image.clone())
}

/// Somebody takes all our tags from an image of ours: it is theirs from now on.
pub fn strip_tags(universe: &Universe, account: &Account, (region, image): &Ours) {
    let tags = lock(&universe.world).regions()[region].tags(image, account.id);
    let keys: Vec<_> = tags
        .into_keys()
        .enumerate()
        .map(|(number, key)| (format!("Tag.{}.Key", number + 1), key))
        .collect();
    let mut parameters = vec![("ResourceId.1", image.as_str())];
    parameters.extend(keys.iter().map(|(name, key)| (name.as_str(), key.as_str())));
    call(universe, account, region, "DeleteTags", &parameters);
    lock(&universe.strangers).insert(image.clone());
}

/// Somebody shares an image of ours with a stranger, and no longer with a friend.
pub fn share(universe: &Universe, account: &Account, (region, image): &Ours) {
    let parameters = [
        ("ImageId", image.as_str()),
        ("LaunchPermission.Add.1.UserId", STRANGER),
        ("LaunchPermission.Remove.1.UserId", FRIENDS[0]),
    ];
    call(
        universe,
        account,
        region,
        "ModifyImageAttribute",
        &parameters,
    );
}

/// Somebody copies an image of ours with all its tags.
pub fn copy_with_tags(universe: &Universe, account: &Account, (region, image): &Ours) {
    let parameters = [
        ("SourceImageId", image.as_str()),
        ("SourceRegion", region),
        ("Name", "a copy of somebody's"),
        ("CopyImageTags", "true"),
    ];
    let made = call(universe, account, region, "CopyImage", &parameters);
    lock(&universe.strangers).extend(made);
}

/// Gives the ids of what was made.
fn call(
    universe: &Universe,
    account: &Account,
    region: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Vec<String> {
    let caller = Caller::ec2(account.access_key, region);
    call_as(universe, &caller, action, parameters)
}

/// The same, of any service.
pub fn call_as(
    universe: &Universe,
    caller: &Caller,
    action: &str,
    parameters: &[(&str, &str)],
) -> Vec<String> {
    let region = &caller.region;
    universe.note(&format!("by hand: {action} {parameters:?} in {region}"));
    let request = Request::new(action, parameters);
    let answer = lock(&universe.world).call(universe.clock.now(), caller, &request);
    assert_eq!(answer.error, None, "{action}: {}", answer.body);
    answer.made
}

/// The images of an object that can be launched, in order.
pub fn published(universe: &Universe, key: &Key) -> Vec<Ours> {
    let world = lock(&universe.world);
    let strangers = lock(&universe.strangers);
    let object = key.to_string();
    let all = world.regions().iter().flat_map(|(region, place)| {
        place
            .images
            .values()
            .filter(|image| image.state == ImageState::Available && image.deregistered.is_none())
            .filter(|image| image.owner == key.account.id && !strangers.contains(&image.id))
            .filter(|image| {
                let tags = place.tags(&image.id, key.account.id);
                tags.contains_key("amity.dev/published")
                    && tags.get("amity.dev/object") == Some(&object)
            })
            .map(|image| (region.clone(), image.id.clone()))
    });
    all.collect()
}
