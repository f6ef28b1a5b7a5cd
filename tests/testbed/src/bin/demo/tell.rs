//! How the story is printed: plain lines of at most 80 characters.

use std::time::Duration;

const WIDTH: usize = 80;

/// How far the second line of a text about what goes on stands in.
const INDENT: usize = 5;

/// The title of the whole.
pub fn title(text: &str) {
    println!("{text}\n{}", "=".repeat(text.chars().count()));
}

/// The headline of a chapter, and what is done to show it.
pub fn chapter(number: usize, headline: &str, text: &str) {
    let headline = format!("{number}. {headline}");
    println!("\n{headline}\n{}", "-".repeat(headline.chars().count()));
    say(text);
}

/// A paragraph.
pub fn say(text: &str) {
    for line in wrapped(text, WIDTH) {
        println!("{line}");
    }
}

/// A command as the user would type it; lines of their own are indented.
pub fn command(text: &str) {
    println!("\n  $ {}", text.replace('\n', "\n    "));
}

/// What a program answered.
pub fn quote(text: &str) {
    for line in text.lines().flat_map(|line| wrapped(line, WIDTH - 4)) {
        println!("    {line}");
    }
}

/// What is going on, after so long.
pub fn progress(after: Duration, text: &str) {
    let margin = format!("  {:>3} s  ", after.as_secs());
    let inner = " ".repeat(margin.len() + INDENT);
    let lines = wrapped(text, WIDTH - margin.len());
    println!("{margin}{}", lines[0]);
    for line in wrapped(&lines[1..].join(" "), WIDTH - inner.len()) {
        if !line.is_empty() {
            println!("{inner}{line}");
        }
    }
}

/// Something that was promised and was seen to be so.
pub fn seen(text: &str) {
    let mut margin = "  ✓ ";
    for line in wrapped(text, WIDTH - 4) {
        println!("{margin}{line}");
        margin = "    ";
    }
}

/// Rows in columns that are as wide as what is in them; numbers to the right.
pub fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: Vec<_> = cells
            .map(|(cell, &width)| match cell.parse::<u64>() {
                Ok(number) => format!("{number:>width$}"),
                Err(_) => format!("{cell:<width$}"),
            })
            .collect();
        println!("    {}", line.join("  ").trim_end());
    }
}

/// The lines of a text that is broken between words. Spaces between words that are not broken stay
/// as they are, so that columns do.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text.trim_end();
    while rest.chars().count() > width {
        let end = rest
            .char_indices()
            .nth(width + 1)
            .map_or(rest.len(), |(at, _)| at);
        let Some(space) = rest[..end].rfind(' ').filter(|&at| at > 0) else {
            break;
        };
        lines.push(rest[..space].trim_end().to_owned());
        rest = rest[space..].trim_start();
    }
    lines.push(rest.to_owned());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("one  two", 8), ["one  two"]);
        assert_eq!(
            wrapped("ami-0123456789 in", 6),
            ["ami-0123456789 in"],
            "a word that is too long is left alone"
        );
        assert_eq!(wrapped("", 6), [""]);
    }
}
