//! An outcome as C sees it: a number, and the detail in the host's `multipop_error_t`.

use multipop_abi as abi;

use super::sized::Place;
use super::text::fill;
use crate::error::{Error, Result};

/// Writes the detail, empty after success, and answers the number.
pub fn tell(err: &Place<abi::Error>, outcome: &Result<()>) -> i32 {
    match outcome {
        Ok(()) => {
            err.write(&abi::Error::INIT);
            abi::OK
        }
        Err(error) => {
            err.write(&detail(error));
            error.status.code()
        }
    }
}

fn detail(error: &Error) -> abi::Error {
    let mut detail =
        abi::Error { status: error.status.code(), retry_after_s: error.retry_after_s, ..abi::Error::INIT };
    fill(&mut detail.cause, error.cause);
    fill(&mut detail.provider_code, &error.provider_code);
    fill(&mut detail.message, &error.message);
    fill(&mut detail.advice, &error.advice);
    detail
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;

    #[test]
    fn the_statuses_are_the_headers() {
        use Status::*;
        for (status, number) in [
            (Argument, abi::E_ARGUMENT),
            (Abi, abi::E_ABI),
            (State, abi::E_STATE),
            (Forked, abi::E_FORKED),
            (Config, abi::E_CONFIG),
            (Store, abi::E_STORE),
            (Key, abi::E_KEY),
            (Provider, abi::E_PROVIDER),
            (Server, abi::E_SERVER),
            (Policy, abi::E_POLICY),
            (Resources, abi::E_RESOURCES),
            (Consent, abi::E_CONSENT),
            (Callback, abi::E_CALLBACK),
            (Confirm, abi::E_CONFIRM),
            (Rights, abi::E_RIGHTS),
            (Transient, abi::E_TRANSIENT),
            (Cancelled, abi::E_CANCELLED),
            (Deadline, abi::E_DEADLINE),
            (Sink, abi::E_SINK),
            (SinkFull, abi::E_SINK_FULL),
            (SinkRecipient, abi::E_SINK_RECIPIENT),
            (Internal, abi::E_INTERNAL),
        ] {
            assert_eq!(status.code(), number);
            assert_eq!(Status::from_code(number), Some(status));
        }
    }
}
