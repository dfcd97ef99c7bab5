/* A C host that does what hosts do, and what they should not. One case a run: behave LIBRARY DIR CASE. */
#define _GNU_SOURCE
#include "multipop.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what)                                                                                                \
    do {                                                                                                           \
        if (!(what)) {                                                                                             \
            fprintf(stderr, "%s:%d: %s (status %d %s: %s)\n", __FILE__, __LINE__, #what, (int)err.status,          \
                    err.cause, err.message);                                                                       \
            _exit(1);                                                                                              \
        }                                                                                                          \
    } while (0)

#define SESSION "0123456789abcdef0123456789abcdef"

static multipop_api_t mp;
static multipop_t *m;
static multipop_error_t err = MULTIPOP_ERROR_INIT;
static const char *dir;
static char json[8192], log_text[1 << 20];
static void (*on_event)(const multipop_event_t *event);
static int events, lines;
static pthread_t caller;
static int strangers;

static void log_line(void *user, uint32_t level, const char *line) {
    size_t used = strlen(log_text);
    CHECK(user == &events && level >= MULTIPOP_LOG_ERROR && level <= MULTIPOP_LOG_TRACE);
    CHECK(strlen(line) <= 1024 && strchr(line, '\n') == NULL && strncmp(line, "event=", 6) == 0);
    snprintf(log_text + used, sizeof log_text - used, "%s\n", line);
    lines++;
    strangers += !pthread_equal(pthread_self(), caller);
}

static void event(void *user, const multipop_event_t *what) {
    CHECK(user == &events && what->struct_size >= sizeof *what);
    CHECK(what->account && what->owner && what->outcome && what->cause && what->message && what->advice);
    events++;
    strangers += !pthread_equal(pthread_self(), caller);
    if (on_event != NULL) on_event(what);
}

static int32_t s_begin(void *u, const multipop_message_t *w, void **c, multipop_reason_t *r) {
    (void)u, (void)w, (void)c, (void)r;
    return MULTIPOP_DEFER;
}
static int32_t s_data(void *u, void *c, const uint8_t *b, size_t s, multipop_reason_t *r) {
    (void)u, (void)c, (void)b, (void)s, (void)r;
    return MULTIPOP_DEFER;
}
static int32_t s_end(void *u, void *c, multipop_reason_t *r) {
    (void)u, (void)c, (void)r;
    return MULTIPOP_DEFER;
}
static void s_abort(void *u, void *c) { (void)u, (void)c; }

static multipop_sink_t a_sink(void) {
    multipop_sink_t sink = MULTIPOP_SINK_INIT;
    sink.begin = s_begin, sink.data = s_data, sink.end = s_end, sink.abort = s_abort;
    return sink;
}

static void make(void) {
    multipop_host_t host = MULTIPOP_HOST_INIT;
    host.name = "behave", host.user = &events, host.log = log_line, host.event = event;
    host.log_level = MULTIPOP_LOG_TRACE;
    CHECK(mp.init(&host, &m, &err) == MULTIPOP_OK && m != NULL);
}

/* A configuration with a store and no accounts, or with one whose server is 127.0.0.1:port. */
static void configure(int port) {
    char path[4096];
    FILE *key;
    snprintf(path, sizeof path, "%s/key", dir);
    if (access(path, F_OK) != 0) {
        CHECK((key = fopen(path, "w")) != NULL);
        CHECK(fprintf(key, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n") > 0);
        CHECK(fclose(key) == 0 && chmod(path, 0600) == 0);
        snprintf(path, sizeof path, "%s/token", dir);
        CHECK((key = fopen(path, "w")) != NULL && fprintf(key, "token\n") > 0 && fclose(key) == 0);
    }
    snprintf(json, sizeof json,
             "{\"store\":\"%s/store.db\",\"keys\":[\"%s/key\"],\"hostname\":\"mail.example.com\"%s", dir, dir,
             port == 0 ? "}" : "");
    if (port != 0)
        snprintf(json + strlen(json), sizeof json - strlen(json),
                 ",\"servers\":[\"127.0.0.1:%d\"],\"accounts\":{\"a\":{\"owner\":\"alice\",\"user\":"
                 "\"alice@contoso.example\",\"server\":\"127.0.0.1:%d\",\"token_file\":\"%s/token\"}}}",
                 port, port, dir);
    CHECK(mp.configure(m, json, &err) == MULTIPOP_OK);
}

static int32_t accounts(void) {
    multipop_query_t query = MULTIPOP_QUERY_INIT;
    char *text = NULL;
    int32_t status;
    query.actor = MULTIPOP_OPERATOR;
    status = mp.accounts(m, &query, &text, &err);
    if (status == MULTIPOP_OK) CHECK(text != NULL && text[0] == '{');
    if (status != MULTIPOP_OK) CHECK(text == NULL);
    mp.free(text);
    return status;
}

static int32_t fetch(const char *account) {
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = a_sink();
    what.actor = MULTIPOP_OPERATOR, what.account = account, what.flags = MULTIPOP_FETCH_NOW;
    return mp.fetch_once(m, &what, &sink, NULL, &err);
}

/* Every function that takes the instance answers this status, consumes nothing and writes nothing. */
static void all_answer(int32_t status) {
    multipop_query_t query = MULTIPOP_QUERY_INIT;
    multipop_authorize_t ask = MULTIPOP_AUTHORIZE_INIT;
    multipop_callback_t got = MULTIPOP_CALLBACK_INIT;
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = a_sink();
    multipop_report_t report = MULTIPOP_REPORT_INIT;
    char *out = NULL, *json_out = (char *)&sink;
    query.actor = ask.actor = what.actor = "*";
    ask.account = "a", ask.session = got.session = SESSION, got.uri = "?state=x&code=y";
    report.bytes = 77;
    CHECK(mp.configure(m, "{}", &err) == status && err.status == status && err.cause[0] != 0);
    CHECK(mp.account_put(m, "*", "alice", "a", "{}", &err) == status);
    CHECK(mp.account_remove(m, "*", "a", &err) == status);
    CHECK(mp.accounts(m, &query, &out, &err) == status && out == NULL);
    CHECK(mp.account_act(m, "*", "a", NULL, "{\"verb\":\"pause\"}", &out, &err) == status && out == NULL);
    CHECK(mp.authorize_url(m, &ask, &out, &err) == status && out == NULL);
    CHECK(mp.handle_callback(m, &got, &json_out, &err) == status && json_out == NULL);
    CHECK(mp.fetch_once(m, &what, &sink, &report, &err) == status && report.bytes == 77);
    CHECK(mp.fetch_once(m, &what, &sink, NULL, NULL) == status);
    CHECK(mp.check(m, &what, &out, &err) == status && out == NULL);
    CHECK(mp.act(m, "*", "{\"verb\":\"providers\"}", &out, &err) == status && out == NULL);
    json_out = (char *)&sink;
    CHECK(mp.device_begin(m, &ask, &out, &err) == status && out == NULL);
    CHECK(mp.device_poll(m, &ask, &json_out, &err) == status && json_out == NULL);
}

/* ---- arguments ---- */

static void nulls(void) {
    multipop_host_t host = MULTIPOP_HOST_INIT;
    multipop_query_t query = MULTIPOP_QUERY_INIT;
    multipop_authorize_t ask = MULTIPOP_AUTHORIZE_INIT;
    multipop_callback_t got = MULTIPOP_CALLBACK_INIT;
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = a_sink(), lacking;
    multipop_t *none = NULL;
    char *out = NULL;
    const int32_t no = MULTIPOP_E_ARGUMENT;

    CHECK(mp.init(NULL, &none, &err) == no && none == NULL);
    CHECK(mp.init(&host, NULL, &err) == no);
    CHECK(mp.init(&host, &none, NULL) == MULTIPOP_OK);
    mp.destroy(none);
    host.log_level = 6;
    CHECK(mp.init(&host, &none, &err) == no);
    mp.destroy(NULL), mp.cancel(NULL), mp.free(NULL);

    none = m, m = NULL;
    all_answer(no);
    m = none;

    CHECK(mp.configure(m, NULL, &err) == no && mp.configure(m, NULL, NULL) == no);
    CHECK(mp.account_put(m, NULL, "o", "i", "{}", &err) == no);
    CHECK(mp.account_put(m, "", "o", "i", "{}", &err) == no);
    CHECK(mp.account_put(m, "*", NULL, "i", "{}", &err) == no);
    CHECK(mp.account_put(m, "*", "o", NULL, "{}", &err) == no);
    CHECK(mp.account_put(m, "*", "o", "i", NULL, &err) == no);
    CHECK(mp.account_remove(m, NULL, "i", &err) == no && mp.account_remove(m, "*", NULL, &err) == no);
    CHECK(mp.accounts(m, NULL, &out, &err) == no && mp.accounts(m, &query, &out, &err) == no);
    query.actor = "*";
    CHECK(mp.accounts(m, &query, NULL, &err) == no);
    query.account = "";
    CHECK(mp.accounts(m, &query, &out, &err) == no);
    CHECK(mp.act(m, NULL, "{}", &out, &err) == no && mp.act(m, "*", NULL, &out, &err) == no);
    CHECK(mp.act(m, "*", "{}", NULL, &err) == no);
    CHECK(mp.account_act(m, NULL, "i", NULL, "{}", &out, &err) == no);
    CHECK(mp.account_act(m, "*", NULL, NULL, "{}", &out, &err) == no);
    CHECK(mp.account_act(m, "*", "i", NULL, NULL, &out, &err) == no);
    CHECK(mp.account_act(m, "*", "i", NULL, "{}", NULL, &err) == no);
    CHECK(mp.account_act(m, "*", "i", "short", "{}", &out, &err) == no);
    CHECK(mp.authorize_url(m, NULL, &out, &err) == no);
    ask.account = "a", ask.session = SESSION;
    CHECK(mp.authorize_url(m, &ask, &out, &err) == no);
    ask.actor = "*", ask.account = NULL;
    CHECK(mp.authorize_url(m, &ask, &out, &err) == no);
    ask.account = "a", ask.session = NULL;
    CHECK(mp.authorize_url(m, &ask, &out, &err) == no);
    ask.session = "0123456789abcde";
    CHECK(mp.authorize_url(m, &ask, &out, &err) == no);
    ask.session = SESSION;
    CHECK(mp.authorize_url(m, &ask, NULL, &err) == no);
    CHECK(mp.device_begin(m, NULL, &out, &err) == no && mp.device_begin(m, &ask, NULL, &err) == no);
    CHECK(mp.device_poll(m, NULL, &out, &err) == no && mp.device_poll(m, NULL, NULL, NULL) == no);
    ask.account = NULL;
    CHECK(mp.device_begin(m, &ask, &out, &err) == no && mp.device_poll(m, &ask, &out, &err) == no);
    ask.account = "a", ask.session = "short";
    CHECK(mp.device_begin(m, &ask, &out, &err) == no && mp.device_poll(m, &ask, &out, &err) == no);
    CHECK(mp.handle_callback(m, NULL, &out, &err) == no && mp.handle_callback(m, &got, &out, &err) == no);
    got.uri = "?x=y";
    CHECK(mp.handle_callback(m, &got, NULL, &err) == no);
    CHECK(mp.fetch_once(m, NULL, &sink, NULL, &err) == no);
    CHECK(mp.fetch_once(m, &what, &sink, NULL, &err) == no);
    what.actor = "*";
    CHECK(mp.fetch_once(m, &what, NULL, NULL, &err) == no);
    what.account = "";
    CHECK(mp.fetch_once(m, &what, &sink, NULL, &err) == no);
    what.account = NULL;
    lacking = sink, lacking.begin = NULL;
    CHECK(mp.fetch_once(m, &what, &lacking, NULL, &err) == no);
    lacking = sink, lacking.data = NULL;
    CHECK(mp.fetch_once(m, &what, &lacking, NULL, &err) == no);
    lacking = sink, lacking.end = NULL;
    CHECK(mp.fetch_once(m, &what, &lacking, NULL, &err) == no);
    lacking = sink, lacking.abort = NULL;
    CHECK(mp.fetch_once(m, &what, &lacking, NULL, &err) == no);
    CHECK(mp.check(m, NULL, &out, &err) == no && mp.check(m, &what, NULL, &err) == no);
    what.account = "";
    CHECK(mp.check(m, &what, &out, &err) == no);
    what.account = NULL, what.actor = NULL;
    CHECK(mp.check(m, &what, &out, &err) == no);
    CHECK(out == NULL);
}

struct longer {
    union {
        multipop_host_t host;
        multipop_query_t query;
        multipop_authorize_t ask;
        multipop_callback_t got;
        multipop_fetch_t what;
        multipop_sink_t sink;
        multipop_report_t report;
        multipop_error_t err;
        uint32_t struct_size;
        unsigned char bytes[5000];
    } is;
};

static int32_t with(int kind, struct longer *it) {
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = a_sink();
    multipop_t *made = NULL;
    char *out = NULL;
    int32_t status = 0;
    what.actor = "*";
    switch (kind) {
    case 0: status = mp.init(&it->is.host, &made, &err); break;
    case 1: status = mp.accounts(m, &it->is.query, &out, &err); break;
    case 2: status = mp.authorize_url(m, &it->is.ask, &out, &err); break;
    case 3: status = mp.handle_callback(m, &it->is.got, &out, &err); break;
    case 4: status = mp.fetch_once(m, &it->is.what, &sink, NULL, &err); break;
    case 5: status = mp.fetch_once(m, &what, &it->is.sink, NULL, &err); break;
    case 6: status = mp.fetch_once(m, &what, &sink, &it->is.report, &err); break;
    case 7: status = mp.configure(m, "{}", &it->is.err); break;
    case 9: status = mp.device_begin(m, &it->is.ask, &out, &err); break;
    case 10: status = mp.device_poll(m, &it->is.ask, &out, &err); break;
    default: status = mp.check(m, &it->is.what, &out, &err); break;
    }
    mp.destroy(made);
    mp.free(out);
    return status;
}

static void sizes(void) {
    static const size_t first[] = {40, 40, 32, 32, 32, 64, 96, 1680};
    static const uint32_t bad[] = {0, 3, 4, 8, 4097, 0xffffffffu};
    struct longer it;
    int kind;
    size_t i;
    for (kind = 0; kind < 8; kind++) {
        for (i = 0; i <= sizeof bad / sizeof *bad; i++) {
            memset(&it, 0, sizeof it);
            it.is.struct_size = i < sizeof bad / sizeof *bad ? bad[i] : (uint32_t)first[kind] - 1;
            memset(it.is.bytes + 4, 0x5a, sizeof it - 4);
            CHECK(with(kind, &it) == MULTIPOP_E_ABI);
            for (size_t at = 4; at < sizeof it; at++) CHECK(it.is.bytes[at] == 0x5a);
        }
        /* A longer struct of a later header, nothing of it used: not refused for its size. */
        memset(&it, 0, sizeof it);
        it.is.struct_size = 4096;
        CHECK(with(kind, &it) != MULTIPOP_E_ABI);
        /* A field we do not know is used. Output structs only keep it. */
        memset(&it, 0, sizeof it);
        it.is.struct_size = 4096, it.is.bytes[4095] = 1;
        CHECK((with(kind, &it) == MULTIPOP_E_ABI) == (kind < 6) && it.is.bytes[4095] == 1);
        CHECK(it.is.struct_size == 4096);
    }
    /* `reserved`, and flags yet to be invented */
    for (kind = 1; kind < 6; kind++) {
        memset(&it, 0, sizeof it);
        it.is.struct_size = (uint32_t)first[kind], it.is.bytes[7] = 0x80;
        CHECK(kind == 1 || with(kind, &it) == MULTIPOP_E_ABI);
    }
    memset(&it, 0, sizeof it);
    it.is.what.struct_size = sizeof it.is.what, it.is.what.reserved = 1;
    CHECK(with(4, &it) == MULTIPOP_E_ABI && with(8, &it) == MULTIPOP_E_ABI);
    /* The same struct, other flags. */
    it.is.what.reserved = 0, it.is.what.flags = MULTIPOP_FETCH_DRY_RUN;
    CHECK(with(4, &it) == MULTIPOP_E_ABI && with(8, &it) == MULTIPOP_E_ARGUMENT);
    it.is.what.flags = MULTIPOP_FETCH_NOW;
    CHECK(with(4, &it) == MULTIPOP_E_ARGUMENT && with(8, &it) == MULTIPOP_E_ABI);
    for (kind = 9; kind < 11; kind++) {
        memset(&it, 0, sizeof it);
        it.is.ask.struct_size = sizeof it.is.ask, it.is.ask.flags = 8;
        CHECK(with(kind, &it) == MULTIPOP_E_ABI);
        it.is.ask.flags = 0, it.is.ask.struct_size -= 1;
        CHECK(with(kind, &it) == MULTIPOP_E_ABI);
    }
    memset(&it, 0, sizeof it);
    it.is.what.struct_size = sizeof it.is.what;
    it.is.what.flags = 0, it.is.what.struct_size -= 1;
    CHECK(with(8, &it) == MULTIPOP_E_ABI);
}

static void text(void) {
    static char huge[70000], name[257];
    static const char *const bad[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", NULL};
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_callback_t got = MULTIPOP_CALLBACK_INIT;
    multipop_sink_t sink = a_sink();
    const int32_t no = MULTIPOP_E_ARGUMENT;
    memset(huge, 'x', sizeof huge - 1);
    memset(name, 'x', sizeof name - 1);
    for (int i = 0; bad[i] != NULL; i++) {
        CHECK(mp.configure(m, bad[i], &err) == no);
        CHECK(mp.account_put(m, bad[i], "o", "i", "{}", &err) == no);
        CHECK(mp.account_put(m, "*", bad[i], "i", "{}", &err) == no);
        CHECK(mp.account_put(m, "*", "o", bad[i], "{}", &err) == no);
        CHECK(mp.account_put(m, "*", "o", "i", bad[i], &err) == no);
        what.actor = bad[i];
        CHECK(mp.fetch_once(m, &what, &sink, NULL, &err) == no);
    }
    CHECK(mp.account_put(m, name, "o", "i", "{}", &err) == no);
    CHECK(mp.account_put(m, "*", "o", name, "{}", &err) == no);
    CHECK(mp.account_put(m, "*", "o", "i", huge, &err) == no);
    got.uri = huge, got.session = SESSION;
    CHECK(mp.handle_callback(m, &got, NULL, &err) == no);
    got.uri = "?x=y", got.session = huge;
    CHECK(mp.handle_callback(m, &got, NULL, &err) == no);
    CHECK(mp.configure(m, "{\"store\": 5}", &err) == MULTIPOP_E_CONFIG && strstr(err.message, "store") != NULL);
    CHECK(mp.configure(m, "{\"store\":\"/a\",\"store\":\"/b\"}", &err) == MULTIPOP_E_CONFIG);
    CHECK(mp.configure(m, "", &err) == MULTIPOP_E_CONFIG);
}

static void unconfigured(void) {
    char *text = NULL;
    multipop_report_t report = MULTIPOP_REPORT_INIT;
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = a_sink();
    what.actor = "*";
    CHECK(fetch(NULL) == MULTIPOP_E_STATE && accounts() == MULTIPOP_E_STATE);
    configure(0);
    CHECK(accounts() == MULTIPOP_OK && err.status == 0 && err.cause[0] == 0 && err.message[0] == 0);
    CHECK(mp.fetch_once(m, &what, &sink, &report, &err) == MULTIPOP_OK);
    CHECK(report.accounts_tried == 0 && report.next_due_s == MULTIPOP_NEVER && report.more == 0);
    CHECK(mp.check(m, &what, &text, &err) == MULTIPOP_OK && strstr(text, "\"accounts\":[]") != NULL);
    mp.free(text);
}

/* ---- calls inside calls ---- */

static int entered;

static void call_again(const multipop_event_t *what) {
    (void)what;
    if (entered++ > 0) return;
    all_answer(MULTIPOP_E_STATE);
    mp.destroy(m);
    mp.free(NULL);
}

static void reentrant(void) {
    configure(0);
    on_event = call_again;
    CHECK(fetch(NULL) == MULTIPOP_OK && entered > 0);
    CHECK(strstr(log_text, "event=destroy_refused") != NULL);
    on_event = NULL;
    CHECK(accounts() == MULTIPOP_OK);
}

static int to_second[2], to_first[2];

static void wait_for_second(const multipop_event_t *what) {
    char byte = 0;
    (void)what;
    if (entered++ > 0) return;
    CHECK(write(to_second[1], &byte, 1) == 1 && read(to_first[0], &byte, 1) == 1);
}

static void *second(void *unused) {
    char byte = 0;
    (void)unused;
    CHECK(read(to_second[0], &byte, 1) == 1);
    all_answer(MULTIPOP_E_STATE);
    mp.destroy(m);
    CHECK(write(to_first[1], &byte, 1) == 1);
    return NULL;
}

static void concurrent(void) {
    pthread_t thread;
    configure(0);
    CHECK(pipe(to_second) == 0 && pipe(to_first) == 0);
    CHECK(pthread_create(&thread, NULL, second, NULL) == 0);
    on_event = wait_for_second;
    CHECK(fetch(NULL) == MULTIPOP_OK && entered > 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(accounts() == MULTIPOP_OK);
}

/* ---- forks ---- */

static int ended_well(pid_t child) {
    int how;
    return child > 0 && waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

static void fork_between(void) {
    pid_t child[2];
    configure(0);
    for (int i = 0; i < 2; i++) {
        if ((child[i] = fork()) == 0) {
            CHECK(accounts() == MULTIPOP_OK && fetch(NULL) == MULTIPOP_OK);
            mp.destroy(m);
            _exit(0);
        }
    }
    CHECK(fetch(NULL) == MULTIPOP_OK);
    CHECK(ended_well(child[0]) && ended_well(child[1]));
    CHECK(accounts() == MULTIPOP_OK);
}

static multipop_t *idle;

static void fork_inside(const multipop_event_t *what) {
    pid_t child;
    (void)what;
    if (entered++ > 0) return;
    if ((child = fork()) == 0) {
        alarm(10); /* a lock waited for without end would show */
        all_answer(MULTIPOP_E_FORKED);
        mp.cancel(m);
        mp.destroy(m);
        all_answer(MULTIPOP_E_FORKED);
        /* Nor does another instance work, an idle one or a new one: the whole library was in the middle. */
        CHECK((m = idle) != NULL);
        all_answer(MULTIPOP_E_FORKED);
        CHECK(mp.init(NULL, &m, &err) == MULTIPOP_E_FORKED && err.status == MULTIPOP_E_FORKED);
        mp.destroy(idle);
        _exit(0);
    }
    CHECK(ended_well(child));
}

static void fork_during(void) {
    idle = m;
    make();
    configure(0);
    on_event = fork_inside;
    CHECK(fetch(NULL) == MULTIPOP_OK && entered > 0);
    on_event = NULL;
    CHECK(accounts() == MULTIPOP_OK && fetch(NULL) == MULTIPOP_OK);
    mp.destroy(idle);
}

/* ---- a server that is none ---- */

static int listener;
static int hang_up;

static void *serve(void *unused) {
    struct linger at_once = {1, 0};
    char byte;
    (void)unused;
    for (;;) {
        int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (peer < 0) return NULL;
        if (!hang_up) continue; /* never answered */
        CHECK(read(peer, &byte, 1) >= 0);
        CHECK(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
        close(peer);
    }
}

static int listen_here(void) {
    struct sockaddr_in at;
    socklen_t size = sizeof at;
    pthread_t thread;
    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET, at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK((listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) >= 0);
    CHECK(bind(listener, (struct sockaddr *)&at, sizeof at) == 0 && listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&at, &size) == 0);
    CHECK(pthread_create(&thread, NULL, serve, NULL) == 0 && pthread_detach(thread) == 0);
    return ntohs(at.sin_port);
}

static void sigpipe(void) {
    hang_up = 1;
    CHECK(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    configure(listen_here());
    for (int i = 0; i < 20; i++) CHECK(fetch("a") < 0);
}

static void on_alarm(int number) {
    (void)number;
    mp.cancel(m);
}

static double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void cancel_from_handler(void) {
    struct sigaction act;
    double begun;
    memset(&act, 0, sizeof act);
    act.sa_handler = on_alarm;
    CHECK(sigaction(SIGALRM, &act, NULL) == 0);
    configure(listen_here());
    begun = now();
    alarm(1);
    CHECK(fetch("a") == MULTIPOP_E_CANCELLED);
    CHECK(now() - begun < 2.5);
    /* consumed */
    CHECK(accounts() == MULTIPOP_OK);
    /* sticky: it waits for the next long call, and a short one does not take it */
    mp.cancel(m);
    CHECK(accounts() == MULTIPOP_OK);
    begun = now();
    CHECK(fetch("a") == MULTIPOP_E_CANCELLED && now() - begun < 1.5);
    /* also by a call whose arguments are wrong */
    mp.cancel(m);
    CHECK(mp.configure(m, NULL, &err) == MULTIPOP_E_ARGUMENT);
    CHECK(mp.configure(m, json, &err) == MULTIPOP_OK);
}

/* ---- threads, descriptors, masks ---- */

static int count(const char *path) {
    DIR *at = opendir(path);
    int n = 0;
    CHECK(at != NULL);
    while (readdir(at) != NULL) n++;
    closedir(at);
    return n;
}

/* The kernel may list a thread that was joined for an instant more. */
static int threads(int wanted) {
    int n = 0;
    for (int i = 0; i < 200 && (n = count("/proc/self/task")) != wanted; i++) usleep(1000);
    return n;
}

static void quiet(void) {
    int tasks = count("/proc/self/task"), fds = count("/proc/self/fd");
    sigset_t before, after;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &before) == 0);
#define STILL                                                                                                      \
    CHECK(threads(tasks) == tasks);                                                                                \
    CHECK(count("/proc/self/fd") == fds)
    configure(0);
    STILL;
    CHECK(mp.configure(m, json, &err) == MULTIPOP_OK);
    STILL;
    CHECK(mp.configure(m, "{\"store\":\"/nonexistent/x\"}", &err) < 0);
    STILL;
    CHECK(accounts() == MULTIPOP_OK);
    STILL;
    CHECK(fetch(NULL) == MULTIPOP_OK);
    STILL;
    CHECK(fetch("nobody") == MULTIPOP_E_RIGHTS);
    STILL;
    hang_up = 1;
    configure(listen_here());
    tasks++, fds++;
    CHECK(fetch("a") < 0);
    STILL;
    CHECK(accounts() == MULTIPOP_OK);
    STILL;
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &after) == 0);
    for (int i = 1; i < 65; i++) CHECK(sigismember(&before, i) == sigismember(&after, i));
}

static int others;

/* Every thread but the host's own has SIGTERM, SIGPIPE and SIGCHLD blocked. */
static void look_at_masks(const multipop_event_t *what) {
    DIR *at = opendir("/proc/self/task");
    struct dirent *entry;
    (void)what;
    entered++;
    CHECK(at != NULL);
    while ((entry = readdir(at)) != NULL) {
        char path[300], line[256];
        unsigned long long blocked = 0;
        FILE *status;
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == gettid() || atoi(entry->d_name) == getpid())
            continue; /* the host's own */
        snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        /* The C library blocks everything for an instant while a thread begins and ends. */
        for (int i = 0; i < 200; i++) {
            blocked = ~0ull ^ 1ull << (SIGSEGV - 1);
            if ((status = fopen(path, "r")) == NULL) break;
            while (fgets(line, sizeof line, status) != NULL) (void)sscanf(line, "SigBlk: %llx", &blocked);
            fclose(status);
            if (!(blocked >> (SIGSEGV - 1) & 1)) break;
            usleep(1000);
        }
        CHECK((blocked >> (SIGTERM - 1) & 1) && (blocked >> (SIGPIPE - 1) & 1) && (blocked >> (SIGCHLD - 1) & 1));
        CHECK(!(blocked >> (SIGSEGV - 1) & 1));
        others++;
    }
    closedir(at);
}

static void *from_elsewhere(void *unused) {
    (void)unused;
    caller = pthread_self();
    CHECK(fetch(NULL) == MULTIPOP_OK);
    return NULL;
}

static void own_thread(void) {
    pthread_t thread;
    on_event = look_at_masks;
    configure(0);
    CHECK(fetch(NULL) == MULTIPOP_OK);
    CHECK(pthread_create(&thread, NULL, from_elsewhere, NULL) == 0 && pthread_join(thread, NULL) == 0);
    CHECK(entered > 0 && others > 0 && events > 0 && lines > 0 && strangers == 0);
}

/* ---- dlclose ---- */

static void *called_once(void *unused) {
    char byte;
    (void)unused;
    (void)accounts();
    CHECK(write(to_first[1], "x", 1) == 1 && read(to_second[0], &byte, 1) == 1);
    return NULL; /* thread-local destructors of the library run now, long after dlclose */
}

static void unload(const char *path) {
    pthread_t thread;
    char byte;
    CHECK(pipe(to_second) == 0 && pipe(to_first) == 0);
    for (int i = 0; i < 20; i++) {
        configure(0);
        CHECK(pthread_create(&thread, NULL, called_once, NULL) == 0 && read(to_first[0], &byte, 1) == 1);
        CHECK(fetch(NULL) == MULTIPOP_OK);
        mp.destroy(m);
        CHECK(dlclose(mp.library) == 0);
        CHECK(write(to_second[1], "x", 1) == 1 && pthread_join(thread, NULL) == 0);
        CHECK(multipop_load(path, &mp) == NULL);
        make();
    }
}

int main(int argc, char **argv) {
    const char *why, *what = argc == 4 ? argv[3] : "";
    if (argc != 4) return fprintf(stderr, "behave LIBRARY DIR CASE\n"), 2;
    dir = argv[2], caller = pthread_self();
    if ((why = multipop_load(argv[1], &mp)) != NULL) return fprintf(stderr, "%s\n", why), 1;
    make();
    if (strcmp(what, "nulls") == 0) nulls();
    else if (strcmp(what, "sizes") == 0) sizes();
    else if (strcmp(what, "text") == 0) text();
    else if (strcmp(what, "unconfigured") == 0) unconfigured();
    else if (strcmp(what, "reentrant") == 0) reentrant();
    else if (strcmp(what, "concurrent") == 0) concurrent();
    else if (strcmp(what, "fork_between") == 0) fork_between();
    else if (strcmp(what, "fork_during") == 0) fork_during();
    else if (strcmp(what, "sigpipe") == 0) sigpipe();
    else if (strcmp(what, "cancel") == 0) cancel_from_handler();
    else if (strcmp(what, "quiet") == 0) quiet();
    else if (strcmp(what, "own_thread") == 0) own_thread();
    else if (strcmp(what, "unload") == 0) unload(argv[1]);
    else return fprintf(stderr, "no case %s\n", what), 2;
    mp.destroy(m);
    return puts("fine") < 0;
}
