//! Patterns with `*` and `?`, for texts and for ARNs (IAM user guide:
//! `reference_policies_elements_resource`).

/// Whether a text fits a pattern: `*` stands for any characters, `?` for one.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    if !has_wildcards(pattern) {
        return pattern == text;
    }
    if pattern.is_ascii() && text.is_ascii() {
        return fits_wildcards(pattern.as_bytes(), text.as_bytes(), &b'*', &b'?');
    }
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    fits_wildcards(&pattern, &text, &'*', &'?')
}

/// Whether a pattern stands for more than itself.
pub(super) fn has_wildcards(pattern: &str) -> bool {
    pattern.contains(['*', '?'])
}

fn fits_wildcards<T: PartialEq>(pattern: &[T], text: &[T], any: &T, one: &T) -> bool {
    // The text must be used up at the end; a star is tried with one more character each time.
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some(c) if c == any => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if c == one || *c == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match &mut star {
                Some((star_at, taken)) => {
                    *taken += 1;
                    (at, read) = (*star_at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|c| c == any)
}

/// Whether an ARN fits a pattern. A wildcard stays within its part between the colons; only one
/// in the last part of the pattern reaches over the rest of the ARN.
pub(super) fn fits_arn(pattern: &str, arn: &str) -> bool {
    let parts = pattern.splitn(6, ':');
    let mut others = arn.splitn(parts.clone().count(), ':');
    let mut pairs = parts.map(|part| (part, others.next()));
    pairs.all(|(part, other)| other.is_some_and(|other| fits(part, other)))
}
