//! Access tokens on record: enough to say whether one is good now.

use access_token::snapshot::EndedToken;
use audit::Entry;
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, types::ToSqlOutput};

use super::{
    Change, ConsentId, EmergencyId, GuardianshipId, IdentityId, Obstacle, Receipt, Record,
    ReferralId, ResidentId, Store, StoreError, TokenId, VisitId,
    consents::check_consent,
    emergencies::check_emergency,
    facts::Found,
    guardians::check_guardianship,
    micros::Micros,
    referrals::check_referral,
    sessions::{InSession, check_certificate},
    visits::check_visit,
};
use crate::clock::UtcTime;

/// A token that is about to be given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// Its `jti`.
    pub id: TokenId,
    /// The clinician.
    pub identity: IdentityId,
    /// Serial number of the certificate it rests on.
    pub certificate: String,
    /// Digest of the session that asked for it.
    pub session: [u8; 32],
    /// Whose data.
    pub resident: ResidentId,
    /// In which visit, if in one.
    pub visit: Option<VisitId>,
    /// The consent it rests on, if on one.
    pub consent: Option<ConsentId>,
    /// The referral it rests on, if on one.
    pub referral: Option<ReferralId>,
    /// The guardianship it rests on, if on one.
    pub guardianship: Option<GuardianshipId>,
    /// In which emergency access, if in one.
    pub emergency: Option<EmergencyId>,
    /// The token that it was exchanged for, if for one.
    pub subject: Option<TokenId>,
    /// When it was issued.
    pub issued_at: UtcTime,
    /// When it ends by itself.
    pub expires_at: UtcTime,
}

/// A token on record, and everything that may have ended it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its `jti`.
    pub id: TokenId,
    /// The clinician.
    pub identity: IdentityId,
    /// Serial number of the certificate it rests on.
    pub certificate: String,
    /// Digest of the session that asked for it.
    pub session: [u8; 32],
    /// Whose data.
    pub resident: ResidentId,
    /// In which visit, if in one.
    pub visit: Option<VisitId>,
    /// The consent it rests on, if on one.
    pub consent: Option<ConsentId>,
    /// The referral it rests on, if on one.
    pub referral: Option<ReferralId>,
    /// The guardianship it rests on, if on one.
    pub guardianship: Option<GuardianshipId>,
    /// In which emergency access, if in one.
    pub emergency: Option<EmergencyId>,
    /// When it was issued.
    pub issued_at: UtcTime,
    /// When it ends by itself.
    pub expires_at: UtcTime,
    /// The token that it was exchanged for, if for one.
    pub subject: Option<TokenId>,
    /// That token, once it was looked for: it was not exchanged itself.
    exchanged: Option<Box<Self>>,
    /// Position of the leaf that recorded its issue.
    pub log_position: u64,
    /// When it was revoked, if it was.
    pub revoked_at: Option<UtcTime>,
    /// When the visit was closed, if it was.
    pub visit_closed_at: Option<UtcTime>,
    /// When the consent was withdrawn, if it was.
    pub consent_withdrawn_at: Option<UtcTime>,
    /// When the referral was ended, if it was.
    pub referral_ended_at: Option<UtcTime>,
    /// When the guardianship was ended before its last day, if it was.
    pub guardianship_ended_at: Option<UtcTime>,
    /// When the emergency access was over, or will be.
    pub emergency_over_at: Option<UtcTime>,
    /// When the session that asked for it was closed, if it was.
    pub session_closed_at: Option<UtcTime>,
    /// When the lease of that session is over, or was, if it has one.
    pub session_leased_until: Option<UtcTime>,
    /// When the certificate was revoked, if it was.
    pub certificate_revoked_at: Option<UtcTime>,
}

/// What ended a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// Its visit was closed.
    VisitClosed,
    /// The consent it rests on was withdrawn.
    ConsentOver,
    /// The referral it rests on was ended.
    ReferralOver,
    /// The guardianship it rests on was ended.
    GuardianshipOver,
    /// Its emergency access is over.
    EmergencyOver,
    /// The session that asked for it was closed, or is over because its lease was not renewed.
    SessionClosed,
    /// The certificate it rests on was revoked.
    CertificateRevoked,
}

/// Which tokens are ended together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokensOf {
    /// Those within a visit.
    Visit(VisitId),
    /// Those of a clinician.
    Identity(IdentityId),
    /// Those that rest on a certificate, by its serial number.
    Certificate(String),
    /// Those that rest on a consent.
    Consent(ConsentId),
    /// Those that open a resident's data.
    Resident(ResidentId),
}

/// Tokens with everything that may have ended them; `INDEXED BY` refuses to look through the whole table.
macro_rules! select {
    ($($condition:literal),+) => { select!(from "token" where $($condition),+) };
    (from $token:literal where $($condition:literal),+) => {
        concat!(
            "SELECT token.*, visit.closed_at AS visit_closed_at,
                    consent.withdrawn_at AS consent_withdrawn_at,
                    referral.ended_at AS referral_ended_at,
                    guardianship.ended_at AS guardianship_ended_at,
                    coalesce(emergency.ended_at, emergency.ends_at) AS emergency_over_at,
                    session.closed_at AS session_closed_at,
                    session.leased_until AS session_leased_until,
                    certificate.revoked_at AS certificate_revoked_at
             FROM ", $token, " JOIN certificate ON certificate.serial = token.certificate
                        LEFT JOIN session ON session.digest = token.session
                        LEFT JOIN visit ON visit.id = token.visit
                        LEFT JOIN consent ON consent.id = token.consent
                        LEFT JOIN referral ON referral.id = token.referral
                        LEFT JOIN guardianship ON guardianship.id = token.guardianship
                        LEFT JOIN emergency ON emergency.id = token.emergency
             WHERE ",
            $($condition),+
        )
    };
}

const SELECT: &str = select!("token.id = ?1");
const SELECT_NOT_OVER: &str =
    select!(from "token INDEXED BY token_end" where "token.expires_at > ?1");

impl TokensOf {
    /// Those of them whose time is not over: of one holder, if one is given as `?3`, else of all.
    fn select(&self, holder: Option<IdentityId>) -> &'static str {
        macro_rules! not_over {
            ($column:literal, $index:literal) => {
                match holder {
                    Some(_) => select!(
                        from "token INDEXED BY token_identity"
                        where "token.identity = ?3 AND token.expires_at > ?1 AND token.", $column, " = ?2"
                    ),
                    None => select!(
                        from $index
                        where "token.expires_at > ?1 AND token.", $column, " = ?2"
                    ),
                }
            };
        }
        match self {
            Self::Visit(_) => not_over!("visit", "token INDEXED BY token_visit"),
            Self::Identity(_) => not_over!("identity", "token INDEXED BY token_identity"),
            Self::Certificate(_) => not_over!("certificate", "token INDEXED BY token_certificate"),
            Self::Consent(_) => not_over!("consent", "token INDEXED BY token_consent"),
            Self::Resident(_) => not_over!("resident", "token INDEXED BY token_resident"),
        }
    }
}

impl ToSql for TokensOf {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        match self {
            Self::Visit(id) => id.to_sql(),
            Self::Identity(id) => id.to_sql(),
            Self::Certificate(serial) => serial.to_sql(),
            Self::Consent(id) => id.to_sql(),
            Self::Resident(id) => id.to_sql(),
        }
    }
}

impl Token {
    /// What has ended it by `now`, if anything has.
    #[must_use]
    pub fn ended(&self, now: UtcTime) -> Option<Ended> {
        let ends = [
            (self.revoked_at.is_some(), Ended::Revoked),
            (self.visit_closed_at.is_some(), Ended::VisitClosed),
            (self.consent_withdrawn_at.is_some(), Ended::ConsentOver),
            (self.referral_ended_at.is_some(), Ended::ReferralOver),
            (self.guardianship_ended_at.is_some(), Ended::GuardianshipOver),
            (self.emergency_over_at.is_some_and(|at| at <= now), Ended::EmergencyOver),
            (self.certificate_revoked_at.is_some(), Ended::CertificateRevoked),
            (self.session_closed_at.is_some(), Ended::SessionClosed),
            (self.session_leased_until.is_some_and(|at| at <= now), Ended::SessionClosed),
            (self.expires_at <= now, Ended::Expired),
        ];
        let own = ends.into_iter().find_map(|(ended, how)| ended.then_some(how));
        match own {
            // What ended its subject ended it, too, though its own time is over since.
            None | Some(Ended::Expired) => {
                self.exchanged.as_ref().and_then(|subject| subject.ended(now)).or(own)
            }
            early => early,
        }
    }

    /// It, with the token that it was exchanged for: it ends with that.
    fn with_subject(self, db: &Connection) -> Result<Self, StoreError> {
        let Some(subject) = self.subject else { return Ok(self) };
        let subject = db.prepare_cached(SELECT)?.query_row([subject], Self::read)?;
        Ok(Self { exchanged: Some(Box::new(subject)), ..self })
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let time = |column| -> rusqlite::Result<Option<UtcTime>> {
            Ok(row.get::<_, Option<Micros>>(column)?.map(|at| at.0))
        };
        Ok(Self {
            id: row.get("id")?,
            identity: row.get("identity")?,
            certificate: row.get("certificate")?,
            session: row.get("session")?,
            resident: row.get("resident")?,
            visit: row.get("visit")?,
            consent: row.get("consent")?,
            referral: row.get("referral")?,
            guardianship: row.get("guardianship")?,
            emergency: row.get("emergency")?,
            issued_at: row.get::<_, Micros>("issued_at")?.0,
            expires_at: row.get::<_, Micros>("expires_at")?.0,
            subject: row.get("subject")?,
            exchanged: None,
            log_position: row.get("position")?,
            revoked_at: time("revoked_at")?,
            visit_closed_at: time("visit_closed_at")?,
            consent_withdrawn_at: time("consent_withdrawn_at")?,
            referral_ended_at: time("referral_ended_at")?,
            guardianship_ended_at: time("guardianship_ended_at")?,
            emergency_over_at: time("emergency_over_at")?,
            session_closed_at: time("session_closed_at")?,
            session_leased_until: time("session_leased_until")?,
            certificate_revoked_at: time("certificate_revoked_at")?,
        })
    }
}

fn find(db: &Connection, id: TokenId) -> Result<Option<Token>, StoreError> {
    let token = db.prepare_cached(SELECT)?.query_row([id], Token::read).optional()?;
    token.map(|token| token.with_subject(db)).transpose()
}

/// Refuses what is exchanged for a token that has ended or ends sooner, or that was exchanged itself.
fn check_subject(db: &Connection, id: TokenId, token: &NewToken) -> Result<(), StoreError> {
    let subject = find(db, id)?.ok_or(StoreError::NotFound(Record::Token))?;
    let lasts = subject.ended(token.issued_at).is_none() && token.expires_at <= subject.expires_at;
    match lasts && subject.subject.is_none() {
        true => Ok(()),
        false => Err(StoreError::Conflict(Obstacle::TokenOver)),
    }
}

impl Store {
    /// Records a token before it is given out.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the visit was closed, the emergency access or guardianship ended, the certificate
    /// revoked, the session closed, or the token ended that it is exchanged for, meanwhile.
    pub async fn record_token(&self, token: NewToken, entry: Entry) -> Result<Receipt, StoreError> {
        let session = InSession::new(&token.session, token.issued_at);
        self.record(entry, move |db, position| {
            let t = token;
            if let Some(visit) = t.visit {
                check_visit(db, visit)?;
            }
            if let Some(consent) = t.consent {
                check_consent(db, consent, t.issued_at)?;
            }
            if let Some(referral) = t.referral {
                check_referral(db, referral, t.issued_at)?;
            }
            if let Some(guardianship) = t.guardianship {
                check_guardianship(db, guardianship, t.issued_at)?;
            }
            if let Some(emergency) = t.emergency {
                check_emergency(db, emergency, t.issued_at)?;
            }
            if let Some(subject) = t.subject {
                check_subject(db, subject, &t)?;
            }
            check_certificate(db, &t.certificate)?;
            session.check(db)?;
            db.prepare_cached(
                "INSERT INTO token (id, identity, certificate, session, resident, visit, emergency, issued_at,
                                    expires_at, position, consent, referral, subject, guardianship)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
            )?
            .execute((
                t.id,
                t.identity,
                t.certificate,
                t.session,
                t.resident,
                t.visit,
                t.emergency,
                Micros(t.issued_at),
                Micros(t.expires_at),
                position,
                t.consent,
                t.referral,
                t.subject,
                t.guardianship,
            ))?;
            Ok(())
        })
        .await
    }

    /// A token and what may have ended it.
    pub async fn token(&self, id: TokenId) -> Result<Option<Token>, StoreError> {
        self.read(move |db| find(db, id)).await
    }

    /// Tokens that had ended by `now` though their time was not over at `before`.
    pub async fn tokens_ended_early(
        &self,
        before: UtcTime,
        now: UtcTime,
    ) -> Result<Vec<EndedToken>, StoreError> {
        self.read(move |db| {
            let mut rows = db.prepare_cached(SELECT_NOT_OVER)?;
            let mut ended = Vec::new();
            for token in rows.query_map([Micros(before)], Token::read)? {
                let token = token?.with_subject(db)?;
                if token.ended(now).is_some_and(|how| how != Ended::Expired) {
                    let issued_at = token.issued_at.unix_timestamp();
                    ended.push(EndedToken { id: token.id.to_string(), issued_at });
                }
            }
            Ok(ended)
        })
        .await
    }

    /// When the last of those tokens is over that were issued by `issued_until`; `None` when all were over by `now`.
    pub async fn last_token_over(
        &self,
        issued_until: UtcTime,
        now: UtcTime,
    ) -> Result<Option<UtcTime>, StoreError> {
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT max(expires_at) FROM token WHERE expires_at > ?2 AND issued_at <= ?1",
            )?;
            let last = select.query_row((Micros(issued_until), Micros(now)), |row| {
                row.get::<_, Option<Micros>>(0)
            })?;
            Ok(last.map(|last| last.0))
        })
        .await
    }

    /// Ends a token before its time. [`Change::None`] when it has ended already, however.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn record_token_revoked(
        &self,
        id: TokenId,
        at: UtcTime,
        entry: Entry,
    ) -> Result<Change, StoreError> {
        self.change(entry, move |db| {
            match find(db, id)? {
                None => return Err(StoreError::NotFound(Record::Token)),
                Some(token) if token.ended(at).is_some() => return Ok(Found::Same(())),
                Some(_) => {}
            }
            db.prepare_cached("UPDATE token SET revoked_at = ?2 WHERE id = ?1")?
                .execute((id, Micros(at)))?;
            Ok(Found::Changed(()))
        })
        .await
    }

    /// Ends all of these that go on, of one holder or of all, before their time; how many there were. The entry is told
    /// the number, also where there were none.
    pub async fn record_tokens_revoked(
        &self,
        of: TokensOf,
        holder: Option<IdentityId>,
        at: UtcTime,
        entry: Entry,
    ) -> Result<(u32, Option<Receipt>), StoreError> {
        let told = entry.clone();
        self.submit(&entry, move |db, _| {
            let ended = end(db, &of, holder, at)?;
            Ok(Found::Told(ended, Box::new(told.with("tokens", ended.to_string()))))
        })
        .await
    }
}

/// Within a fact: ends all of these that go on, of one holder or of all; how many there were.
pub(super) fn end(
    db: &Connection,
    of: &TokensOf,
    holder: Option<IdentityId>,
    at: UtcTime,
) -> Result<u32, StoreError> {
    let mut going_on = Vec::new();
    let mut select = db.prepare_cached(of.select(holder))?;
    let mut rows = match holder {
        Some(holder) => select.query((Micros(at), of, holder))?,
        None => select.query((Micros(at), of))?,
    };
    while let Some(row) = rows.next()? {
        let token = Token::read(row);
        let token = token?.with_subject(db)?;
        if token.ended(at).is_none() {
            going_on.push(token.id);
        }
    }
    let mut end = db.prepare_cached("UPDATE token SET revoked_at = ?2 WHERE id = ?1")?;
    for id in &going_on {
        end.execute((id, Micros(at)))?;
    }
    Ok(u32::try_from(going_on.len()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table keeps every token there ever was.
    #[test]
    fn tokens_that_go_on_are_found_through_an_index() {
        let mut db = rusqlite::Connection::open_in_memory().unwrap();
        crate::store::schema::migrate(&mut db).unwrap();
        let of = [
            TokensOf::Visit(VisitId::generate()),
            TokensOf::Identity(IdentityId::generate()),
            TokensOf::Certificate("5f01".into()),
            TokensOf::Consent(ConsentId::generate()),
            TokensOf::Resident(ResidentId::generate()),
        ];
        let holder = IdentityId::generate();
        let by = ["visit", "identity", "certificate", "consent", "resident"];
        let of_all = of.iter().zip(by).map(|(of, column)| (of.select(None), column));
        let of_one = of.iter().map(|of| (of.select(Some(holder)), "identity"));
        for (select, column) in of_all.chain(of_one).chain([(SELECT_NOT_OVER, "end")]) {
            let mut explained = db.prepare(&format!("EXPLAIN QUERY PLAN {select}")).unwrap();
            let nothing = vec![rusqlite::types::Null; explained.parameter_count()];
            let plan: Vec<String> = explained
                .query_map(rusqlite::params_from_iter(nothing), |row| row.get("detail"))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            let plan = plan.join("\n");
            let bounds = match column {
                "end" => "expires_at>?".to_owned(),
                column => format!("{column}=? AND expires_at>?"),
            };
            let through = format!("SEARCH token USING INDEX token_{column} ({bounds})");
            assert!(plan.contains(&through) && !plan.contains("SCAN"), "{through}: {plan}");
        }
    }
}
