//! A blank card is bound to a row, and that is on record, before anything is written on it.

use std::sync::Arc;

use audit::Outcome;
use card::{
    CardFactor, CardFactors, CardNumber, CardOrder, ProvinceFactor,
    data::{CardClass, IssuerCertificate, IssuerData},
    personalise::{CardContents, Earlier, security_code},
};

use super::{
    Caller, Error, Registrar,
    floor::{Floor, Turn, Untaken},
    rows::RowVerdict,
    serial_of,
};
use crate::{
    catalogue::Reason,
    clock::date_at_desk,
    policy::Act,
    store::{self, BatchId, ChipState, Receipt, StoreError},
};

/// A chip that is bound to a row, and what is to be on it.
pub struct Job {
    pub(super) turn: Turn,
    pub(super) floor: Arc<Floor>,
    pub(super) factors: CardFactors,
    pub(super) order: CardOrder,
    pub(super) contents: CardContents,
    /// What was done to the chip before.
    pub(super) earlier: Earlier,
}

/// What came of asking for a row for a blank card.
pub struct Begun {
    /// Rows that are held or refused for what came on record since they were handed in.
    pub stopped: Vec<(RowVerdict, Receipt)>,
    /// The chip's row, when one waits.
    pub job: Option<Job>,
}

impl Job {
    /// The row, from 1.
    #[must_use]
    pub fn row(&self) -> u32 {
        self.turn.row
    }

    /// The issuing serial that the chip gets.
    #[must_use]
    pub fn chip_serial(&self) -> String {
        serial_of(self.factors.card).to_string()
    }

    /// Batch, row and chip.
    pub(super) fn place(&self) -> (BatchId, u32, [u8; 8]) {
        (self.floor.batch, self.turn.row, self.factors.card.0)
    }
}

impl Registrar {
    /// Binds a chip to a row of an open batch: the one it was begun for, the named one, or the next
    /// whose person looks like nobody else.
    ///
    /// # Errors
    /// CHIP_USED for a chip that is a card, was given up, or was begun for another batch;
    /// CHIP_OF_OTHER_ROW for one that was begun for another row than the named one; BATCH_NOT_FOUND; BATCH_CLOSED; ROLE_NOT_ALLOWED.
    pub async fn begin_card(
        &self,
        caller: &Caller,
        batch: BatchId,
        factor: CardFactor,
        named: Option<u32>,
    ) -> Result<Begun, Error> {
        self.allow(caller, Act::CardIssue).await?;
        let floor = self.open_floor(caller, batch).await?;
        let chip_serial = serial_of(factor);
        let entry = |outcome| {
            self.entry(caller, Act::CardIssue, outcome)
                .on("batch", batch.to_string())
                .with("chip", chip_serial.to_string())
        };
        let chip = self.store.batch_chip(factor.0).await?;
        match &chip {
            Some(chip) if chip.state != ChipState::Writing || chip.batch != batch => {
                return self.refuse(entry(Outcome::Refused), Reason::CHIP_USED).await;
            }
            _ => {}
        }
        let mut stopped = Vec::new();
        let (turn, order) = loop {
            let turn = match floor.take(factor.0, named) {
                Ok(turn) => turn,
                Err(Untaken::NoRow) => {
                    let reason = Reason::NO_ROW_WAITS.text().reason;
                    self.record_act(entry(Outcome::Refused).with("reason", reason)).await?;
                    return Ok(Begun { stopped, job: None });
                }
                Err(Untaken::OtherRow) => {
                    return self.refuse(entry(Outcome::Refused), Reason::CHIP_OF_OTHER_ROW).await;
                }
            };
            let order = self.order_of(&floor, turn.row).await?;
            // Of a row that was begun, whoever came since is seen as its card goes on record.
            if turn.begun_on.is_none()
                && let Some(verdict) = self.stop_if_needed(caller, &floor, &turn, &order).await?
            {
                stopped.push(verdict);
                continue;
            }
            break (turn, order);
        };
        let place = (batch, turn.row, factor.0);
        let granted = entry(Outcome::Granted).with("row", turn.row.to_string());
        let earlier = if turn.begun_on == Some(factor.0) {
            let row = self.store.batch_rows_between(batch, turn.row, turn.row).await?;
            let row = row.first().ok_or(Reason::STATE_CONFLICT)?;
            let earlier = Earlier { sessions: row.sessions, digest: row.transcript };
            let mut granted =
                granted.with("step", "resume").with("session", (earlier.sessions + 1).to_string());
            if let Some(digest) = earlier.digest {
                granted = granted.with("transcript", hex::encode(digest));
            }
            let answer = self.store.record_card_resumed(place, granted).await;
            self.settle(entry(Outcome::Refused), answer).await?;
            earlier
        } else {
            let begun = store::Begun {
                batch,
                row: turn.row,
                factor: factor.0,
                chip_serial: chip_serial.to_string(),
                instead_of: turn.begun_on,
                at: caller.now,
            };
            let granted = granted.with("step", "begin");
            let granted = match turn.begun_on {
                Some(old) => granted.with("spoiled", serial_of(CardFactor(old)).to_string()),
                None => granted,
            };
            let answer = self.store.record_card_begun(begun, granted).await;
            self.settle(entry(Outcome::Refused), answer).await.map_err(|error| match error {
                Error::Store(StoreError::Duplicate(_)) => Reason::CHIP_USED.into(),
                other => other,
            })?;
            turn.begun(factor.0);
            Earlier::default()
        };
        let job = self.job(floor, turn, factor, order, earlier).await?;
        Ok(Begun { stopped, job: Some(job) })
    }

    /// What is to be on the card of a row.
    async fn job(
        &self,
        floor: Arc<Floor>,
        turn: Turn,
        factor: CardFactor,
        order: CardOrder,
        earlier: Earlier,
    ) -> Result<Job, Error> {
        let damaged =
            || Error::Internal { what: "the issuer of a batch is not on record", source: None };
        let day = date_at_desk(floor.opened_at);
        let issuing = self.issuing()?;
        let code = self.store.issuer_code(floor.institution).await?.ok_or_else(damaged)?;
        let institution = self.store.institution(floor.institution).await?.ok_or_else(damaged)?;
        let number = CardNumber::from(&order.holder.id_number);
        // The issuer's own certificate: what it vouches for, above all SAMs, is checked with it.
        let certificate = self.card_issuer.certificate.to_bytes().try_into();
        let certificate = certificate.expect("the certificate of an issuer has 180 bytes");
        let issuer = IssuerData {
            class: CardClass(b'1'),
            version: "1.0".parse().expect("three characters of four"),
            name: institution.name,
            code: code.parse().map_err(|_| damaged())?,
            certificate: IssuerCertificate(certificate),
            issued_on: day,
            security_code: security_code(&issuing.cvk, &number, order.contact.valid_until),
            card_number: number,
            chip_serial: serial_of(factor),
            city: order.city.clone(),
        };
        let contents = CardContents::new(&issuer, &order)
            .map_err(|_| Error::Refused(Reason::ISSUER_NAME_UNFIT))?;
        let province = ProvinceFactor::from(&order.city);
        let factors = CardFactors { province, card: factor };
        Ok(Job { turn, floor, factors, order, contents, earlier })
    }
}
