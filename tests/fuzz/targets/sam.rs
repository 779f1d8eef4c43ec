//! A SAM that answers anything: two bytes of length before each answer.
#![no_main]

use card::{
    Apdu, Atr, CardFactor, CardFactors, CardKey, KeyVersion, ProvinceFactor, RecordSigner as _,
    Response, Sam, SamSecurityModule, SecurityModule as _, Transport, TransportError,
};

struct Anything<'d> {
    atr: Atr,
    rest: &'d [u8],
}

impl Transport for Anything<'_> {
    fn atr(&self) -> &Atr {
        &self.atr
    }

    fn transmit(&mut self, _: &Apdu) -> Result<Response, TransportError> {
        let (length, rest) = self.rest.split_first_chunk().ok_or(TransportError::CardRemoved)?;
        let length = usize::from(u16::from_be_bytes(*length)) % 260;
        let (answer, rest) = rest.split_at(rest.len().min(length));
        self.rest = rest;
        Ok(Response::parse(answer)?)
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let atr = Atr::parse(b"\x3B\x00").expect("the shortest one");
    let Ok(mut sam) = Sam::open(Anything { atr, rest: data }) else { return };
    let _ = (sam.tries_left(), sam.public(), sam.terminal(), sam.application());
    let _ = (sam.issuer_certificate(), sam.check_value(CardKey::BkMf, KeyVersion::FIRST));
    let module = SamSecurityModule::new(sam);
    let factors =
        CardFactors { province: ProvinceFactor(*b"41000000"), card: CardFactor([1; 8]) };
    if let Ok(mut session) =
        module.session(CardKey::Rk1Ddf1, KeyVersion::FIRST, &factors, &[2; 8])
    {
        let _ = (session.cryptogram(&[3; 8]), session.mac(&[[4; 16]; 15]));
    }
    let _ = (module.certificate().is_ok(), module.sign(&[5; 500]).is_ok());
});
