//! SM3 (GB/T 32905-2016) of eight messages at once, each in a lane of the processor's vectors.
//!
//! Checking a log takes the time of its hashes, and its leaves do not depend on each other. The crate `sm3`, to which this
//! is held in tests, computes one hash after the other; so does this where the processor has no AVX2.

use super::{Hash, hash};

/// Hashes of messages that all begin with the same octet.
pub(super) fn hashes(first: u8, messages: &[&[u8]]) -> Vec<Hash> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the processor has what the function is compiled for")]
        // SAFETY: the processor has AVX2.
        return unsafe { avx2::hashes(first, messages) };
    }
    messages.iter().map(|it| hash(first, it)).collect()
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_add_epi32 as add, _mm256_and_si256 as and, _mm256_blendv_epi8,
        _mm256_extract_epi32, _mm256_or_si256 as or, _mm256_set_epi32, _mm256_set1_epi32,
        _mm256_slli_epi32, _mm256_srli_epi32, _mm256_xor_si256 as xor,
    };

    use super::{Hash, hash};

    /// Messages that are hashed together.
    const LANES: usize = 8;
    /// Fewer take longer together than one after the other.
    const SEVERAL: usize = 3;
    /// Octets of a block.
    const BLOCK: usize = 64;

    /// One word of each message.
    type Lanes = __m256i;

    const INITIAL: [u32; 8] = [
        0x7380_166f,
        0x4914_b2b9,
        0x1724_42d7,
        0xda8a_0600,
        0xa96f_30bc,
        0x1631_38aa,
        0xe38d_ee4d,
        0xb0fb_0e4e,
    ];

    #[target_feature(enable = "avx2")]
    pub(super) fn hashes(first: u8, messages: &[&[u8]]) -> Vec<Hash> {
        let mut hashes = Vec::with_capacity(messages.len());
        for messages in messages.chunks(LANES) {
            if messages.len() < SEVERAL {
                hashes.extend(messages.iter().map(|it| hash(first, it)));
            } else {
                let message =
                    |at: usize| messages.get(at).map_or_else(Vec::new, |it| padded(first, it));
                let eight = of_eight(&[0, 1, 2, 3, 4, 5, 6, 7].map(message));
                hashes.extend_from_slice(&eight[..messages.len()]);
            }
        }
        hashes
    }

    /// The message with its padding (5.2).
    fn padded(first: u8, message: &[u8]) -> Vec<u8> {
        let length = 1 + message.len();
        let blocks = (length + 9).next_multiple_of(BLOCK);
        let mut octets = Vec::with_capacity(blocks);
        octets.push(first);
        octets.extend_from_slice(message);
        octets.push(0x80);
        octets.resize(blocks - 8, 0);
        octets.extend_from_slice(&(8 * length as u64).to_be_bytes());
        octets
    }

    /// Of messages that are whole blocks.
    #[target_feature(enable = "avx2")]
    fn of_eight(messages: &[Vec<u8>; LANES]) -> [Hash; LANES] {
        let blocks = messages.each_ref().map(|message| message.as_chunks::<BLOCK>().0);
        let longest = blocks.iter().map(|blocks| blocks.len()).max().unwrap_or(0);
        let mut state = [every(0); 8];
        for (word, initial) in state.iter_mut().zip(INITIAL) {
            *word = every(initial);
        }
        for at in 0..longest {
            let after =
                compress(&state, blocks.map(|blocks| blocks.get(at).unwrap_or(&[0; BLOCK])));
            // Those that are over stay as they are.
            let goes_on = lanes(blocks.map(|blocks| if at < blocks.len() { u32::MAX } else { 0 }));
            for (word, after) in state.iter_mut().zip(after) {
                *word = _mm256_blendv_epi8(*word, after, goes_on);
            }
        }
        let mut hashes = [[0; 32]; LANES];
        for (at, word) in state.into_iter().enumerate() {
            for (hash, word) in hashes.iter_mut().zip(words(word)) {
                hash[4 * at..4 * at + 4].copy_from_slice(&word.to_be_bytes());
            }
        }
        hashes
    }

    /// The compression function (5.3).
    #[target_feature(enable = "avx2")]
    fn compress(state: &[Lanes; 8], block: [&[u8; BLOCK]; LANES]) -> [Lanes; 8] {
        // The last sixteen words (5.3.2).
        let mut w = [every(0); 16];
        for (at, word) in w.iter_mut().enumerate() {
            *word = lanes(block.map(|block| u32::from_be_bytes(block.as_chunks::<4>().0[at])));
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
        for j in 0..64 {
            let (word, ahead) = (w[j % 16], w[(j + 4) % 16]);
            let constant: u32 = if j < 16 { 0x79cc_4519 } else { 0x7a87_9d8a };
            let constant = every(constant.rotate_left(j as u32 % 32));
            let a12 = rotate::<12, 20>(a);
            let ss1 = rotate::<7, 25>(add(add(a12, e), constant));
            let (ff, gg) = match j < 16 {
                true => (xor(xor(a, b), c), xor(xor(e, f), g)),
                // Of each bit what most have; f where e is 1, else g.
                false => (or(and(a, b), and(or(a, b), c)), xor(and(xor(f, g), e), g)),
            };
            let tt1 = add(add(ff, d), add(xor(ss1, a12), xor(word, ahead)));
            let tt2 = add(add(gg, h), add(ss1, word));
            (d, c, b, a) = (c, rotate::<9, 23>(b), a, tt1);
            (h, g, f) = (g, rotate::<19, 13>(f), e);
            e = xor(xor(tt2, rotate::<9, 23>(tt2)), rotate::<17, 15>(tt2));
            // Word j + 16, in the place of word j; the last is word 67.
            if j < 52 {
                let next = xor(word, w[(j + 7) % 16]);
                let next = xor(next, rotate::<15, 17>(w[(j + 13) % 16]));
                let next = xor(xor(next, rotate::<15, 17>(next)), rotate::<23, 9>(next));
                w[j % 16] = xor(xor(next, rotate::<7, 25>(w[(j + 3) % 16])), w[(j + 10) % 16]);
            }
        }
        let mut after = [a, b, c, d, e, f, g, h];
        for (word, before) in after.iter_mut().zip(state) {
            *word = xor(*word, *before);
        }
        after
    }

    #[target_feature(enable = "avx2")]
    fn every(word: u32) -> Lanes {
        _mm256_set1_epi32(word.cast_signed())
    }

    #[target_feature(enable = "avx2")]
    fn lanes(words: [u32; LANES]) -> Lanes {
        let [a, b, c, d, e, f, g, h] = words.map(u32::cast_signed);
        _mm256_set_epi32(h, g, f, e, d, c, b, a)
    }

    #[target_feature(enable = "avx2")]
    fn words(lanes: Lanes) -> [u32; LANES] {
        [
            _mm256_extract_epi32::<0>(lanes),
            _mm256_extract_epi32::<1>(lanes),
            _mm256_extract_epi32::<2>(lanes),
            _mm256_extract_epi32::<3>(lanes),
            _mm256_extract_epi32::<4>(lanes),
            _mm256_extract_epi32::<5>(lanes),
            _mm256_extract_epi32::<6>(lanes),
            _mm256_extract_epi32::<7>(lanes),
        ]
        .map(i32::cast_unsigned)
    }

    /// To the left by `LEFT` bits, which is 32 less `RIGHT`.
    #[target_feature(enable = "avx2")]
    fn rotate<const LEFT: i32, const RIGHT: i32>(x: Lanes) -> Lanes {
        const { assert!(LEFT + RIGHT == 32, "a rotation") };
        or(_mm256_slli_epi32::<LEFT>(x), _mm256_srli_epi32::<RIGHT>(x))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agree(messages: &[Vec<u8>]) {
        let expected: Vec<Hash> = messages.iter().map(|it| hash(0x05, it)).collect();
        let messages: Vec<&[u8]> = messages.iter().map(|it| &**it).collect();
        assert_eq!(hashes(0x05, &messages), expected);
    }

    #[test]
    fn hashes_are_those_of_sm3() {
        agree(&[]);
        // Each length up to several blocks, beside others and in each lane.
        for length in 0..300_u32 {
            let octets = |lane| (0..length + lane).map(|at| (at * 7 + lane) as u8).collect();
            agree(&[0, 1, 2, 3, 5, 8, 64, 128].map(octets));
            agree(&[128, 64, 0, 0, 1, 63, 2, 65, 7].map(octets));
        }
        // GB/T 32905-2016, A.1.
        let hash = "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0";
        let hashed = hashes(b'a', &[&b"bc"[..]; 9]);
        assert!(hashed.len() == 9 && hashed.iter().all(|it| hex::encode(it) == hash));
    }

    proptest! {
        #[test]
        fn of_any_messages(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..2000), 0..20),
        ) {
            agree(&messages);
        }
    }
}
