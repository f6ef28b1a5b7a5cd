//! What sorts of failure there are: what each means for what was asked, and what Amity does about it.

use amity_core::api::conditions::{self, Reason};

use super::Class;

/// What sort of failure a code stands for. Behaviour depends on this alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Too many requests.
    Throttled,
    /// Too much is under way at once.
    Busy,
    /// No answer, or one that says nothing.
    NoAnswer,
    /// It never left this process.
    NotSent,
    /// AWS does not take the credentials, or no longer.
    Credentials,
    /// What a region that is not enabled answers to good credentials.
    Region,
    /// Good credentials that may not do this.
    Denied,
    /// AWS lets the account as a whole not do this.
    Account,
    /// An image or snapshot that belongs to somebody else.
    NotOurs,
    /// An image, snapshot or instance is gone, or not there yet.
    NotThere,
    /// An id that is none.
    NoId,
    /// Something in a state in which this cannot be done with it.
    WrongState,
    /// An image that was just deregistered still counts as using its snapshot.
    InUse,
    /// The image name is taken, perhaps by our own lost answer.
    NameTaken,
    /// The client token has been used already.
    AlreadyMade,
    /// A quota of the account is used up.
    Quota,
    /// The spec asks for what EC2 does not do.
    Spec,
    /// EC2 will not do this, and says what it takes.
    Refused,
    /// A request that EC2 does not understand: a bug of Amity.
    Bug,
    /// A code that is not in the table.
    Unlisted,
}

/// The calls after which something is gone.
const REMOVING: &[&str] = &["DeregisterImage", "DeleteSnapshot", "DeleteParameter"];

/// The calls that make an image of something that the spec names.
const MAKING: &[&str] = &["CreateImage", "RegisterImage", "CopyImage", "RunInstances"];

/// The actions that make the image that a revision is copied from.
const MAKING_ORIGIN: &[&str] = &["CreateImage", "RegisterImage"];

impl Kind {
    /// Every kind, in the order of the page.
    pub const ALL: &[Self] = &[
        Self::Throttled,
        Self::Busy,
        Self::NoAnswer,
        Self::NotSent,
        Self::Credentials,
        Self::Region,
        Self::Denied,
        Self::Account,
        Self::NotOurs,
        Self::NotThere,
        Self::NoId,
        Self::WrongState,
        Self::InUse,
        Self::NameTaken,
        Self::AlreadyMade,
        Self::Quota,
        Self::Spec,
        Self::Refused,
        Self::Bug,
        Self::Unlisted,
    ];

    /// What it means for what was asked.
    pub fn class(self) -> Class {
        match self {
            Self::Throttled | Self::Busy => Class::Throttled,
            Self::NoAnswer => Class::Unknown,
            Self::NotSent => Class::NotSent,
            Self::Credentials | Self::Region | Self::Denied | Self::Account | Self::NotOurs => {
                Class::Denied
            }
            Self::NotThere
            | Self::NoId
            | Self::WrongState
            | Self::InUse
            | Self::NameTaken
            | Self::AlreadyMade
            | Self::Quota
            | Self::Spec
            | Self::Refused
            | Self::Bug
            | Self::Unlisted => Class::Refused,
        }
    }

    /// Whether it passes by itself as a rule when `action` meets it, so that the user is told only when it lasts.
    pub fn passes(self, action: &str) -> bool {
        let lags = matches!(
            self,
            Self::NotThere | Self::InUse | Self::NameTaken | Self::AlreadyMade
        );
        lags && self.reason(action) != conditions::SOURCE_NOT_FOUND
    }

    /// Whether it means that `action` has nothing left to do: what was to go is gone.
    pub fn is_done(self, action: &str) -> bool {
        self == Self::NotThere && REMOVING.contains(&action)
    }

    /// Whether it says of a source that it does not exist, or is not shown to the account.
    pub fn is_source_not_there(self) -> bool {
        matches!(self, Self::NotThere | Self::NoId | Self::NotOurs)
    }

    /// The reason that an object shows for `action`, once patience is over.
    pub fn reason(self, action: &str) -> Reason {
        let removes = REMOVING.contains(&action);
        match self {
            Self::Throttled | Self::Busy => conditions::THROTTLED,
            Self::NoAnswer => conditions::PROGRESSING,
            Self::NotSent => conditions::REGION_UNREADABLE,
            Self::Credentials => conditions::NO_CREDENTIALS,
            Self::Region => conditions::REGION_NOT_IN_ACCOUNT,
            Self::Denied | Self::Account => conditions::ACCESS_DENIED,
            Self::NotOurs if MAKING.contains(&action) => conditions::SOURCE_NOT_FOUND,
            Self::NotThere | Self::NoId if MAKING_ORIGIN.contains(&action) => {
                conditions::SOURCE_NOT_FOUND
            }
            Self::WrongState if MAKING_ORIGIN.contains(&action) => conditions::SOURCE_NOT_SUPPORTED,
            Self::Spec => conditions::INVALID_SPEC,
            _ if removes => conditions::DEREGISTRATION_BLOCKED,
            Self::NotOurs => conditions::ACCESS_DENIED,
            _ => conditions::REFUSED,
        }
    }

    /// The reason that a place, or a source, cannot be read.
    pub fn unreadable(self) -> Reason {
        match self {
            Self::Region => conditions::REGION_NOT_IN_ACCOUNT,
            Self::Credentials => conditions::NO_CREDENTIALS,
            Self::NoAnswer | Self::NotSent => conditions::REGION_UNREADABLE,
            _ => match self.class() {
                Class::Throttled => conditions::THROTTLED,
                Class::Denied => conditions::ACCESS_DENIED,
                _ => conditions::REFUSED,
            },
        }
    }

    /// The heading on the page.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Throttled => "Too many requests",
            Self::Busy => "Too much under way at once",
            Self::NoAnswer => "No answer that says anything",
            Self::NotSent => "Never sent",
            Self::Credentials => "Credentials",
            Self::Region => "A region that is not enabled",
            Self::Denied => "Not allowed",
            Self::Account => "The account as a whole",
            Self::NotOurs => "Somebody else's",
            Self::NotThere => "Not there, or not yet",
            Self::NoId => "An id that is none",
            Self::WrongState => "The wrong state",
            Self::InUse => "Still in use",
            Self::NameTaken => "A name that is taken",
            Self::AlreadyMade => "Made already",
            Self::Quota => "Quotas",
            Self::Spec => "What the spec cannot ask for",
            Self::Refused => "Refused",
            Self::Bug => "Requests that EC2 does not understand",
            Self::Unlisted => "Every other code",
        }
    }

    /// What Amity does about it, for the page.
    pub(super) fn conduct(self) -> &'static str {
        match self {
            Self::Throttled => {
                "Nothing was done. Amity stops asking this of the account and region, for every object and for 1 s to \
                 1 min, longer each time; then it goes on as its request bucket fills again."
            }
            Self::Busy => {
                "Nothing was done. As with too many requests, Amity stops asking this of the account and region for 1 s \
                 to 1 min: what is under way must end first."
            }
            Self::NoAnswer => {
                "It may have been done. Amity looks, and asks again after 2 s to 5 min in such a way that nothing is made \
                 twice: a copy with the same token, a capture with the same name, and only within the consistency window."
            }
            Self::Credentials => {
                "Nothing was done. Amity gets credentials anew and proves with GetCallerIdentity that they lead into the \
                 right account; until then every region of the account counts as unreadable, and nothing is done there."
            }
            Self::Region => {
                "Nothing was done. The region counts as unreadable, and nothing is done there; the others go on. Amity \
                 asks AWS anew who it is and which regions are enabled, since bad credentials are answered alike."
            }
            Self::Denied | Self::Account => {
                "Nothing was done. The object is Stalled with what is missing; it is tried again after 2 s to 5 min, and \
                 at once when its spec changes."
            }
            Self::NotOurs => {
                "Nothing was done. It is tried again after 2 s to 5 min, and at once when the spec changes."
            }
            Self::NotThere => {
                "EC2's reads lag behind its writes, so that what was just made may be unknown for minutes. Amity asks \
                 again after 2 s to 30 s, and tells you only when it lasts. What was to be removed and is not there is \
                 done with. The source of a capture is called missing at once."
            }
            Self::NotSent | Self::NoId => "Nothing was done. It is tried again after 2 s to 5 min.",
            Self::WrongState => {
                "Nothing was done. It is tried again after 2 s to 5 min, so that it goes on by itself once the state is \
                 another."
            }
            Self::InUse => {
                "An image that was just deregistered still counts for a while. Amity asks again after 2 s to 30 s, and \
                 tells you only when it lasts."
            }
            Self::NameTaken => {
                "It may be our own image, made by a call whose answer was lost. Amity looks the name up and decides by \
                 what EC2 shows the image was made from, never by this message; somebody else's is `NameTaken`. A parameter \
                 is read, and decided by its tags."
            }
            Self::AlreadyMade => {
                "An earlier call, perhaps with a lost answer, used the token. Amity looks; an image that does not show \
                 within the consistency window is dead, and the next attempt has another token."
            }
            Self::Quota | Self::Spec | Self::Refused => {
                "Nothing was done. The object is Stalled with EC2's words; it is tried again after 2 s to 5 min, and at \
                 once when its spec changes."
            }
            Self::Bug => {
                "Nothing was done. The object is Stalled with EC2's words; it is tried again now and then, since a newer \
                 version may word it otherwise."
            }
            Self::Unlisted => {
                "With HTTP status 5xx it counts as no answer: it may have been done. Else EC2 refused it and nothing was \
                 done: the object is Stalled with EC2's code and words, and it is tried again after 2 s to 5 min."
            }
        }
    }
}
