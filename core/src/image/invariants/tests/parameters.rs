//! What may be done with parameters of Systems Manager, and what they keep (1, 2, 4, 6 and 10).

use super::*;
use crate::image::parameters::{DATA_TYPE, Parameter, PublishedParameter};

const NAME: &str = "/golden/web";

/// Both regions have the parameter, which names their published image.
fn told() -> World {
    let mut world = world();
    world.desired.parameter = Some(PublishedParameter {
        name: NAME.to_owned(),
        not_granted: None,
    });
    for (region, id) in [(HOME, "ami-home"), (AWAY, "ami-away")] {
        world.known(region).images[0]
            .tags
            .insert(tag::PARAMETER, NAME);
        let tags = world.desired.identity.parameter_tags(NAME);
        let parameters = Parameters {
            all: [(NAME.to_owned(), parameter(id, &tags))].into(),
            as_of: NOW,
            read_at: NOW,
            ..Parameters::default()
        };
        let view = ParametersView::Known(parameters);
        world.observed.parameters.insert(place(region), view);
    }
    world
}

fn parameter(value: &str, tags: &BTreeMap<String, String>) -> Parameter {
    Parameter {
        value: value.to_owned(),
        data_type: DATA_TYPE.to_owned(),
        tags: tags.into(),
    }
}

impl World {
    fn parameters(&mut self, region: &str) -> &mut BTreeMap<String, Parameter> {
        match self.observed.parameters.get_mut(&place(region)) {
            Some(ParametersView::Known(known)) => &mut known.all,
            _ => panic!("the parameters of {region} are not known"),
        }
    }
}

fn put(world: &World, image: &str, overwrite: bool) -> Step {
    let tags = world.desired.identity.parameter_tags(NAME);
    let action = Action::PutParameter {
        name: NAME.to_owned(),
        image: image.to_owned(),
        tags: if overwrite { BTreeMap::new() } else { tags },
    };
    step(AWAY, action)
}

fn removal() -> Step {
    let name = NAME.to_owned();
    step(AWAY, Action::DeleteParameter { name })
}

#[test]
fn only_a_parameter_that_is_proven_ours_is_overwritten_or_removed() {
    let mut world = told();
    world.allows(put(&world, "ami-away", true));
    world.allows(removal());
    let stripped = parameter("ami-away", &BTreeMap::new());
    world.parameters(AWAY).insert(NAME.to_owned(), stripped);
    let because = "not proven to be this object's";
    world.refuses(put(&world, "ami-away", true), 1, because);
    world.refuses(removal(), 1, because);
    world.observed.parameters.clear();
    world.refuses(removal(), 1, "were not read");
    world.refuses(put(&world, "ami-away", false), 1, "were not read");
}

#[test]
fn a_parameter_is_made_where_there_is_none_and_says_whose_it_is() {
    let mut world = told();
    world.refuses(put(&world, "ami-away", false), 1, "it is there already");
    world.parameters(AWAY).clear();
    world.allows(put(&world, "ami-away", false));
    let mut nobodys = put(&world, "ami-away", false);
    let Action::PutParameter { tags, .. } = &mut nobodys.action else {
        panic!("no put")
    };
    tags.remove(tag::SELF);
    world.refuses(nobodys, 1, "would not say whose it is");
}

#[test]
fn a_parameter_names_a_published_image_that_says_so() {
    let mut world = told();
    world.refuses(put(&world, "ami-home", true), 4, "is not published");
    world.known(AWAY).images[0].tags.remove(tag::PARAMETER);
    world.refuses(put(&world, "ami-away", true), 4, "is not published");
}

#[test]
fn an_image_that_a_parameter_names_stays() {
    let mut world = told().unwanted(AWAY);
    world.refuses(deregister(AWAY, "ami-away"), 4, "/golden/web names it");
    world.parameters(AWAY).clear();
    world.allows(deregister(AWAY, "ami-away"));
    world.observed.parameters.clear();
    world.refuses(deregister(AWAY, "ami-away"), 4, "were not read");
    world.known(AWAY).images[0].tags.remove(tag::PARAMETER);
    world.allows(deregister(AWAY, "ami-away"));
}

#[test]
fn a_retained_parameter_stays() {
    let mut world = told().deleted();
    world.allows(removal());
    world.desired.deletion_policy = DeletionPolicy::Retain;
    world.refuses(removal(), 6, "Retain");
}

#[test]
fn what_no_grant_allows_is_not_written_and_may_be_removed() {
    let mut world = told();
    let wanted = world.desired.parameter.as_mut().unwrap();
    wanted.not_granted = Some(Finding {
        reason: conditions::NOT_GRANTED,
        place: None,
        message: "not granted".to_owned(),
    });
    world.refuses(put(&world, "ami-away", true), 10, "nothing allows");
    world.allows(removal());
}
