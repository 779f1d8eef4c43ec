//! Ciphertexts: the point C1, the digest C3 and the text C2, in the orders and forms in use.

use hsm::{
    Sm2Decrypter as _,
    sm2::{Ciphertext, SecretKey},
};

use crate::ber::{self, OCTET_STRING, SEQUENCE};

/// How a ciphertext is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// SM2Cipher in DER: X, Y, C3, C2 (GM/T 0009-2012, 7.2): OpenSSL, GmSSL.
    Der,
    /// The same, but not as DER wants it.
    NotQuiteDer,
    /// DER with the text before the digest.
    DerTextFirst,
    /// C1 ‖ C3 ‖ C2 (GB/T 32918.4-2016, 6.1).
    C1C3C2,
    /// C1 ‖ C2 ‖ C3: the order of the text of 2010.
    C1C2C3,
    /// C1 ‖ C3 ‖ C2 without the octet 04 before C1.
    C1C3C2WithoutPrefix,
    /// C1 ‖ C2 ‖ C3 without the octet 04 before C1.
    C1C2C3WithoutPrefix,
    /// ECCCipher of devices, by the octets that each coordinate has room for: 64 or 32 (GM/T 0018).
    Device(u8),
}

/// One way to read octets as a ciphertext.
#[derive(Clone, Debug)]
pub struct Reading {
    /// How it is written.
    pub form: Form,
    /// How many octets are encrypted.
    pub length: usize,
    /// Whether the private key decrypts it so; nothing without a key.
    pub decrypts: Option<bool>,
    /// The ciphertext, for writing it in another form.
    pub ciphertext: Ciphertext,
}

impl Reading {
    /// Whether it is what the standards ask for. Without the private key the order of what stands bare is a
    /// guess, and no standard.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        match self.form {
            Form::Der | Form::Device(_) => self.decrypts != Some(false),
            Form::C1C3C2 => self.decrypts == Some(true),
            _ => false,
        }
    }
}

/// Every way to read octets as a ciphertext whose C1 is a point of the curve. The two orders cannot be told apart
/// without the private key; with it one decrypts, and what it gives is wiped at once.
#[must_use]
pub fn readings(octets: &[u8], key: Option<&SecretKey>) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut add = |form, c1: &[u8], c3: &[u8], c2: &[u8]| {
        let Ok(ciphertext) = Ciphertext::from_c1c3c2(&[&[4], c1, c3, c2].concat()) else { return };
        let decrypts = key.map(|key| key.decrypt(&ciphertext).is_ok());
        readings.push(Reading { form, length: c2.len(), decrypts, ciphertext });
    };
    if let Some((x, y, first, second, der)) = fields(octets) {
        let c1 = [x, y].concat();
        if first.len() == 32 {
            add(if der { Form::Der } else { Form::NotQuiteDer }, &c1, first, second);
        }
        if second.len() == 32 {
            add(Form::DerTextFirst, &c1, second, first);
        }
    }
    let with = [Form::C1C3C2, Form::C1C2C3];
    let without = [Form::C1C3C2WithoutPrefix, Form::C1C2C3WithoutPrefix];
    let bare = [(octets.strip_prefix(&[4]), with), (Some(octets), without)];
    for (octets, [digest_first, text_first]) in bare {
        let Some((c1, rest)) = octets.and_then(|octets| octets.split_at_checked(64)) else {
            continue;
        };
        if let Some((c3, c2)) = rest.split_first_chunk::<32>() {
            add(digest_first, c1, c3, c2);
        }
        if let Some((c2, c3)) = rest.split_last_chunk::<32>() {
            add(text_first, c1, c3, c2);
        }
    }
    for room in [64, 32] {
        if let Some((c1, c3, c2)) = device(octets, room) {
            add(Form::Device(room as u8), &c1, c3, c2);
        }
    }
    readings
}

type Fields<'a> = ([u8; 32], [u8; 32], &'a [u8], &'a [u8], bool);

fn fields(octets: &[u8]) -> Option<Fields<'_>> {
    let (sequence, trailing) = ber::first(octets, SEQUENCE)?;
    let mut fields = sequence.elements();
    let (x, y) = (fields.next()?, fields.next()?);
    let (first, second) = (fields.of(OCTET_STRING)?, fields.of(OCTET_STRING)?);
    let shortest = [sequence, x, y, first, second].iter().all(|it| it.shortest);
    let ((x, x_der), (y, y_der)) = (x.number()?, y.number()?);
    let der = shortest && x_der && y_der && fields.is_empty() && !trailing;
    Some((x, y, first.content, second.content, der))
}

/// x, y, M, a length with its low octet first, and C2 of that length.
fn device(octets: &[u8], room: usize) -> Option<(Vec<u8>, &[u8], &[u8])> {
    let (coordinates, rest) = octets.split_at_checked(2 * room)?;
    let (x, y) = coordinates.split_at(room);
    let zeros = room - 32;
    if x[..zeros].iter().chain(&y[..zeros]).any(|octet| *octet != 0) {
        return None;
    }
    let (c3, rest) = rest.split_at_checked(32)?;
    let (length, c2) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some(([&x[zeros..], &y[zeros..]].concat(), c3, c2.get(..length)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"a key of sixteen";

    #[test]
    fn every_form_is_found_and_with_the_key_only_one_decrypts() {
        let key = SecretKey::from_be_bytes(&[0x39; 32]).unwrap();
        let der = key.public().encrypt(TEXT).unwrap();
        let octets = Ciphertext::from_der(&der).unwrap().to_c1c3c2();
        let (c1, rest) = octets.split_at(65);
        let (c3, c2) = rest.split_at(32);
        let (x, y) = c1[1..].split_at(32);
        let number = |number: &[u8]| [&[2, 0x21, 0][..], number].concat();
        let string = |octets: &[u8]| [&[4, octets.len() as u8][..], octets].concat();
        let sequence = |fields: &[Vec<u8>]| {
            let fields = fields.concat();
            [&[0x30, fields.len() as u8][..], &fields].concat()
        };
        let swapped = sequence(&[number(x), number(y), string(c2), string(c3)]);
        let length = &(TEXT.len() as u32).to_le_bytes();
        let cases = [
            (Form::Der, der.clone()),
            (Form::NotQuiteDer, [&der[..], b"!"].concat()),
            (Form::DerTextFirst, swapped),
            (Form::C1C3C2, octets.clone()),
            (Form::C1C2C3, [c1, c2, c3].concat()),
            (Form::C1C3C2WithoutPrefix, octets[1..].to_vec()),
            (Form::C1C2C3WithoutPrefix, [&c1[1..], c2, c3].concat()),
            (Form::Device(32), [x, y, c3, length, c2].concat()),
            (Form::Device(64), [&[0; 32][..], x, &[0; 32], y, c3, length, c2].concat()),
        ];
        let stranger = SecretKey::from_be_bytes(&[0x40; 32]).unwrap();
        for (form, octets) in cases {
            let with_key = readings(&octets, Some(&key));
            let opened: Vec<_> = with_key.iter().filter(|it| it.decrypts == Some(true)).collect();
            assert_eq!(opened.len(), 1, "{form:?}");
            assert_eq!((opened[0].form, opened[0].length), (form, TEXT.len()));
            assert!(readings(&octets, Some(&stranger)).iter().all(|it| it.decrypts == Some(false)));
            assert!(
                readings(&octets, None).iter().any(|it| (it.form, it.decrypts) == (form, None))
            );
        }
    }

    #[test]
    fn what_is_no_ciphertext_has_no_form() {
        let key = SecretKey::from_be_bytes(&[0x39; 32]).unwrap();
        let whole = Ciphertext::from_der(&key.public().encrypt(TEXT).unwrap()).unwrap().to_c1c3c2();
        let off_the_curve = [&[4][..], &[1; 64], &whole[65..]].concat();
        for nothing in [&[][..], &whole[..97], &off_the_curve, &[4; 200]] {
            assert!(readings(nothing, Some(&key)).is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(octets: Vec<u8>) {
            let _ = readings(&octets, None);
        }
    }
}
