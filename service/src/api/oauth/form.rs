//! What is asked: `application/x-www-form-urlencoded`, each parameter once (RFC 6749, 3.1 and appendix B).

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::{catalogue::Needs, registrar::Error};

/// Most parameters; those that are unknown are ignored, as OAuth demands, but where they could have narrowed something.
const MOST: usize = 16;

/// Parameters by name. Among them are tokens.
pub(super) struct Form(BTreeMap<String, Zeroizing<String>>);

impl Form {
    /// `None` for what is no such form, or has a parameter twice.
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let body = std::str::from_utf8(body).ok()?;
        let mut parameters = BTreeMap::new();
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let twice =
                parameters.insert(decoded(name)?, Zeroizing::new(decoded(value)?)).is_some();
            if twice || parameters.len() > MOST {
                return None;
            }
        }
        Some(Self(parameters))
    }

    /// A parameter; one without a value counts as left out (RFC 6749, 3.1).
    pub(super) fn optional(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Refuses what has other parameters than these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Error> {
        match self.0.keys().all(|name| known.contains(&name.as_str())) {
            true => Ok(()),
            false => Err(Error::Field { field: "body", needs: Needs::KnownParameters }),
        }
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str, Error> {
        self.optional(name).ok_or(Error::Field { field: name, needs: Needs::Parameter })
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let (high, low) = (digit()?, digit()?);
                u8::try_from(high * 16 + low).ok()?
            }
            plain => plain,
        });
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_are_read_once_each() {
        let form =
            Form::parse(b"token=a.b.c&htu=https%3A%2F%2Femr.example%2F%e5%bc%a0&empty=&x=1+2")
                .unwrap();
        assert_eq!(form.required("token").unwrap(), "a.b.c");
        assert_eq!(form.optional("htu"), Some("https://emr.example/张"));
        assert_eq!((form.optional("x"), form.optional("empty")), (Some("1 2"), None));
        assert!(form.required("empty").is_err() && form.required("other").is_err());
        let many = (0..17).map(|at| format!("p{at}=1&")).collect::<String>();
        for bad in ["a=1&a=2", "a=1&%61=2", "a=%", "a=%4", "a=%zz", "a=%ff", "%=1", &many] {
            assert!(Form::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Form::parse(&[0xff]).is_none());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back(value in "\\PC{1,40}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let encoded: String = value.bytes().map(|octet| format!("%{octet:02X}")).collect();
            let form = Form::parse(format!("a={encoded}").as_bytes()).unwrap();
            prop_assert_eq!(form.optional("a"), Some(value.as_str()));
            // Whatever comes, nothing breaks.
            let _ = Form::parse(&body);
        }
    }
}
