//! What belongs to what: its images and snapshots to each object, the images that use it to each snapshot.

use std::sync::Arc;

/// Owners and what belongs to each, as sorted pairs in one piece: there may be tens of thousands, of which a map of
/// lists takes several times as much.
#[derive(Clone, Debug, Default)]
pub(super) struct Index(Vec<(Arc<str>, Arc<str>)>);

impl Index {
    /// An index of these pairs. Each owner's name is kept once, here or where `kept` finds it.
    pub(super) fn of<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a Arc<str>)>,
        kept: impl Fn(&str) -> Option<Arc<str>>,
    ) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_unstable();
        pairs.dedup();
        let mut index: Vec<(Arc<str>, Arc<str>)> = Vec::with_capacity(pairs.len());
        for (owner, id) in pairs {
            let known = index.last().filter(|(last, _)| **last == *owner);
            let owner = known
                .map(|(last, _)| Arc::clone(last))
                .or_else(|| kept(owner))
                .unwrap_or_else(|| owner.into());
            index.push((owner, Arc::clone(id)));
        }
        Self(index)
    }

    /// What belongs to `owner`.
    pub(super) fn of_owner<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = &'a str> {
        let first = self.0.partition_point(|(other, _)| **other < *owner);
        let rest = self.0[first..].iter();
        rest.take_while(move |(other, _)| **other == *owner)
            .map(|(_, id)| &**id)
    }

    /// Whether anything belongs to `owner`.
    pub(super) fn has(&self, owner: &str) -> bool {
        self.of_owner(owner).next().is_some()
    }

    /// Whether nothing belongs to anybody.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everybody to whom something belongs.
    pub(super) fn owners(&self) -> impl Iterator<Item = &Arc<str>> {
        self.0
            .chunk_by(|(one, _), (other, _)| one == other)
            .map(|of_one| &of_one[0].0)
    }

    /// From now on `id` belongs to `owner`.
    pub(super) fn insert(&mut self, owner: &str, id: &str) {
        let pair = (Arc::from(owner), Arc::from(id));
        if let Err(place) = self.0.binary_search(&pair) {
            self.0.insert(place, pair);
        }
    }

    /// From now on `id` does not.
    pub(super) fn remove(&mut self, owner: &str, id: &str) {
        self.0
            .retain(|(other, known)| **other != *owner || **known != *id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(index: &Index, owner: &str) -> Vec<String> {
        index.of_owner(owner).map(str::to_owned).collect()
    }

    #[test]
    fn each_has_its_own_in_order_and_once() {
        let [one, two] = ["1", "2"].map(Arc::from);
        let mut index = Index::of([("b", &two), ("a", &one), ("b", &one), ("b", &two)], |_| {
            None
        });
        assert_eq!(ids(&index, "a"), ["1"]);
        assert_eq!(ids(&index, "b"), ["1", "2"]);
        assert!(!index.has("ab"));
        index.insert("ab", "3");
        index.insert("ab", "3");
        index.remove("b", "1");
        assert_eq!(ids(&index, "ab"), ["3"]);
        assert_eq!(ids(&index, "b"), ["2"]);
        let owners: Vec<&str> = index.owners().map(|owner| &**owner).collect();
        assert_eq!(owners, ["a", "ab", "b"]);
    }
}
