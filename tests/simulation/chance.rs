//! Chance from a seed: the same seed gives the same story.

use std::sync::{Arc, Mutex, PoisonError};

/// A stream of numbers that several hands draw from, in the order in which they ask.
#[derive(Clone, Debug)]
pub struct Chance(Arc<Mutex<u64>>);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(
            seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03,
        )))
    }

    /// `SplitMix64` (Steele, Lea and Flood, 2014).
    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
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
