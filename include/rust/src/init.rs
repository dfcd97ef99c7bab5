//! The `_INIT` macros of `multipop.h`: structs that say their size and nothing else.

use core::ptr::null;

use crate::{Authorize, Callback, Error, Fetch, Host, Query, Reason, Report, Sink};

const fn size<T>() -> u32 {
    // No struct of the ABI is longer than 4096.
    size_of::<T>() as u32
}

impl Error {
    pub const INIT: Error = Error {
        struct_size: size::<Error>(),
        status: 0,
        retry_after_s: 0,
        reserved: 0,
        cause: [0; 64],
        provider_code: [0; 64],
        message: [0; 512],
        advice: [0; 1024],
    };
}

impl Host {
    pub const INIT: Host = Host {
        struct_size: size::<Host>(),
        log_level: 0,
        name: null(),
        user: core::ptr::null_mut(),
        log: None,
        event: None,
    };
}

impl Query {
    pub const INIT: Query = Query {
        struct_size: size::<Query>(),
        limit: 0,
        actor: null(),
        account: null(),
        realm: null(),
        after: null(),
    };
}

impl Authorize {
    pub const INIT: Authorize = Authorize {
        struct_size: size::<Authorize>(),
        flags: 0,
        actor: null(),
        account: null(),
        session: null(),
    };
}

impl Callback {
    pub const INIT: Callback =
        Callback { struct_size: size::<Callback>(), reserved: 0, uri: null(), form: null(), session: null() };
}

impl Fetch {
    pub const INIT: Fetch = Fetch {
        struct_size: size::<Fetch>(),
        flags: 0,
        actor: null(),
        account: null(),
        deadline_s: 0,
        reserved: 0,
    };
}

impl Reason {
    pub const INIT: Reason = Reason { struct_size: size::<Reason>(), reserved: 0, text: [0; 256] };
}

impl Sink {
    pub const INIT: Sink = Sink {
        struct_size: size::<Sink>(),
        reserved: 0,
        user: core::ptr::null_mut(),
        offer: None,
        begin: None,
        data: None,
        end: None,
        abort: None,
        flush: None,
    };
}

impl Report {
    pub const INIT: Report = Report {
        struct_size: size::<Report>(),
        next_due_s: 0,
        more: 0,
        stopped: 0,
        accounts_tried: 0,
        accounts_ok: 0,
        accounts_busy: 0,
        failed_host: 0,
        failed_operator: 0,
        failed_user: 0,
        failed_time: 0,
        failed_sink: 0,
        failed_bug: 0,
        reserved: 0,
        messages_taken: 0,
        messages_deferred: 0,
        messages_refused: 0,
        messages_deleted: 0,
        bytes: 0,
    };
}
