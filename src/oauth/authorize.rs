//! The addresses a person's browser is sent to (RFC 6749 §4.1.1, RFC 7636; PROTOCOL.md A.5, A.9).
