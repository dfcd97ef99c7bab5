//! x
pub struct Settings; pub struct Server;
