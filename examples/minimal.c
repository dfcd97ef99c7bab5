/* The smallest honest host: loads libmultipop, lets the account's owner consent by pasting an address, and fetches one
 * account into DIR/new, one file per message, durable before it is taken. One thing after another with one instance.
 *
 *     cc -std=c99 -I include examples/minimal.c -o minimal -ldl
 *     ./minimal /abs/config.json OWNER ACCOUNT DIR [libmultipop.so.1]      (DIR/tmp and DIR/new must exist) */
#define _POSIX_C_SOURCE 200809L
#include "multipop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A message on its way: written to tmp/KEY, waiting for the next flush once it is whole. */
struct mail {
    struct mail *next;
    int fd;
    char key[65];
};

struct box { int tmp, done; struct mail *queued; }; /* DIR/tmp, DIR/new */
static int32_t answer(multipop_reason_t *reason) {
    int32_t no = errno == ENOSPC || errno == EDQUOT ? MULTIPOP_DEFER_FULL : MULTIPOP_DEFER;
    snprintf(reason->text, sizeof reason->text, "%s", strerror(errno));
    return no;
}

static int write_all(int fd, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR) return -1;
        if (n > 0) bytes += n, size -= (size_t)n;
    }
    return 0;
}

static int32_t drop(struct box *box, struct mail *mail, int32_t result) {
    unlinkat(box->tmp, mail->key, 0); /* nothing is left there after a rename */
    if (mail->fd >= 0) close(mail->fd);
    free(mail);
    return result;
}

static int32_t box_begin(void *user, const multipop_message_t *m, void **cookie, multipop_reason_t *reason) {
    struct box *box = (struct box *)user;
    struct mail *mail;
    /* Ours from an earlier run that ended too soon. The name is durable after the next flush. */
    if ((m->flags & MULTIPOP_MESSAGE_MAY_REPEAT) && faccessat(box->done, m->dedupe_key, F_OK, 0) == 0)
        return MULTIPOP_QUEUED;
    mail = (struct mail *)calloc(1, sizeof *mail);
    if (mail == NULL) return answer(reason);
    snprintf(mail->key, sizeof mail->key, "%s", m->dedupe_key);
    mail->fd = openat(box->tmp, mail->key, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (mail->fd >= 0 && write_all(mail->fd, m->received, strlen(m->received)) == 0)
        return *cookie = mail, MULTIPOP_GO;
    return drop(box, mail, answer(reason));
}

static int32_t box_data(void *user, void *cookie, const uint8_t *bytes, size_t size, multipop_reason_t *reason) {
    (void)user;
    return write_all(((struct mail *)cookie)->fd, (const char *)bytes, size) < 0 ? answer(reason) : MULTIPOP_GO;
}

static int32_t box_end(void *user, void *cookie, multipop_reason_t *reason) {
    struct box *box = (struct box *)user;
    ((struct mail *)cookie)->next = box->queued;
    box->queued = (struct mail *)cookie;
    return (void)reason, MULTIPOP_QUEUED;
}

static void box_abort(void *user, void *cookie) { drop((struct box *)user, (struct mail *)cookie, 0); }

/* Data first, then the name, then the folder: a file in DIR/new is whole whatever happens. */
static int32_t box_flush(void *user, multipop_reason_t *reason) {
    struct box *box = (struct box *)user;
    int32_t result = MULTIPOP_GO;
    while (box->queued != NULL) {
        struct mail *mail = box->queued;
        box->queued = mail->next;
        if (result == MULTIPOP_GO &&
            (fsync(mail->fd) < 0 || renameat(box->tmp, mail->key, box->done, mail->key) < 0))
            result = answer(reason);
        drop(box, mail, 0);
    }
    return result == MULTIPOP_GO && fsync(box->done) < 0 ? answer(reason) : result;
}

static int fail(const char *what, const multipop_error_t *err) {
    fprintf(stderr, "%s: %d %s: %s\n%s\n", what, (int)err->status, err->cause, err->message, err->advice);
    return 1;
}

/* The owner opens the address, signs in, and pastes what the browser shows in the end. Only he can confirm. */
static int consent(const multipop_api_t *mp, multipop_t *m, char **who, multipop_error_t *err) {
    multipop_authorize_t ask = MULTIPOP_AUTHORIZE_INIT;
    multipop_callback_t got = MULTIPOP_CALLBACK_INIT;
    char random[16], session[33], pasted[8192], *text = NULL;
    int status, i, fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, random, sizeof random) != (ssize_t)sizeof random) return MULTIPOP_E_RESOURCES;
    for (i = 0, close(fd); i < 16; i++) snprintf(session + 2 * i, 3, "%02x", (unsigned)random[i] & 0xffu);
    ask.actor = who[0], ask.account = who[1], ask.session = session;
    if ((status = mp->authorize_url(m, &ask, &text, err)) != MULTIPOP_OK) return status;
    printf("Open this address, sign in, and paste the address you come to:\n%s\n", text), fflush(stdout);
    mp->free(text), text = NULL;
    if (fgets(pasted, sizeof pasted, stdin) == NULL) return MULTIPOP_E_CALLBACK;
    got.uri = pasted, got.session = session;
    if ((status = mp->handle_callback(m, &got, &text, err)) == MULTIPOP_E_CONFIRM) {
        printf("%s\nDeliver this mailbox's mail as configured? Type yes:\n", text), fflush(stdout);
        mp->free(text), text = NULL;
        if (fgets(pasted, sizeof pasted, stdin) == NULL || strcmp(pasted, "yes\n") != 0) return status;
        status = mp->account_act(m, who[0], who[1], session, "{\"verb\":\"confirm\"}", &text, err);
    }
    mp->free(text);
    return status;
}

int main(int argc, char **argv) {
    multipop_api_t mp;
    multipop_host_t host = MULTIPOP_HOST_INIT;
    multipop_error_t err = MULTIPOP_ERROR_INIT;
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = MULTIPOP_SINK_INIT;
    multipop_report_t report = MULTIPOP_REPORT_INIT;
    multipop_t *m = NULL;
    struct box box = {-1, -1, NULL};
    const char *why;
    char json[4096];
    int dir, status;
    if (argc < 5) return fprintf(stderr, "usage: %s CONFIG OWNER ACCOUNT DIR [LIBRARY]\n", argv[0]), 2;
    if ((why = multipop_load(argc > 5 ? argv[5] : NULL, &mp)) != NULL) return fprintf(stderr, "%s\n", why), 1;
    if ((dir = open(argv[4], O_RDONLY | O_CLOEXEC)) < 0) return perror(argv[4]), 1;
    box.tmp = openat(dir, "tmp", O_RDONLY | O_CLOEXEC), box.done = openat(dir, "new", O_RDONLY | O_CLOEXEC);
    if (box.tmp < 0 || box.done < 0) return perror(argv[4]), 1;
    host.name = "minimal";
    if (mp.init(&host, &m, &err) != MULTIPOP_OK) return fail("init", &err);
    snprintf(json, sizeof json, "{\"file\": \"%s\"}", argv[1]);
    if (mp.configure(m, json, &err) != MULTIPOP_OK) return fail("configure", &err);
    sink.user = &box, sink.begin = box_begin, sink.data = box_data;
    sink.end = box_end, sink.abort = box_abort, sink.flush = box_flush;
    what.actor = MULTIPOP_OPERATOR, what.account = argv[3], what.flags = MULTIPOP_FETCH_NOW;
    status = mp.fetch_once(m, &what, &sink, &report, &err);
    if (status == MULTIPOP_E_CONSENT && (status = consent(&mp, m, argv + 2, &err)) == MULTIPOP_OK)
        status = mp.fetch_once(m, &what, &sink, &report, &err);
    if (status != MULTIPOP_OK) return fail("fetch", &err);
    mp.destroy(m);
    return printf("%llu messages\n", (unsigned long long)report.messages_taken) < 0;
}
