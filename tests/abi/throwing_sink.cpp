// A C++ sink that throws at every place while real messages come: throwing_sink LIBRARY CONFIG COUNT.
// Each throw ends its call tidily and is heard after it; every callback is on the caller's thread; in the end each
// message has been taken exactly once.
#include "multipop.hpp"

#include "check.hpp"

#include <map>
#include <set>
#include <thread>

int main(int argc, char **argv) {
    CHECK(argc == 4);
    const std::size_t count = std::strtoul(argv[3], nullptr, 10);
    const std::thread::id caller = std::this_thread::get_id();
    const multipop::library lib(argv[1]);

    std::string place;
    const auto at = [&](const char *here) {
        CHECK(std::this_thread::get_id() == caller);
        if (place == here)
            throw thrown(here);
    };
    multipop::host host{"throwing-sink"};
    host.log = [&](std::uint32_t, const char *) { at("log"); };
    host.on_event = [&](const multipop::event &) { at("event"); };
    multipop::instance mp(lib, host);
    mp.configure(std::string("{\"file\": \"") + argv[2] + "\"}");

    int open = 0;
    std::set<std::string> queued, taken;
    multipop::sink sink;
    sink.offer = [&](const multipop::message &, multipop::reason) {
        at("offer");
        return MULTIPOP_GO;
    };
    sink.begin = [&](const multipop::message &m, void *&cookie, multipop::reason) {
        CHECK(m.struct_size >= sizeof m && m.dedupe_key != nullptr && m.uidl_size > 0);
        CHECK(std::string(m.received).rfind("Received: ", 0) == 0 && m.received[std::strlen(m.received) - 1] == '\n');
        at("begin");
        CHECK(cookie == nullptr);
        cookie = new std::string(m.dedupe_key);
        open++;
        return MULTIPOP_GO;
    };
    sink.data = [&](void *, const std::uint8_t *, std::size_t size, multipop::reason) {
        CHECK(size > 0 && size <= 65536);
        at("data");
        return MULTIPOP_GO;
    };
    sink.end = [&](void *cookie, multipop::reason) {
        const std::unique_ptr<std::string> key(static_cast<std::string *>(cookie));
        open--;
        at("end");
        queued.insert(*key);
        return MULTIPOP_QUEUED;
    };
    sink.abort = [&](void *cookie) {
        const std::unique_ptr<std::string> key(static_cast<std::string *>(cookie));
        open--;
        at("abort");
    };
    sink.flush = [&](multipop::reason) {
        const std::set<std::string> batch = std::exchange(queued, {});
        at("flush");
        for (const std::string &key : batch)
            CHECK(taken.insert(key).second);
        return MULTIPOP_GO;
    };

    for (const char *here : {"offer", "begin", "data", "end", "flush", "event", "log"}) {
        place = here;
        try {
            mp.fetch_once({MULTIPOP_OPERATOR, "alice", 60, MULTIPOP_FETCH_NOW}, sink);
            CHECK(!"nothing was thrown");
        } catch (const thrown &e) {
            CHECK(e.what() == place);
        }
        CHECK(open == 0);
        // A throw in the sink took nothing; one in event or log did not stop the call.
        const bool went_on = place == "event" || place == "log";
        CHECK(taken.size() == (went_on ? count : 0));
    }
    place.clear();
    const multipop::report last = mp.fetch_once({MULTIPOP_OPERATOR, "alice", 60, MULTIPOP_FETCH_NOW}, sink);
    CHECK(last.messages_taken == 0 && taken.size() == count && open == 0 && queued.empty());
    return std::puts("fine") < 0;
}
