//! The tags of an image or a snapshot, kept in one piece: as a map they take some three times as much, and tens of
//! thousands of images and snapshots have a dozen each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::identity::tag;

/// What ends each key of others and each value: a character that no text of EC2's can hold, since XML has none.
const END: u8 = 0;

/// What stands before the letter of a key of [`OUR_KEYS`], which nothing ends; XML has no such character either.
const OURS: u8 = 1;

/// The keys that most images and snapshots have: each is kept as a letter, which saves a third of what tags take.
const OUR_KEYS: [&str; 16] = [
    tag::OWNER,
    tag::CLUSTER,
    tag::OBJECT,
    tag::REVISION,
    tag::ORIGIN,
    tag::SOURCE,
    tag::VARIANT,
    tag::ATTEMPT,
    tag::SELF,
    tag::PUBLISHED,
    tag::SUPERSEDED,
    tag::SUCCESSOR,
    tag::TAG_KEYS,
    tag::PUBLISH_TAG_KEYS,
    tag::HOLD,
    tag::RETAINED,
];

/// What most tags of a process have in common, by the letter of the key: the first value that there was is kept once, and
/// a capital letter stands for key and value wherever it comes again.
static USUAL: [(u8, OnceLock<Box<str>>); 2] = [(b'a', OnceLock::new()), (b'b', OnceLock::new())];

/// What each of [`OUR_KEYS`] begins with.
const DOMAIN: &str = "amity.dev/";

/// Tags as EC2 lists them, sorted by key. Reading them is what they are made for: to change one, all are written anew.
/// A copy is the same piece of memory.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Tags(Arc<str>);

impl Tags {
    /// The value of the tag with this key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let Some(letter) = letter(key) else {
            return self
                .iter()
                .find_map(|(known, value)| (known == key).then_some(value));
        };
        // Asked some hundred times in each reconcile: one search, since what stands before a letter stands nowhere else.
        let bytes = self.0.as_bytes();
        let found = memchr::memchr_iter(OURS, bytes)
            .find(|at| bytes[at + 1].eq_ignore_ascii_case(&letter))?;
        if let Some((_, usual)) = usual(bytes[found + 1]) {
            return Some(usual);
        }
        let (_, rest) = self.0.split_at(found + 2);
        Some(&rest[..memchr::memchr(END, rest.as_bytes())?])
    }

    /// Whether there is a tag with this key.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Keys and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest: &str = &self.0;
        std::iter::from_fn(move || {
            let (key, others) = match rest.as_bytes() {
                [OURS, letter, ..] if letter.is_ascii_uppercase() => {
                    rest = &rest[2..];
                    return usual(*letter);
                }
                [OURS, letter, ..] => (OUR_KEYS[usize::from(letter - b'a')], &rest[2..]),
                _ => ended(rest)?,
            };
            let (value, others) = ended(others)?;
            rest = others;
            Some((key, value))
        })
    }

    /// Whether they say that somebody may have been told to use the image that carries them.
    pub fn tell_of_publication(&self) -> bool {
        self.contains_key(tag::PUBLISHED) || self.contains_key(tag::SUPERSEDED)
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

/// What is kept of a key of [`OUR_KEYS`].
fn letter(key: &str) -> Option<u8> {
    // They differ behind the domain: what begins otherwise there is not compared.
    let first = key.as_bytes().get(DOMAIN.len())?;
    let mut letters = (b'a'..).zip(&OUR_KEYS);
    letters.find_map(|(letter, ours)| {
        (ours.as_bytes()[DOMAIN.len()] == *first && key == *ours).then_some(letter)
    })
}

/// The key and the value that a capital letter stands for.
fn usual(capital: u8) -> Option<(&'static str, &'static str)> {
    let (letter, value) = USUAL
        .iter()
        .find(|(letter, _)| letter.to_ascii_uppercase() == capital)?;
    Some((OUR_KEYS[usize::from(letter - b'a')], value.get()?))
}

/// The capital letter that stands for this value of the key with the letter.
fn capital(letter: u8, value: &str) -> Option<u8> {
    let (_, usual) = USUAL.iter().find(|(usual, _)| *usual == letter)?;
    let usual = usual.get_or_init(|| value.into());
    (**usual == *value).then(|| letter.to_ascii_uppercase())
}

/// The first key or value of a text, and what comes after its end.
fn ended(text: &str) -> Option<(&str, &str)> {
    let (first, rest) = text.split_at(memchr::memchr(END, text.as_bytes())?);
    Some((first, &rest[1..]))
}

impl From<&BTreeMap<String, String>> for Tags {
    fn from(tags: &BTreeMap<String, String>) -> Self {
        fn add(all: &mut String, text: &str) {
            let is_text = |letter: &char| ![END, OURS].map(char::from).contains(letter);
            all.extend(text.chars().filter(is_text));
            all.push(char::from(END));
        }
        let length = |(key, value): (&String, &String)| key.len() + value.len() + 2;
        let mut all = String::with_capacity(tags.iter().map(length).sum());
        for (key, value) in tags {
            if let Some(letter) = letter(key) {
                if let Some(capital) = capital(letter, value) {
                    all.extend([OURS, capital].map(char::from));
                    continue;
                }
                all.extend([OURS, letter].map(char::from));
            } else {
                add(&mut all, key);
            }
            add(&mut all, value);
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

    fn owned((key, value): (&str, &str)) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn what_is_put_in_comes_out_whatever_is_empty() {
        let texts = [("", "a"), ("Name", ""), ("a", "b"), ("team", "web=x: y/ä")];
        let ours = OUR_KEYS.map(|key| (key, "ours"));
        let map: BTreeMap<String, String> = texts.into_iter().chain(ours).map(owned).collect();
        let tags = Tags::from(&map);
        assert_eq!(tags.to_map(), map);
        assert_eq!(tags.get("team"), Some("web=x: y/ä"));
        assert_eq!((tags.get("Name"), tags.get("nobody")), (Some(""), None));
        for key in OUR_KEYS {
            assert_eq!(tags.get(key), Some("ours"), "{key}");
        }
        assert_eq!(
            tags.iter().map(|(key, _)| key).collect::<Vec<_>>(),
            map.keys().collect::<Vec<_>>()
        );
        assert_eq!(Tags::default().to_map(), BTreeMap::new());
    }

    #[test]
    fn what_most_have_in_common_comes_out_as_what_few_have() {
        let of = |owner: &str| -> Tags {
            let tags = [(tag::OWNER, owner), (tag::SELF, "ami-1"), ("team", "web")];
            tags.map(owned).into_iter().collect()
        };
        let all = ["one", "another", "one", "third"].map(|owner| (owner, of(owner)));
        for (owner, tags) in &all {
            assert_eq!(tags.get(tag::OWNER), Some(*owner));
            assert_eq!(tags.iter().next(), Some((tag::OWNER, *owner)));
            assert_eq!(tags.get(tag::SELF), Some("ami-1"));
            assert_eq!(tags.get(tag::CLUSTER), None);
        }
        assert_eq!(all[0], all[2]);
        assert_ne!(all[0].1, all[1].1);
    }

    #[test]
    fn no_key_of_others_passes_for_ours() {
        let tags: Tags = [("\u{1}a", "\u{0}x\u{1}")].map(owned).into_iter().collect();
        assert_eq!(tags.get(tag::OWNER), None);
        assert_eq!(tags.get("a"), Some("x"));
    }

    #[test]
    fn the_same_tags_are_the_same_in_whatever_order_they_came() {
        let mut tags = Tags::default();
        tags.insert("b", "2");
        tags.insert("a", "0");
        tags.insert("a", "1");
        tags.insert("c", "3");
        tags.remove("c");
        assert_eq!(
            tags,
            [("a", "1"), ("b", "2")].map(owned).into_iter().collect()
        );
        assert_eq!(format!("{tags:?}"), r#"{"a": "1", "b": "2"}"#);
    }
}
