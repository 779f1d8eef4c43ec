//! What a SAM says of itself: `healthcard desk sam`.

use card::{
    CardKey, Sam, SamError,
    certificate::{CardCertificate, Stored},
    transport::pcsc::PcscCard,
};
use serde_json::json;

use super::{
    super::{
        metrics::Metrics,
        reader::{Abandoned, Reader},
    },
    found, link,
};
use crate::{
    context::{self, Context},
    exit::Exit,
    failure::Failure,
    page::Page,
    text::{self, problems},
};

/// What a SAM says of itself.
struct Shown {
    public: card::sam::PublicFile,
    terminal: card::sam::TerminalNumber,
    valid_until: String,
    tries: u8,
    /// Whether its certificate is of our layout and vouched for by the issuer's beside it.
    certified: bool,
    /// Key and version, and the check value.
    masters: Vec<(String, String)>,
}

/// Shows a SAM. Its check values are compared with those of a keystore (`healthcardd keys`).
pub(crate) async fn show(context: &Context, wanted: &str) -> context::Outcome {
    let missing = || Failure::of(problems::SAM_UNREADABLE).about(wanted);
    let name = found(wanted).await.ok_or_else(missing)?;
    let mut reader = Reader::new(&name, Abandoned::default(), Metrics::new());
    let looked = reader.ask(|place| look(place.connect().map_err(link)?)).await;
    reader.release();
    let shown = looked.map_err(|_| missing())?.map_err(|error| missing().about(error))?;
    let masters: Vec<_> = shown
        .masters
        .iter()
        .map(|(key, value)| json!({ "key": key, "check_value": value }))
        .collect();
    let json = json!({
        "serial": shown.public.serial.to_string(),
        "terminal": shown.terminal.to_string(),
        "valid_until": shown.valid_until,
        "pin_tries_left": shown.tries,
        "certified": shown.certified,
        "masters": masters,
    });
    let lines = shown.masters.into_iter().map(|(key, value)| vec![key.into(), value.into()]);
    let page = Page::titled(text::SAM)
        .row(text::SAM_SERIAL, shown.public.serial.to_string())
        .row(text::SAM_TERMINAL, shown.terminal.to_string())
        .row(text::VALID_UNTIL, shown.valid_until)
        .row(text::SAM_TRIES, shown.tries.to_string())
        .row(text::SAM_CERTIFIED, if shown.certified { text::YES } else { text::NO })
        .table(&[text::SAM_MASTER, text::SAM_CHECK_VALUE], lines.collect());
    context.screen.show(&json, &page);
    Ok(Exit::Done)
}

fn look(card: &mut PcscCard) -> Result<Shown, SamError> {
    let mut sam = Sam::open(card)?;
    let application = sam.application()?;
    let certified = match (sam.issuer_certificate()?, CardCertificate::parse(&sam.certificate()?)) {
        (Stored::Known(issuer), Ok(own)) => own.verify(&issuer, application.valid_from).is_ok(),
        _ => false,
    };
    let mut masters = Vec::new();
    for (key, version) in CardKey::all_versions() {
        if let Some(value) = sam.check_value(key, version)? {
            let value = value.iter().map(|octet| format!("{octet:02X}")).collect();
            masters.push((format!("{key}/{version}"), value));
        }
    }
    Ok(Shown {
        public: sam.public()?,
        terminal: sam.terminal()?,
        valid_until: application.valid_until.to_string(),
        tries: sam.tries_left()?,
        certified,
        masters,
    })
}
