//! Chance from a seed: the same seed gives the same story.

use std::sync::{Arc, Mutex};

use fastrand::Rng;

use crate::process::lock;

/// A stream of numbers that several hands draw from, in the order in which they ask.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<Rng>>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Rng::with_seed(seed))))
    }

    pub fn next(&self) -> u64 {
        lock(&self.0).u64(..)
    }

    /// True so many times in a thousand.
    pub fn per_mille(&self, rate: u64) -> bool {
        self.next() % 1000 < rate
    }

    /// One of these.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        let index = usize::try_from(self.next() % of.len() as u64).expect("an index");
        &of[index]
    }
}
