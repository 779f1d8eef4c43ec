//! A consent on paper: one HTML page of size A5 that needs nothing else, with the signed receipt as a QR code.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::rows;
use crate::{
    failure::Failure,
    qr::Picture,
    text::{self, Lang},
};

const STYLE: &str = "@page{size:A5;margin:12mm}body{font:11pt/1.5 \"Noto Sans CJK SC\",\"Source Han Sans SC\",sans-serif;color:#000;max-width:124mm}\
h1{font-size:15pt;margin:0 0 4mm}th{text-align:left;font-weight:normal;color:#444;padding-right:5mm;vertical-align:top;white-space:nowrap}\
td{word-break:break-all}img{width:52mm;height:52mm;image-rendering:pixelated;float:right;margin:0 0 2mm 4mm}p{font-size:9.5pt}\
.sign{margin-top:9mm;border-top:1px solid #000;width:60mm;padding-top:1mm}";

/// The page, in the language of whoever prints it.
pub(crate) fn page(consent: &proto::v1::Consent, lang: Lang) -> Result<String, Failure> {
    let picture = STANDARD.encode(Picture::of(&consent.signed_receipt)?.png());
    let title = text::CONSENT.speak(lang);
    let mut table = String::new();
    for (label, value) in rows(consent) {
        let (label, value) = (escaped(label.speak(lang)), escaped(&value.speak(lang)));
        table.push_str(&format!("<tr><th>{label}<td>{value}</tr>\n"));
    }
    let tag = match lang {
        Lang::Zh => "zh-CN",
        Lang::En => "en",
    };
    let (advice, signature) = (
        escaped(text::CONSENT_HOW_TO_WITHDRAW.speak(lang)),
        escaped(text::CONSENT_SIGNATURE.speak(lang)),
    );
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n\
         <img alt=\"QR\" src=\"data:image/png;base64,{picture}\">\n<table>\n{table}</table>\n\
         <p>{advice}</p>\n<p class=\"sign\">{signature}</p>\n</body></html>\n"
    ))
}

/// A text that is nothing but text in HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
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
