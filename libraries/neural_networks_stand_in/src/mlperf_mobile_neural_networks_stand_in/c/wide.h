/* Where the compiler can, an inner loop exists twice: for any CPU, and for one with wider vectors, chosen as the program runs.
 *
 * LOOPS(name, (types and names), (names)): `name_body` must be an NN_INLINE function; `name` becomes the choosing one. */
#ifndef NN_WIDE_H
#define NN_WIDE_H

#include <stdbool.h>

#if defined(__clang__)
#define NN_UNROLL _Pragma("unroll")
#else
#define NN_UNROLL _Pragma("GCC unroll 8")
#endif
#define NN_INLINE static inline __attribute__((always_inline))

#if defined(__x86_64__) && defined(__GNUC__)
static inline bool nn_wide(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#define LOOPS(name, parameters, arguments)                                                                    \
    __attribute__((target("avx2,fma"), noinline)) static void name##_wide parameters { name##_body arguments; } \
    __attribute__((noinline)) static void name##_plain parameters { name##_body arguments; }                  \
    static inline void name parameters                                                                        \
    {                                                                                                         \
        if (nn_wide()) name##_wide arguments;                                                                 \
        else name##_plain arguments;                                                                          \
    }
#else
#define LOOPS(name, parameters, arguments) \
    static inline void name parameters { name##_body arguments; }
#endif

#endif
