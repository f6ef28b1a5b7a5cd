//! All chance of a world: a seed, and how much of each stream was drawn.
//!
//! Each subject draws from a stream of its own, so that more reads do not change the ids or
//! the durations of the writes between them. No draw looks at a clock or at the process. A world
//! that goes step by step draws nothing: what may happen there, its caller makes happen.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

/// What a number is drawn for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Stream {
    /// Ids of resources and of temporary access keys.
    Id,
    /// How long something takes.
    Duration,
    /// How far reads lag behind a write.
    Lag,
    /// Whether a copy fails.
    Failure,
    /// Whether a page comes empty.
    Page,
    /// Whether a read is answered by a replica that is behind.
    Replica,
    /// Request ids.
    Request,
    /// What happens to machines and in them.
    Guest,
}

/// The seed and the position in each stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Chance {
    seed: u64,
    drawn: BTreeMap<Stream, u64>,
    /// Where nothing is drawn: how many ids were given out, by what they begin with.
    counted: Option<BTreeMap<String, u64>>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            drawn: BTreeMap::new(),
            counted: None,
        }
    }

    /// Chance that has no part in anything: nothing lags, fails or is put off, and ids are counted.
    pub(crate) fn none() -> Self {
        Self {
            counted: Some(BTreeMap::new()),
            ..Self::new(0)
        }
    }

    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The next number of a stream.
    pub(crate) fn draw(&mut self, stream: Stream) -> u64 {
        if self.counted.is_some() {
            return 0;
        }
        let position = self.drawn.entry(stream).or_default();
        *position += 1;
        mix(mix(self.seed ^ mix(stream as u64)).wrapping_add(*position))
    }

    /// A number between both bounds, which are included.
    pub(crate) fn between(&mut self, stream: Stream, low: u64, high: u64) -> u64 {
        let span = high.saturating_sub(low).saturating_add(1);
        low + self.draw(stream) % span
    }

    /// True this many times in a thousand.
    pub(crate) fn happens(&mut self, stream: Stream, per_mille: u32) -> bool {
        self.counted.is_none() && self.draw(stream) % 1000 < u64::from(per_mille)
    }

    /// A new id in EC2's long form, such as `ami-0123456789abcdef0`. Counted ids begin with the
    /// number of their region, so that what happens in one changes none of another.
    pub(crate) fn id(&mut self, prefix: &str, region: usize) -> String {
        let Some(counted) = &mut self.counted else {
            let number = self.draw(Stream::Id);
            return format!("{prefix}-0{number:016x}");
        };
        let start = format!("{prefix}-{region:09x}");
        let number = counted.entry(start.clone()).or_default();
        *number += 1;
        format!("{start}{number:08x}")
    }

    /// Upper-case letters and digits, as in access key ids.
    pub(crate) fn letters(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        (0..length)
            .map(|_| {
                let at = self.draw(Stream::Id) % 32;
                char::from(ALPHABET[usize::try_from(at).unwrap_or_default()])
            })
            .collect()
    }

    /// A request id in the form of a version 4 UUID.
    pub(crate) fn request_id(&mut self) -> String {
        let (high, low) = (self.draw(Stream::Request), self.draw(Stream::Request));
        uuid(high, low)
    }
}

/// The finaliser of `SplitMix64`: a bijection that spreads near numbers far apart.
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number for a text, the same in every process.
pub(crate) fn digest(text: &str) -> u64 {
    text.bytes().fold(mix(text.len() as u64), |state, byte| {
        mix(state ^ u64::from(byte))
    })
}

/// Two numbers written as a UUID of version 4.
pub(crate) fn uuid(high: u64, low: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | (low >> 50),
        low & 0xffff_ffff_ffff
    )
}

/// `at` plus so many milliseconds; the end of time if that is past it.
pub(crate) fn after(at: Timestamp, milliseconds: u64) -> Timestamp {
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    at.checked_add(SignedDuration::from_millis(milliseconds))
        .unwrap_or(Timestamp::MAX)
}
