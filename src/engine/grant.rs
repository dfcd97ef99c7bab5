//! A valid access token for an account: cached, read from a file, or refreshed once (I10).
