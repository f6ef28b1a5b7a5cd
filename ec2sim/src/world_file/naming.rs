//! What a place has besides machines and disks: keys, launch templates, parameters.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::state::{Key, LaunchTemplate, Parameter};
use crate::wire::base64;
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
        let images = file.versions.iter().map(|version| version.image_id.clone());
        let mut template = LaunchTemplate::of_images(id, self.account, file.name, images);
        for (version, file) in template.versions.values_mut().zip(file.versions) {
            version.description = file.description;
            let data = &mut version.data;
            data.instance_type = file.instance_type;
            data.key_name = file.key_name;
            data.group_ids = file.security_group_ids;
            data.profile = file.instance_profile;
            data.user_data = file.user_data.map(|text| base64::encode(text.as_bytes()));
        }
        // A template without any version is none; it may be one of a test all the same.
        if !template.versions.is_empty() && !template.versions.contains_key(&file.default_version) {
            return Err(wrong(id, "its default version is none of its versions"));
        }
        template.default_version = file.default_version;
        self.region.born_with_tags(id, self.account, file.tags);
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
