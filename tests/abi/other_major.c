/* A library of a major version yet to come: multipop_load must refuse it. */
#include <stdint.h>

uint32_t multipop_abi_version(void);
uint32_t multipop_abi_version(void) { return 2u << 16; }
