//! Pages (docs: DG ec2-api-pagination): a page may hold fewer items than asked for, even none,
//! and go on; only the lack of a token is the end. The order of items is not promised, so it is
//! one that nobody can mistake for a meaningful one.

use crate::chance::{Chance, Stream, digest, mix};
use crate::error::ApiError;
use crate::knobs::Knobs;
use crate::wire::parameters::Parameters;
use crate::wire::request::Request;

/// At most so many pages without items follow each other, so that every list ends.
const EMPTY_PAGES_IN_A_ROW: u32 = 2;

/// What the caller wants of a list.
#[derive(Debug)]
pub(crate) struct Paging {
    max_results: Option<u32>,
    from: Option<Token>,
    by_id: bool,
    /// What the list is of: a token is good for no other request.
    subject: u64,
}

/// Where a page goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Token {
    subject: u64,
    position: u64,
    /// Items at this position or after it come next; otherwise only those after it.
    empty_pages: u32,
}

/// The limits of `MaxResults` for an action.
pub(crate) struct Bounds {
    pub low: u32,
    pub high: u32,
}

impl Paging {
    /// Takes `MaxResults` and `NextToken`. `by_id`: the caller names the items, so that there
    /// are no pages.
    pub(crate) fn take(
        parameters: &mut Parameters,
        request: &Request,
        bounds: &Bounds,
        by_id: bool,
    ) -> Result<Self, ApiError> {
        let max_results = parameters.number("MaxResults")?;
        let token = parameters
            .text("NextToken")
            .filter(|token| !token.is_empty());
        if by_id && max_results.is_some() {
            return Err(ApiError::invalid_combination(
                "The parameter MaxResults cannot be used with the parameter that lists the ids in the same call",
            ));
        }
        if let Some(wanted) = max_results
            && wanted < bounds.low
        {
            return Err(ApiError::invalid_value(format!(
                "Value ( {wanted} ) for parameter maxResults is invalid. Expecting a value greater than {}.",
                bounds.low
            )));
        }
        let subject = subject(request);
        let from = token
            .map(|token| Token::parse(&token, subject))
            .transpose()?;
        Ok(Self {
            max_results: max_results.map(|wanted| wanted.min(bounds.high)),
            from,
            by_id,
            subject,
        })
    }

    /// The items of this page and the token of the next.
    pub(crate) fn page<T>(
        self,
        mut items: Vec<T>,
        key: impl Fn(&T) -> &str,
        chance: &mut Chance,
        knobs: &Knobs,
    ) -> (Vec<T>, Option<String>) {
        let seed = chance.seed();
        let position = |item: &T| mix(seed ^ digest(key(item)));
        items.sort_by_key(|item| position(item));
        if self.by_id {
            return (items, None);
        }
        if let Some(from) = self.from {
            items.retain(|item| position(item) > from.position);
        }
        let default = (knobs.default_page_size > 0).then_some(knobs.default_page_size);
        let Some(size) = self.max_results.or(default) else {
            return (items, None);
        };
        let from = self.from.unwrap_or(Token {
            subject: self.subject,
            position: 0,
            empty_pages: 0,
        });
        let may_be_empty = !items.is_empty() && from.empty_pages < EMPTY_PAGES_IN_A_ROW;
        if may_be_empty && chance.happens(Stream::Page, knobs.empty_pages_per_mille) {
            let token = Token {
                empty_pages: from.empty_pages + 1,
                ..from
            };
            return (Vec::new(), Some(token.write()));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if items.len() <= size {
            return (items, None);
        }
        items.truncate(size);
        let token = items.last().map(|item| {
            Token {
                position: position(item),
                empty_pages: 0,
                ..from
            }
            .write()
        });
        (items, token)
    }
}

impl Token {
    fn write(self) -> String {
        let check = mix(self.subject ^ self.position ^ u64::from(self.empty_pages));
        format!(
            "{:016x}{:016x}{:08x}{check:016x}",
            self.subject, self.position, self.empty_pages
        )
    }

    fn parse(text: &str, subject: u64) -> Result<Self, ApiError> {
        let invalid = || {
            ApiError::new(
                "InvalidNextToken",
                format!("The specified NextToken '{text}' is not valid."),
            )
        };
        if text.len() != 56 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let part = |from, to| u64::from_str_radix(&text[from..to], 16).map_err(|_| invalid());
        let empty_pages = u32::try_from(part(32, 40)?).map_err(|_| invalid())?;
        let token = Self {
            subject: part(0, 16)?,
            position: part(16, 32)?,
            empty_pages,
        };
        if token.write() == text && token.subject == subject {
            Ok(token)
        } else {
            Err(invalid())
        }
    }
}

/// A number for everything that decides what is on the list.
fn subject(request: &Request) -> u64 {
    let apart = ["MaxResults", "NextToken", "DryRun"];
    let decides = request
        .parameters
        .iter()
        .filter(|(name, _)| !apart.contains(&name.as_str()));
    decides.fold(digest(&request.action), |state, (name, value)| {
        mix(state ^ digest(name) ^ mix(digest(value)))
    })
}
