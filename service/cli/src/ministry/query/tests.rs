use proptest::prelude::*;
use quick_xml::escape::escape;

use super::*;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const NAMES: Names<'_> = Names {
    envelope: SOAP,
    namespace: "urn:platform",
    operation: "queryCert",
    serial: "serialNumber",
    identifier: "entityId",
};

fn wrapped(body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:Envelope xmlns:s='{SOAP}'>\n <s:Body>{body}</s:Body>\n</s:Envelope>\n"
    )
}

fn asks(content: &str) -> String {
    wrapped(&format!("<p:queryCert xmlns:p='urn:platform'>{content}</p:queryCert>"))
}

fn read(document: &str) -> Result<Asked, BadQuery> {
    super::read(document.as_bytes(), NAMES)
}

#[test]
fn a_question_is_read_however_its_namespaces_are_written() {
    let serial = Asked::Serial("5a&<5a".to_owned());
    for document in [
        asks("<p:serialNumber> 5a&amp;&#60;5<!-- -->a\n</p:serialNumber>"),
        asks("<serialNumber xmlns='urn:platform' type='x'>5a&amp;&#x3C;5a</serialNumber>"),
        format!(
            "<Envelope xmlns='{SOAP}'><Header><a xmlns='b' mustUnderstand='0'>c</a></Header><Body>\
             <queryCert xmlns='urn:platform'><serialNumber>5a&amp;&lt;5a</serialNumber></queryCert></Body></Envelope>"
        ),
        format!("\u{feff}{}", asks("<p:serialNumber>5a&amp;&lt;5a</p:serialNumber>")),
    ] {
        assert_eq!(read(&document), Ok(serial.clone()), "{document}");
    }
    let identifier = read(&asks("<p:entityId>1@0000JM0A</p:entityId>"));
    assert_eq!(identifier, Ok(Asked::Identifier("1@0000JM0A".to_owned())));
}

#[test]
fn documents_that_are_no_question_are_refused() {
    use BadQuery::{Asked, Forbidden, Malformed, MustUnderstand, TooLarge, Unexpected};
    let good = asks("<p:serialNumber>5a</p:serialNumber>");
    let header = |header: &str| good.replacen("<s:Body>", &format!("{header}<s:Body>"), 1);
    let typed = |doctype: &str| good.replacen("<s:Envelope", &format!("{doctype}<s:Envelope"), 1);
    let nested = "<a>".repeat(12) + &"</a>".repeat(12);
    let cases = [
        (String::new(), Unexpected),
        ("<".to_owned(), Malformed),
        ("5a".to_owned(), Unexpected),
        (good[..good.len() / 2].to_owned(), Malformed),
        (good.replace("</s:Envelope>", ""), Malformed),
        (format!("{good}<a/>"), Unexpected),
        (format!("{good}a"), Unexpected),
        (good.replacen("xmlns:s", "xmlns:t", 1), Malformed),
        (good.replace("</s:Body>", "</s:Header>"), Malformed),
        (good.replace("1.0", "1.1"), Malformed),
        (good.replace("UTF-8", "GB18030"), Malformed),
        (good.replace("5a", "\u{1}"), Malformed),
        (good.replace("5a", "&#1;"), Malformed),
        (good.replace("5a", "&#xd800;"), Malformed),
        (good.replace("5a", "&a"), Malformed),
        (good.replace("<p:serialNumber>", "<p:serialNumber a='1' a='2'>"), Malformed),
        (format!(" {good}"), Malformed),
        // Nothing that is defined in a document, fetched or executed.
        (typed("<!DOCTYPE a SYSTEM 'file:///etc/passwd'>"), Forbidden),
        (typed("<!DOCTYPE a [<!ENTITY e 'x'>]>"), Forbidden),
        (good.replace("5a", "&e;"), Forbidden),
        (good.replace("5a", "<![CDATA[5a]]>"), Forbidden),
        (typed("<?xml-stylesheet href='a'?>"), Forbidden),
        // Other elements than the form has.
        (good.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope"), Unexpected),
        (good.replace("urn:platform", "urn:other"), Unexpected),
        (good.replace("queryCert", "deleteCert"), Unexpected),
        (good.replace("serialNumber", "serial"), Unexpected),
        (good.replace("<s:Body>", "<s:Body>5a"), Unexpected),
        (asks(""), Unexpected),
        (
            asks("<p:serialNumber>5a</p:serialNumber><p:serialNumber>5b</p:serialNumber>"),
            Unexpected,
        ),
        (asks("<p:serialNumber><p:a/></p:serialNumber>"), Unexpected),
        (header("<s:Header/><s:Header/>"), Unexpected),
        (header("<s:Header><a xmlns='b' s:mustUnderstand='1'/></s:Header>"), MustUnderstand),
        (header(&format!("<s:Header>{nested}</s:Header>")), TooLarge),
        (header(&format!("<s:Header>{}</s:Header>", "<a/>".repeat(65))), TooLarge),
        (format!("{good}{}", " ".repeat(MAX_LEN)), TooLarge),
        // Nothing to ask about.
        (good.replace("5a", " "), Asked),
        (good.replace("5a", &"5".repeat(129)), Asked),
        (good.replace("5a", "5\ta"), Asked),
    ];
    for (document, why) in cases {
        assert_eq!(read(&document), Err(why), "{document}");
    }
    let latin = super::read(b"<a>\xff</a>", NAMES);
    assert_eq!(latin, Err(Malformed));
}

proptest! {
    /// Whatever can be asked is read as it was, and no octets stop the reader.
    #[test]
    fn what_is_asked_is_read(text in "[!-~一-龥][ -~一-龥]{0,30}[!-~一-龥]") {
        let document = asks(&format!("<p:entityId>{}</p:entityId>", escape(&text)));
        prop_assert_eq!(read(&document), Ok(Asked::Identifier(text)));
    }

    #[test]
    fn no_octets_stop_the_reader(octets in proptest::collection::vec(any::<u8>(), 0..200), at in 0_usize..200) {
        drop(super::read(&octets, NAMES));
        let mut document = asks("<p:serialNumber>5a</p:serialNumber>").into_bytes();
        let at = at % document.len();
        document.splice(at..at, octets);
        drop(super::read(&document, NAMES));
    }
}
