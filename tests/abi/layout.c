/* Prints what the header says of every struct and number, for the Rust side to compare with its own. */
#include "multipop.h"

#include <stdio.h>
#include <string.h>

static int dirty;

#define BEGIN(type) printf("struct " #type " %u\n", (unsigned)sizeof(type))
#define FIELD(type, field)                                                                                         \
    printf("field " #type "." #field " %u %u\n", (unsigned)offsetof(type, field),                                  \
           (unsigned)sizeof(((type *)0)->field))
#define NUMBER(name) printf("number " #name " %lld\n", (long long)(name))

/* An _INIT says the size and nothing else. */
#define INIT(type, init)                                                                                           \
    do {                                                                                                           \
        type made = init;                                                                                          \
        type zero;                                                                                                 \
        memset(&zero, 0, sizeof zero);                                                                             \
        zero.struct_size = (uint32_t)sizeof zero;                                                                  \
        if (memcmp(&made, &zero, sizeof made) != 0)                                                                \
            dirty = printf(#init " sets more than struct_size\n");                                                 \
    } while (0)

int main(void) {
    BEGIN(multipop_error_t);
    FIELD(multipop_error_t, struct_size);
    FIELD(multipop_error_t, status);
    FIELD(multipop_error_t, retry_after_s);
    FIELD(multipop_error_t, reserved);
    FIELD(multipop_error_t, cause);
    FIELD(multipop_error_t, provider_code);
    FIELD(multipop_error_t, message);
    FIELD(multipop_error_t, advice);
    INIT(multipop_error_t, MULTIPOP_ERROR_INIT);

    BEGIN(multipop_event_t);
    FIELD(multipop_event_t, struct_size);
    FIELD(multipop_event_t, kind);
    FIELD(multipop_event_t, account);
    FIELD(multipop_event_t, owner);
    FIELD(multipop_event_t, outcome);
    FIELD(multipop_event_t, cause);
    FIELD(multipop_event_t, message);
    FIELD(multipop_event_t, advice);
    FIELD(multipop_event_t, status);
    FIELD(multipop_event_t, retry_after_s);
    FIELD(multipop_event_t, messages_done);
    FIELD(multipop_event_t, messages_total);
    FIELD(multipop_event_t, bytes_done);
    FIELD(multipop_event_t, bytes_total);
    FIELD(multipop_event_t, messages_deferred);
    FIELD(multipop_event_t, messages_refused);
    FIELD(multipop_event_t, messages_deleted);

    BEGIN(multipop_host_t);
    FIELD(multipop_host_t, struct_size);
    FIELD(multipop_host_t, log_level);
    FIELD(multipop_host_t, name);
    FIELD(multipop_host_t, user);
    FIELD(multipop_host_t, log);
    FIELD(multipop_host_t, event);
    INIT(multipop_host_t, MULTIPOP_HOST_INIT);

    BEGIN(multipop_query_t);
    FIELD(multipop_query_t, struct_size);
    FIELD(multipop_query_t, limit);
    FIELD(multipop_query_t, actor);
    FIELD(multipop_query_t, account);
    FIELD(multipop_query_t, realm);
    FIELD(multipop_query_t, after);
    INIT(multipop_query_t, MULTIPOP_QUERY_INIT);

    BEGIN(multipop_authorize_t);
    FIELD(multipop_authorize_t, struct_size);
    FIELD(multipop_authorize_t, flags);
    FIELD(multipop_authorize_t, actor);
    FIELD(multipop_authorize_t, account);
    FIELD(multipop_authorize_t, session);
    INIT(multipop_authorize_t, MULTIPOP_AUTHORIZE_INIT);

    BEGIN(multipop_callback_t);
    FIELD(multipop_callback_t, struct_size);
    FIELD(multipop_callback_t, reserved);
    FIELD(multipop_callback_t, uri);
    FIELD(multipop_callback_t, form);
    FIELD(multipop_callback_t, session);
    INIT(multipop_callback_t, MULTIPOP_CALLBACK_INIT);

    BEGIN(multipop_message_t);
    FIELD(multipop_message_t, struct_size);
    FIELD(multipop_message_t, flags);
    FIELD(multipop_message_t, account);
    FIELD(multipop_message_t, owner);
    FIELD(multipop_message_t, deliver_to);
    FIELD(multipop_message_t, uidl);
    FIELD(multipop_message_t, uidl_size);
    FIELD(multipop_message_t, size_hint);
    FIELD(multipop_message_t, server);
    FIELD(multipop_message_t, tls);
    FIELD(multipop_message_t, received);
    FIELD(multipop_message_t, dedupe_key);

    BEGIN(multipop_reason_t);
    FIELD(multipop_reason_t, struct_size);
    FIELD(multipop_reason_t, reserved);
    FIELD(multipop_reason_t, text);

    BEGIN(multipop_sink_t);
    FIELD(multipop_sink_t, struct_size);
    FIELD(multipop_sink_t, reserved);
    FIELD(multipop_sink_t, user);
    FIELD(multipop_sink_t, offer);
    FIELD(multipop_sink_t, begin);
    FIELD(multipop_sink_t, data);
    FIELD(multipop_sink_t, end);
    FIELD(multipop_sink_t, abort);
    FIELD(multipop_sink_t, flush);
    INIT(multipop_sink_t, MULTIPOP_SINK_INIT);

    BEGIN(multipop_fetch_t);
    FIELD(multipop_fetch_t, struct_size);
    FIELD(multipop_fetch_t, flags);
    FIELD(multipop_fetch_t, actor);
    FIELD(multipop_fetch_t, account);
    FIELD(multipop_fetch_t, deadline_s);
    FIELD(multipop_fetch_t, reserved);
    INIT(multipop_fetch_t, MULTIPOP_FETCH_INIT);

    BEGIN(multipop_report_t);
    FIELD(multipop_report_t, struct_size);
    FIELD(multipop_report_t, next_due_s);
    FIELD(multipop_report_t, more);
    FIELD(multipop_report_t, stopped);
    FIELD(multipop_report_t, accounts_tried);
    FIELD(multipop_report_t, accounts_ok);
    FIELD(multipop_report_t, accounts_busy);
    FIELD(multipop_report_t, failed_host);
    FIELD(multipop_report_t, failed_operator);
    FIELD(multipop_report_t, failed_user);
    FIELD(multipop_report_t, failed_time);
    FIELD(multipop_report_t, failed_sink);
    FIELD(multipop_report_t, failed_bug);
    FIELD(multipop_report_t, reserved);
    FIELD(multipop_report_t, messages_taken);
    FIELD(multipop_report_t, messages_deferred);
    FIELD(multipop_report_t, messages_refused);
    FIELD(multipop_report_t, messages_deleted);
    FIELD(multipop_report_t, bytes);
    INIT(multipop_report_t, MULTIPOP_REPORT_INIT);

    printf("text MULTIPOP_OPERATOR %s\n", MULTIPOP_OPERATOR);
#include "numbers.inc"
    return dirty;
}
