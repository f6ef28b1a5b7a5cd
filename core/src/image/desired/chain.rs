//! The `MachineImage`s that an image is made of, one after another: each may name another one as its source.

use super::super::plan::Finding;
use crate::api::conditions::{self, Reason};
use crate::api::{self, MachineImage};

/// The objects that `image` leads to, the one that it names first. The last one names none, or one that is not
/// there, or it closes a ring.
pub fn chain(
    image: &MachineImage,
    get: impl Fn(&str) -> Option<MachineImage>,
) -> Vec<MachineImage> {
    let mut chain: Vec<MachineImage> = Vec::new();
    let mut next = named_by(image).map(str::to_owned);
    while let Some(other) = next.as_deref().and_then(&get) {
        let closes = other.name() == image.name()
            || chain.iter().any(|before| before.name() == other.name());
        next = named_by(&other).filter(|_| !closes).map(str::to_owned);
        chain.push(other);
    }
    chain
}

/// The object that this one names as its source.
fn named_by(image: &MachineImage) -> Option<&str> {
    match &image.spec.source {
        api::Source::Image(source) => source.machine_image_name.as_deref(),
        api::Source::Build(build) => build.parent.machine_image_name.as_deref(),
        _ => None,
    }
}

/// Why nothing may be made of the object that `image` names: it leads back to `image`, or is of another account.
pub(super) fn refusal(image: &MachineImage, chain: &[MachineImage]) -> Option<Finding> {
    let named = named_by(image)?;
    let leads_back = named == image.name() || chain.iter().any(|one| one.name() == image.name());
    if leads_back {
        let others = chain.iter().map(MachineImage::name);
        let way: Vec<_> = std::iter::once(image.name()).chain(others).collect();
        return Some(finding(
            conditions::INVALID_SPEC,
            format!(
                "spec.source.image.machineImageName closes a ring ({}), in which no image can begin: give one of these \
                 MachineImages another source",
                way.join(" → ")
            ),
        ));
    }
    let other = chain.first()?;
    (other.spec.account_name != image.spec.account_name).then(|| {
        finding(
            conditions::SOURCE_NOT_SUPPORTED,
            format!(
                "MachineImage {named:?} is in AwsAccount {:?}, and this one in {:?}: name one of the same accountName, or \
                 share its images and name them by owner and name",
                other.spec.account_name, image.spec.account_name
            ),
        )
    })
}

/// What to say while the object that `image` names has published nothing in the region.
pub(super) fn awaited(image: &MachineImage, chain: &[MachineImage]) -> Option<Finding> {
    let (named, region) = (named_by(image)?, image.spec.source.region());
    let namespace = image.namespace();
    Some(match chain.first() {
        None => finding(
            conditions::SOURCE_NOT_PUBLISHED,
            format!(
                "there is no MachineImage {named:?} in namespace {namespace} yet: create it, or correct \
                 spec.source.image.machineImageName"
            ),
        ),
        Some(other) if !other.spec.wants(region) => finding(
            conditions::SOURCE_NOT_SUPPORTED,
            format!(
                "{region} is not among spec.regions of MachineImage {named:?}: add it there, or write one of them in \
                 spec.source.image.region"
            ),
        ),
        Some(_) => finding(
            conditions::SOURCE_NOT_PUBLISHED,
            format!(
                "MachineImage {named:?} has published no image in {region} yet, which is awaited: see its own conditions \
                 (kubectl get machineimage {named} -n {namespace} -o wide)"
            ),
        ),
    })
}

fn finding(reason: Reason, message: String) -> Finding {
    Finding {
        reason,
        place: None,
        message,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn image(name: &str, of: Option<&str>, account: &str) -> MachineImage {
        let source = match of {
            Some(other) => json!({"image": {"region": "us-east-1", "machineImageName": other}}),
            None => json!({"image": {"region": "us-east-1", "imageId": "ami-1"}}),
        };
        serde_json::from_value(json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {"name": name, "namespace": "prod"},
            "spec": {"source": source, "accountName": account, "regions": [{"name": "us-east-1"}]},
        }))
        .unwrap()
    }

    /// `web` in a world of these objects: the names that it leads to, and why it is refused.
    fn web(of: &str, world: &[(&str, Option<&str>)]) -> (Vec<String>, Option<String>) {
        let web = image("web", Some(of), "default");
        let get = |name: &str| {
            let found = world.iter().find(|(other, _)| *other == name);
            found.map(|(name, of)| image(name, *of, "default"))
        };
        let chain = chain(&web, get);
        let names = chain.iter().map(|one| one.name().to_owned()).collect();
        (names, refusal(&web, &chain).map(|finding| finding.message))
    }

    #[test]
    fn a_chain_ends_at_an_image_of_something_else() {
        let (names, refused) = web("app", &[("base", None), ("app", Some("base"))]);
        assert_eq!(names, ["app", "base"]);
        assert_eq!(refused, None);
    }

    #[test]
    fn an_object_that_is_not_there_is_awaited() {
        assert_eq!(web("base", &[]), (Vec::new(), None));
    }

    #[test]
    fn a_ring_is_refused_with_its_names() {
        let world = [
            ("web", Some("app")),
            ("app", Some("base")),
            ("base", Some("web")),
        ];
        let (names, refused) = web("app", &world);
        assert_eq!(names, ["app", "base", "web"]);
        let refused = refused.expect("it is a ring");
        assert!(refused.contains("(web → app → base → web)"), "{refused}");
        let (_, itself) = web("web", &[("web", Some("web"))]);
        assert!(itself.expect("a ring").contains("(web → web)"));
    }

    #[test]
    fn a_ring_of_others_is_theirs() {
        let world = [("app", Some("base")), ("base", Some("app"))];
        let (names, refused) = web("app", &world);
        assert_eq!(names, ["app", "base", "app"]);
        assert_eq!(refused, None);
    }

    #[test]
    fn an_object_of_another_account_is_refused() {
        let web = image("web", Some("base"), "default");
        let refused = refusal(&web, &[image("base", None, "other")]).expect("it is refused");
        assert_eq!(refused.reason, conditions::SOURCE_NOT_SUPPORTED);
        assert!(refused.message.contains("\"other\""), "{}", refused.message);
    }

    #[test]
    fn what_is_awaited_is_told() {
        let web = image("web", Some("base"), "default");
        let told = |chain: &[MachineImage]| {
            let awaited = awaited(&web, chain).expect("something is awaited");
            (awaited.reason, awaited.message)
        };
        let base = image("base", None, "default");
        let (reason, message) = told(std::slice::from_ref(&base));
        assert_eq!(reason, conditions::SOURCE_NOT_PUBLISHED);
        assert!(
            message.contains("has published no image in us-east-1 yet"),
            "{message}"
        );
        let (reason, message) = told(&[]);
        assert_eq!(reason, conditions::SOURCE_NOT_PUBLISHED);
        assert!(
            message.contains("there is no MachineImage \"base\" in namespace prod"),
            "{message}"
        );
        let mut elsewhere = base;
        elsewhere.spec.regions[0].name = "eu-west-1".into();
        let (reason, message) = told(&[elsewhere]);
        assert_eq!(reason, conditions::SOURCE_NOT_SUPPORTED);
        assert!(message.starts_with("us-east-1 is not among"), "{message}");
        assert_eq!(awaited(&image("base", None, "default"), &[]), None);
    }
}
