//! Conditions: an operator, a key, and the values that the policy names (IAM user guide:
//! `reference_policies_elements_condition_operators`, `reference_policies_condition-single-vs-multi-valued-context-keys`).

use std::borrow::Cow;

use super::context::{Context, has_many};
use super::pattern::{fits, fits_arn};

/// What a policy variable begins with that is evaluated here: one tag of the session that calls.
const VARIABLE: &str = "${aws:PrincipalTag/";

/// One key of a condition block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Condition {
    /// The operator as it is written, such as `ForAnyValue:StringLike`.
    pub operator: String,
    pub key: String,
    pub values: Vec<String>,
    test: Test,
    negated: bool,
    set: Option<Set>,
    if_exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Test {
    Equals,
    Like,
    Arn,
    Bool,
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Set {
    All,
    Any,
}

impl Condition {
    /// Reads what a policy says, or says what is wrong with it.
    pub(super) fn read(operator: &str, key: &str, values: Vec<String>) -> Result<Self, String> {
        let (set, rest) = match operator.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Set::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
            _ => (None, operator),
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let (test, negated) = match name {
            "StringEquals" => (Test::Equals, false),
            "StringNotEquals" => (Test::Equals, true),
            "StringLike" => (Test::Like, false),
            "StringNotLike" => (Test::Like, true),
            "ArnEquals" | "ArnLike" => (Test::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Test::Arn, true),
            "Bool" => (Test::Bool, false),
            "Null" if set.is_none() && !if_exists => (Test::Null, false),
            _ => {
                return Err(format!(
                    "the condition operator {operator} is not evaluated here"
                ));
            }
        };
        let many =
            has_many(key).ok_or_else(|| format!("no call here has the condition key {key}"))?;
        if many && set.is_none() && test != Test::Null {
            return Err(format!(
                "{key} has several values: write ForAllValues:{rest} or ForAnyValue:{rest}"
            ));
        }
        if values.is_empty() {
            return Err(format!("the condition on {key} names no value"));
        }
        let is_evaluated = |value: &&String| {
            let is_principal_tag = value.starts_with(VARIABLE) && value.matches("${").count() == 1;
            is_principal_tag && value.contains('}') && !negated && set.is_none()
        };
        let mut variables = values.iter().filter(|value| value.contains("${"));
        if let Some(value) = variables.find(|value| !is_evaluated(value)) {
            return Err(format!(
                "of policy variables only {VARIABLE}…}} at the beginning of a value is evaluated here: {value}"
            ));
        }
        let is_bool = |value: &String| matches!(value.as_str(), "true" | "false");
        if matches!(test, Test::Bool | Test::Null) && !values.iter().all(is_bool) {
            return Err(format!("{operator} takes true or false"));
        }
        Ok(Self {
            operator: operator.to_owned(),
            key: key.to_owned(),
            values,
            test,
            negated,
            set,
            if_exists,
        })
    }

    /// How it is called in reports.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.operator, self.key)
    }

    pub(super) fn holds(&self, context: &Context) -> bool {
        let found = context.get(&self.key);
        if self.test == Test::Null {
            let absent = found.is_none().to_string();
            return self.values.contains(&absent);
        }
        match (found, self.set) {
            (None, _) if self.if_exists => true,
            (None, Some(Set::All)) => true,
            (None, Some(Set::Any)) => false,
            (None, None) => self.negated,
            (Some(found), Some(Set::All)) => found.iter().all(|value| self.accepts(context, value)),
            (Some(found), _) => found.iter().any(|value| self.accepts(context, value)),
        }
    }

    /// Whether the call has the key: only then does a condition that holds say something.
    pub(super) fn is_about(&self, context: &Context) -> bool {
        self.test == Test::Null || context.get(&self.key).is_some()
    }

    /// The values of the policy that had a say, where the condition holds.
    pub(super) fn values_met<'a>(
        &'a self,
        context: &'a Context,
    ) -> impl Iterator<Item = &'a String> {
        let absent = context.get(&self.key).is_none().to_string();
        let found = context.get(&self.key).unwrap_or_default();
        self.values.iter().filter(move |wanted| match self.test {
            Test::Null => **wanted == absent,
            // All of them were looked for, and none was there.
            _ if self.negated => !found.is_empty(),
            _ => found
                .iter()
                .any(|value| self.matches(context, wanted, value)),
        })
    }

    fn accepts(&self, context: &Context, value: &str) -> bool {
        let mut values = self.values.iter();
        let named = values.any(|wanted| self.matches(context, wanted, value));
        named != self.negated
    }

    fn matches(&self, context: &Context, wanted: &str, value: &str) -> bool {
        let Some(wanted) = filled_in(wanted, context) else {
            return false;
        };
        let wanted = wanted.as_ref();
        match self.test {
            Test::Equals => wanted == value,
            Test::Like => fits(wanted, value),
            Test::Arn => fits_arn(wanted, value),
            Test::Bool => wanted.eq_ignore_ascii_case(value),
            Test::Null => false,
        }
    }
}

/// A value with what its variable stands for; none where the call has no such tag: then nothing fits it (IAM user
/// guide, `reference_policies_variables`). What stands for it is no pattern.
fn filled_in<'a>(value: &'a str, context: &Context) -> Option<Cow<'a, str>> {
    let Some((variable, rest)) = value
        .starts_with(VARIABLE)
        .then(|| value.split_once('}'))
        .flatten()
    else {
        return Some(Cow::Borrowed(value));
    };
    let tag = context.get(variable.strip_prefix("${")?)?.first()?;
    (!tag.contains(['*', '?'])).then(|| Cow::Owned(format!("{tag}{rest}")))
}
