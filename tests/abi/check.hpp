// What the C++ programs under test share: their own exception, and a check that ends them with its place.
#ifndef CHECK_HPP
#define CHECK_HPP

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

struct thrown : std::runtime_error {
    using std::runtime_error::runtime_error;
};

#define CHECK(what)                                                                                                \
    do {                                                                                                           \
        if (!(what)) {                                                                                             \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                                        \
            std::exit(1);                                                                                          \
        }                                                                                                          \
    } while (0)

#endif
