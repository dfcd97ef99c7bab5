//! Reading what the browser brings back (RFC 6749 §4.1.2, RFC 9207; PROTOCOL.md E).
