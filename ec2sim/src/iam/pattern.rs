//! Patterns with `*` and `?`, for texts and for ARNs (IAM user guide:
//! `reference_policies_elements_resource`).

/// Whether a text fits a pattern: `*` stands for any characters, `?` for one.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // The text must be used up at the end; a star is tried with one more character each time.
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[read] => {
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
    pattern[at..].iter().all(|c| *c == '*')
}

/// Whether an ARN fits a pattern. A wildcard stays within its part between the colons; only one
/// in the last part of the pattern reaches over the rest of the ARN.
pub(super) fn fits_arn(pattern: &str, arn: &str) -> bool {
    let parts: Vec<&str> = pattern.splitn(6, ':').collect();
    let mut others = arn.splitn(parts.len(), ':');
    parts
        .iter()
        .all(|part| others.next().is_some_and(|other| fits(part, other)))
}
