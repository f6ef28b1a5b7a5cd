//! The parameters of Systems Manager that name an object's published images. No list of EC2's shows them; those of a
//! place are read by calls of their own.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::identity::{Identity, tag};
use super::observed::Unreadable;
use super::plan::Finding;
use super::tags::Tags;

/// The data type of every parameter that Amity makes: Systems Manager asks EC2 whether there is such an image before it
/// takes a value.
pub const DATA_TYPE: &str = "aws:ec2:image";

/// The parameter that names the published images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedParameter {
    /// `spec.publish.ssmParameterName`.
    pub name: String,
    /// The grant that is missing. What is there already may still be removed.
    pub not_granted: Option<Finding>,
}

/// What is known of an object's parameters in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParametersView {
    /// Read.
    Known(Parameters),
    /// They could not be read.
    Unknown(Unreadable),
}

/// The parameters of a place that carry the object's tags, and whatever has the name that its spec says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    /// By their names.
    pub all: BTreeMap<String, Parameter>,
    /// The value that was put last and is not shown yet: memory of this process only.
    pub awaited: Option<Put>,
    /// When it was begun to read them: what was put before shows by then, if a window has passed.
    pub as_of: Timestamp,
    /// When they had been read: what is changed by them must follow at once.
    pub read_at: Timestamp,
    /// When this object last put one there, or this process started, whichever is later: what was put before is shown a
    /// consistency window later, or never.
    pub last_put: Timestamp,
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its value.
    pub value: String,
    /// What Systems Manager takes the value for, such as `aws:ec2:image` or `text`.
    pub data_type: String,
    /// Every tag.
    pub tags: Tags,
}

/// A value that was put. That Systems Manager answered says nothing: it validates afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The parameter's name.
    pub name: String,
    /// The image's id.
    pub value: String,
    /// When it was answered.
    pub at: Timestamp,
}

impl Identity {
    /// The tags that a parameter is made with. The seal is its own name: nothing else can carry them and be ours.
    pub fn parameter_tags(&self, name: &str) -> BTreeMap<String, String> {
        [
            (tag::OWNER, self.owner.as_str()),
            (tag::CLUSTER, &self.cluster),
            (tag::OBJECT, &self.object),
            (tag::SELF, name),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// Whether a parameter was made for this object: sealed, and of the data type that such ones have.
    pub fn has_made(&self, name: &str, parameter: &Parameter) -> bool {
        let tags = &parameter.tags;
        parameter.data_type == DATA_TYPE
            && self.is_claimed_by(tags)
            && self.is_of_cluster(tags)
            && tags.get(tag::SELF) == Some(name)
            && !tags.contains_key(tag::RETAINED)
    }
}

impl Parameters {
    /// Those that were made for this object.
    pub fn of<'a>(
        &'a self,
        identity: &'a Identity,
    ) -> impl Iterator<Item = (&'a String, &'a Parameter)> {
        let all = self.all.iter();
        all.filter(|(name, parameter)| identity.has_made(name, parameter))
    }

    /// Until when one may still appear that was put before.
    pub fn settled_at(&self, consistency_window: SignedDuration) -> Timestamp {
        self.last_put + consistency_window
    }

    /// Whether it is proven that none of this object is there, and that none will appear.
    pub fn are_gone(&self, identity: &Identity, consistency_window: SignedDuration) -> bool {
        self.of(identity).next().is_none() && self.as_of >= self.settled_at(consistency_window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            owner: "o1".to_owned(),
            cluster: "c1".to_owned(),
            predecessor: None,
            object: "images/web".to_owned(),
        }
    }

    fn parameter(tags: BTreeMap<String, String>) -> Parameter {
        Parameter {
            value: "ami-1".to_owned(),
            data_type: DATA_TYPE.to_owned(),
            tags: tags.into(),
        }
    }

    #[test]
    fn what_was_made_for_the_object_is_its_own() {
        let made = parameter(identity().parameter_tags("/golden/web"));
        assert!(identity().has_made("/golden/web", &made));
    }

    #[test]
    fn what_carries_its_tags_is_not_for_that_its_own() {
        let tags = || identity().parameter_tags("/golden/web");
        let with = |key: &str, value: &str| {
            let mut tags = tags();
            tags.insert(key.to_owned(), value.to_owned());
            parameter(tags)
        };
        let text = Parameter {
            data_type: "text".to_owned(),
            ..parameter(tags())
        };
        let without_tags = parameter(BTreeMap::new());
        for other in [
            with(tag::OBJECT, "images/base"),
            with(tag::OWNER, "o2"),
            with(tag::CLUSTER, "c2"),
            with(tag::RETAINED, "2026-03-01T12:00:00Z"),
            text,
            without_tags,
        ] {
            assert!(!identity().has_made("/golden/web", &other), "{other:?}");
        }
        assert!(!identity().has_made("/golden/copy", &parameter(tags())));
    }

    #[test]
    fn none_is_gone_before_the_last_one_that_was_put_would_show() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let read = |minute| Parameters {
            as_of: at(minute),
            last_put: at(0),
            ..Parameters::default()
        };
        let window = SignedDuration::from_mins(10);
        assert!(!read(9).are_gone(&identity(), window));
        assert!(read(10).are_gone(&identity(), window));
        let mut there = read(10);
        let made = parameter(identity().parameter_tags("/golden/web"));
        there.all.insert("/golden/web".to_owned(), made);
        assert!(!there.are_gone(&identity(), window));
    }
}
