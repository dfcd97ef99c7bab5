/* Uses every macro of the header; compiled, with all warnings as errors, as C99, C11 and C++17. */
#include "multipop.h"

static multipop_error_t an_error = MULTIPOP_ERROR_INIT;
static multipop_host_t a_host = MULTIPOP_HOST_INIT;
static multipop_query_t a_query = MULTIPOP_QUERY_INIT;
static multipop_authorize_t an_authorize = MULTIPOP_AUTHORIZE_INIT;
static multipop_callback_t a_callback = MULTIPOP_CALLBACK_INIT;
static multipop_fetch_t a_fetch = MULTIPOP_FETCH_INIT;
static multipop_sink_t a_sink = MULTIPOP_SINK_INIT;
static multipop_report_t a_report = MULTIPOP_REPORT_INIT;

int main(int argc, char **argv) {
    multipop_error_t local = MULTIPOP_ERROR_INIT;
#ifndef MULTIPOP_NO_LOADER
    multipop_api_t api;
    /* The real library must load; what is none must not, with a reason and an empty api. */
    if (argc > 1 && (multipop_load(argv[1], &api) != NULL || api.abi_version() < MULTIPOP_ABI_VERSION)) return 1;
    if (multipop_load("/nonexistent/libmultipop.so.1", &api) == NULL || api.init != NULL) return 2;
    if (argc > 2 && (multipop_load(argv[2], &api) == NULL || api.library != NULL)) return 3;
    /* A library of ABI 1.0 loads; what came later is NULL. */
    if (argc > 3 && (multipop_load(argv[3], &api) != NULL || api.destroy == NULL || api.check != NULL ||
                     api.device_begin != NULL || api.device_poll != NULL || api.act != NULL)) return 8;
#else
    (void)argc, (void)argv;
#endif
    if (!MULTIPOP_HAS(&local, struct_size) || !MULTIPOP_HAS(&local, advice)) return 4;
    local.struct_size -= 1;
    if (MULTIPOP_HAS(&local, advice) || !MULTIPOP_HAS(&local, message)) return 5;
    if (MULTIPOP_WHO(MULTIPOP_OK) != 0 || MULTIPOP_WHO(MULTIPOP_E_STATE) != -1 ||
        MULTIPOP_WHO(MULTIPOP_E_KEY) != -10) return 6;
    return an_error.struct_size + a_host.struct_size + a_query.struct_size + an_authorize.struct_size +
                   a_callback.struct_size + a_fetch.struct_size + a_sink.struct_size + a_report.struct_size >
               0
           ? 0
           : 7;
}
