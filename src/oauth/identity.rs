//! Who signed in: the id_token's claims, checked (OpenID Connect Core §3.1.3.7; PROTOCOL.md A.4, E 13).
