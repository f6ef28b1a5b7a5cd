//! What a place has besides machines and disks: keys, launch templates, parameters.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::state::{Key, LaunchTemplate, Parameter};
use crate::world_file::load::{Loader, check, wrong};
use crate::world_file::{KeyFile, LaunchTemplateFile, ParameterFile, WorldFileError};

impl Loader<'_> {
    pub(super) fn kms_keys(
        &self,
        file: BTreeMap<String, KeyFile>,
    ) -> Result<BTreeMap<String, Key>, WorldFileError> {
        let mut keys = BTreeMap::new();
        let mut aliases = BTreeSet::new();
        for (id, file) in file {
            for alias in &file.aliases {
                if !alias.starts_with("alias/") || !aliases.insert(alias.clone()) {
                    let reason = "an alias is alias/NAME, and of one key";
                    return Err(wrong(alias, reason));
                }
            }
            let key = Key {
                state: file.state,
                usable: file.usable,
                aliases: file.aliases,
                shared_with: file.shared_with,
            };
            keys.insert(self.key(&id)?, key);
        }
        Ok(keys)
    }

    pub(super) fn launch_template(
        &mut self,
        id: &str,
        file: LaunchTemplateFile,
    ) -> Result<(), WorldFileError> {
        check(id, "lt")?;
        let images = file.versions.into_iter().map(|version| version.image_id);
        let template = LaunchTemplate {
            id: id.to_owned(),
            owner: self.account.to_owned(),
            name: file.name,
            versions: (1..).zip(images).collect(),
        };
        match self.region.launch_templates.insert(id.to_owned(), template) {
            None => Ok(()),
            Some(_) => Err(wrong(id, "this id is there twice")),
        }
    }

    pub(super) fn parameters(
        &mut self,
        file: BTreeMap<String, ParameterFile>,
    ) -> Result<(), WorldFileError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
        if let Some(name) = file
            .keys()
            .find(|name| name.is_empty() || !name.chars().all(allowed))
        {
            let reason = "a parameter's name has letters, digits, and the characters _ . - /";
            return Err(wrong(name, reason));
        }
        for (name, file) in file {
            let parameter = Parameter {
                value: file.value,
                data_type: file.data_type,
                version: file.version,
                modified: file.modified.unwrap_or(Timestamp::UNIX_EPOCH),
            };
            let record = self.region.record_mut(self.account, &name);
            record.description = file.description;
            record.tags = file.tags;
            let own = self.region.parameters.entry(self.account.to_owned());
            own.or_default().insert(name, parameter);
        }
        Ok(())
    }
}
