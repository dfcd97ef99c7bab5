//! The JSON of `multipop_account_act`: one verb, and what it needs.

use super::field::{Field, Members};
use super::json::{self, Read};
use super::words;
use crate::secret::Secret;

#[derive(Debug, PartialEq, Eq)]
pub enum Act {
    /// The owner's yes to the name that signed in.
    Confirm,
    /// A one-time link for the owner.
    OfferLink {
        lasts_s: Option<u32>,
    },
    /// A consent by it.
    RedeemLink {
        token: Secret,
    },
    /// Refused and set-aside messages come again: one by its UIDL as shown, or all.
    OfferAgain {
        uidl: Option<String>,
    },
    Pause,
    Resume,
    /// With the count that was shown; without one it is a question.
    DeleteOlder {
        count: Option<u64>,
    },
    KeepOlder,
    /// The answer to a suspected reset: is it the same mail under new UIDLs?
    UidlReset {
        same_mail: bool,
    },
    /// Where is my mail?
    Explain(Wanted),
    /// So many minutes of tracing; 0 ends it.
    Trace {
        minutes: u32,
    },
    TraceRead,
    SupportBundle,
}

/// Which mail is meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    All,
    MessageId(String),
    Uidl(String),
    Since(u64),
}

/// A trace that is forgotten ends within the hour.
const TRACE_MINUTES: u32 = 60;

impl Act {
    pub fn verb(&self) -> &'static str {
        match self {
            Act::Confirm => "confirm",
            Act::OfferLink { .. } => "offer_link",
            Act::RedeemLink { .. } => "redeem_link",
            Act::OfferAgain { .. } => "offer_again",
            Act::Pause => "pause",
            Act::Resume => "resume",
            Act::DeleteOlder { .. } => "delete_older",
            Act::KeepOlder => "keep_older",
            Act::UidlReset { .. } => "uidl_reset",
            Act::Explain(_) => "explain",
            Act::Trace { .. } => "trace",
            Act::TraceRead => "trace_read",
            Act::SupportBundle => "support_bundle",
        }
    }

    /// Whether it asks only, which needs no right to change an account.
    pub fn is_question(&self) -> bool {
        matches!(self, Act::Explain(_) | Act::TraceRead | Act::SupportBundle)
    }
}

const VERBS: [&str; 13] = [
    "confirm",
    "offer_link",
    "redeem_link",
    "offer_again",
    "pause",
    "resume",
    "delete_older",
    "keep_older",
    "uidl_reset",
    "explain",
    "trace",
    "trace_read",
    "support_bundle",
];

/// Of a link, in seconds.
const LIFE_S: std::ops::RangeInclusive<u32> = 300..=7 * 86_400;

pub(super) fn read(text: &str) -> Read<Act> {
    let root = Field { path: String::new(), node: json::parse(text)? };
    let mut members = root.members()?;
    let verb = members.need("verb", &format!("one of {}", VERBS.join(", ")))?.word(&VERBS)?;
    let act = match verb {
        "confirm" => Act::Confirm,
        "offer_link" => Act::OfferLink {
            lasts_s: members.take("lasts_s").map(|field| field.whole32(LIFE_S)).transpose()?,
        },
        "redeem_link" => {
            let token = members.need("token", "what offer_link answered")?;
            Act::RedeemLink { token: Secret::new(words::line(&token)?) }
        }
        "offer_again" => {
            Act::OfferAgain { uidl: members.take("uidl").map(|field| words::line(&field)).transpose()? }
        }
        "pause" => Act::Pause,
        "resume" => Act::Resume,
        "delete_older" => Act::DeleteOlder {
            count: members.take("count").map(|field| field.whole(0..=u64::MAX)).transpose()?,
        },
        "keep_older" => Act::KeepOlder,
        "explain" => Act::Explain(wanted(&mut members)?),
        "trace" => {
            let minutes = members.need("minutes", "how long; 0 ends it")?.whole32(0..=TRACE_MINUTES)?;
            Act::Trace { minutes }
        }
        "trace_read" => Act::TraceRead,
        "support_bundle" => Act::SupportBundle,
        _ => Act::UidlReset {
            same_mail: members
                .need("same_mail", "true: the same mail under new UIDLs; false: new mail")?
                .boolean()?,
        },
    };
    members.finish()?;
    Ok(act)
}

fn wanted(members: &mut Members) -> Read<Wanted> {
    let fields = ["message_id", "uidl", "since"].map(|name| members.take(name));
    let given = fields.iter().flatten().count();
    if let (2.., Some(field)) = (given, fields.iter().flatten().last()) {
        return Err(field.fault("message_id, uidl and since exclude one another"));
    }
    Ok(match fields {
        [Some(id), ..] => Wanted::MessageId(words::line(&id)?),
        [_, Some(uidl), _] => Wanted::Uidl(words::line(&uidl)?),
        [.., Some(since)] => Wanted::Since(since.whole(0..=u64::MAX)?),
        _ => Wanted::All,
    })
}
