//! What the user writes, in files, folders or on standard input, checked as the API server would check it: by the schema
//! of the definitions, and by their rules with the sentences that they have there.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use amity_core::api::{self, AwsAccount, MachineImage};
use k8s_openapi::api::core::v1::Namespace;
use kube::{CustomResourceExt, ResourceExt};
use kube_cel::{ErrorKind, ValidationErrors, Validator, apply_defaults};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Where the manifests are.
#[derive(Clone, Debug, clap::Args)]
pub struct Files {
    /// A file, a folder, or - for standard input. May be given more than once.
    #[arg(short = 'f', long, value_name = "FILE", required = true)]
    filename: Vec<PathBuf>,

    /// Read what is in the folders below a folder, too.
    #[arg(short = 'R', long, requires = "filename")]
    recursive: bool,

    /// The namespace of what names none.
    #[arg(
        short,
        long,
        default_value = "default",
        value_name = "NAMESPACE",
        requires = "filename"
    )]
    namespace: String,
}

/// What they say.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The `MachineImage`s by `namespace/name`.
    pub images: BTreeMap<String, MachineImage>,
    /// The `AwsAccount`s by name.
    pub accounts: BTreeMap<String, AwsAccount>,
    /// The namespaces with their labels.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

/// What is wrong with the manifests, all of it.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub struct Mistakes(Vec<Mistake>);

/// What is wrong with one.
#[derive(Debug)]
struct Mistake {
    /// The file, and the object in it as far as it could be read.
    place: String,
    sentence: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.sentence)
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    let lines: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// A definition, ready to check objects.
struct Definition {
    kind: String,
    schema: Value,
    shape: jsonschema::Validator,
}

static DEFINITIONS: LazyLock<Vec<Definition>> = LazyLock::new(|| {
    let definitions = api::crds().into_iter().map(|(_, crd)| {
        let version = crd.spec.versions.into_iter().next();
        let schema = version.and_then(|version| version.schema?.open_api_v3_schema);
        let schema = serde_json::to_value(schema).expect("a schema is JSON");
        Definition {
            kind: crd.spec.names.kind,
            shape: jsonschema::validator_for(&schema).expect("a schema that the API server takes"),
            schema,
        }
    });
    definitions.collect()
});

impl Files {
    /// Reads and checks all of them. Objects of other kinds are passed over: they are for somebody else.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read(&self) -> Result<Manifests, Mistakes> {
        let mut manifests = Manifests::default();
        let mut mistakes = Vec::new();
        for path in &self.filename {
            match texts(path, self.recursive) {
                Ok(texts) => {
                    for (name, text) in texts {
                        manifests.add(&name, &text, &self.namespace, &mut mistakes);
                    }
                }
                Err(error) => mistakes.push(Mistake {
                    place: path.display().to_string(),
                    sentence: error.to_string(),
                }),
            }
        }
        if mistakes.is_empty() {
            return Ok(manifests);
        }
        Err(Mistakes(mistakes))
    }
}

/// The texts of a file, of the YAML and JSON files of a folder in the order of their names, or of standard input.
fn texts(path: &Path, recursive: bool) -> std::io::Result<Vec<(String, String)>> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(vec![("standard input".to_owned(), text)]);
    }
    if !path.is_dir() {
        let text = std::fs::read_to_string(path)?;
        return Ok(vec![(path.display().to_string(), text)]);
    }
    let mut entries = std::fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?;
    entries.sort();
    let is_meant = |path: &Path| {
        let extension = path.extension().and_then(|extension| extension.to_str());
        let is_file = !path.is_dir();
        recursive && !is_file
            || is_file && extension.is_some_and(|one| ["yaml", "yml", "json"].contains(&one))
    };
    let mut all = Vec::new();
    for entry in entries.iter().filter(|path| is_meant(path)) {
        all.extend(texts(entry, recursive)?);
    }
    Ok(all)
}

impl Manifests {
    fn add(&mut self, file: &str, text: &str, namespace: &str, mistakes: &mut Vec<Mistake>) {
        let documents = match serde_saphyr::from_multiple::<Value>(text) {
            Ok(documents) => documents,
            Err(error) => {
                mistakes.push(Mistake {
                    place: file.to_owned(),
                    sentence: format!("it is no YAML: {error}"),
                });
                return;
            }
        };
        for document in documents {
            let items = match document["items"].as_array() {
                Some(items) if document["kind"] == "List" => items.clone(),
                _ => vec![document],
            };
            for item in items {
                self.add_object(file, item, namespace, mistakes);
            }
        }
    }

    fn add_object(
        &mut self,
        file: &str,
        mut object: Value,
        namespace: &str,
        mistakes: &mut Vec<Mistake>,
    ) {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let place = format!("{file}: {kind} {name}");
        let complain = |sentence: String| Mistake {
            place: place.clone(),
            sentence,
        };
        let version = object["apiVersion"].as_str().unwrap_or_default().to_owned();
        let ours = MachineImage::api_resource().api_version;
        let taken = match (version.as_str(), kind.as_str()) {
            ("v1", "Namespace") => read::<Namespace>(&object).map(|namespace| {
                let labels = namespace.labels().clone();
                self.namespaces
                    .insert(namespace.name_any(), labels)
                    .is_some()
            }),
            (version, "MachineImage") if version == ours => {
                if object["metadata"]["namespace"].is_null() {
                    object["metadata"]["namespace"] = namespace.into();
                }
                checked::<MachineImage>(&object, &kind)
                    .map(|image| self.images.insert(image.key(), image).is_some())
            }
            (version, "AwsAccount") if version == ours => checked::<AwsAccount>(&object, &kind)
                .map(|account| self.accounts.insert(account.name_any(), account).is_some()),
            (other, _) if other.starts_with("amity.dev/") => Err(vec![format!(
                "there is no {kind} in {other}: write apiVersion: {ours} and kind: MachineImage or AwsAccount"
            )]),
            _ => return,
        };
        match taken {
            Ok(false) => {}
            Ok(true) => mistakes.push(complain("it is there twice: leave one out".to_owned())),
            Err(sentences) => mistakes.extend(sentences.into_iter().map(complain)),
        }
    }
}

/// Fields that nobody knows, and entries of a list that is to have each only once, or each key only once: neither a rule
/// nor the shape tells.
fn unknown_and_double(schema: &Value, value: &Value, path: &str, sentences: &mut Vec<String>) {
    let known = schema["properties"].as_object();
    for (name, value) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if known.is_some_and(|known| !known.contains_key(name)) {
            sentences.push(format!("unknown field \"{path}\""));
        }
        unknown_and_double(&schema["properties"][name], value, &path, sentences);
    }
    let keys = schema["x-kubernetes-list-map-keys"].as_array();
    let is_set = schema["x-kubernetes-list-type"] == "set";
    let mut seen = Vec::new();
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        let path = format!("{path}[{number}]");
        let key: Vec<&Value> = match keys {
            Some(keys) => keys
                .iter()
                .filter_map(Value::as_str)
                .map(|key| &item[key])
                .collect(),
            None => vec![item],
        };
        if (is_set || keys.is_some()) && seen.contains(&key) {
            let said: Vec<_> = key.iter().map(ToString::to_string).collect();
            let path = path.trim_start_matches('.');
            sentences.push(format!(
                "{path}: {} is there twice: leave one out",
                said.join(" ")
            ));
        }
        seen.push(key);
        unknown_and_double(&schema["items"], item, &path, sentences);
    }
}

fn read<K: DeserializeOwned>(object: &Value) -> Result<K, Vec<String>> {
    serde_json::from_value(object.clone()).map_err(|error| vec![error.to_string()])
}

/// An object that the API server would take: of the shape that the definition asks for, and within its rules.
fn checked<K: DeserializeOwned>(object: &Value, kind: &str) -> Result<K, Vec<String>> {
    let definition = DEFINITIONS.iter().find(|one| one.kind == kind);
    let definition = definition.expect("each kind has a definition");
    let filled = apply_defaults(&definition.schema, object);
    let broken = Validator::new().validate(&definition.schema, &filled, None);
    let broken = broken
        .err()
        .map(ValidationErrors::into_vec)
        .unwrap_or_default();
    // A rule that cannot be asked, since something has another shape, says less than what has the shape.
    let sentences = broken
        .iter()
        .filter(|error| error.kind == ErrorKind::ValidationFailure)
        .map(|error| error.to_string().trim_start_matches('.').to_owned());
    let mut sentences: Vec<_> = sentences.collect();
    let of_spec = &definition.schema["properties"]["spec"];
    unknown_and_double(of_spec, &filled["spec"], "spec", &mut sentences);
    if !sentences.is_empty() {
        return Err(sentences);
    }
    let misshapen = definition.shape.iter_errors(&filled);
    let misshapen: Vec<_> = misshapen
        .map(|error| {
            let path = error.instance_path().to_string();
            format!(
                "{}: {error}",
                path.trim_start_matches('/').replace('/', ".")
            )
        })
        .collect();
    if !misshapen.is_empty() {
        return Err(misshapen);
    }
    if !broken.is_empty() {
        return Err(broken.iter().map(ToString::to_string).collect());
    }
    // A field that nobody knows is said by name.
    read(object)
}
