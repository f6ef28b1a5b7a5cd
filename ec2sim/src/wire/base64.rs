//! Base64 (RFC 4648, section 4), which user data and consoles are in.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes in base64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |number: usize| u32::from(chunk.get(number).copied().unwrap_or_default());
        let number = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let letter = usize::try_from(number >> (18 - 6 * place) & 63).unwrap_or_default();
            text.push(if place <= chunk.len() {
                char::from(ALPHABET[letter])
            } else {
                '='
            });
        }
    }
    text
}

/// The bytes; none where the text is not in base64. White space counts for nothing.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let text: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    let end = text
        .iter()
        .position(|byte| *byte == b'=')
        .unwrap_or(text.len());
    let (letters, padding) = text.split_at(end);
    if !text.len().is_multiple_of(4)
        || padding.len() > 2
        || padding.iter().any(|byte| *byte != b'=')
    {
        return None;
    }
    let mut bytes = Vec::new();
    for chunk in letters.chunks(4) {
        let mut number: u32 = 0;
        for place in 0..4 {
            let value = match chunk.get(place) {
                None => 0,
                Some(letter) => ALPHABET.iter().position(|other| other == letter)?,
            };
            number = number << 6 | u32::try_from(value).ok()?;
        }
        let [_, whole @ ..] = number.to_be_bytes();
        bytes.extend(whole.iter().take(chunk.len().checked_sub(1)?));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn what_is_encoded_is_decoded_again() {
        for (plain, coded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(encode(plain.as_bytes()), coded);
            assert_eq!(decode(coded).as_deref(), Some(plain.as_bytes()));
        }
        for wrong in ["Zg", "Z===", "Z!==", "=Zg="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
