//! Pages to be printed: HTML that needs nothing else and loads nothing.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    failure::Failure,
    qr::Picture,
    text::{Lang, Text},
};

/// What all pages look like.
const STYLE: &str = "body{font:11pt/1.5 \"Noto Sans CJK SC\",\"Source Han Sans SC\",sans-serif;color:#000}\
h1{font-size:15pt;margin:0 0 4mm}th{text-align:left;font-weight:normal;color:#444;padding-right:5mm;vertical-align:top;white-space:nowrap}\
td{word-break:break-all}img{image-rendering:pixelated;float:right;margin:0 0 2mm 4mm}p{font-size:9.5pt}";

/// A page with a title; `style` is added to what all have, and `body` is HTML.
pub(crate) fn sheet(title: Text, lang: Lang, style: &str, body: &str) -> String {
    let title = escaped(title.speak(lang));
    let tag = match lang {
        Lang::Zh => "zh-CN",
        Lang::En => "en",
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"{tag}\"><head><meta charset=\"utf-8\"><title>{title}</title>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <style>{STYLE}{style}</style></head>\n<body><h1>{title}</h1>\n{body}</body></html>\n"
    )
}

/// A text as a QR code in the page.
pub(crate) fn picture(text: &str) -> Result<String, Failure> {
    let picture = STANDARD.encode(Picture::of(text)?.png());
    Ok(format!("<img alt=\"QR\" src=\"data:image/png;base64,{picture}\">\n"))
}

/// A text that is nothing but text in HTML.
pub(crate) fn escaped(text: &str) -> String {
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
