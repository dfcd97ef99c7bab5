//! The Rust side of `layout.c`: the same lines, from the crate `multipop-abi`.

use std::mem::offset_of;

use multipop_abi as abi;

type Fields = Vec<(&'static str, usize, usize)>;

fn size_of_field<T, F>(_: fn(&T) -> &F) -> usize {
    size_of::<F>()
}

macro_rules! described {
    ($($c:literal $rust:ident { $($field:ident)* })*) => {
        pub fn structs() -> Vec<(&'static str, usize, Fields)> {
            vec![$((
                $c,
                size_of::<abi::$rust>(),
                vec![$((
                    stringify!($field),
                    offset_of!(abi::$rust, $field),
                    size_of_field(|it: &abi::$rust| &it.$field),
                )),*],
            )),*]
        }
    };
}

described! {
    "multipop_error_t" Error { struct_size status retry_after_s reserved cause provider_code message advice }
    "multipop_event_t" Event {
        struct_size kind account owner outcome cause message advice status retry_after_s messages_done
        messages_total bytes_done bytes_total messages_deferred messages_refused messages_deleted
    }
    "multipop_host_t" Host { struct_size log_level name user log event }
    "multipop_query_t" Query { struct_size limit actor account realm after }
    "multipop_authorize_t" Authorize { struct_size flags actor account session }
    "multipop_callback_t" Callback { struct_size reserved uri form session }
    "multipop_message_t" Message {
        struct_size flags account owner deliver_to uidl uidl_size size_hint server tls received dedupe_key
    }
    "multipop_reason_t" Reason { struct_size reserved text }
    "multipop_sink_t" Sink { struct_size reserved user offer begin data end abort flush }
    "multipop_fetch_t" Fetch { struct_size flags actor account deadline_s reserved }
    "multipop_report_t" Report {
        struct_size next_due_s more stopped accounts_tried accounts_ok accounts_busy failed_host
        failed_operator failed_user failed_time failed_sink failed_bug reserved messages_taken
        messages_deferred messages_refused messages_deleted bytes
    }
}

macro_rules! numbers {
    ($($name:ident)*) => {
        fn numbers() -> Vec<(&'static str, i64)> {
            vec![$((stringify!($name), i64::from(abi::$name))),*]
        }
    };
}

numbers! {
    ABI_MAJOR ABI_MINOR ABI_VERSION
    OK E_ARGUMENT E_ABI E_STATE E_FORKED
    E_CONFIG E_STORE E_KEY E_PROVIDER E_SERVER E_POLICY E_RESOURCES
    E_CONSENT E_CALLBACK E_CONFIRM E_RIGHTS
    E_TRANSIENT E_CANCELLED E_DEADLINE
    E_SINK E_SINK_FULL E_SINK_RECIPIENT E_INTERNAL
    GO TAKEN QUEUED DEFER DEFER_FULL DEFER_RECIPIENT REFUSE STOP
    LOG_ERROR LOG_WARN LOG_INFO LOG_DEBUG LOG_TRACE
    EVENT_PASS_BEGIN EVENT_PASS_END EVENT_ACCOUNT_BEGIN EVENT_ACCOUNT_END EVENT_PROGRESS
    EVENT_CONSENT_NEEDED EVENT_CONSENT_RESTORED EVENT_OPERATOR_NEEDED EVENT_THROTTLED EVENT_SET_ASIDE
    EVENT_RECOVERED
    AUTHORIZE_CHOOSE_ACCOUNT AUTHORIZE_FORCE_CONSENT AUTHORIZE_ADMIN_CONSENT
    FETCH_NOW FETCH_DRY_RUN MESSAGE_MAY_REPEAT NEVER
}

pub fn lines() -> Vec<String> {
    let mut lines = vec![format!("text MULTIPOP_OPERATOR {}", abi::OPERATOR)];
    for (name, size, fields) in structs() {
        lines.push(format!("struct {name} {size}"));
        for (field, offset, size) in fields {
            lines.push(format!("field {name}.{field} {offset} {size}"));
        }
    }
    for (name, number) in numbers() {
        lines.push(format!("number MULTIPOP_{name} {number}"));
    }
    lines
}
