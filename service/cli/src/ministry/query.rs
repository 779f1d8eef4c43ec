//! The question of a platform about a certificate, as a SOAP document. It comes from outside: only what a form names
//! is read, within bounds, and there are no document types, entities, instructions or anything to be fetched.

use quick_xml::{
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesStart, Event},
    name::{Namespace, ResolveResult},
    reader::NsReader,
};

/// Most octets of a question.
pub(crate) const MAX_LEN: usize = 16 * 1024;
/// Most elements of a question, headers included.
const MOST_ELEMENTS: usize = 64;
/// Deepest an element stands.
const DEEPEST: usize = 12;
/// Most octets of what is asked about.
const LONGEST: usize = 128;

/// What the parts of a question are called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// Namespace of the envelope: it says which SOAP this is.
    pub(crate) envelope: &'a str,
    /// Namespace of the operation and what is in it.
    pub(crate) namespace: &'a str,
    /// The operation.
    pub(crate) operation: &'a str,
    /// The element with a serial number.
    pub(crate) serial: &'a str,
    /// The element with an identifier of the holder.
    pub(crate) identifier: &'a str,
}

/// What is asked about.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The certificate of this serial number, as it was written.
    Serial(String),
    /// Certificates with this identifier of their holder.
    Identifier(String),
}

/// Foreign text may name a person.
impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Serial(_) => "Serial(..)",
            Self::Identifier(_) => "Identifier(..)",
        })
    }
}

/// Why a document is no question that is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadQuery {
    /// More than [`MAX_LEN`] octets, too many elements, or too deep.
    #[error("the document is too large")]
    TooLarge,
    /// Not well-formed XML 1.0 in UTF-8.
    #[error("the document is not well-formed")]
    Malformed,
    /// A document type, an entity of its own, an instruction, or a section of another kind.
    #[error("the document has parts that are refused")]
    Forbidden,
    /// Another element, or text, than the form has there.
    #[error("the document is not a question of this form")]
    Unexpected,
    /// A header that whoever answers has to understand.
    #[error("the document has a header that has to be understood")]
    MustUnderstand,
    /// What is asked about is empty or too long.
    #[error("what is asked about is empty or too long")]
    Asked,
}

/// Reads a question.
///
/// # Errors
/// [`BadQuery`].
pub(crate) fn read(document: &[u8], names: Names<'_>) -> Result<Asked, BadQuery> {
    if document.len() > MAX_LEN {
        return Err(BadQuery::TooLarge);
    }
    let text = str::from_utf8(document).map_err(|_| BadQuery::Malformed)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !text.chars().all(is_xml) {
        return Err(BadQuery::Malformed);
    }
    let mut walk = Walk::new(text);
    let envelope = |local| Element::new(names.envelope, local);
    let own = |local| Element::new(names.namespace, local);

    walk.open(&[envelope("Envelope")])?;
    if walk.open(&[envelope("Header"), envelope("Body")])? == 0 {
        walk.skip_header()?;
        walk.open(&[envelope("Body")])?;
    }
    walk.open(&[own(names.operation)])?;
    let which = walk.open(&[own(names.serial), own(names.identifier)])?;
    let asked = walk.text()?;
    for _ in 0..3 {
        walk.close()?;
    }
    walk.end()?;
    if !(1..=LONGEST).contains(&asked.len()) || asked.chars().any(char::is_control) {
        return Err(BadQuery::Asked);
    }
    Ok(if which == 0 { Asked::Serial(asked) } else { Asked::Identifier(asked) })
}

/// Characters of XML 1.0, 2.2.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// An element by its namespace and name.
#[derive(PartialEq, Eq)]
struct Element {
    namespace: String,
    local: String,
}

impl Element {
    fn new(namespace: &str, local: &str) -> Self {
        Self { namespace: namespace.to_owned(), local: local.to_owned() }
    }
}

/// What comes next in a document.
enum Token {
    Open { element: Element, must_understand: bool },
    Close,
    Text(String),
    End,
}

struct Walk<'a> {
    reader: NsReader<&'a [u8]>,
    begun: bool,
    elements: usize,
    depth: usize,
}

impl<'a> Walk<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = NsReader::from_str(text);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        Self { reader, begun: false, elements: 0, depth: 0 }
    }

    /// Opens the next element, which has to be one of these; which.
    fn open(&mut self, expected: &[Element]) -> Result<usize, BadQuery> {
        match self.next_but_space()? {
            Token::Open { element, .. } => {
                let at = expected.iter().position(|it| *it == element);
                at.ok_or(BadQuery::Unexpected)
            }
            _ => Err(BadQuery::Unexpected),
        }
    }

    fn close(&mut self) -> Result<(), BadQuery> {
        match self.next_but_space()? {
            Token::Close => Ok(()),
            _ => Err(BadQuery::Unexpected),
        }
    }

    fn end(&mut self) -> Result<(), BadQuery> {
        match self.next_but_space()? {
            Token::End => Ok(()),
            _ => Err(BadQuery::Unexpected),
        }
    }

    /// The text of the element that was opened, up to its end, without the space around it.
    fn text(&mut self) -> Result<String, BadQuery> {
        let mut text = String::new();
        loop {
            match self.next()? {
                Token::Text(more) => text.push_str(&more),
                Token::Close => return Ok(text.trim().to_owned()),
                Token::Open { .. } | Token::End => return Err(BadQuery::Unexpected),
            }
        }
    }

    /// What is in the header is for others.
    fn skip_header(&mut self) -> Result<(), BadQuery> {
        let outside = self.depth - 1;
        while self.depth > outside {
            match self.next()? {
                Token::Open { must_understand: true, .. } => return Err(BadQuery::MustUnderstand),
                Token::End => return Err(BadQuery::Malformed),
                _ => {}
            }
        }
        Ok(())
    }

    fn next_but_space(&mut self) -> Result<Token, BadQuery> {
        loop {
            match self.next()? {
                Token::Text(text) if text.trim().is_empty() => {}
                token => return Ok(token),
            }
        }
    }

    fn next(&mut self) -> Result<Token, BadQuery> {
        loop {
            let (namespace, event) =
                self.reader.read_resolved_event().map_err(|_| BadQuery::Malformed)?;
            let begun = std::mem::replace(&mut self.begun, true);
            match event {
                Event::Start(start) => {
                    let namespace = match namespace {
                        ResolveResult::Bound(Namespace(uri)) => uri.to_owned(),
                        ResolveResult::Unbound => String::new(),
                        ResolveResult::Unknown(_) => return Err(BadQuery::Malformed),
                    };
                    let local = start.local_name().as_ref().to_owned();
                    let must_understand = must_understand(&start)?;
                    self.elements += 1;
                    self.depth += 1;
                    if self.elements > MOST_ELEMENTS || self.depth > DEEPEST {
                        return Err(BadQuery::TooLarge);
                    }
                    let element = Element { namespace, local };
                    return Ok(Token::Open { element, must_understand });
                }
                Event::End(_) => {
                    self.depth = self.depth.checked_sub(1).ok_or(BadQuery::Malformed)?;
                    return Ok(Token::Close);
                }
                Event::Text(text) => return Ok(Token::Text(text.into_inner().into_owned())),
                Event::GeneralRef(entity) => {
                    let resolved = match entity.resolve_char_ref() {
                        Ok(Some(c)) if is_xml(c) => c.to_string(),
                        Ok(None) => match resolve_predefined_entity(&entity) {
                            Some(text) => text.to_owned(),
                            None => return Err(BadQuery::Forbidden),
                        },
                        _ => return Err(BadQuery::Malformed),
                    };
                    return Ok(Token::Text(resolved));
                }
                Event::Decl(declared) if !begun => check_declaration(&declared)?,
                Event::Comment(_) => {}
                Event::Eof if self.depth == 0 => return Ok(Token::End),
                Event::Eof | Event::Decl(_) => return Err(BadQuery::Malformed),
                Event::CData(_) | Event::PI(_) | Event::DocType(_) | Event::Empty(_) => {
                    return Err(BadQuery::Forbidden);
                }
            }
        }
    }
}

fn must_understand(start: &BytesStart<'_>) -> Result<bool, BadQuery> {
    let mut must = false;
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| BadQuery::Malformed)?;
        if attribute.value.contains('<') {
            return Err(BadQuery::Malformed);
        }
        let named = attribute.key.local_name().as_ref() == "mustUnderstand";
        must |= named && !matches!(attribute.value.trim(), "0" | "false");
    }
    Ok(must)
}

/// XML 1.0 in UTF-8.
fn check_declaration(declared: &BytesDecl<'_>) -> Result<(), BadQuery> {
    let version = declared.version().map_err(|_| BadQuery::Malformed)?;
    let encoding = declared.encoding().transpose().map_err(|_| BadQuery::Malformed)?;
    let utf8 = encoding.is_none_or(|encoding| encoding.eq_ignore_ascii_case("utf-8"));
    if version == "1.0" && utf8 { Ok(()) } else { Err(BadQuery::Malformed) }
}

#[cfg(test)]
mod tests;
