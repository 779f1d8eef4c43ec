//! Whether the log that a service has today goes on from a checkpoint, whoever of its keys signed which.

use audit::checkpoint::{Checkpoint, VerifierKey};
use proto::v1::{GrowthRequest, audit_client::AuditClient};
use serde_json::{Value, json};

use super::{newest, parse};
use crate::{
    command::witness::why_text,
    context::Context,
    failure::Failure,
    page::{Cell, Page},
    proof,
    text::{self, Lang, problems},
    witness::{Why, disagreement},
};

/// What the service showed.
pub(super) struct Today {
    /// Its newest checkpoint.
    pub(super) newest: Option<Checkpoint>,
    /// The key that was given signed that.
    pub(super) by_given: bool,
    /// Why it is not the log of the checkpoint, if it is not.
    pub(super) differs: Option<Why>,
}

/// Asks the service how its log grew from this checkpoint. It needs no session: whoever has the evidence may ask.
pub(super) async fn today(
    context: &Context,
    note: &str,
    given: Option<&VerifierKey>,
) -> Result<Today, Failure> {
    let held = Checkpoint::read_unverified(note)
        .map_err(|error| Failure::of(problems::CHECKPOINT_UNUSABLE).about(error))?;
    let request = GrowthRequest { held: note.to_owned() };
    let shown = context
        .service
        .ask_openly(async |it| AuditClient::new(it).growth(request.clone()).await)
        .await;
    let shown = match shown {
        Ok(shown) => shown,
        Err(failure) => match Why::said(&failure.reason) {
            Some(why) => return Ok(Today { newest: None, by_given: false, differs: Some(why) }),
            None => return Err(failure),
        },
    };
    let by_given = given.filter(|key| Checkpoint::verify(&shown.checkpoint, key).is_ok());
    let newest = match by_given {
        Some(key) => proof::checkpoint(&shown.checkpoint, key)?,
        // The log may have another key by now than the one that was given.
        None => {
            proof::checkpoint(&shown.checkpoint, &parse(&newest(context).await?.verifier_key)?)?
        }
    };
    let differs = match held.origin == newest.origin {
        true => disagreement(&held, &newest, &shown),
        false => Some(Why::Unknown),
    };
    Ok(Today { newest: Some(newest), by_given: by_given.is_some(), differs })
}

impl Today {
    pub(super) fn rows(&self, page: Page) -> Page {
        match (&self.differs, &self.newest) {
            (Some(why), _) => page.row(text::FINDING, why_text(*why)),
            (None, Some(newest)) => {
                let size = vec![newest.size.to_string()];
                let page = page.row(text::TODAY, Cell::Filled(text::TODAY_GOES_ON, size));
                if self.by_given { page } else { page.note(text::TODAY_KEY_OF_SERVICE) }
            }
            (None, None) => page,
        }
    }

    /// For programs: what is wrong.
    pub(super) fn finding(&self) -> Option<Value> {
        let why = self.differs?;
        Some(
            json!({ "kind": format!("today_{}", why.word()), "message": why_text(why).speak(Lang::En) }),
        )
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "goes_on": self.differs.is_none(),
            "size": self.newest.as_ref().map(|it| it.size),
            "root": self.newest.as_ref().map(|it| hex::encode(it.root)),
            "verifier_key_source": if self.by_given { "given" } else { "service" },
        })
    }
}
