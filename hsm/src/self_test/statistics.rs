//! Tests of GM/T 0005-2021 (and NIST SP 800-22 where it has them): each gives the P-value, the chance
//! that a perfect generator makes a sequence that is no more regular than this one.
//!
//! Left out are the tests that need a million bits (matrix rank, linear complexity, Maurer, Fourier).

use std::f64::consts::{FRAC_1_SQRT_2, LN_2, PI};

/// A test of a group of bits, each 0 or 1.
type Test = fn(&[u8]) -> f64;

/// The tests, by their names in the standard, with their parameters for groups of 10⁵ bits.
pub(super) const TESTS: [(&str, Test); 23] = [
    ("monobit", monobit),
    ("frequency within blocks", |bits| block_frequency(bits, 1000)),
    ("poker, 4 bits", |bits| poker(bits, 4)),
    ("poker, 8 bits", |bits| poker(bits, 8)),
    ("overlapping, 3 bits, first", |bits| overlapping(bits, 3)[0]),
    ("overlapping, 3 bits, second", |bits| overlapping(bits, 3)[1]),
    ("overlapping, 5 bits, first", |bits| overlapping(bits, 5)[0]),
    ("overlapping, 5 bits, second", |bits| overlapping(bits, 5)[1]),
    ("runs", runs),
    ("distribution of runs", runs_distribution),
    ("longest run of ones", |bits| longest_run(bits, 1)),
    ("longest run of zeros", |bits| longest_run(bits, 0)),
    ("binary derivative, 3", |bits| derivative(bits, 3)),
    ("binary derivative, 7", |bits| derivative(bits, 7)),
    ("autocorrelation, 1", |bits| autocorrelation(bits, 1)),
    ("autocorrelation, 2", |bits| autocorrelation(bits, 2)),
    ("autocorrelation, 8", |bits| autocorrelation(bits, 8)),
    ("autocorrelation, 16", |bits| autocorrelation(bits, 16)),
    ("autocorrelation, 4096", |bits| autocorrelation(bits, 4096)),
    ("cumulative sums, forward", |bits| cumulative(bits.iter())),
    ("cumulative sums, backward", |bits| cumulative(bits.iter().rev())),
    ("approximate entropy, 2", |bits| approximate_entropy(bits, 2)),
    ("approximate entropy, 5", |bits| approximate_entropy(bits, 5)),
];

/// The bits of octets, the highest first.
pub(super) fn bits(octets: &[u8]) -> Vec<u8> {
    octets.iter().flat_map(|octet| (0..8).rev().map(move |place| octet >> place & 1)).collect()
}

/// Counts in floating point are exact up to 2⁵³.
fn real(count: usize) -> f64 {
    count as f64
}

fn ones(bits: &[u8]) -> f64 {
    real(bits.iter().map(|bit| usize::from(*bit)).sum())
}

/// Single bit frequency (单比特频数检测).
fn monobit(bits: &[u8]) -> f64 {
    let n = real(bits.len());
    normal((2.0 * ones(bits) - n) / n.sqrt())
}

/// Frequency within blocks of `m` bits (块内频数检测).
fn block_frequency(bits: &[u8], m: usize) -> f64 {
    let blocks = bits.chunks_exact(m);
    let count = real(blocks.len());
    let v: f64 = blocks.map(|block| (ones(block) / real(m) - 0.5).powi(2)).sum();
    chi_square(count, 4.0 * real(m) * v)
}

/// Poker (扑克检测): how often each pattern of `m` bits stands in blocks of them.
fn poker(bits: &[u8], m: usize) -> f64 {
    let mut counts = vec![0_usize; 1 << m];
    let blocks = bits.chunks_exact(m);
    let n = real(blocks.len());
    for block in blocks {
        counts[block.iter().fold(0, |pattern, bit| pattern << 1 | usize::from(*bit))] += 1;
    }
    let squares: f64 = counts.iter().map(|count| real(*count).powi(2)).sum();
    chi_square(real(counts.len()) - 1.0, real(counts.len()) / n * squares - n)
}

/// How often each pattern of `m` bits stands at any place, the sequence being a ring.
fn patterns(bits: &[u8], m: usize) -> Vec<usize> {
    let mut counts = vec![0; 1 << m];
    let mask = (1 << m) - 1;
    let ring = bits.iter().chain(&bits[..m.saturating_sub(1)]);
    let mut pattern = 0;
    for (place, bit) in ring.enumerate() {
        pattern = (pattern << 1 | usize::from(*bit)) & mask;
        if place + 1 >= m {
            counts[pattern] += 1;
        }
    }
    counts
}

/// Overlapping subsequences (重叠子序列检测; serial test), both P-values.
fn overlapping(bits: &[u8], m: usize) -> [f64; 2] {
    let n = real(bits.len());
    let psi = |m: usize| {
        if m == 0 {
            return 0.0;
        }
        let counts = patterns(bits, m);
        let squares: f64 = counts.iter().map(|count| real(*count).powi(2)).sum();
        real(counts.len()) / n * squares - n
    };
    let [longest, shorter, shortest] = [psi(m), psi(m - 1), psi(m - 2)];
    let degrees = real(1 << (m - 1));
    [
        chi_square(degrees, longest - shorter),
        chi_square(degrees / 2.0, longest - 2.0 * shorter + shortest),
    ]
}

/// Total number of runs (游程总数检测).
fn runs(bits: &[u8]) -> f64 {
    let n = real(bits.len());
    let pi = ones(bits) / n;
    let runs = real(1 + bits.windows(2).filter(|pair| pair[0] != pair[1]).count());
    let expected = 2.0 * n * pi * (1.0 - pi);
    if expected == 0.0 {
        return 0.0;
    }
    normal((runs - expected) / (2.0 * n.sqrt() * pi * (1.0 - pi)))
}

/// Distribution of runs by their lengths (游程分布检测).
fn runs_distribution(bits: &[u8]) -> f64 {
    let n = bits.len();
    // The longest length that is expected five times.
    let k = (1..n).take_while(|i| real(n - i + 3) / real(1 << (i + 2)) >= 5.0).count();
    let mut counts = vec![[0_usize; 2]; k];
    for run in bits.chunk_by(|a, b| a == b) {
        counts[run.len().min(k) - 1][usize::from(run[0])] += 1;
    }
    let total = real(counts.iter().flatten().sum());
    let v: f64 = (1..)
        .zip(&counts)
        .flat_map(|(length, counts)| {
            let expected = total / real(1 << if length < k { length + 1 } else { k });
            counts.map(|count| (real(count) - expected).powi(2) / expected)
        })
        .sum();
    chi_square(2.0 * real(k) - 2.0, v)
}

/// Longest run of a bit within blocks (块内最大游程检测).
fn longest_run(bits: &[u8], of: u8) -> f64 {
    // Length of a block, the shortest class of lengths, and the chance of each class, rounded as in
    // the standard.
    let (m, shortest, chances): (usize, usize, &[f64]) = if bits.len() < 6272 {
        (8, 1, &[0.2148, 0.3672, 0.2305, 0.1875])
    } else {
        (128, 4, &[0.1174, 0.2430, 0.2493, 0.1752, 0.1027, 0.1124])
    };
    let mut counts = vec![0_usize; chances.len()];
    let blocks = bits.chunks_exact(m);
    let n = real(blocks.len());
    for block in blocks {
        let runs = block.chunk_by(|a, b| a == b).filter(|run| run[0] == of);
        let longest = runs.map(<[u8]>::len).max().unwrap_or(0);
        counts[longest.clamp(shortest, shortest + chances.len() - 1) - shortest] += 1;
    }
    let classes = counts.iter().zip(chances);
    let v: f64 = classes.map(|(count, p)| (real(*count) - n * p).powi(2) / (n * p)).sum();
    chi_square(real(chances.len()) - 1.0, v)
}

/// Binary derivative (二元推导检测): the frequency after `k` times putting each bit against the next.
fn derivative(bits: &[u8], k: usize) -> f64 {
    let mut bits = bits.to_vec();
    for _ in 0..k {
        bits = bits.windows(2).map(|pair| pair[0] ^ pair[1]).collect();
    }
    monobit(&bits)
}

/// Autocorrelation (自相关检测): each bit against the one `d` places later.
fn autocorrelation(bits: &[u8], d: usize) -> f64 {
    let against: Vec<u8> = bits.iter().zip(&bits[d..]).map(|(a, b)| a ^ b).collect();
    monobit(&against)
}

/// Cumulative sums (累加和检测).
fn cumulative<'a>(bits: impl ExactSizeIterator<Item = &'a u8>) -> f64 {
    let n = real(bits.len());
    let (mut sum, mut farthest) = (0_i64, 0);
    for bit in bits {
        sum += 2 * i64::from(*bit) - 1;
        farthest = farthest.max(sum.abs());
    }
    let z = farthest as f64;
    // The normal distribution up to x.
    let below = |x: f64| erfc(-x * FRAC_1_SQRT_2) / 2.0;
    let term = |a: f64, b: f64| below(a * z / n.sqrt()) - below(b * z / n.sqrt());
    let range = |from: f64, until: f64| {
        let (from, until) = ((from / 4.0).trunc() as i64, (until / 4.0).trunc() as i64);
        (from..=until).map(|k| 4.0 * k as f64)
    };
    let first: f64 = range(1.0 - n / z, n / z - 1.0).map(|k| term(k + 1.0, k - 1.0)).sum();
    let second: f64 = range(-n / z - 3.0, n / z - 1.0).map(|k| term(k + 3.0, k + 1.0)).sum();
    1.0 - first + second
}

/// Approximate entropy (近似熵检测).
fn approximate_entropy(bits: &[u8], m: usize) -> f64 {
    let n = real(bits.len());
    let phi = |m: usize| -> f64 {
        let shares = patterns(bits, m).into_iter().filter(|count| *count > 0);
        shares.map(|count| real(count) / n).map(|share| share * share.ln()).sum()
    };
    let entropy = phi(m) - phi(m + 1);
    chi_square(real(1 << m), 2.0 * n * (LN_2 - entropy))
}

/// The chance that a normal variable is farther from 0 than `x`.
fn normal(x: f64) -> f64 {
    erfc(x.abs() * FRAC_1_SQRT_2)
}

/// The chance that χ² of so many degrees of freedom, a whole number, is greater than `v`: the
/// incomplete gamma function *Q*(a, x) with a = degrees / 2 and x = v / 2, by
/// *Q*(a + 1, x) = *Q*(a, x) + xᵃ e⁻ˣ / Γ(a + 1).
fn chi_square(degrees: f64, v: f64) -> f64 {
    // Rounding may leave a sum of squares a little below 0.
    let x = (v / 2.0).max(0.0);
    let (mut a, mut q, mut term) = if degrees % 2.0 == 0.0 {
        (1.0, (-x).exp(), x * (-x).exp())
    } else {
        (0.5, erfc(x.sqrt()), 2.0 * (x / PI).sqrt() * (-x).exp())
    };
    while a < degrees / 2.0 {
        q += term;
        a += 1.0;
        term *= x / a;
    }
    q
}

/// The complementary error function: by its series near 0, by its continued fraction elsewhere.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let scale = (-x * x).exp() / PI.sqrt();
    if x < 2.0 {
        let (mut sum, mut term, mut odd) = (0.0, 2.0 * x * scale, 1.0);
        while term > f64::EPSILON * 1e-3 {
            sum += term;
            odd += 2.0;
            term *= 2.0 * x * x / odd;
        }
        return 1.0 - sum;
    }
    // x + (1/2)/(x + 1/(x + (3/2)/(x + …)))
    let fraction = (1..=60).rev().fold(x, |tail, k| x + f64::from(k) / 2.0 / tail);
    scale / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of GM/T 0005-2021, annex C, which is that of SP 800-22, 2.4.8.
    const EXAMPLE: [u8; 16] = [
        0xcc, 0x15, 0x6c, 0x4c, 0xe0, 0x02, 0x4d, 0x51, 0x13, 0xd6, 0x80, 0xd7, 0xcc, 0xe6, 0xd8,
        0xb2,
    ];

    /// The first 100 binary digits of π.
    fn digits_of_pi() -> Vec<u8> {
        let octets = [0xc9, 0x0f, 0xda, 0xa2, 0x21, 0x68, 0xc2, 0x34, 0xc4, 0xc6, 0x62, 0x8b, 0x80];
        bits(&octets)[..100].to_vec()
    }

    #[test]
    fn worked_examples() {
        let example = &bits(&EXAMPLE)[..];
        let pi = &digits_of_pi()[..];
        let short = &[0, 0, 1, 1, 0, 1, 1, 1, 0, 1][..];
        let found = [
            ("GM/T 0005 monobit", monobit(example), 0.215925),
            ("GM/T 0005 poker", poker(example, 4), 0.213734),
            ("GM/T 0005 overlapping, first", overlapping(example, 2)[0], 0.436868),
            ("GM/T 0005 overlapping, second", overlapping(example, 2)[1], 0.723674),
            ("GM/T 0005 runs", runs(example), 0.620729),
            ("GM/T 0005 distribution of runs", runs_distribution(example), 0.970152),
            ("GM/T 0005 longest run of ones", longest_run(example, 1), 0.180598),
            ("GM/T 0005 longest run of zeros", longest_run(example, 0), 0.839299),
            ("GM/T 0005 binary derivative", derivative(example, 3), 0.039669),
            ("GM/T 0005 autocorrelation", autocorrelation(example, 1), 0.790080),
            ("SP 800-22, 2.1.8", monobit(pi), 0.109599),
            ("SP 800-22, 2.2.8", block_frequency(pi, 10), 0.706438),
            ("SP 800-22, 2.3.8", runs(pi), 0.500798),
            ("SP 800-22, 2.11.4, first", overlapping(short, 3)[0], 0.808792),
            ("SP 800-22, 2.11.4, second", overlapping(short, 3)[1], 0.670320),
            ("SP 800-22, 2.12.8", approximate_entropy(pi, 2), 0.235301),
            ("SP 800-22, 2.13.8, forward", cumulative(pi.iter()), 0.219194),
            ("SP 800-22, 2.13.8, backward", cumulative(pi.iter().rev()), 0.114866),
        ];
        for (source, p, expected) in found {
            assert!((p - expected).abs() < 6e-7, "{source}: {p}, not {expected}");
        }
    }

    /// Values of Abramowitz and Stegun, tables 7.1 and 26.7, and identities.
    #[test]
    fn functions_are_what_the_tables_say() {
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122_186_953_5),
            (1.0, 0.157_299_207_050_285_13),
            (2.0, 0.004_677_734_981_047_266),
            (3.0, 2.209_049_699_858_544e-5),
            (-1.0, 1.842_700_792_949_715),
        ] {
            assert!((erfc(x) - expected).abs() < 1e-13, "erfc({x}) = {}", erfc(x));
        }
        // The two ways meet.
        assert!((erfc(2.0 - 1e-12) - erfc(2.0)).abs() < 1e-12);
        for (degrees, v, expected) in [
            (1.0, 3.841_458_820_694_124, 0.05),
            (2.0, 5.991_464_547_107_979, 0.05),
            (15.0, 30.577_914_166_892_49, 0.01),
            (255.0, 310.457_388_218_699_1, 0.01),
        ] {
            let p = chi_square(degrees, v);
            assert!((p - expected).abs() < 1e-9, "{degrees}, {v}: {p}");
        }
    }

    #[test]
    fn what_is_as_regular_as_can_be_fails_and_is_no_error() {
        for octet in [0x00, 0xff, 0x55] {
            let bits = bits(&[octet; 12_500]);
            for (name, test) in TESTS {
                let p = test(&bits);
                assert!((-1e-9..=1.0 + 1e-9).contains(&p), "{name} of {octet:02x}: {p}");
            }
            assert!(TESTS.iter().any(|(_, test)| test(&bits) < 1e-12), "{octet:02x}");
        }
    }
}
