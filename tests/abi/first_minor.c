/* What the loader sees of a library of ABI 1.0: its functions, and none of a later version. */
#include <stdint.h>

#define FUNCTION(name)                                                                                             \
    int32_t multipop_##name(void);                                                                                 \
    int32_t multipop_##name(void) { return -50; }

uint32_t multipop_abi_version(void);
uint32_t multipop_abi_version(void) { return 1u << 16; }
FUNCTION(version)
FUNCTION(init)
FUNCTION(configure)
FUNCTION(account_put)
FUNCTION(account_remove)
FUNCTION(accounts)
FUNCTION(account_act)
FUNCTION(authorize_url)
FUNCTION(handle_callback)
FUNCTION(fetch_once)
FUNCTION(cancel)
FUNCTION(free)
FUNCTION(destroy)
