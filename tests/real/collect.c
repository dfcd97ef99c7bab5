/* A host written from multipop.h alone, for the real-server tests: one step a run, what came of it on stdout as
 * "name value" lines.
 *
 *     collect LIBRARY CONFIG authorize ACCOUNT SESSION        url
 *     collect LIBRARY CONFIG callback SESSION URI             json
 *     collect LIBRARY CONFIG fetch ACCOUNT MAILDIR            taken, deferred, deleted, bytes, ok, next_due_s
 *
 * Each step ends with status, cause, message and advice. Log lines and events go to stderr. The sink writes each
 * message durably and answers TAKEN: no batches, no flush. With "-" for a Maildir it drops what it is given.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "multipop.h"

struct maildir {
    const char *path;
    char tmp[4096];
    char new[4096];
    int file; /* the open message; one account, so one at a time */
};

static void log_line(void *user, uint32_t level, const char *line) {
    (void)user;
    fprintf(stderr, "log %" PRIu32 " %s\n", level, line);
}

static void event(void *user, const multipop_event_t *event) {
    (void)user;
    fprintf(stderr, "event %" PRIu32 " account=%s outcome=%s cause=%s status=%" PRId32 " %s\n", event->kind,
            event->account, event->outcome, event->cause, event->status, event->message);
}

static int drops(const struct maildir *maildir) {
    return strcmp(maildir->path, "-") == 0;
}

static int sync_folder(const struct maildir *maildir, const char *name) {
    char path[4096];
    int folder, failed;
    snprintf(path, sizeof path, "%s/%s", maildir->path, name);
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return -1;
    failed = fsync(folder);
    close(folder);
    return failed;
}

static int write_all(int file, const void *bytes, size_t size) {
    const char *next = bytes;
    while (size > 0) {
        ssize_t written = write(file, next, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        next += written;
        size -= (size_t)written;
    }
    return 0;
}

static int32_t defer(multipop_reason_t *reason) {
    snprintf(reason->text, sizeof reason->text, "452 4.3.1 %s", strerror(errno));
    return errno == ENOSPC || errno == EDQUOT ? MULTIPOP_DEFER_FULL : MULTIPOP_DEFER;
}

static int32_t begin(void *user, const multipop_message_t *message, void **cookie, multipop_reason_t *reason) {
    struct maildir *maildir = user;
    if (drops(maildir)) {
        *cookie = maildir;
        return MULTIPOP_GO;
    }
    snprintf(maildir->tmp, sizeof maildir->tmp, "%s/tmp/%s", maildir->path, message->dedupe_key);
    snprintf(maildir->new, sizeof maildir->new, "%s/new/%s", maildir->path, message->dedupe_key);
    if ((message->flags & MULTIPOP_MESSAGE_MAY_REPEAT) != 0 && access(maildir->new, F_OK) == 0)
        return sync_folder(maildir, "new") == 0 ? MULTIPOP_TAKEN : defer(reason);
    maildir->file = open(maildir->tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (maildir->file < 0)
        return defer(reason);
    if (write_all(maildir->file, message->received, strlen(message->received)) != 0) {
        int32_t answer = defer(reason);
        close(maildir->file);
        return answer;
    }
    *cookie = maildir;
    return MULTIPOP_GO;
}

static int32_t data(void *user, void *cookie, const uint8_t *bytes, size_t size, multipop_reason_t *reason) {
    struct maildir *maildir = cookie;
    (void)user;
    return drops(maildir) || write_all(maildir->file, bytes, size) == 0 ? MULTIPOP_GO : defer(reason);
}

static int32_t end(void *user, void *cookie, multipop_reason_t *reason) {
    struct maildir *maildir = cookie;
    int synced;
    (void)user;
    if (drops(maildir))
        return MULTIPOP_TAKEN;
    synced = fsync(maildir->file);
    if (close(maildir->file) != 0 || synced != 0 || rename(maildir->tmp, maildir->new) != 0 ||
        sync_folder(maildir, "new") != 0)
        return defer(reason);
    return MULTIPOP_TAKEN;
}

static void abort_message(void *user, void *cookie) {
    struct maildir *maildir = cookie;
    (void)user;
    if (drops(maildir))
        return;
    close(maildir->file);
    unlink(maildir->tmp);
}

static int32_t fetch(const multipop_api_t *mp, multipop_t *instance, const char *account, const char *path,
                     multipop_error_t *err) {
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = MULTIPOP_SINK_INIT;
    multipop_report_t report = MULTIPOP_REPORT_INIT;
    struct maildir maildir;
    int32_t status;

    memset(&maildir, 0, sizeof maildir);
    maildir.path = path;
    what.actor = MULTIPOP_OPERATOR;
    what.account = account;
    what.flags = MULTIPOP_FETCH_NOW;
    what.deadline_s = 300;
    sink.user = &maildir;
    sink.begin = begin;
    sink.data = data;
    sink.end = end;
    sink.abort = abort_message;
    status = mp->fetch_once(instance, &what, &sink, &report, err);
    printf("taken %" PRIu64 "\ndeferred %" PRIu64 "\ndeleted %" PRIu64 "\nbytes %" PRIu64 "\n",
           report.messages_taken, report.messages_deferred, report.messages_deleted, report.bytes);
    printf("ok %" PRIu32 "\nnext_due_s %" PRIu32 "\n", report.accounts_ok, report.next_due_s);
    return status;
}

int main(int argc, char **argv) {
    multipop_api_t mp;
    multipop_host_t host = MULTIPOP_HOST_INIT;
    multipop_error_t err = MULTIPOP_ERROR_INIT;
    multipop_t *instance = NULL;
    const char *why;
    char config[4096];
    char *out = NULL;
    int32_t status;

    if (argc != 6) {
        fprintf(stderr, "usage: see collect.c\n");
        return 2;
    }
    why = multipop_load(argv[1], &mp);
    if (why != NULL) {
        fprintf(stderr, "%s\n", why);
        return 2;
    }
    host.name = "collect";
    host.log_level = MULTIPOP_LOG_DEBUG;
    host.log = log_line;
    host.event = event;
    status = mp.init(&host, &instance, &err);
    snprintf(config, sizeof config, "{\"file\": \"%s\"}", argv[2]);
    if (status == MULTIPOP_OK)
        status = mp.configure(instance, config, &err);
    if (status != MULTIPOP_OK) {
        fprintf(stderr, "%s\n", err.message);
    } else if (strcmp(argv[3], "authorize") == 0) {
        multipop_authorize_t request = MULTIPOP_AUTHORIZE_INIT;
        request.actor = MULTIPOP_OPERATOR;
        request.account = argv[4];
        request.session = argv[5];
        status = mp.authorize_url(instance, &request, &out, &err);
        if (status == MULTIPOP_OK)
            printf("url %s\n", out);
    } else if (strcmp(argv[3], "callback") == 0) {
        multipop_callback_t callback = MULTIPOP_CALLBACK_INIT;
        callback.session = argv[4];
        callback.uri = argv[5];
        status = mp.handle_callback(instance, &callback, &out, &err);
        printf("json %s\n", out != NULL ? out : "");
    } else {
        status = fetch(&mp, instance, argv[4], argv[5], &err);
    }
    printf("status %" PRId32 "\ncause %s\nmessage %s\nadvice %s\n", status, err.cause, err.message, err.advice);
    mp.free(out);
    mp.destroy(instance);
    return 0;
}
