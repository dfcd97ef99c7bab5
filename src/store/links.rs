//! One-time links: what lets an account's owner begin a consent in a browser other than the one he asked in.

use super::{Consent, UnixTime};
use crate::error::Result;

/// Of the token only a hash is kept.
#[derive(Debug, Clone)]
pub struct Link {
    pub token: [u8; 32],
    pub account: String,
    /// Who alone may redeem it.
    pub owner: String,
    pub expires_at: UnixTime,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// The link is used up, the consent begun.
    Begun,
    Expired,
    /// None of this account and owner.
    Unknown,
}

pub trait Links {
    /// An earlier link of the account is good no more. Deletes what is expired, of all accounts.
    fn offer_link(&self, link: &Link, now: UnixTime) -> Result<()>;

    /// Uses the link up and begins the consent it was for, in one transaction; or neither. A link is void once its
    /// account has another owner, provider or sign-in name.
    fn redeem_link(
        &self,
        token: &[u8; 32],
        owner: &str,
        consent: &Consent,
        now: UnixTime,
    ) -> Result<Redeemed>;
}
