// multipop.hpp - multipop for C++17: header only, over multipop.h, which says what everything means.
//
//     multipop::library lib;                                        // dlopen; or MULTIPOP_LINKED and none of it
//     multipop::instance mp(lib, {"example-mta"});
//     mp.configure(R"({"file": "/etc/example/multipop.json"})");    // throws multipop::error
//     auto result = mp.try_configure(json);                         // or answers multipop::result
//
// Exceptions and callbacks. A lambda may throw: nothing unwinds through the library. A throw from offer, begin,
// data, end or flush answers MULTIPOP_STOP, so that the call ends tidily; one from abort, log or event is kept and
// the call goes on. After the call the first one is thrown again, in place of the call's own outcome - also by
// the try_ functions.
//
// An instance is movable and not copyable, and like its C twin runs one call at a time.
#ifndef MULTIPOP_HPP
#define MULTIPOP_HPP

#include "multipop.h"

#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace multipop {

// A failed call's detail.
struct failure {
    std::int32_t status = 0;
    std::uint32_t retry_after_s = 0;
    std::string cause, provider_code, message, advice;

    std::int32_t who() const noexcept { return MULTIPOP_WHO(status); }
};

class error : public std::runtime_error {
  public:
    explicit error(failure detail)
        : std::runtime_error(detail.cause + ": " + detail.message), detail_(std::move(detail)) {}

    const failure &detail() const noexcept { return detail_; }
    std::int32_t status() const noexcept { return detail_.status; }

  private:
    failure detail_;
};

// What a call answered: `value` where the library wrote one, `why` where it failed. Both may be there
// (handle_callback, fetch_once).
template <class T> struct result {
    std::optional<T> value;
    failure why;

    bool ok() const noexcept { return why.status == MULTIPOP_OK; }
    explicit operator bool() const noexcept { return ok(); }

    T get() && {
        if (!ok())
            throw error(std::move(why));
        return std::move(*value);
    }
};

template <> struct result<void> {
    failure why;

    bool ok() const noexcept { return why.status == MULTIPOP_OK; }
    explicit operator bool() const noexcept { return ok(); }

    void get() && {
        if (!ok())
            throw error(std::move(why));
    }
};

// The functions, found once; share one among all instances.
class library {
  public:
#ifndef MULTIPOP_NO_LOADER
    // Throws std::runtime_error with the loader's reason.
    explicit library(const char *path = nullptr) {
        multipop_api_t api;
        if (const char *why = multipop_load(path, &api))
            throw std::runtime_error(std::string("multipop: ") + why);
        init = api.init;
        configure = api.configure;
        account_put = api.account_put;
        account_remove = api.account_remove;
        accounts = api.accounts;
        account_act = api.account_act;
        authorize_url = api.authorize_url;
        handle_callback = api.handle_callback;
        fetch_once = api.fetch_once;
        cancel = api.cancel;
        free = api.free;
        destroy = api.destroy;
        version = api.version;
        check = api.check;
        device_begin = api.device_begin;
        device_poll = api.device_poll;
        act = api.act;
    }
#endif

#ifdef MULTIPOP_LINKED
    struct linked_t {};
    // For programs linked with -lmultipop.
    explicit library(linked_t)
        : init(multipop_init), configure(multipop_configure), account_put(multipop_account_put),
          account_remove(multipop_account_remove), accounts(multipop_accounts), account_act(multipop_account_act),
          authorize_url(multipop_authorize_url), handle_callback(multipop_handle_callback),
          fetch_once(multipop_fetch_once), cancel(multipop_cancel), free(multipop_free),
          destroy(multipop_destroy), version(multipop_version), check(multipop_check),
          device_begin(multipop_device_begin), device_poll(multipop_device_poll),
          act(multipop_act) {}
#endif

    multipop_init_fn *init = nullptr;
    multipop_configure_fn *configure = nullptr;
    multipop_account_put_fn *account_put = nullptr;
    multipop_account_remove_fn *account_remove = nullptr;
    multipop_accounts_fn *accounts = nullptr;
    multipop_account_act_fn *account_act = nullptr;
    multipop_authorize_url_fn *authorize_url = nullptr;
    multipop_handle_callback_fn *handle_callback = nullptr;
    multipop_fetch_once_fn *fetch_once = nullptr;
    multipop_cancel_fn *cancel = nullptr;
    multipop_free_fn *free = nullptr;
    multipop_destroy_fn *destroy = nullptr;
    multipop_version_fn *version = nullptr;
    // Since 1.1: null where the library is older.
    multipop_check_fn *check = nullptr;
    multipop_device_begin_fn *device_begin = nullptr;
    multipop_device_poll_fn *device_poll = nullptr;
    multipop_act_fn *act = nullptr; // since 1.2
};

using message = multipop_message_t;
using event = multipop_event_t;
using report = multipop_report_t;

// Your words for a no, or what you know by that you took (a queue id, a file name): shown to owner and operator.
class reason {
  public:
    explicit reason(multipop_reason_t *to) noexcept : to_(to) {}

    void operator=(std::string_view words) noexcept {
        const std::size_t size = words.size() < sizeof to_->text - 1 ? words.size() : sizeof to_->text - 1;
        std::memcpy(to_->text, words.data(), size);
        to_->text[size] = '\0';
    }

  private:
    multipop_reason_t *to_;
};

struct host {
    std::string name = {};
    std::uint32_t log_level = 0;
    std::function<void(std::uint32_t level, const char *line)> log = {};
    std::function<void(const event &)> on_event = {};
};

// begin, data, end and abort are required. The cookie is yours; see multipop_sink_t.
struct sink {
    std::function<std::int32_t(const message &, reason)> offer = {};
    std::function<std::int32_t(const message &, void *&cookie, reason)> begin = {};
    std::function<std::int32_t(void *cookie, const std::uint8_t *bytes, std::size_t size, reason)> data = {};
    std::function<std::int32_t(void *cookie, reason)> end = {};
    std::function<void(void *cookie)> abort = {};
    std::function<std::int32_t(reason)> flush = {};
};

namespace detail {

// The first exception of a call.
class kept {
  public:
    void keep() noexcept {
        if (!first_)
            first_ = std::current_exception();
    }
    void throw_again() {
        if (std::exception_ptr first = std::exchange(first_, nullptr))
            std::rethrow_exception(first);
    }

  private:
    std::exception_ptr first_;
};

struct host_side {
    host given;
    kept thrown;
};

struct sink_side {
    const sink &given;
    kept &thrown;

    template <class Ask> std::int32_t ask(Ask &&answer) noexcept {
        try {
            return answer();
        } catch (...) {
            thrown.keep();
            return MULTIPOP_STOP;
        }
    }
};

inline sink_side &side(void *user) noexcept { return *static_cast<sink_side *>(user); }

extern "C" {

inline void multipop_hpp_log(void *user, std::uint32_t level, const char *line) noexcept {
    auto &self = *static_cast<host_side *>(user);
    try {
        self.given.log(level, line);
    } catch (...) {
        self.thrown.keep();
    }
}

inline void multipop_hpp_event(void *user, const multipop_event_t *what) noexcept {
    auto &self = *static_cast<host_side *>(user);
    try {
        self.given.on_event(*what);
    } catch (...) {
        self.thrown.keep();
    }
}

inline std::int32_t multipop_hpp_offer(void *user, const multipop_message_t *what,
                                       multipop_reason_t *why) noexcept {
    return side(user).ask([&] { return side(user).given.offer(*what, reason(why)); });
}

inline std::int32_t multipop_hpp_begin(void *user, const multipop_message_t *what, void **cookie,
                                       multipop_reason_t *why) noexcept {
    return side(user).ask([&] { return side(user).given.begin(*what, *cookie, reason(why)); });
}

inline std::int32_t multipop_hpp_data(void *user, void *cookie, const std::uint8_t *bytes, std::size_t size,
                                      multipop_reason_t *why) noexcept {
    return side(user).ask([&] { return side(user).given.data(cookie, bytes, size, reason(why)); });
}

inline std::int32_t multipop_hpp_end(void *user, void *cookie, multipop_reason_t *why) noexcept {
    return side(user).ask([&] { return side(user).given.end(cookie, reason(why)); });
}

inline void multipop_hpp_abort(void *user, void *cookie) noexcept {
    try {
        side(user).given.abort(cookie);
    } catch (...) {
        side(user).thrown.keep();
    }
}

inline std::int32_t multipop_hpp_flush(void *user, multipop_reason_t *why) noexcept {
    return side(user).ask([&] { return side(user).given.flush(reason(why)); });
}

} // extern "C"

inline const char *or_null(const std::optional<std::string> &text) noexcept {
    return text ? text->c_str() : nullptr;
}

inline failure read(const multipop_error_t &err, std::int32_t status) {
    failure why;
    why.status = status;
    why.retry_after_s = err.retry_after_s;
    why.cause = err.cause;
    why.provider_code = err.provider_code;
    why.message = err.message;
    why.advice = err.advice;
    return why;
}

} // namespace detail

class instance {
  public:
    // Throws multipop::error. `lib` must outlive the instance.
    instance(const library &lib, host given) : lib_(&lib), side_(std::make_unique<detail::host_side>()) {
        side_->given = std::move(given);
        multipop_host_t host = MULTIPOP_HOST_INIT;
        host.name = side_->given.name.empty() ? nullptr : side_->given.name.c_str();
        host.user = side_.get();
        host.log_level = side_->given.log_level;
        if (side_->given.log)
            host.log = detail::multipop_hpp_log;
        if (side_->given.on_event)
            host.event = detail::multipop_hpp_event;
        multipop_error_t err = MULTIPOP_ERROR_INIT;
        const std::int32_t status = lib.init(&host, &mp_, &err);
        if (status != MULTIPOP_OK)
            throw error(detail::read(err, status));
    }

    instance(instance &&other) noexcept
        : lib_(other.lib_), mp_(std::exchange(other.mp_, nullptr)), side_(std::move(other.side_)) {}
    instance &operator=(instance &&other) noexcept {
        if (this != &other) {
            lib_->destroy(mp_);
            lib_ = other.lib_;
            mp_ = std::exchange(other.mp_, nullptr);
            side_ = std::move(other.side_);
        }
        return *this;
    }
    instance(const instance &) = delete;
    instance &operator=(const instance &) = delete;
    ~instance() { lib_->destroy(mp_); }

    // Any thread, a signal handler too.
    void cancel() noexcept { lib_->cancel(mp_); }

    multipop_t *c() noexcept { return mp_; }

    result<void> try_configure(const std::string &json) {
        return plain([&](multipop_error_t *err) { return lib_->configure(mp_, json.c_str(), err); });
    }
    void configure(const std::string &json) { try_configure(json).get(); }

    result<void> try_account_put(const std::string &actor, const std::string &owner, const std::string &id,
                                 const std::string &json) {
        return plain([&](multipop_error_t *err) {
            return lib_->account_put(mp_, actor.c_str(), owner.c_str(), id.c_str(), json.c_str(), err);
        });
    }
    void account_put(const std::string &actor, const std::string &owner, const std::string &id,
                     const std::string &json) {
        try_account_put(actor, owner, id, json).get();
    }

    result<void> try_account_remove(const std::string &actor, const std::string &id) {
        return plain(
            [&](multipop_error_t *err) { return lib_->account_remove(mp_, actor.c_str(), id.c_str(), err); });
    }
    void account_remove(const std::string &actor, const std::string &id) { try_account_remove(actor, id).get(); }

    struct query {
        std::string actor;
        std::optional<std::string> account = {}, realm = {}, after = {};
        std::uint32_t limit = 0;
    };
    result<std::string> try_accounts(const query &which) {
        multipop_query_t query = MULTIPOP_QUERY_INIT;
        query.actor = which.actor.c_str();
        query.account = detail::or_null(which.account);
        query.realm = detail::or_null(which.realm);
        query.after = detail::or_null(which.after);
        query.limit = which.limit;
        return text([&](char **out, multipop_error_t *err) { return lib_->accounts(mp_, &query, out, err); });
    }
    std::string accounts(const query &which) { return try_accounts(which).get(); }

    result<std::string> try_account_act(const std::string &actor, const std::string &id, const std::string &json,
                                        const std::optional<std::string> &session = {}) {
        return text([&](char **out, multipop_error_t *err) {
            return lib_->account_act(mp_, actor.c_str(), id.c_str(), detail::or_null(session), json.c_str(), out,
                                     err);
        });
    }
    std::string account_act(const std::string &actor, const std::string &id, const std::string &json,
                            const std::optional<std::string> &session = {}) {
        return try_account_act(actor, id, json, session).get();
    }

    // A verb that is not about one account; a library before ABI 1.2 has none: E_ABI.
    result<std::string> try_act(const std::string &actor, const std::string &json) {
        if (!lib_->act)
            return {std::nullopt, too_old("multipop_act")};
        return text([&](char **out, multipop_error_t *err) {
            return lib_->act(mp_, actor.c_str(), json.c_str(), out, err);
        });
    }
    std::string act(const std::string &actor, const std::string &json) { return try_act(actor, json).get(); }

    result<std::string> try_authorize_url(const std::string &actor, const std::string &account,
                                          const std::string &session, std::uint32_t flags = 0) {
        multipop_authorize_t request = MULTIPOP_AUTHORIZE_INIT;
        request.flags = flags;
        request.actor = actor.c_str();
        request.account = account.c_str();
        request.session = session.c_str();
        return text(
            [&](char **out, multipop_error_t *err) { return lib_->authorize_url(mp_, &request, out, err); });
    }
    std::string authorize_url(const std::string &actor, const std::string &account, const std::string &session,
                              std::uint32_t flags = 0) {
        return try_authorize_url(actor, account, session, flags).get();
    }

    // The JSON is there on failure, too; E_CONFIRM has both names in it.
    result<std::string> try_handle_callback(const std::string &uri, const std::string &session,
                                            const std::optional<std::string> &form = {}) {
        multipop_callback_t callback = MULTIPOP_CALLBACK_INIT;
        callback.uri = uri.c_str();
        callback.form = detail::or_null(form);
        callback.session = session.c_str();
        return text(
            [&](char **out, multipop_error_t *err) { return lib_->handle_callback(mp_, &callback, out, err); });
    }
    std::string handle_callback(const std::string &uri, const std::string &session,
                                const std::optional<std::string> &form = {}) {
        return try_handle_callback(uri, session, form).get();
    }

    struct fetch {
        std::string actor;
        std::optional<std::string> account = {};
        std::uint32_t deadline_s = 0;
        std::uint32_t flags = 0;
    };
    // The report is there on failure, too, if the arguments were accepted; else it is empty.
    result<report> try_fetch_once(const fetch &which, const sink &to) {
        multipop_fetch_t what = MULTIPOP_FETCH_INIT;
        what.actor = which.actor.c_str();
        what.account = detail::or_null(which.account);
        what.deadline_s = which.deadline_s;
        what.flags = which.flags;

        detail::sink_side side{to, side_->thrown};
        multipop_sink_t c_sink = MULTIPOP_SINK_INIT;
        c_sink.user = &side;
        if (to.offer)
            c_sink.offer = detail::multipop_hpp_offer;
        if (to.begin)
            c_sink.begin = detail::multipop_hpp_begin;
        if (to.data)
            c_sink.data = detail::multipop_hpp_data;
        if (to.end)
            c_sink.end = detail::multipop_hpp_end;
        if (to.abort)
            c_sink.abort = detail::multipop_hpp_abort;
        if (to.flush)
            c_sink.flush = detail::multipop_hpp_flush;

        multipop_report_t done = MULTIPOP_REPORT_INIT;
        multipop_error_t err = MULTIPOP_ERROR_INIT;
        const std::int32_t status = lib_->fetch_once(mp_, &what, &c_sink, &done, &err);
        side_->thrown.throw_again();
        return {done, detail::read(err, status)};
    }
    report fetch_once(const fetch &which, const sink &to) { return try_fetch_once(which, to).get(); }

    // A code for another device, and whether it was entered there; an older library has neither: E_ABI. As with
    // handle_callback the poll's JSON is there on failure, too.
    result<std::string> try_device_begin(const std::string &actor, const std::string &account,
                                         const std::string &session) {
        return device(lib_->device_begin, "multipop_device_begin", actor, account, session);
    }
    result<std::string> try_device_poll(const std::string &actor, const std::string &account,
                                        const std::string &session) {
        return device(lib_->device_poll, "multipop_device_poll", actor, account, session);
    }

    // The doctor's findings as JSON; flags: MULTIPOP_FETCH_DRY_RUN. An older library has no doctor: E_ABI.
    result<std::string> try_check(const fetch &which) {
        if (!lib_->check)
            return {std::nullopt, too_old("multipop_check")};
        multipop_fetch_t what = MULTIPOP_FETCH_INIT;
        what.actor = which.actor.c_str();
        what.account = detail::or_null(which.account);
        what.deadline_s = which.deadline_s;
        what.flags = which.flags;
        return text([&](char **out, multipop_error_t *err) { return lib_->check(mp_, &what, out, err); });
    }
    std::string check(const fetch &which) { return try_check(which).get(); }

  private:
    template <class Function>
    result<std::string> device(Function *function, const char *name, const std::string &actor,
                               const std::string &account, const std::string &session) {
        if (!function)
            return {std::nullopt, too_old(name)};
        multipop_authorize_t request = MULTIPOP_AUTHORIZE_INIT;
        request.actor = actor.c_str();
        request.account = account.c_str();
        request.session = session.c_str();
        return text([&](char **out, multipop_error_t *err) { return function(mp_, &request, out, err); });
    }

    static failure too_old(const char *function) {
        failure why;
        why.status = MULTIPOP_E_ABI;
        why.cause = "library.too_old";
        why.message = std::string("the loaded library has no ") + function;
        why.advice = "Install a newer libmultipop.so.1.";
        return why;
    }

    template <class Call> result<void> plain(Call &&call) {
        multipop_error_t err = MULTIPOP_ERROR_INIT;
        const std::int32_t status = call(&err);
        side_->thrown.throw_again();
        return {detail::read(err, status)};
    }

    template <class Call> result<std::string> text(Call &&call) {
        multipop_error_t err = MULTIPOP_ERROR_INIT;
        char *out = nullptr;
        const std::int32_t status = call(&out, &err);
        std::unique_ptr<char, multipop_free_fn *> held(out, lib_->free);
        side_->thrown.throw_again();
        result<std::string> answer{std::nullopt, detail::read(err, status)};
        if (held)
            answer.value = held.get();
        return answer;
    }

    const library *lib_;
    multipop_t *mp_ = nullptr;
    std::unique_ptr<detail::host_side> side_;
};

} // namespace multipop

#endif // MULTIPOP_HPP
