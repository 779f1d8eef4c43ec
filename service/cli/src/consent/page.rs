//! A consent on paper: one HTML page of size A5 that needs nothing else, with the signed receipt as a QR code.

use super::rows;
use crate::{
    failure::Failure,
    paper::{escaped, picture, sheet},
    text::{self, Lang},
};

const STYLE: &str = "@page{size:A5;margin:12mm}body{max-width:124mm}img{width:52mm;height:52mm}\
.sign{margin-top:9mm;border-top:1px solid #000;width:60mm;padding-top:1mm}";

/// The page, in the language of whoever prints it.
pub(crate) fn page(consent: &proto::v1::Consent, lang: Lang) -> Result<String, Failure> {
    let mut table = String::new();
    for (label, value) in rows(consent) {
        let (label, value) = (escaped(label.speak(lang)), escaped(&value.speak(lang)));
        table.push_str(&format!("<tr><th>{label}<td>{value}</tr>\n"));
    }
    let (advice, signature) = (
        escaped(text::CONSENT_HOW_TO_WITHDRAW.speak(lang)),
        escaped(text::CONSENT_SIGNATURE.speak(lang)),
    );
    let picture = picture(&consent.signed_receipt)?;
    let body = format!(
        "{picture}<table>\n{table}</table>\n<p>{advice}</p>\n<p class=\"sign\">{signature}</p>\n"
    );
    Ok(sheet(text::CONSENT, lang, STYLE, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_says_what_was_agreed_and_lets_nothing_in() {
        let consent = proto::v1::Consent {
            consent_id: "<script>alert(1)</script>".to_owned(),
            kind: proto::v1::ConsentKind::Permit.into(),
            classes: vec![proto::v1::DataClass::Health.into()],
            grade: 5,
            signed_receipt: "a.b.c".to_owned(),
            ..proto::v1::Consent::default()
        };
        for (lang, says) in [(Lang::Zh, "健康状况"), (Lang::En, "withdraw this at any desk")] {
            let page = page(&consent, lang).unwrap();
            assert!(page.contains(says) && page.contains("data:image/png;base64,"));
            assert!(!page.contains("<script"), "{page}");
        }
    }
}
