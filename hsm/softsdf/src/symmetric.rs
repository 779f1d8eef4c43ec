//! SM4 as GM/T 0018 asks for it: ECB, CBC and a MAC over whole blocks.

use hsm::sdf::{Code, algorithm};
use hsm::sm4::Sm4Key;
use zeroize::Zeroizing;

/// Octets of a block.
pub(crate) const BLOCK: usize = 16;

/// Which way.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Encrypt,
    Decrypt,
}

/// Encrypts or decrypts whole blocks, and puts into `iv` what the next piece goes on from.
pub(crate) fn cipher(
    key: &Sm4Key,
    algorithm: u32,
    direction: Direction,
    iv: Option<&mut [u8; BLOCK]>,
    data: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Code> {
    let mut data = Zeroizing::new(data.to_vec());
    let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
    if blocks.is_empty() || !rest.is_empty() {
        return Err(Code::InArgument);
    }
    match (algorithm, direction) {
        (algorithm::SM4_ECB, Direction::Encrypt) => {
            blocks.iter_mut().for_each(|block| key.encrypt_block(block));
        }
        (algorithm::SM4_ECB, Direction::Decrypt) => {
            blocks.iter_mut().for_each(|block| key.decrypt_block(block));
        }
        (algorithm::SM4_CBC, direction) => {
            let last = iv.ok_or(Code::InArgument)?;
            for block in blocks {
                match direction {
                    Direction::Encrypt => {
                        add(block, last);
                        key.encrypt_block(block);
                        *last = *block;
                    }
                    Direction::Decrypt => {
                        let encrypted = *block;
                        key.decrypt_block(block);
                        add(block, last);
                        *last = encrypted;
                    }
                }
            }
        }
        _ => return Err(Code::ModeNotSupported),
    }
    Ok(data)
}

/// The MAC of whole blocks, and in `iv` what the next piece goes on from.
pub(crate) fn mac(
    key: &Sm4Key,
    algorithm: u32,
    iv: &mut [u8; BLOCK],
    data: &[u8],
) -> Result<[u8; BLOCK], Code> {
    if algorithm != algorithm::SM4_MAC {
        return Err(Code::ModeNotSupported);
    }
    let mac = key.cbc_mac_last_block(iv, data).map_err(|_| Code::InArgument)?;
    *iv = mac;
    Ok(mac)
}

fn add(block: &mut [u8; BLOCK], other: &[u8; BLOCK]) {
    block.iter_mut().zip(other).for_each(|(octet, other)| *octet ^= other);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Sm4Key {
        Sm4Key::fill(|key| {
            *key = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
            Ok::<(), ()>(())
        })
        .unwrap()
    }

    /// GB/T 32907-2016, A.1, and CBC in one piece and in two.
    #[test]
    fn pieces_go_on_from_each_other() {
        let block = *b"\x01\x23\x45\x67\x89\xAB\xCD\xEF\xFE\xDC\xBA\x98\x76\x54\x32\x10";
        let encrypted =
            cipher(&key(), algorithm::SM4_ECB, Direction::Encrypt, None, &block).unwrap();
        assert_eq!(
            **encrypted,
            *b"\x68\x1E\xDF\x34\xD2\x06\x96\x5E\x86\xB3\xE9\x4F\x53\x6E\x42\x46"
        );

        let data = [block, [7; 16], [8; 16]].concat();
        let cbc = |direction, iv: &mut [u8; 16], data: &[u8]| {
            cipher(&key(), algorithm::SM4_CBC, direction, Some(iv), data).unwrap()
        };
        let whole = cbc(Direction::Encrypt, &mut [9; 16], &data);
        let mut iv = [9; 16];
        let first = cbc(Direction::Encrypt, &mut iv, &data[..16]);
        let second = cbc(Direction::Encrypt, &mut iv, &data[16..]);
        assert_eq!([&**first, &**second].concat(), **whole);
        assert_eq!(iv, whole[32..]);
        let mut iv = [9; 16];
        let opened = [
            &**cbc(Direction::Decrypt, &mut iv, &whole[..16]),
            &**cbc(Direction::Decrypt, &mut iv, &whole[16..]),
        ];
        assert_eq!(opened.concat(), data);
        // A MAC is the last block of that.
        let mac = mac(&key(), algorithm::SM4_MAC, &mut [9; 16], &data).unwrap();
        assert_eq!(mac, whole[32..]);
    }

    #[test]
    fn what_is_not_whole_or_not_known_is_refused() {
        let refusal = |algorithm, iv: Option<&mut [u8; 16]>, data: &[u8]| {
            cipher(&key(), algorithm, Direction::Encrypt, iv, data).unwrap_err()
        };
        assert_eq!(refusal(algorithm::SM4_ECB, None, &[]), Code::InArgument);
        assert_eq!(refusal(algorithm::SM4_ECB, None, &[0; 17]), Code::InArgument);
        assert_eq!(refusal(algorithm::SM4_CBC, None, &[0; 16]), Code::InArgument);
        // SM4-OFB, SM1-ECB.
        assert_eq!(refusal(0x0408, Some(&mut [0; 16]), &[0; 16]), Code::ModeNotSupported);
        assert_eq!(refusal(0x0101, None, &[0; 16]), Code::ModeNotSupported);
        assert_eq!(
            mac(&key(), algorithm::SM4_CBC, &mut [0; 16], &[0; 16]),
            Err(Code::ModeNotSupported)
        );
        assert_eq!(mac(&key(), algorithm::SM4_MAC, &mut [0; 16], &[0; 15]), Err(Code::InArgument));
    }
}
