/* base/random: repeatable random numbers for load, tests and simulations.
 *
 * xoshiro256** (Blackman and Vigna, 2018), seeded through splitmix64.  Never
 * for secrets: those come from getrandom().
 */
#pragma once

#include <stdint.h>

struct random {
    uint64_t state[4];
};

/* Streams of one seed with different `stream` numbers do not repeat each other. */
void random_init(struct random *random, uint64_t seed, uint64_t stream);

[[nodiscard]] uint64_t random_next(struct random *random); /* all 64 bits */
[[nodiscard]] uint64_t random_below(struct random *random,
                                    uint64_t limit);     /* 0..limit-1, even; limit > 0 */
[[nodiscard]] double random_unit(struct random *random); /* [0, 1) */
[[nodiscard]] double random_exponential(struct random *random, double mean); /* Poisson gaps */
