//! What is stored, and what that costs.

use std::fmt;
use std::str::FromStr;

/// Bytes of a GiB.
const GIB: u64 = 1 << 30;

/// What a GiB costs in a month, in millionths of whatever it is paid in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(u64);

/// A price that is no number such as `0.05`, or more than a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write what a GiB costs in a month as a number, such as 0.05")]
pub struct NoPrice;

impl Price {
    /// What so many bytes cost in a month, with two decimals.
    pub fn of(self, bytes: u64) -> String {
        let millionths = u128::from(self.0) * u128::from(bytes) / u128::from(GIB);
        let hundredths = (millionths + 5_000) / 10_000;
        format!("{}.{:02}", hundredths / 100, hundredths % 100)
    }
}

impl FromStr for Price {
    type Err = NoPrice;

    fn from_str(text: &str) -> Result<Self, NoPrice> {
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|one| one.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || whole.len() > 6 || decimals.len() > 6 {
            return Err(NoPrice);
        }
        format!("{whole}{decimals:0<6}")
            .parse()
            .map(Self)
            .map_err(|_| NoPrice)
    }
}

/// As it was written, with all six decimals.
impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// So many bytes in GiB, a begun one as a whole.
pub fn gib(bytes: u64) -> i64 {
    i64::try_from(bytes.div_ceil(GIB)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_a_number_with_up_to_six_decimals() {
        let said = |text: &str| text.parse::<Price>().map(|price| price.to_string());
        assert_eq!(said("0.05"), Ok("0.050000".to_owned()));
        assert_eq!(said("12"), Ok("12.000000".to_owned()));
        for bad in [
            "",
            ".5",
            "1.",
            "-1",
            "0,05",
            "1e3",
            "0.0000001",
            "1234567",
            "0.05 USD",
        ] {
            assert_eq!(said(bad), Err(NoPrice), "{bad:?}");
        }
    }

    #[test]
    fn it_is_rounded_to_hundredths() {
        let price: Price = "0.05".parse().unwrap();
        assert_eq!(price.of(0), "0.00");
        assert_eq!(price.of(100 * GIB), "5.00");
        assert_eq!(price.of(GIB / 5), "0.01");
        assert_eq!(price.of(GIB / 11), "0.00");
        assert_eq!(price.of(u64::MAX), "858993459.20");
    }

    #[test]
    fn a_begun_gib_counts_as_one() {
        assert_eq!([0, 1, GIB, GIB + 1].map(gib), [0, 1, 1, 2]);
    }
}
