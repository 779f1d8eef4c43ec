//! Signatures: how the two numbers are written, and what was signed.

use hsm::{
    sm2::{PublicKey, Signature, SignerId},
    sm3::Hasher,
};

use crate::ber::{self, SEQUENCE};

/// How the numbers *r* and *s* are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// SEQUENCE of two INTEGERs in DER (GM/T 0009-2012, 7.3): certificates, CMS, OpenSSL, GmSSL.
    Der,
    /// The same, but not as DER wants it: needless or missing zeros, long lengths, octets after it.
    NotQuiteDer,
    /// *r* ‖ *s*, 32 octets each: tokens (JWS), smart cards.
    Raw,
    /// *r* ‖ *s*, 64 octets each with zeros before: ECCSignature of devices (GM/T 0018).
    Device,
    /// *r* ‖ *s*, each with its last octet first.
    LittleEndian,
    /// *s* before *r*, in either of the first two forms.
    SwappedDer,
    /// *s* ‖ *r*, 32 octets each.
    SwappedRaw,
}

/// Every way to read octets as a signature with both numbers in range.
#[must_use]
pub fn forms(octets: &[u8]) -> Vec<(Form, Signature)> {
    let mut forms = Vec::new();
    let mut add = |form, r: [u8; 32], s: [u8; 32]| {
        if let Ok(signature) = Signature::from_raw(&[r, s].concat()) {
            forms.push((form, signature));
        }
    };
    if let Some((r, s, der)) = numbers(octets) {
        add(if der { Form::Der } else { Form::NotQuiteDer }, r, s);
        add(Form::SwappedDer, s, r);
    }
    if let ([r, s], []) = octets.as_chunks::<32>() {
        let turned = |mut number: [u8; 32]| {
            number.reverse();
            number
        };
        add(Form::Raw, *r, *s);
        add(Form::LittleEndian, turned(*r), turned(*s));
        add(Form::SwappedRaw, *s, *r);
    }
    if let ([zeros, r, more, s], []) = octets.as_chunks::<32>()
        && [zeros, more] == [&[0; 32]; 2]
    {
        add(Form::Device, *r, *s);
    }
    forms
}

fn numbers(octets: &[u8]) -> Option<([u8; 32], [u8; 32], bool)> {
    let (sequence, trailing) = ber::first(octets, SEQUENCE)?;
    let mut numbers = sequence.elements();
    let (r, s) = (numbers.next()?, numbers.next()?);
    let shortest = sequence.shortest && r.shortest && s.shortest;
    let ((r, r_der), (s, s_der)) = (r.number()?, s.number()?);
    let der = shortest && r_der && s_der && numbers.is_empty() && !trailing;
    Some((r, s, der))
}

/// The identifier of the signer (可辨别标识) that entered through Z.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identifier {
    /// "1234567812345678" (GM/T 0009-2012, 10).
    Default,
    /// None at all: what OpenSSL's commands take when they are not told.
    Empty,
    /// "TLSv1.3+GM+Cipher+Suite" (RFC 8998).
    Tls13,
    /// One that was suggested.
    Other(Vec<u8>),
}

impl Identifier {
    /// Its octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Default => b"1234567812345678",
            Self::Empty => b"",
            Self::Tls13 => b"TLSv1.3+GM+Cipher+Suite",
            Self::Other(octets) => octets,
        }
    }
}

/// How Z was computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Z {
    /// As the standard has it (GB/T 32918.2-2016, 5.5).
    Standard,
    /// The length of the identifier in octets instead of bits.
    LengthInOctets,
    /// The length of the identifier in bits, its low octet first.
    LengthTurned,
    /// The public key with the octet 04 before it.
    PrefixedKey,
    /// Without the parameters of the curve.
    NoCurve,
}

/// What the digest that was signed was made of, after Z where there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hashed {
    /// The message.
    Message,
    /// The SM3 digest of the message: digested twice.
    Digest,
}

/// How the signer came to the number *e*.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Preimage {
    /// *e* = SM3(Z ‖ …): the standard's way.
    WithZ(Identifier, Z, Hashed),
    /// *e* = SM3(…) without Z.
    WithoutZ(Hashed),
    /// *e* is the message itself, which has 32 octets.
    Itself,
}

/// What was done to the message first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Message {
    /// Nothing.
    AsGiven,
    /// Its last line end was not signed.
    WithoutLineEnd,
    /// A line feed was signed after it.
    WithLineEnd,
    /// Its hexadecimal digits were signed, small letters.
    HexDigits,
}

/// One way in which a signature verifies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Convention {
    /// How it is written.
    pub form: Form,
    /// How *e* came about.
    pub preimage: Preimage,
    /// What was done to the message.
    pub message: Message,
}

impl Convention {
    /// Whether it is what the standards ask for. An identifier of one's own is, where both sides agreed on
    /// it; an empty one is what is left when an option was forgotten.
    #[must_use]
    pub fn is_standard(&self) -> bool {
        let preimage = match &self.preimage {
            Preimage::WithZ(id, Z::Standard, Hashed::Message) => *id != Identifier::Empty,
            _ => false,
        };
        let form = matches!(self.form, Form::Der | Form::Raw | Form::Device);
        preimage && form && self.message == Message::AsGiven
    }
}

/// Tries every form with every way to *e*, with the identifiers in use and those that are suggested. A
/// signature that verifies nowhere gives nothing: then key, message or signature belong to something else.
#[must_use]
pub fn conventions(
    key: &PublicKey,
    octets: &[u8],
    message: &[u8],
    suggested: &[Vec<u8>],
) -> Vec<Convention> {
    let forms = forms(octets);
    if forms.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (message, signed) in messages(message) {
        for (preimage, e) in preimages(key, &signed, suggested) {
            for (form, signature) in &forms {
                if key.verify(&e, signature).is_ok() {
                    let preimage = preimage.clone();
                    found.push(Convention { form: *form, preimage, message });
                }
            }
        }
    }
    found
}

/// The number *e* of a convention; all zeros for one that cannot be of this message.
pub(crate) fn e_of(key: &PublicKey, convention: &Convention, message: &[u8]) -> [u8; 32] {
    let suggested = match &convention.preimage {
        Preimage::WithZ(Identifier::Other(id), ..) => vec![id.clone()],
        _ => Vec::new(),
    };
    let signed = messages(message).into_iter().find(|(form, _)| *form == convention.message);
    let preimages = signed.map(|(_, signed)| preimages(key, &signed, &suggested));
    let found = preimages.into_iter().flatten().find(|(it, _)| *it == convention.preimage);
    found.map(|(_, e)| e).unwrap_or_default()
}

fn messages(message: &[u8]) -> Vec<(Message, Vec<u8>)> {
    let mut messages = vec![(Message::AsGiven, message.to_vec())];
    let line = message.strip_suffix(b"\r\n").or_else(|| message.strip_suffix(b"\n"));
    match line {
        Some(line) => messages.push((Message::WithoutLineEnd, line.to_vec())),
        None => messages.push((Message::WithLineEnd, [message, b"\n"].concat())),
    }
    messages.push((Message::HexDigits, hex::encode(message).into_bytes()));
    messages
}

fn preimages(key: &PublicKey, message: &[u8], suggested: &[Vec<u8>]) -> Vec<(Preimage, [u8; 32])> {
    let digest = hsm::sm3::digest(message);
    let mut identifiers = vec![Identifier::Default, Identifier::Empty, Identifier::Tls13];
    let known = |id: &&Vec<u8>| identifiers.iter().all(|known| known.octets() != id.as_slice());
    let other: Vec<_> = suggested.iter().filter(known).cloned().map(Identifier::Other).collect();
    identifiers.extend(other);
    let mut preimages = Vec::new();
    for identifier in identifiers {
        for form in [Z::Standard, Z::LengthInOctets, Z::LengthTurned, Z::PrefixedKey, Z::NoCurve] {
            let Some(z) = z(key, identifier.octets(), form) else { continue };
            for (hashed, rest) in [(Hashed::Message, message), (Hashed::Digest, &digest[..])] {
                let e = concatenated(&[&z, rest]);
                preimages.push((Preimage::WithZ(identifier.clone(), form, hashed), e));
            }
        }
    }
    preimages.push((Preimage::WithoutZ(Hashed::Message), digest));
    preimages.push((Preimage::WithoutZ(Hashed::Digest), hsm::sm3::digest(&digest)));
    if let Ok(e) = message.try_into() {
        preimages.push((Preimage::Itself, e));
    }
    preimages
}

/// *a*, *b*, *x*G and *y*G of the recommended curve (GB/T 32918.5-2017).
const CURVE: [[u8; 32]; 4] = [
    number("fffffffeffffffffffffffffffffffffffffffff00000000fffffffffffffffc"),
    number("28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93"),
    number("32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"),
    number("bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"),
];

/// Z in one of its forms; nothing where that form is the standard's: without an identifier its length is 0 however
/// it is written.
fn z(key: &PublicKey, id: &[u8], form: Z) -> Option<[u8; 32]> {
    if form == Z::Standard {
        return SignerId::new(id).ok().map(|id| key.za(&id));
    }
    let bits = u16::try_from(id.len() * 8).ok()?;
    let length = match form {
        Z::LengthInOctets | Z::LengthTurned if id.is_empty() => return None,
        Z::LengthInOctets => (id.len() as u16).to_be_bytes(),
        Z::LengthTurned => bits.to_le_bytes(),
        _ => bits.to_be_bytes(),
    };
    let curve = CURVE.concat();
    let curve: &[u8] = if form == Z::NoCurve { &[] } else { &curve };
    let key = key.as_sec1();
    let key = if form == Z::PrefixedKey { &key[..] } else { &key[1..] };
    Some(concatenated(&[&length, id, curve, key]))
}

/// SM3 of pieces one after another.
fn concatenated(pieces: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Hasher::new();
    pieces.iter().for_each(|piece| hasher.update(piece));
    hasher.finalize()
}

const fn number(digits: &str) -> [u8; 32] {
    const fn digit(digit: u8) -> u8 {
        match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => panic!("a hexadecimal digit"),
        }
    }
    let digits = digits.as_bytes();
    let mut number = [0; 32];
    let mut at = 0;
    while at < 32 {
        number[at] = digit(digits[2 * at]) << 4 | digit(digits[2 * at + 1]);
        at += 1;
    }
    number
}

#[cfg(test)]
mod tests;
