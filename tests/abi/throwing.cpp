// A C++ host whose callbacks throw: throwing LIBRARY DIR. Nothing unwinds through the library, and the host hears
// its own first exception after the call.
#include "multipop.hpp"

#include "check.hpp"

#include <fstream>
#include <sys/stat.h>

template <class Call> static std::string caught(Call &&call) {
    try {
        call();
    } catch (const thrown &e) {
        return e.what();
    }
    return "";
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    const std::string dir = argv[2];
    std::ofstream(dir + "/key") << "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    CHECK(chmod((dir + "/key").c_str(), 0600) == 0);
    const std::string json =
        R"({"hostname":"mail.example.com","store":")" + dir + R"(/store.db","keys":[")" + dir + R"(/key"]})";

    multipop::library lib(argv[1]);
    try {
        multipop::library none("/nonexistent/libmultipop.so.1");
        CHECK(!"loaded what is not there");
    } catch (const std::runtime_error &) {
    }

    int events = 0;
    bool throws = false;
    multipop::host host{"throwing"};
    host.on_event = [&](const multipop::event &) {
        events++;
        if (throws)
            throw thrown("event " + std::to_string(events));
    };
    multipop::instance mp(lib, host);
    CHECK(mp.try_configure("{}").why.status == MULTIPOP_E_CONFIG);
    try {
        mp.configure("{}");
        CHECK(!"accepted an empty configuration");
    } catch (const multipop::error &e) {
        CHECK(e.status() == MULTIPOP_E_CONFIG && e.detail().who() == -10 && !e.detail().advice.empty());
    }
    mp.configure(json);

    multipop::sink sink;
    sink.begin = [](const multipop::message &, void *&, multipop::reason why) {
        why = "not here";
        return MULTIPOP_DEFER;
    };
    sink.data = [](void *, const std::uint8_t *, std::size_t, multipop::reason) { return MULTIPOP_DEFER; };
    sink.end = [](void *, multipop::reason) { return MULTIPOP_DEFER; };
    CHECK(mp.try_fetch_once({"*"}, sink).why.status == MULTIPOP_E_ARGUMENT); // no abort
    sink.abort = [](void *) {};

    CHECK(mp.fetch_once({"*"}, sink).accounts_tried == 0);
    const int in_a_pass = events;
    CHECK(in_a_pass >= 2);
    events = 0, throws = true;
    CHECK(caught([&] { mp.fetch_once({"*"}, sink); }) == "event 1"); // the first one wins
    CHECK(events == in_a_pass);                                      // and the call went on
    throws = false;
    CHECK(mp.fetch_once({"*"}, sink).accounts_tried == 0); // it was thrown once

    // Trampolines, as the library calls them.
    multipop::detail::kept kept;
    multipop::detail::sink_side side{sink, kept};
    multipop_reason_t why = {(std::uint32_t)sizeof why, 0, {0}};
    multipop_message_t message = {};
    void *cookie = nullptr;
    CHECK(multipop::detail::multipop_hpp_begin(&side, &message, &cookie, &why) == MULTIPOP_DEFER);
    CHECK(std::string(why.text) == "not here");
    sink.begin = [](const multipop::message &, void *&, multipop::reason) -> std::int32_t { throw thrown("b"); };
    sink.abort = [](void *) { throw thrown("a"); };
    sink.flush = [](multipop::reason) -> std::int32_t { throw 5; };
    multipop::detail::multipop_hpp_abort(&side, nullptr);
    CHECK(multipop::detail::multipop_hpp_begin(&side, &message, &cookie, &why) == MULTIPOP_STOP);
    CHECK(multipop::detail::multipop_hpp_flush(&side, &why) == MULTIPOP_STOP);
    CHECK(caught([&] { kept.throw_again(); }) == "a");

    multipop::instance moved(std::move(mp));
    CHECK(moved.accounts({"*"}).front() == '{');
    CHECK(moved.try_accounts({""}).why.status == MULTIPOP_E_ARGUMENT);
    mp = std::move(moved);
    CHECK(mp.accounts({"*"}).front() == '{');
    return std::puts("fine") < 0;
}
