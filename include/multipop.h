/* multipop.h - multipop collects a mail server's users' mail over POP3S with OAuth 2.0.
 *
 * This file is the contract between the library and its host, and reads from top to bottom.
 *
 * The way of a message
 *
 *     mp = multipop_init            an instance; it holds nothing but memory
 *     multipop_configure            store, keys, providers, accounts: one JSON text (config.schema.json)
 *     multipop_authorize_url        a user's browser goes to the provider and comes back with an answer:
 *     multipop_handle_callback      ... now the library may read his mailbox
 *     multipop_fetch_once           again and again: begin, data ..., end; begin, data ..., end; flush
 *     multipop_destroy
 *
 * A message counts as delivered only when your sink says that it is durable; only then is it recorded, and only
 * what is recorded is ever deleted at the server. Whatever dies in between, the next fetch brings it again, under
 * the same `dedupe_key`.
 *
 * One call at a time per instance
 *
 *     A second call on the same instance while one runs, or a call made from a callback, answers MULTIPOP_E_STATE
 *     at once and changes nothing. Exceptions: multipop_cancel (any thread, also a signal handler) and
 *     multipop_free. Different instances know nothing of each other; there is no process-wide state, and any
 *     number of them may work at the same time in as many threads.
 *
 *     A HOST THAT SERVES PEOPLE WHILE IT FETCHES USES TWO INSTANCES ON ONE STORE: one for its web pages, one for
 *     its fetching thread. Both are given the same JSON. examples/host.cpp and examples/rust_host.rs do so.
 *
 * Threads
 *
 *     Every callback, log lines and events included, runs on the thread that made the call, inside that call. So
 *     a callback may use what its thread may use, and needs no lock of its own. A call may come from any thread,
 *     and the next one from another. Inside a call the library has threads of its own; between calls it has none.
 *
 * Forks
 *
 *     Between calls the library holds no thread, no descriptor and no lock, so a host may fork then as it likes,
 *     and parent and child may both go on with the instance. In a child forked while a call runs, on whatever
 *     instance, every function answers MULTIPOP_E_FORKED for every instance, multipop_init included, until it
 *     execs; there multipop_free frees, multipop_destroy does nothing for that instance and multipop_cancel sets the
 *     child's own copy. Such a child should exec or end soon: it has inherited descriptors of the call (they are
 *     close-on-exec), and with them a lease on the mailbox in hand.
 *
 * Signals
 *
 *     The library installs no handler and never changes your threads' masks (but for an instant while a thread is
 *     started); its own threads have all signals blocked. No SIGPIPE reaches you from it. It starts no process,
 *     writes nothing to stdout or stderr, reads nothing from the environment, and calls no exit, chdir, umask,
 *     setlocale or setenv.
 *
 * Text, bytes, ownership
 *
 *     Text in is NUL-terminated UTF-8 and copied before the function returns; bad UTF-8 is MULTIPOP_E_ARGUMENT.
 *     JSON with a member twice is refused. Text out through a `char **` is yours: give it back with multipop_free
 *     and nothing else. Text and bytes handed to a callback are the library's, valid until the callback returns.
 *     Durations end in `_s` and are seconds, sizes are bytes.
 *
 *     Outputs are written only on success. Exceptions: `err` is written by every call; multipop_fetch_once's
 *     report and the JSON of multipop_handle_callback and multipop_device_poll whenever the arguments were accepted,
 *     whatever the status.
 *     `err`, the report, and the `out` of multipop_handle_callback and multipop_device_poll may be NULL; no other
 *     pointer unless it says so.
 *
 * Structs
 *
 *     Begin every struct with its _INIT macro: it sets `struct_size`, by which the library and a host compiled
 *     years apart understand each other. A later library may add fields at the end; 0 or NULL is always the
 *     default. The library never writes `struct_size`. A size below that of version 1.0 or above 4096, or a field
 *     this library does not know that is not 0, is MULTIPOP_E_ABI. `reserved` must be 0. Structs handed to a
 *     callback carry the library's size; read fields later than 1.0 only after MULTIPOP_HAS(ptr, field).
 *
 * No exception and no longjmp may leave a callback. An exception that does ends the process (abort); a longjmp
 * breaks it. multipop.hpp, the C++17 wrapper beside this file, takes care of exceptions.
 *
 * Platforms: Linux with glibc 2.28 or later, x86_64 and aarch64. Licence: MIT OR Apache-2.0.
 */
#ifndef MULTIPOP_H
#define MULTIPOP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Versions ------------------------------------------------------------------------------------------------
 *
 * The major number changes with the SONAME (libmultipop.so.1) and is meant never to. The minor one rises with
 * each symbol or field added; ABI-HISTORY.md lists the first version of each.
 */
#define MULTIPOP_ABI_MAJOR 1u
#define MULTIPOP_ABI_MINOR 2u
#define MULTIPOP_ABI_VERSION ((MULTIPOP_ABI_MAJOR << 16) | MULTIPOP_ABI_MINOR)

/* ---- Status --------------------------------------------------------------------------------------------------
 *
 * 0 or negative. The tens say who can help; treat a code you do not know by its ten, for a later library may have
 * more of them. MULTIPOP_WHO(status) is 0 for success, -1 for the host's program, else that ten: -10, ... -50.
 */
typedef int32_t multipop_status_t;

#define MULTIPOP_WHO(status) ((status) < 0 && (status) > -10 ? -1 : (status) / 10 * 10)

#define MULTIPOP_OK 0

/* the host's program: what it passed, or when it called */
#define MULTIPOP_E_ARGUMENT (-1) /* NULL, empty, too long, bad UTF-8, wrong JSON of an account */
#define MULTIPOP_E_ABI (-2)      /* a struct's size, tail, flags or `reserved`: header and library do not fit */
#define MULTIPOP_E_STATE (-3)    /* while a call runs, from a callback, or before multipop_configure */
#define MULTIPOP_E_FORKED (-4)   /* in a child forked while a call was running */

/* the operator of the server */
#define MULTIPOP_E_CONFIG (-10)    /* the configuration, or what an account says, is wrong */
#define MULTIPOP_E_STORE (-11)     /* the store cannot be opened, read or written */
#define MULTIPOP_E_KEY (-12)       /* the key file is missing, too open, or not the one the store was sealed with */
#define MULTIPOP_E_PROVIDER (-13)  /* the provider wants its administrator: consent policy, licence, application */
#define MULTIPOP_E_SERVER (-14)    /* the mail server breaks the protocol, or its certificate does not hold */
#define MULTIPOP_E_POLICY (-15)    /* the mailbox forbids it: POP3 switched off, a question only he can answer */
#define MULTIPOP_E_RESOURCES (-16) /* threads, memory or descriptors could not be had */

/* the user */
#define MULTIPOP_E_CONSENT (-20)  /* he must sign in (again) */
#define MULTIPOP_E_CALLBACK (-21) /* the answer fits no consent that is under way in this session, or said no */
#define MULTIPOP_E_CONFIRM (-22)  /* another name signed in than is configured: he must say yes */
#define MULTIPOP_E_RIGHTS (-23)   /* not for this actor, or no such account: the two are not told apart */

/* time */
#define MULTIPOP_E_TRANSIENT (-30) /* network, provider or server trouble that passes */
#define MULTIPOP_E_CANCELLED (-31) /* multipop_cancel ended it */
#define MULTIPOP_E_DEADLINE (-32)  /* the deadline ended it */

/* the host's sink */
#define MULTIPOP_E_SINK (-40)           /* it answered what it may not, failed to flush, or said no three times */
#define MULTIPOP_E_SINK_FULL (-41)      /* it is full */
#define MULTIPOP_E_SINK_RECIPIENT (-42) /* it does not take mail for this recipient */

/* we */
#define MULTIPOP_E_INTERNAL (-50) /* a fault of ours; if the instance is spoiled only multipop_destroy works */

/* What else there is to say about a failure. Yours, on your stack, wherever a function takes one; empty (but for
 * `struct_size`) after success. Every text is NUL-terminated valid UTF-8, cut at a character where it is too
 * long, and holds no token, code, secret, cookie or password. */
typedef struct multipop_error {
    uint32_t struct_size;
    int32_t status;         /* what the function returned */
    uint32_t retry_after_s; /* another try makes sense after so many seconds; 0: nothing is known */
    uint32_t reserved;
    char cause[64];         /* stable name such as "consent.revoked": translate by it */
    char provider_code[64]; /* the peer's own code such as "AADSTS50173" or "[IN-USE]" */
    char message[512];      /* one line for your log, English */
    char advice[1024];      /* sentences for the person who can help, English */
} multipop_error_t;

#define MULTIPOP_ERROR_INIT                                                                                        \
    { (uint32_t)sizeof(multipop_error_t), 0, 0, 0, {0}, {0}, {0}, {0} }

/* Whether the library that made the struct behind `ptr` knew `field`. */
#define MULTIPOP_HAS(ptr, field)                                                                                   \
    ((size_t)((const char *)(&(ptr)->field + 1) - (const char *)(ptr)) <= (size_t)(ptr)->struct_size)

/* ---- Who acts ------------------------------------------------------------------------------------------------
 *
 * `actor` is the owner on whose behalf the host calls, known to the host from his signed-in session, or
 * MULTIPOP_OPERATOR, who may do everything but say an owner's yes (confirm). NULL, empty, or longer than 255 bytes
 * is MULTIPOP_E_ARGUMENT, so that a session look-up that failed never becomes the operator. MULTIPOP_OPERATOR is
 * never a valid owner.
 *
 * An account id is unique in the store: 1 to 128 bytes of A-Z a-z 0-9 . _ @ -, chosen by the host.
 */
#define MULTIPOP_OPERATOR "*"

/* ---- The instance --------------------------------------------------------------------------------------------*/

typedef struct multipop_instance multipop_t;

#define MULTIPOP_LOG_ERROR 1u
#define MULTIPOP_LOG_WARN 2u
#define MULTIPOP_LOG_INFO 3u
#define MULTIPOP_LOG_DEBUG 4u
#define MULTIPOP_LOG_TRACE 5u

#define MULTIPOP_EVENT_PASS_BEGIN 1u       /* a fetch begins; the counts are those of the whole pass */
#define MULTIPOP_EVENT_PASS_END 2u
#define MULTIPOP_EVENT_ACCOUNT_BEGIN 3u
#define MULTIPOP_EVENT_ACCOUNT_END 4u      /* `outcome`, `status`, `cause`, ... say how it went */
#define MULTIPOP_EVENT_PROGRESS 5u
#define MULTIPOP_EVENT_CONSENT_NEEDED 6u   /* tell the owner that he must sign in; once until _RESTORED */
#define MULTIPOP_EVENT_CONSENT_RESTORED 7u
#define MULTIPOP_EVENT_OPERATOR_NEEDED 8u  /* tell the operator; `advice` says what to do */
#define MULTIPOP_EVENT_THROTTLED 9u        /* provider or server asked for patience: `retry_after_s` */
#define MULTIPOP_EVENT_SET_ASIDE 10u       /* a message or an account is left out for now; `message` says which */
#define MULTIPOP_EVENT_RECOVERED 11u       /* what the operator was needed for is over; since 1.2 */

/* What happened. Texts are never NULL but may be empty. Skip a `kind` you do not know. */
typedef struct multipop_event {
    uint32_t struct_size;
    uint32_t kind; /* MULTIPOP_EVENT_... */
    const char *account;
    const char *owner;
    const char *outcome; /* ok, ok_more, busy, reauth_user, admin_action, config_error, transient, protocol_error,
                            mailbox_policy, host_full, host_recipient, host, bug; empty where nothing ended */
    const char *cause;   /* as in multipop_error_t, like the next four */
    const char *message;
    const char *advice;
    int32_t status;
    uint32_t retry_after_s;
    uint64_t messages_done;
    uint64_t messages_total; /* 0 while it is not known */
    uint64_t bytes_done;
    uint64_t bytes_total; /* 0 while it is not known */
    uint64_t messages_deferred;
    uint64_t messages_refused;
    uint64_t messages_deleted;
} multipop_event_t;

/* What the host offers. The struct is copied by multipop_init; `user` must live as long as the instance. */
typedef struct multipop_host {
    uint32_t struct_size;
    uint32_t log_level; /* the least severe MULTIPOP_LOG_... to be logged; 0 is MULTIPOP_LOG_INFO */
    const char *name;   /* the host's own name for log lines, at most 64 bytes; NULL is fine */
    void *user;         /* comes back as first argument of `log` and `event` */
    /* Optional. One line: key=value with a stable `event=` in front, printable UTF-8, at most 1 KiB, no line end,
     * remote text escaped. A host too slow to take lines loses some, and a later line counts them. */
    void (*log)(void *user, uint32_t level, const char *line);
    /* Optional. */
    void (*event)(void *user, const multipop_event_t *event);
} multipop_host_t;

#define MULTIPOP_HOST_INIT                                                                                         \
    { (uint32_t)sizeof(multipop_host_t), 0, NULL, NULL, NULL, NULL }

/* The library's MULTIPOP_ABI_VERSION: major << 16 | minor. May be called before anything else, from anywhere. */
uint32_t multipop_abi_version(void);

/* The release, such as "1.0.0"; static. */
const char *multipop_version(void);

/* Makes an instance in `*out`. No network, no thread, no file.
 * E_ARGUMENT, E_ABI, E_RESOURCES. */
multipop_status_t multipop_init(const multipop_host_t *host, multipop_t **out, multipop_error_t *err);

/* Reads and proves everything: `json` (at most 64 MiB) as config.schema.json says, or {"file": "/abs/path"}, whose
 * errors then name the line. All or nothing: a refused configuration changes nothing. May be called again at any
 * time; an unchanged one writes and syncs nothing.
 *
 * Keys, CA files, resolver configuration and provider rules are read now; store and token files are opened again
 * in each call, so their paths must mean the same, and be writable, under the user and root directory that later
 * calls run with. All instances on one store are given the same JSON: its accounts are written to the store under
 * a number that only rises, and an instance whose JSON was replaced by a later one changes nothing there. A JSON
 * without the member `accounts` leaves the configured ones alone; "accounts": {} disables them.
 *
 * E_CONFIG (`message` names the member and what is expected), E_STORE, E_KEY, E_CANCELLED. Cancellable. */
multipop_status_t multipop_configure(multipop_t *mp, const char *json, multipop_error_t *err);

/* Ends the running long call within a second, or else the next one: multipop_configure, multipop_handle_callback,
 * multipop_fetch_once, multipop_check, multipop_device_begin and _poll, and multipop_authorize_url where it must
 * ask the network. The second counts from the return of the host's last callback. The call that it reaches consumes
 * it, whatever that call answers.
 * Any thread, async-signal-safe: one atomic store and nothing else. NULL does nothing. */
void multipop_cancel(multipop_t *mp);

/* Frees text the library gave out through a `char **`. NULL is fine. Any thread, any time. */
void multipop_free(char *text);

/* Frees the instance. NULL is fine. While a call runs, from a callback, or in a child forked during a call it does
 * nothing (and the running call says so in the log). After it dlclose is harmless: the library stays mapped. */
void multipop_destroy(multipop_t *mp);

/* ---- Accounts ------------------------------------------------------------------------------------------------
 *
 * Accounts come from the configuration or from multipop_account_put; both share one namespace, and configured ones
 * can be neither put nor removed. Rights are kept here, in the library, not left to the host: an owner reaches his
 * own accounts, the providers and hosts the operator allows, and nothing else.
 */

/* Creates or changes the account `id` of `owner`. `json` (at most 64 KiB) is an account of config.schema.json
 * without id and owner. Replaces every member the actor may set (absent means the default) and keeps the others;
 * naming one he may not set is refused unless it equals what is stored. Never changes the owner.
 *
 * E_ARGUMENT (the JSON; `message` names the member), E_RIGHTS (also: the id is another's), E_STORE. */
multipop_status_t multipop_account_put(multipop_t *mp, const char *actor, const char *owner, const char *id,
                                       const char *json, multipop_error_t *err);

/* Removes an account with grant and ledger, for good: its key is destroyed first, and whatever runs on it in any process
 * writes nothing more; a fetch under way there is waited for up to three seconds. Local: the grant is given back to
 * the provider by later passes. Where the provider takes none, the person must withdraw it: `state.withdraw` of
 * multipop_accounts says where, so ask before. E_RIGHTS, E_STORE. */
multipop_status_t multipop_account_remove(multipop_t *mp, const char *actor, const char *id, multipop_error_t *err);

/* Which accounts to list: those the actor reaches, in an order of the store's own, which is that of no name: sort for
 * people. It is the same for every page, and a page is turned at any id, also one that was removed meanwhile. */
typedef struct multipop_query {
    uint32_t struct_size;
    uint32_t limit; /* at most so many; 0 is 1,000 */
    const char *actor;
    const char *account; /* only this one; NULL: all */
    const char *realm;   /* only those of this realm; NULL: all */
    const char *after;   /* only those after this id, to turn the page; NULL: from the beginning */
} multipop_query_t;

#define MULTIPOP_QUERY_INIT                                                                                        \
    { (uint32_t)sizeof(multipop_query_t), 0, NULL, NULL, NULL, NULL }

/* Lists accounts with their state as JSON ($defs/accounts of config.schema.json; members are only ever added).
 * E_RIGHTS where `account` names one the actor does not reach, E_STORE. */
multipop_status_t multipop_accounts(multipop_t *mp, const multipop_query_t *query, char **out,
                                    multipop_error_t *err);

/* One verb on one account, as JSON (at most 64 KiB): {"verb": "..."} and what the verb needs.
 *
 *     confirm        the owner's yes to "mail of X will be delivered to Y" after E_CONFIRM, from nobody else:
 *                    MULTIPOP_OPERATOR is E_RIGHTS here. `session` must be the consent's browser-session token
 *     offer_link     a one-time link for the account's owner, whose browser is elsewhere; answers its "token". Good for
 *                    "lasts_s" (five minutes to seven days, else 24 h); a new one ends the former. docs/embedding.md
 *                    says what the link's page does
 *     redeem_link    the "token" of it; answers the "url" multipop_authorize_url would, bound to `session`. From the
 *                    account's owner and nobody else: MULTIPOP_OPERATOR is E_RIGHTS here, and whoever is refused
 *                    uses nothing up. Both since 1.2
 *     pause, resume  collection; tokens are kept fresh meanwhile. What the operator paused only he resumes
 *     offer_again    messages the sink refused come again: all of them, or the one with this "uidl"
 *     delete_older   the policy takes in older mail, with the "count" the person was shown; begins after a grace.
 *                    Without a count it only answers it
 *     keep_older     takes delete_older back
 *     uidl_reset     the operator's answer where a server seems to have renumbered the mailbox: "same_mail"
 *     explain        where is my mail: what became of the message with this "message_id" or "uidl" (one of the two), or
 *                    of all "since" (Unix seconds; else all that is kept): each step with its time and process, a
 *                    verdict, and a sentence for a person. A message nobody knows is a verdict too and no error. Answers
 *                    $defs/explained. Since 1.2, as the following
 *     trace          the operator's: for so many "minutes" (60 at most, 0 ends it) what is said to the mail server
 *                    and answered is kept, redacted, whichever process visits the account. Answers $defs/traced
 *     trace_read     the operator's: what was kept. Answers $defs/trace
 *     support_bundle the operator's: all of it without a person's name, an address, a UIDL or a secret. Answers
 *                    $defs/bundle
 *
 * `session` is NULL for all but confirm and redeem_link. Answers JSON in `*out` ($defs/acted of config.schema.json
 * where it is not said otherwise).
 * E_ARGUMENT (the JSON, or a verb this library does not know: `message` names those it does), E_RIGHTS, E_CALLBACK
 * (confirm: another session, or nothing to confirm; redeem_link: no such link, or too old), E_TRANSIENT (offer_again:
 * the account is being collected; try again), E_STORE; redeem_link also what multipop_authorize_url answers. */
multipop_status_t multipop_account_act(multipop_t *mp, const char *actor, const char *id, const char *session,
                                       const char *json, char **out, multipop_error_t *err);

/* One verb that is not about one account, as JSON (at most 64 KiB): {"verb": "..."} and what the verb needs.
 *
 *     providers      what an account of `actor` may name as its provider, for a form to choose from
 *     export         everything the store holds about this "owner", secrets left out: the operator's, and his own
 *     erase          everything of this "owner" or this "realm", for good; the operator's. Refused as a whole while
 *                    accounts of the configuration are among them (`message` names them)
 *     notices        MULTIPOP_OPERATOR: what is to be sent now to owners and to the operator, worded, each given to one
 *                    caller for five minutes; of users' "limit" at a time (1 to 1,000, else 100), and "more" says to
 *                    ask again once these were sent (docs/embedding.md, Notices)
 *     notices_done   MULTIPOP_OPERATOR: the "ids" of those that were sent, at most 1,000; one that is over by now is
 *                    passed over, and "noted" counts the others
 *
 * Answers JSON in `*out` ($defs/verb_answer of config.schema.json). Since 1.2, as all its verbs.
 * E_ARGUMENT (the JSON, or a verb this library does not know: `message` names those it does), E_STATE (not configured),
 * E_RIGHTS, E_STORE. */
multipop_status_t multipop_act(multipop_t *mp, const char *actor, const char *json, char **out,
                               multipop_error_t *err);

/* ---- Consent: OAuth 2.0 with PKCE (RFC 6749, RFC 7636, RFC 9207, RFC 9700) ------------------------------------
 *
 * `session` binds a consent to the browser it began in: 16 to 1,024 bytes of the host's own that only this browser
 * has, best a fresh random cookie per consent (docs/embedding.md gives the line). multipop_handle_callback must be
 * given the same one, or nothing happens.
 */
#define MULTIPOP_AUTHORIZE_CHOOSE_ACCOUNT 1u /* ask which account to sign in with, even if one is signed in */
#define MULTIPOP_AUTHORIZE_FORCE_CONSENT 2u  /* show the consent page even if consent was given before */
#define MULTIPOP_AUTHORIZE_ADMIN_CONSENT 4u  /* an administrator's consent for his whole tenant */

typedef struct multipop_authorize {
    uint32_t struct_size;
    uint32_t flags; /* MULTIPOP_AUTHORIZE_... */
    const char *actor;
    const char *account;
    const char *session;
} multipop_authorize_t;

#define MULTIPOP_AUTHORIZE_INIT                                                                                    \
    { (uint32_t)sizeof(multipop_authorize_t), 0, NULL, NULL, NULL }

/* Starts a consent; `*out` is the URL to send the browser to (302). It is good for a quarter of an hour. An
 * administrator's (MULTIPOP_AUTHORIZE_ADMIN_CONSENT) is good for seven days, once, and may be forwarded to him: its
 * answer is taken in any session, names no account, connects none, and ends with E_CONSENT, consent.admin_granted.
 * E_RIGHTS, E_CONFIG, E_STORE; where the provider's addresses must be discovered: E_PROVIDER, E_TRANSIENT,
 * E_CANCELLED. */
multipop_status_t multipop_authorize_url(multipop_t *mp, const multipop_authorize_t *request, char **out,
                                         multipop_error_t *err);

typedef struct multipop_callback {
    uint32_t struct_size;
    uint32_t reserved;
    /* The whole request URI, or only its query, as received, at most 64 KiB. The redirect URI you registered may
     * have a query of its own, in any order. What stands before the first `?` is compared only if it is there;
     * white space around it, a bare query and a fragment are taken, since people paste such lines. */
    const char *uri;
    const char *form;    /* the body of a POST (response_mode=form_post), at most 64 KiB; NULL: there is none */
    const char *session; /* the token given to multipop_authorize_url */
} multipop_callback_t;

#define MULTIPOP_CALLBACK_INIT                                                                                     \
    { (uint32_t)sizeof(multipop_callback_t), 0, NULL, NULL, NULL }

/* Takes the provider's answer. 0: the account is connected. The same answer brought again in the same session
 * within 15 minutes gives the same outcome again.
 *
 * E_CONFIRM: another name signed in than is configured. The JSON has both; nothing is active until the owner says
 * yes: multipop_account_act, verb confirm. Otherwise `err->advice` is the sentence for the person in front of the
 * browser. `*out` ($defs/callback of config.schema.json: account, owner, outcome, names) is extra: JSON whenever
 * the arguments were accepted, else NULL. `out` may be NULL.
 *
 * E_CALLBACK, E_CONSENT, E_PROVIDER, E_RIGHTS, E_TRANSIENT, E_STORE, E_CANCELLED. Cancellable. */
multipop_status_t multipop_handle_callback(multipop_t *mp, const multipop_callback_t *callback, char **out,
                                           multipop_error_t *err);

/* Signs in on another device (RFC 8628): `*out` is what to show, a code and the address to enter it at ($defs/device
 * of config.schema.json). Where `device_flow` of the provider does not say otherwise only the operator may begin, since
 * a code tells nothing of who asked for it. `request` as for multipop_authorize_url; it and its `session` are what
 * multipop_device_poll is asked with. Since 1.1.
 * E_RIGHTS, E_CONFIG, E_PROVIDER, E_TRANSIENT, E_STORE, E_CANCELLED. Cancellable. */
multipop_status_t multipop_device_begin(multipop_t *mp, const multipop_authorize_t *request, char **out,
                                        multipop_error_t *err);

/* Asks once whether the person signed in. 0: the account is connected. E_TRANSIENT: ask again after
 * `err->retry_after_s`; asked earlier it answers the same and asks nobody. Everything else, E_CONFIRM too, and `*out`
 * are as in multipop_handle_callback; `out` may be NULL. Since 1.1. Cancellable. */
multipop_status_t multipop_device_poll(multipop_t *mp, const multipop_authorize_t *request, char **out,
                                       multipop_error_t *err);

/* ---- The sink: where messages go -----------------------------------------------------------------------------
 *
 * begin, data (any number), end; or abort in place of end. The messages of one account come one after another,
 * those of different accounts interleave; the bytes of a message may come before the flush of the last. `cookie`
 * is yours: what begin left in it comes back with every later callback of this message.
 *
 * The answers. Any other value, GO from end, QUEUED without a flush, and any value at a place where it is not
 * listed count as DEFER and end the account with MULTIPOP_E_SINK.
 */
#define MULTIPOP_GO 0              /* go on */
#define MULTIPOP_TAKEN 1           /* durable: yours now, and never asked for again */
#define MULTIPOP_QUEUED 2          /* durable after the next successful flush */
#define MULTIPOP_DEFER 3           /* not now; it comes again later. Three in a row pause the account */
#define MULTIPOP_DEFER_FULL 4      /* not now: no room */
#define MULTIPOP_DEFER_RECIPIENT 5 /* not now: no mail is taken for this recipient */
#define MULTIPOP_REFUSE 6          /* never; it stays at the server, owner and operator are shown the reason */
#define MULTIPOP_STOP 7            /* end this call tidily: what is open is aborted, what is queued is flushed */

#define MULTIPOP_MESSAGE_MAY_REPEAT 1u /* an earlier delivery under this dedupe_key did not come to its end */

/* What is known of a message before its bytes. Texts are never NULL unless it says so. */
typedef struct multipop_message {
    uint32_t struct_size;
    uint32_t flags; /* MULTIPOP_MESSAGE_... */
    const char *account;
    const char *owner;
    const char *deliver_to; /* the account's, handed through */
    const uint8_t *uidl;    /* as the server sent it (RFC 1939 section 7): bytes, not text */
    size_t uidl_size;
    uint64_t size_hint; /* what the server says; the truth may differ */
    const char *server;
    const char *tls;      /* such as "TLSv1.3" */
    const char *received; /* a `Received:` line to put in front (RFC 5321 section 4.4), folded with CRLF TAB, ends
                             in CRLF */
    /* At most 64 bytes, safe in a file name: the same message has the same key whenever it comes again. You may
     * drop a message as already delivered only if MULTIPOP_MESSAGE_MAY_REPEAT is set; when in doubt deliver.
     * NULL in `offer` where the header must be seen first. */
    const char *dedupe_key;
} multipop_message_t;

/* Your words for a no, such as "552 5.2.2 over quota", or what you know a message by that you took or queued, such as
 * a queue id or a file name: owner and operator are shown them, the latter by the verb explain. The library's,
 * empty; write into it or leave it. Never NULL. */
typedef struct multipop_reason {
    uint32_t struct_size;
    uint32_t reserved;
    char text[256];
} multipop_reason_t;

typedef struct multipop_sink {
    uint32_t struct_size;
    uint32_t reserved;
    void *user; /* comes back as first argument */

    /* Optional. Asked before the download, so that a no costs none: GO, TAKEN, QUEUED (its bytes are here already,
     * durable after the next successful flush), DEFER..., REFUSE, STOP. */
    int32_t (*offer)(void *user, const multipop_message_t *message, multipop_reason_t *reason);

    /* GO; anything else as in offer, and then neither end nor abort follows. A sink that finds its own earlier
     * file answers QUEUED, or syncs file and folder before TAKEN: to exist is not to be durable. `*cookie` is NULL
     * until you set it. */
    int32_t (*begin)(void *user, const multipop_message_t *message, void **cookie, multipop_reason_t *reason);

    /* The message as it came over the wire, dot-stuffing removed (RFC 1939 section 3), lines ending as they did,
     * NUL and all, split anywhere, at most 64 KiB a piece. GO; DEFER..., REFUSE, STOP: then abort follows. */
    int32_t (*data)(void *user, void *cookie, const uint8_t *bytes, size_t size, multipop_reason_t *reason);

    /* The message is whole. TAKEN, QUEUED, DEFER..., REFUSE, STOP; no abort follows. */
    int32_t (*end)(void *user, void *cookie, multipop_reason_t *reason);

    /* The message will not be whole: the connection was lost, a callback answered STOP, or data said no. */
    void (*abort)(void *user, void *cookie);

    /* Optional; without it QUEUED may not be answered. Make everything QUEUED so far, of all accounts, durable:
     * 0, or a failure (DEFER..., STOP; other values count as DEFER), which covers none of it: nothing of the batch
     * is recorded, and it comes again under the same keys. Called at half of a batch of 256
     * messages, since no more than a batch comes again after a crash, after 16 MiB or 500 ms (all configurable),
     * before any deletion, and before the fetch returns, for whatever reason it does. */
    int32_t (*flush)(void *user, multipop_reason_t *reason);
} multipop_sink_t;

#define MULTIPOP_SINK_INIT                                                                                         \
    { (uint32_t)sizeof(multipop_sink_t), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/* ---- Fetch: POP3 over TLS (RFC 1939, RFC 2449, RFC 2595, RFC 5034, RFC 7628, RFC 8314) ------------------------*/

#define MULTIPOP_FETCH_NOW 1u /* ignore interval and back-off; never pause, breaker, budget or LOGIN-DELAY */

typedef struct multipop_fetch {
    uint32_t struct_size;
    uint32_t flags; /* MULTIPOP_FETCH_... */
    const char *actor;
    const char *account; /* this one; NULL: all due accounts the actor reaches, those too that fall due meanwhile */
    uint32_t deadline_s; /* 0 is 600 */
    uint32_t reserved;
} multipop_fetch_t;

#define MULTIPOP_FETCH_INIT                                                                                        \
    { (uint32_t)sizeof(multipop_fetch_t), 0, NULL, NULL, 0, 0 }

#define MULTIPOP_NEVER UINT32_MAX

typedef struct multipop_report {
    uint32_t struct_size;
    uint32_t next_due_s; /* call again after so many seconds; never 0 where nothing could be done now;
                            MULTIPOP_NEVER where nothing is scheduled */
    uint32_t more;       /* 1: there is more to fetch now (deadline, STOP, a long first fetch) */
    uint32_t stopped;    /* 1: the sink answered STOP */
    uint32_t accounts_tried;
    uint32_t accounts_ok;
    uint32_t accounts_busy; /* another process is at them, or the server says so: no failure */
    uint32_t failed_host;   /* failed accounts by the ten of their status: -1 ... -9 */
    uint32_t failed_operator; /* -10 ... -19 */
    uint32_t failed_user;     /* -20 ... -29 */
    uint32_t failed_time;     /* -30 ... -39 */
    uint32_t failed_sink;     /* -40 ... -49 */
    uint32_t failed_bug;      /* -50 ... -59 */
    uint32_t reserved;
    uint64_t messages_taken; /* recorded as durable */
    uint64_t messages_deferred;
    uint64_t messages_refused;
    uint64_t messages_deleted; /* at the server, confirmed */
    uint64_t bytes;            /* of messages taken */
} multipop_report_t;

#define MULTIPOP_REPORT_INIT                                                                                       \
    { (uint32_t)sizeof(multipop_report_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* Fetches what is due into the sink.
 *
 * One account: the status of its outcome (ok, ok_more and busy are 0; the report tells them apart). One that is not
 * due answers 0 with 0 tried and its `next_due_s`. All due accounts: 0 unless the call itself failed; how each
 * account went comes by event and stands in multipop_accounts. Reaching the deadline is 0 with `more`, after
 * flush, record, deletions and QUIT within five seconds of grace. STOP is 0 with `more` and `stopped`.
 *
 * E_ARGUMENT (also: the sink lacks begin, data, end or abort), E_RIGHTS, E_STORE, E_CANCELLED and what an
 * account's outcome may be. Cancellable. */
multipop_status_t multipop_fetch_once(multipop_t *mp, const multipop_fetch_t *what, const multipop_sink_t *sink,
                                      multipop_report_t *report, multipop_error_t *err);

/* ---- The doctor ----------------------------------------------------------------------------------------------*/

#define MULTIPOP_FETCH_DRY_RUN 2u /* multipop_check only: also what a fetch would take and delete. Since 1.1 */

/* Goes the way of a fetch step by step and says which one fails: configuration, name, TCP, TLS, greeting, token,
 * log-in, listing. Every step is timed and green; or red, with the one first cause and its cure; or grey where it
 * cannot be seen, because one before it failed or somebody else is at the mailbox. `what` is that of a fetch: one
 * account, or NULL for those the actor reaches (a thousand at most). Nothing is fetched or deleted, and no account's
 * state changes; tokens are renewed as a fetch would.
 *
 * 0: it was looked, whatever was found. `*out` is JSON ($defs/check of config.schema.json). Since 1.1.
 * E_RIGHTS, E_STORE, E_CANCELLED. Cancellable. */
multipop_status_t multipop_check(multipop_t *mp, const multipop_fetch_t *what, char **out, multipop_error_t *err);

/* ---- A type for every function, for hosts that look them up --------------------------------------------------*/

typedef uint32_t multipop_abi_version_fn(void);
typedef const char *multipop_version_fn(void);
typedef multipop_status_t multipop_init_fn(const multipop_host_t *, multipop_t **, multipop_error_t *);
typedef multipop_status_t multipop_configure_fn(multipop_t *, const char *, multipop_error_t *);
typedef multipop_status_t multipop_account_put_fn(multipop_t *, const char *, const char *, const char *,
                                                  const char *, multipop_error_t *);
typedef multipop_status_t multipop_account_remove_fn(multipop_t *, const char *, const char *, multipop_error_t *);
typedef multipop_status_t multipop_accounts_fn(multipop_t *, const multipop_query_t *, char **, multipop_error_t *);
typedef multipop_status_t multipop_account_act_fn(multipop_t *, const char *, const char *, const char *,
                                                  const char *, char **, multipop_error_t *);
typedef multipop_status_t multipop_authorize_url_fn(multipop_t *, const multipop_authorize_t *, char **,
                                                    multipop_error_t *);
typedef multipop_status_t multipop_handle_callback_fn(multipop_t *, const multipop_callback_t *, char **,
                                                      multipop_error_t *);
typedef multipop_status_t multipop_fetch_once_fn(multipop_t *, const multipop_fetch_t *, const multipop_sink_t *,
                                                 multipop_report_t *, multipop_error_t *);
typedef multipop_status_t multipop_check_fn(multipop_t *, const multipop_fetch_t *, char **, multipop_error_t *);
typedef multipop_status_t multipop_device_begin_fn(multipop_t *, const multipop_authorize_t *, char **,
                                                   multipop_error_t *);
typedef multipop_status_t multipop_device_poll_fn(multipop_t *, const multipop_authorize_t *, char **,
                                                  multipop_error_t *);
typedef multipop_status_t multipop_act_fn(multipop_t *, const char *, const char *, char **, multipop_error_t *);
typedef void multipop_cancel_fn(multipop_t *);
typedef void multipop_free_fn(char *);
typedef void multipop_destroy_fn(multipop_t *);

#ifdef __cplusplus
}
#endif

/* ---- Loading at run time -------------------------------------------------------------------------------------
 *
 *     multipop_api_t mp;
 *     const char *why = multipop_load(NULL, &mp);
 *     if (why != NULL) ...
 *     mp.init(&host, &instance, &err);
 *
 * Define MULTIPOP_NO_LOADER to leave this and <dlfcn.h> out.
 */
#ifndef MULTIPOP_NO_LOADER

#include <dlfcn.h>
#include <string.h>

typedef struct multipop_api {
    void *library; /* dlopen's handle */
    multipop_abi_version_fn *abi_version;
    multipop_version_fn *version;
    multipop_init_fn *init;
    multipop_configure_fn *configure;
    multipop_account_put_fn *account_put;
    multipop_account_remove_fn *account_remove;
    multipop_accounts_fn *accounts;
    multipop_account_act_fn *account_act;
    multipop_authorize_url_fn *authorize_url;
    multipop_handle_callback_fn *handle_callback;
    multipop_fetch_once_fn *fetch_once;
    multipop_cancel_fn *cancel;
    multipop_free_fn *free;
    multipop_destroy_fn *destroy;
    /* since 1.1: NULL where the library is older */
    multipop_check_fn *check;
    multipop_device_begin_fn *device_begin;
    multipop_device_poll_fn *device_poll;
    multipop_act_fn *act; /* since 1.2 */
} multipop_api_t;

/* Loads the library at `path` (NULL: "libmultipop.so.1" by the loader's own search) and fills `api`. Answers NULL,
 * or the reason as text (valid until this thread's next dl... call; `api` is then all NULL). A library of another
 * major version is refused; one that lacks a function of version 1.0 is broken; a function of a later version that
 * it lacks stays NULL. */
static inline const char *multipop_load(const char *path, multipop_api_t *api) {
    const char *missing = NULL;
    void *symbol;

    memset(api, 0, sizeof *api);
    api->library = dlopen(path != NULL ? path : "libmultipop.so.1", RTLD_NOW | RTLD_LOCAL);
    if (api->library == NULL) {
        const char *why = dlerror();
        return why != NULL ? why : "dlopen failed";
    }

/* POSIX wants object and function pointers of one size, and no cast between them warns in every dialect. */
#define MULTIPOP_FIND_(field)                                                                                      \
    symbol = dlsym(api->library, "multipop_" #field);                                                              \
    if (symbol == NULL && missing == NULL)                                                                         \
        missing = "the library lacks the function multipop_" #field;                                               \
    memcpy(&api->field, &symbol, sizeof symbol)

#define MULTIPOP_FIND_LATER_(field)                                                                                \
    symbol = dlsym(api->library, "multipop_" #field);                                                              \
    memcpy(&api->field, &symbol, sizeof symbol)

    MULTIPOP_FIND_(abi_version);
    if (missing == NULL && api->abi_version() >> 16 != MULTIPOP_ABI_MAJOR)
        missing = "the library has another ABI major version than multipop.h";
    MULTIPOP_FIND_(version);
    MULTIPOP_FIND_(init);
    MULTIPOP_FIND_(configure);
    MULTIPOP_FIND_(account_put);
    MULTIPOP_FIND_(account_remove);
    MULTIPOP_FIND_(accounts);
    MULTIPOP_FIND_(account_act);
    MULTIPOP_FIND_(authorize_url);
    MULTIPOP_FIND_(handle_callback);
    MULTIPOP_FIND_(fetch_once);
    MULTIPOP_FIND_(cancel);
    MULTIPOP_FIND_(free);
    MULTIPOP_FIND_(destroy);
    MULTIPOP_FIND_LATER_(check);
    MULTIPOP_FIND_LATER_(device_begin);
    MULTIPOP_FIND_LATER_(device_poll);
    MULTIPOP_FIND_LATER_(act);
#undef MULTIPOP_FIND_
#undef MULTIPOP_FIND_LATER_

    if (missing != NULL) {
        (void)dlclose(api->library);
        memset(api, 0, sizeof *api);
    }
    return missing;
}

#endif /* MULTIPOP_NO_LOADER */
#endif /* MULTIPOP_H */
