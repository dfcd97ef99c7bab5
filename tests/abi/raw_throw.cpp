// A C++ host that lets an exception leave a callback, which the header forbids: raw_throw LIBRARY DIR. It must die
// on the spot, before the exception has gone through the library.
#include "multipop.h"

#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <string>
#include <sys/stat.h>

static void throwing(void *, const multipop_event_t *) { throw std::runtime_error("from a callback"); }

int main(int argc, char **argv) {
    multipop_api_t mp;
    multipop_host_t host = MULTIPOP_HOST_INIT;
    multipop_fetch_t what = MULTIPOP_FETCH_INIT;
    multipop_sink_t sink = MULTIPOP_SINK_INIT;
    multipop_t *m = nullptr;
    if (argc != 3 || multipop_load(argv[1], &mp) != nullptr)
        return 2;
    const std::string dir = argv[2];
    std::ofstream(dir + "/key") << "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    chmod((dir + "/key").c_str(), 0600);
    const std::string json =
        R"({"hostname":"mail.example.com","store":")" + dir + R"(/store.db","keys":[")" + dir + R"(/key"]})";
    host.event = throwing;
    if (mp.init(&host, &m, nullptr) != MULTIPOP_OK || mp.configure(m, json.c_str(), nullptr) != MULTIPOP_OK)
        return 3;
    sink.begin = [](void *, const multipop_message_t *, void **, multipop_reason_t *) { return MULTIPOP_STOP; };
    sink.data = [](void *, void *, const std::uint8_t *, std::size_t, multipop_reason_t *) { return MULTIPOP_STOP; };
    sink.end = [](void *, void *, multipop_reason_t *) { return MULTIPOP_STOP; };
    sink.abort = [](void *, void *) {};
    what.actor = MULTIPOP_OPERATOR;
    try {
        mp.fetch_once(m, &what, &sink, nullptr, nullptr);
    } catch (const std::exception &) {
        std::puts("the exception went through the library");
        return 4;
    }
    std::puts("the exception was swallowed");
    return 5;
}
