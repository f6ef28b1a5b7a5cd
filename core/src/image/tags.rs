//! The tags of an image or a snapshot, kept in one piece: as a map they take some three times as much, and tens of
//! thousands of images and snapshots have a dozen each.

use std::collections::BTreeMap;
use std::fmt;

/// What ends each key and each value: a character that no text of EC2's can hold, since XML has none.
const END: u8 = 0;

/// Tags as EC2 lists them, sorted by key. Reading them is what they are made for: to change one, all are written anew.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Box<str>);

impl Tags {
    /// The value of the tag with this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter()
            .find_map(|(known, value)| (known == key).then_some(value))
    }

    /// Whether there is a tag with this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest: &str = &self.0;
        let mut next = move || {
            let (text, others) = rest.split_at(memchr::memchr(END, rest.as_bytes())?);
            rest = &others[1..];
            Some(text)
        };
        std::iter::from_fn(move || Some((next()?, next()?)))
    }

    /// Puts a tag in, in place of one with the same key.
    pub fn insert(&mut self, key: &str, value: &str) {
        self.extend([(key.to_owned(), value.to_owned())]);
    }

    /// Takes a tag out, if it is there.
    pub fn remove(&mut self, key: &str) {
        let mut tags = self.to_map();
        tags.remove(key);
        *self = tags.into();
    }

    /// The tags to be changed, or given to EC2.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        self.iter()
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect()
    }

    /// How many bytes they take.
    pub fn size(&self) -> usize {
        self.0.len()
    }
}

impl From<&BTreeMap<String, String>> for Tags {
    fn from(tags: &BTreeMap<String, String>) -> Self {
        let length = |(key, value): (&String, &String)| key.len() + value.len() + 2;
        let mut all = String::with_capacity(tags.iter().map(length).sum());
        for text in tags.iter().flat_map(|(key, value)| [key, value]) {
            all.extend(text.chars().filter(|letter| *letter != char::from(END)));
            all.push(char::from(END));
        }
        Self(all.into())
    }
}

impl From<BTreeMap<String, String>> for Tags {
    fn from(tags: BTreeMap<String, String>) -> Self {
        Self::from(&tags)
    }
}

impl Extend<(String, String)> for Tags {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, tags: I) {
        let mut all = self.to_map();
        all.extend(tags);
        *self = all.into();
    }
}

impl FromIterator<(String, String)> for Tags {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(tags: I) -> Self {
        tags.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
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
        let tags = Tags::from(&map);
        assert_eq!(tags.to_map(), map);
        assert_eq!(tags.get("team"), Some("web=x: y/ä"));
        assert_eq!((tags.get("Name"), tags.get("nobody")), (Some(""), None));
        assert_eq!(Tags::default().to_map(), BTreeMap::new());
    }

    #[test]
    fn the_same_tags_are_the_same_in_whatever_order_they_came() {
        let mut tags = Tags::default();
        tags.insert("b", "2");
        tags.insert("a", "0");
        tags.insert("a", "1");
        tags.insert("c", "3");
        tags.remove("c");
        let of = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        assert_eq!(tags, [("a", "1"), ("b", "2")].map(of).into_iter().collect());
        assert_eq!(format!("{tags:?}"), r#"{"a": "1", "b": "2"}"#);
    }
}
