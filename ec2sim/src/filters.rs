//! Filters: AND between filters, OR between the values of one; `*` and `?` are wildcards, `\`
//! takes their meaning away; names and values are case-sensitive (model: `DescribeImages`).

use crate::error::ApiError;
use crate::state::Tags;
use crate::wire::parameters::Parameters;

/// What the filters of an action may name.
pub(crate) struct Known {
    /// The filters that work.
    pub fields: &'static [&'static str],
    /// The filters that EC2 has and this simulator does not.
    pub not_modelled: &'static [&'static str],
    /// Whether `tag:KEY` works, too.
    pub tags: bool,
}

/// The filters of a request.
#[derive(Debug)]
pub(crate) struct Filters(Vec<Filter>);

#[derive(Debug)]
struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filters {
    /// Takes `Filter.N.Name` and `Filter.N.Value.M`.
    pub(crate) fn take(parameters: &mut Parameters, known: &Known) -> Result<Self, ApiError> {
        let mut filters = Vec::new();
        for mut filter in parameters.structures("Filter") {
            let name = filter.text("Name").unwrap_or_default();
            let values = filter.list("Value");
            filter.finish()?;
            let is_tag = known.tags && name.strip_prefix("tag:").is_some_and(|key| !key.is_empty());
            if !is_tag && !known.fields.contains(&name.as_str()) {
                if known
                    .not_modelled
                    .iter()
                    .any(|other| name == *other || name.starts_with(&format!("{other}.")))
                {
                    return Err(ApiError::not_modelled(format!("the filter '{name}'")));
                }
                return Err(ApiError::invalid_value(format!(
                    "The filter '{name}' is invalid"
                )));
            }
            if values.is_empty() {
                return Err(ApiError::invalid_value(format!(
                    "The filter '{name}' must have at least one value"
                )));
            }
            filters.push(Filter { name, values });
        }
        if filters
            .iter()
            .map(|filter| filter.values.len())
            .sum::<usize>()
            > 200
        {
            return Err(ApiError::new(
                "FilterLimitExceeded",
                "The maximum number of filter values specified on a single call is 200",
            ));
        }
        Ok(Self(filters))
    }

    /// Whether an item passes: `fields` gives the item's values for a filter, which are none
    /// where the item has no such attribute.
    pub(crate) fn pass(&self, tags: &Tags, fields: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|filter| {
            let found = match filter.name.strip_prefix("tag:") {
                Some(key) => tags.get(key).cloned().into_iter().collect(),
                None if filter.name == "tag-key" => tags.keys().cloned().collect(),
                None => fields(&filter.name),
            };
            found
                .iter()
                .any(|value| filter.values.iter().any(|pattern| matches(pattern, value)))
        })
    }
}

/// Whether a pattern matches a whole text.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let pattern = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    // The usual two-finger walk: on a mismatch the last `*` takes one character more.
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(Token::Many) => {
                star = Some((at, read));
                at += 1;
            }
            Some(Token::One) => (at, read) = (at + 1, read + 1),
            Some(Token::Exactly(wanted)) if *wanted == text[read] => {
                (at, read) = (at + 1, read + 1);
            }
            _ => {
                let Some((back, taken)) = star else {
                    return false;
                };
                star = Some((back, taken + 1));
                (at, read) = (back + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|token| *token == Token::Many)
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Many,
    One,
    Exactly(char),
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        tokens.push(match next {
            '*' => Token::Many,
            '?' => Token::One,
            '\\' => Token::Exactly(rest.next().unwrap_or('\\')),
            other => Token::Exactly(other),
        });
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_match_any_run_and_any_one() {
        assert!(matches("al2023-*-x86_64", "al2023-ami-2023.9-x86_64"));
        assert!(matches("web-?", "web-1"));
        assert!(matches("*", ""));
        assert!(matches("a*b*c", "a-b-b-c"));
        assert!(!matches("web-?", "web-12"));
        assert!(!matches("a*b", "a-c"));
    }

    #[test]
    fn matching_is_case_sensitive_and_of_the_whole() {
        assert!(!matches("Web", "web"));
        assert!(!matches("web", "web-1"));
    }

    #[test]
    fn a_backslash_takes_the_meaning_away() {
        assert!(matches(r"a\*b", "a*b"));
        assert!(!matches(r"a\*b", "axb"));
    }
}
