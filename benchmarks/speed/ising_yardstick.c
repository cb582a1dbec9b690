/* Yardstick: the bit-sliced heat bath of mattergym.physics.ising_big in C (GNU vector extensions).

   Same layout, generator and number of levels: planes of 2 x (rows + 2) x line words, two vectors
   and two xoshiro256++ streams in flight. gcc -O3 -march=native -shared -fPIC */
#include <stdint.h>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

enum { VECTOR = 8, PAD = 8, LEVELS = 32, UNCONDITIONAL = 12 };
typedef uint64_t u64;
typedef u64 vec __attribute__((vector_size(64)));
typedef u64 loose __attribute__((vector_size(64), aligned(8)));
typedef struct { vec s0, s1, s2, s3; } stream;
typedef struct { vec ones, twos, both, four; } counts;

static inline vec load(const u64 *p) { return *(const loose *)p; }
static inline void store(u64 *p, vec v) { *(loose *)p = v; }
static inline vec splat(u64 x) { return (vec){x, x, x, x, x, x, x, x}; }
static inline vec rotate(vec x, int k) { return (x << k) | (x >> (64 - k)); }

static inline int any(vec v) {
#ifdef __AVX512F__
    return _mm512_test_epi64_mask((__m512i)v, (__m512i)v) != 0;
#else
    return (v[0] | v[1] | v[2] | v[3] | v[4] | v[5] | v[6] | v[7]) != 0;
#endif
}

static inline vec next(stream *g) {
    vec draw = rotate(g->s0 + g->s3, 23) + g->s0, shifted = g->s1 << 17;
    g->s2 ^= g->s0;
    g->s3 ^= g->s1;
    g->s1 ^= g->s2;
    g->s0 ^= g->s3;
    g->s2 ^= shifted;
    g->s3 = rotate(g->s3, 45);
    return draw;
}

static inline counts count(const u64 *near, long line, long beside) {
    vec a = load(near - line), b = load(near + line), c = load(near), d = load(near + beside);
    vec x = a ^ b, y = a & b, z = c ^ d, w = c & d, ones = x ^ z, twos = y ^ w ^ (x & z);
    return (counts){ones, twos, ones & twos, y & w};
}

static inline vec pick(const u64 *c, counts n) {
    return splat(c[0]) ^ (n.ones & splat(c[1])) ^ (n.twos & splat(c[2])) ^ (n.both & splat(c[3])) ^
           (n.four & splat(c[4]));
}

static void refresh(u64 *plane, long rows, long half, long line, int across) {
    u64 first = 0;
    for (int tile = 0; tile < 64; tile += across) first |= 1ull << tile;
    int back = across - 1;
    for (long r = 1; r <= rows; r++) {
        u64 *row = plane + r * line, west = row[PAD + half - 1], east = row[PAD];
        if (across > 1) {
            u64 last = first << back;
            west = ((west << 1) & ~first) | ((west >> back) & first);
            east = ((east >> 1) & ~last) | ((east << back) & last);
        }
        row[PAD - 1] = west;
        row[PAD + half] = east;
    }
    for (long k = PAD; k < PAD + half; k++) {
        u64 word = plane[rows * line + k];
        plane[k] = (word << across) | (word >> (64 - across));
        word = plane[line + k];
        plane[(rows + 1) * line + k] = (word >> across) | (word << (64 - across));
    }
}

/* thresholds: LEVELS x 5 coefficients of zeros or ones; state: two streams of 4 x 8 words. */
void sweep(u64 *planes, long rows, long half, long line, int across, const u64 *thresholds,
           u64 *state, long sweeps) {
    stream f = {load(state), load(state + 8), load(state + 16), load(state + 24)};
    stream g = {load(state + 32), load(state + 40), load(state + 48), load(state + 56)};
    for (long n = 0; n < 2 * sweeps; n++) {
        long colour = n & 1;
        u64 *mine = planes + colour * (rows + 2) * line;
        const u64 *other = planes + (1 - colour) * (rows + 2) * line;
        for (long r = 1; r <= rows; r++) {
            long beside = 2 * (((r - 1) & 1) ^ colour) - 1;
            for (long at = r * line + PAD; at < r * line + PAD + half; at += 2 * VECTOR) {
                counts m = count(other + at, line, beside);
                counts q = count(other + at + VECTOR, line, beside);
                vec up = splat(0), open = ~up, up_2 = up, open_2 = open;
                for (int level = 0; level < LEVELS;) {
                    vec draw = next(&f), draw_2 = next(&g);
                    vec p = pick(thresholds + 5 * level, m);
                    vec p_2 = pick(thresholds + 5 * level, q);
                    up = (open & p) | (~open & up);
                    up_2 = (open_2 & p_2) | (~open_2 & up_2);
                    open &= ~(p ^ draw);
                    open_2 &= ~(p_2 ^ draw_2);
                    if (++level >= UNCONDITIONAL && !any(open | open_2)) break;
                }
                store(mine + at, up);
                store(mine + at + VECTOR, up_2);
            }
        }
        refresh(mine, rows, half, line, across);
    }
    store(state, f.s0), store(state + 8, f.s1), store(state + 16, f.s2), store(state + 24, f.s3);
    store(state + 32, g.s0), store(state + 40, g.s1), store(state + 48, g.s2);
    store(state + 56, g.s3);
}
