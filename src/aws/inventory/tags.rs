//! The tags of something, kept in one piece: as a map they take some three times as much, and tens of thousands of
//! images and snapshots have a dozen each.

use std::collections::BTreeMap;

/// What ends each key and each value: a character that no text of EC2's can hold, since XML has none.
const END: char = '\0';

/// Tags as EC2 listed them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tags(Box<str>);

impl Tags {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut texts = self.0.split_terminator(END);
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }

    pub(super) fn to_map(&self) -> BTreeMap<String, String> {
        self.iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// How many bytes they take.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }
}

impl From<BTreeMap<String, String>> for Tags {
    fn from(tags: BTreeMap<String, String>) -> Self {
        let length = |(key, value): (&String, &String)| key.len() + value.len() + 2;
        let mut all = String::with_capacity(tags.iter().map(length).sum());
        for text in tags.iter().flat_map(|(key, value)| [key, value]) {
            if text.contains(END) {
                all.push_str(&text.replace(END, ""));
            } else {
                all.push_str(text);
            }
            all.push(END);
        }
        Self(all.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_comes_out_whatever_is_empty() {
        let map: BTreeMap<String, String> = [("", "a"), ("Name", ""), ("team", "web=x: y/ä")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let tags = Tags::from(map.clone());
        assert_eq!(tags.to_map(), map);
        assert_eq!(tags.get("team"), Some("web=x: y/ä"));
        assert_eq!((tags.get("Name"), tags.get("nobody")), (Some(""), None));
        assert_eq!(Tags::default().to_map(), BTreeMap::new());
    }
}
