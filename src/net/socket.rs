//! A connected stream, whatever it leads through.

use tokio::io::{AsyncRead, AsyncWrite};

/// TCP to the peer itself, or what a proxy made of it.
pub type Socket = Box<dyn Io>;

pub trait Io: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Io for T {}
