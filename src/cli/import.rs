//! `amity import`: manifests that take over images which others made.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use amity_core::image::identity::{Reference, tag};
use amity_core::image::observed::{ImageState, Unreadable};
use serde_json::{Value, json};

use super::Error;
use crate::aws::inventory::{NamedImage, images_named};
use crate::aws::session::Access;

/// The longest name that a `MachineImage` may have.
const LONGEST_NAME: usize = 63;

/// The flags of `amity import`.
#[expect(clippy::doc_markdown, reason = "help prints it as it stands")]
#[derive(Debug, clap::Args)]
pub struct Import {
    /// The names of the images, such as web-*: * stands for anything, and ? for one character.
    #[arg(value_name = "NAME")]
    name: String,

    /// The regions to look in; all that are enabled, if none is given.
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    regions: Vec<String>,

    /// The namespace of the MachineImages.
    #[arg(short, long, default_value = "default", value_name = "NAMESPACE")]
    namespace: String,

    /// The AwsAccount that they name.
    #[arg(long, default_value = "default", value_name = "NAME")]
    account_name: String,
}

/// Images that are copies of one another, by region; the one that the others were copied from comes first.
struct Family {
    origin: (String, NamedImage),
    copies: BTreeMap<String, NamedImage>,
}

impl Import {
    /// Looks, and prints the manifests.
    ///
    /// # Errors
    /// AWS cannot be read, or has no such image.
    pub async fn run(self) -> Result<ExitCode, Error> {
        let (_, sessions) = super::aws().await;
        let access = Access {
            account_id: sessions.own_account().await?,
            role: None,
            regions: self.regions.clone(),
            namespace: None,
        };
        let said = |unreadable: Unreadable| unreadable.message;
        let session = sessions.open_access(&access).await.map_err(said)?;
        let mut found = Vec::new();
        for region in session.regions() {
            let images = images_named(&sessions, &session, region, &self.name).await;
            let images = images.map_err(said)?;
            found.extend(images.into_iter().map(|image| (region.clone(), image)));
        }
        let all = found.len();
        found.retain(|(_, named)| {
            let image = &named.image;
            image.state == ImageState::Available && !image.tags.contains_key(tag::OWNER)
        });
        if found.is_empty() {
            return Err(match all {
                0 => format!("account {} has no image called {}", access.account_id, self.name),
                all => format!(
                    "none of the {all} images called {} can be taken over: they are Amity's already, or not available",
                    self.name
                ),
            }
            .into());
        }
        let families = families(&found);
        let many = families.len();
        let mut text = String::new();
        for family in families {
            let manifest = self.manifest(&family)?;
            let _ = write!(text, "---\n{manifest}");
        }
        std::io::stdout().write_all(text.as_bytes())?;
        let plural = if many == 1 { "" } else { "s" };
        eprintln!(
            "amity: {many} MachineImage{plural}; amity plan -f FILE shows what would change, and nothing is changed before the \
             annotation amity.dev/adopt says so"
        );
        Ok(ExitCode::SUCCESS)
    }

    fn manifest(&self, family: &Family) -> Result<String, Error> {
        let (region, origin) = &family.origin;
        let image = &origin.image;
        let all = [(region, origin)].into_iter().chain(&family.copies);
        let listed: Vec<_> = all
            .map(|(region, named)| json!({"region": region, "imageId": named.image.id}))
            .collect();
        let regions: Vec<_> = listed
            .iter()
            .map(|listed| json!({"name": listed["region"]}))
            .collect();
        let manifest = json!({
            "apiVersion": "amity.dev/v1alpha1",
            "kind": "MachineImage",
            "metadata": {"name": object_name(&image.name), "namespace": self.namespace},
            "spec": {
                "accountName": self.account_name,
                "source": source(region, origin),
                "regions": regions,
                "adopt": listed,
            },
        });
        let yaml = serde_saphyr::to_string(&manifest)?;
        Ok(format!(
            "# {} of {}. The source is that of the next revision, which spec.rebuild asks for.\n{yaml}",
            image.id, image.name
        ))
    }
}

/// What the next revision is made from: what EC2 says that this one was.
fn source(region: &str, origin: &NamedImage) -> Value {
    let image = &origin.image;
    if let Some(instance) = &image.source_instance {
        return json!({"instance": {"region": region, "instanceId": instance, "reboot": "Never"}});
    }
    if let Some(source) = &image.source_image {
        return json!({"image": {"region": source.region, "imageId": source.id}});
    }
    json!({"snapshot": {
        "region": region,
        "snapshotId": image.root_snapshot().or(image.snapshots.first().map(String::as_str)),
        "rootDeviceName": origin.root_device_name,
        "architecture": origin.architecture,
    }})
}

/// Copies belong to what they were copied from, as EC2 says, or have its name in another region.
fn families(found: &[(String, NamedImage)]) -> Vec<Family> {
    let by_id: BTreeMap<String, usize> = found
        .iter()
        .enumerate()
        .map(|(number, (region, named))| {
            let itself = Reference::new(region.as_str(), named.image.id.as_str());
            (itself.to_string(), number)
        })
        .collect();
    let root = |mut number: usize| {
        // No chain is longer than all of them.
        for _ in 0..found.len() {
            let image = &found[number].1.image;
            let from = image.source_image.as_ref();
            let from = from.filter(|_| image.source_instance.is_none());
            match from.and_then(|from| by_id.get(&from.to_string())) {
                Some(other) => number = *other,
                None => break,
            }
        }
        number
    };
    let origin = |number: usize| {
        let itself = root(number);
        let (region, named) = &found[itself];
        // Of two of a name in different regions, neither of which is a copy that EC2 knows of, the first.
        let alike = |(other, (at, one)): &(usize, &(String, NamedImage))| {
            root(*other) == *other && one.image.name == named.image.name && at != region
        };
        let first = found.iter().enumerate().find(alike);
        first.map_or(itself, |(other, _)| other.min(itself))
    };
    let mut families: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for number in 0..found.len() {
        families.entry(origin(number)).or_default().push(number);
    }
    let family = |(origin, members): (usize, Vec<usize>)| {
        let (region, _) = &found[origin];
        let copies = members.into_iter().filter(|number| *number != origin);
        let copies = copies.map(|number| found[number].clone());
        Family {
            copies: copies.filter(|(other, _)| other != region).collect(),
            origin: found[origin].clone(),
        }
    };
    families.into_iter().map(family).collect()
}

/// A name that Kubernetes takes.
fn object_name(name: &str) -> String {
    let plain = name.to_lowercase();
    let plain = plain
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let mut short: String = plain.take(LONGEST_NAME).collect();
    while let Some(rest) = short.strip_suffix('-') {
        short.truncate(rest.len());
    }
    let short = short.trim_start_matches('-').to_owned();
    if short.is_empty() {
        "image".to_owned()
    } else {
        short
    }
}

#[cfg(test)]
mod tests {
    use super::object_name;

    #[test]
    fn a_name_in_ec2_becomes_one_in_kubernetes() {
        assert_eq!(object_name("Web (2025) v1.0"), "web--2025--v1-0");
        assert_eq!(object_name("(web)"), "web");
        assert_eq!(object_name("()"), "image");
        assert_eq!(object_name(&"x".repeat(100)).len(), 63);
    }
}
