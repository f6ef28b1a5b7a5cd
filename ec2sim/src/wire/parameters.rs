//! Parameters taken one by one; what is left at the end is unknown.
//!
//! Lists of the `ec2` protocol are flat: `Owner.1=self`, `Filter.1.Value.2=x`.

use std::collections::BTreeMap;

use crate::error::ApiError;

/// The parameters of a request, or of one element of a list in it.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// What precedes the names, for error texts: empty or `Filter.1.`.
    path: String,
    left: BTreeMap<String, String>,
}

impl Parameters {
    pub(crate) fn new(parameters: &BTreeMap<String, String>) -> Self {
        Self {
            path: String::new(),
            left: parameters.clone(),
        }
    }

    /// A text; none if it is not given. An empty text is a text.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.left.remove(name)
    }

    /// A text that must be there and not be empty.
    pub(crate) fn required(&mut self, name: &str) -> Result<String, ApiError> {
        self.text(name)
            .filter(|value| !value.is_empty())
            .ok_or_else(|| ApiError::missing(name))
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, ApiError> {
        self.text(name)
            .map(|value| match value.to_ascii_lowercase().as_str() {
                "true" | "1" => Ok(true),
                "false" | "0" => Ok(false),
                _ => Err(ApiError::invalid_value(format!(
                    "Invalid value '{value}' for boolean parameter {}{name}",
                    self.path
                ))),
            })
            .transpose()
    }

    /// A boolean that is false if not given.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, ApiError> {
        Ok(self.boolean(name)?.unwrap_or(false))
    }

    pub(crate) fn number(&mut self, name: &str) -> Result<Option<u32>, ApiError> {
        self.text(name)
            .map(|value| {
                value.parse().map_err(|_| {
                    ApiError::invalid_value(format!(
                        "Invalid value '{value}' for parameter {}{name}",
                        self.path
                    ))
                })
            })
            .transpose()
    }

    /// The texts `name.1`, `name.2`, … in the order of their numbers.
    pub(crate) fn list(&mut self, name: &str) -> Vec<String> {
        let mut found: Vec<(u32, String)> = Vec::new();
        for key in self.keys_below(name) {
            let number = key
                .get(name.len() + 1..)
                .and_then(|number| number.parse().ok());
            if let Some(number) = number
                && let Some(value) = self.left.remove(&key)
            {
                found.push((number, value));
            }
        }
        found.sort();
        found.into_iter().map(|(_, value)| value).collect()
    }

    /// The text `name`, or the texts `name.1`, `name.2`, …
    pub(crate) fn one_or_more(&mut self, name: &str) -> Vec<String> {
        let one = self.text(name);
        one.map_or_else(|| self.list(name), |one| vec![one])
    }

    /// The structures `name.1.…`, `name.2.…` in the order of their numbers.
    pub(crate) fn structures(&mut self, name: &str) -> Vec<Parameters> {
        let mut found: BTreeMap<u32, Parameters> = BTreeMap::new();
        for key in self.keys_below(name) {
            let Some((number, member)) = key
                .get(name.len() + 1..)
                .and_then(|rest| rest.split_once('.'))
            else {
                continue;
            };
            let Ok(number) = number.parse() else { continue };
            let path = format!("{}{name}.{number}.", self.path);
            let member = member.to_owned();
            if let Some(value) = self.left.remove(&key) {
                found
                    .entry(number)
                    .or_insert(Parameters {
                        path,
                        left: BTreeMap::new(),
                    })
                    .left
                    .insert(member, value);
            }
        }
        found.into_values().collect()
    }

    /// The parameters `name.…`, as those of a structure.
    pub(crate) fn below(&mut self, name: &str) -> Parameters {
        let mut left = BTreeMap::new();
        for key in self.keys_below(name) {
            let member = key.get(name.len() + 1..).map(str::to_owned);
            if let (Some(member), Some(value)) = (member, self.left.remove(&key)) {
                left.insert(member, value);
            }
        }
        let path = format!("{}{name}.", self.path);
        Parameters { path, left }
    }

    /// Refuses parameters that EC2 knows and this simulator does not.
    pub(crate) fn not_modelled(&mut self, names: &[&str]) -> Result<(), ApiError> {
        for name in names {
            let member = |key: &&String| {
                key.strip_prefix(name)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            };
            if let Some(key) = self.left.keys().find(member) {
                return Err(ApiError::not_modelled(format!(
                    "the parameter {}{key}",
                    self.path
                )));
            }
        }
        Ok(())
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(name) => Err(ApiError::new(
                "UnknownParameter",
                format!("The parameter {}{name} is not recognized", self.path),
            )),
        }
    }

    /// Refuses what nobody took, and stops a dry run: what follows would have an effect.
    pub(crate) fn finish_action(mut self) -> Result<(), ApiError> {
        let dry_run = self.flag("DryRun")?;
        self.finish()?;
        if dry_run {
            Err(ApiError::dry_run())
        } else {
            Ok(())
        }
    }

    fn keys_below(&self, name: &str) -> Vec<String> {
        let below = |key: &&String| {
            key.strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        self.left.keys().filter(below).cloned().collect()
    }
}
