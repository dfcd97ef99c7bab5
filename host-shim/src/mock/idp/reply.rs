//! An HTTP answer of the provider, and the ways it gets lost on the way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::Value;
use tokio::time::Sleep;

use super::faults::OAuthError;

/// An answer, and what befalls it on the way.
pub(super) struct Reply {
    pub status: StatusCode,
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Reply {
    pub fn json(status: StatusCode, body: &Value) -> Reply {
        Reply::of(status, "application/json", body.to_string())
    }

    pub fn page(status: StatusCode, body: &str) -> Reply {
        Reply::of(
            status,
            "text/html; charset=utf-8",
            format!("<!doctype html>\n<title>Mock</title>\n{body}\n"),
        )
    }

    pub fn redirect(status: StatusCode, to: &str) -> Reply {
        Reply::of(status, "text/plain", String::new()).header("location", to)
    }

    pub fn error(error: &OAuthError) -> Reply {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
        Reply::of(status, "application/json", error.body())
    }

    pub fn header(mut self, name: &str, value: &str) -> Reply {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn of(status: StatusCode, kind: &str, body: String) -> Reply {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Reply { status, headers, body: body.into_bytes() }
    }

    /// As a fault tells it.
    pub fn told(status: StatusCode, headers: Vec<(String, String)>, body: &str) -> Reply {
        Reply { status, headers, body: body.as_bytes().to_vec() }
    }

    pub fn into_response(self, then: Then) -> Response<Scripted> {
        let length = self.body.len();
        let half = matches!(then, Then::Fail | Then::Stall(_));
        let data = Bytes::from(if half { self.body[..length / 2].to_vec() } else { self.body });
        let mut response = Response::new(Scripted { data: Some(data), declared: length as u64, then });
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// A body that may end before its time.
pub(super) struct Scripted {
    data: Option<Bytes>,
    declared: u64,
    then: Then,
}

/// What follows the data; all but `End` follow half of it.
pub(super) enum Then {
    End,
    Fail,
    Stall(Pin<Box<Sleep>>),
}

impl Body for Scripted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(data) = self.data.take().filter(|data| !data.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match &mut self.then {
            Then::End => Poll::Ready(None),
            Then::Fail => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
            Then::Stall(sleep) => {
                sleep.as_mut().poll(context).map(|()| Some(Err(io::ErrorKind::TimedOut.into())))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.declared)
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.then, Then::End) && self.data.as_ref().is_none_or(Bytes::is_empty)
    }
}
