//! The first operators, and another where there are not two: made with what opens the keystore, and by nobody's entry.
//! All others are put on record and certified by two of them.

use audit::{Actor, Entry, Outcome};
use hsm::sm2::PublicKey;

use super::{Error, Registrar, certificates::Enrolled, entry_by, service_actor};
use crate::{
    catalogue::Reason,
    clock::{self, UtcTime},
    policy::Act,
    store::{Identity as IdentityRow, IdentityId, Institution, InstitutionId},
    telemetry,
    vocabulary::Role,
};

/// The founding of a service, as the log tells it.
pub struct Founding {
    actor: Actor,
    now: UtcTime,
}

impl Founding {
    /// The founding of the service of this name.
    #[must_use]
    pub fn new(name: &str, now: UtcTime) -> Self {
        Self { actor: service_actor(name), now }
    }

    /// The entry for one thing that came to be.
    #[must_use]
    pub fn entry(&self, kind: &str, id: &str) -> Entry {
        self.plain_entry(Act::ServiceInit).on(kind, id)
    }

    fn plain_entry(&self, act: Act) -> Entry {
        entry_by(self.actor.clone(), act, Outcome::Granted, self.now)
    }
}

impl Registrar {
    /// Puts the institution that runs the service and its first two operators on record, and issues their
    /// certificates: what one enters the other reviews, so that nobody ever holds the power alone. Whoever
    /// founds the service does this once; all others are put on record by an operator.
    ///
    /// # Errors
    /// ALREADY_REGISTERED when it was done before, or both keys are one.
    pub async fn found_operators(
        &self,
        founding: &Founding,
        keys: [PublicKey; 2],
    ) -> Result<[Enrolled; 2], Error> {
        let institution = Institution {
            id: InstitutionId::generate(),
            // The service itself is no institution with a credit code; the empty one can be taken once.
            credit_code: String::new(),
            name: self.name.clone(),
            region: String::new(),
            registered_at: founding.now,
        };
        let entry = founding.entry("institution", &institution.id.to_string());
        let home = institution.id;
        self.store.record_institution(institution, entry).await?;
        let [first, second] = keys;
        let found = async |number: &str, key| {
            let id = IdentityId::generate();
            let entry = || founding.plain_entry(Act::ServiceInit);
            self.found_operator(home, (id, number), key, founding.now, entry).await
        };
        Ok([found("1", first).await?, found("2", second).await?])
    }

    /// Makes an operator where there are not two in force, so that the work of two persons can go on: in an
    /// installation of before, or when one of two lost their key. With what opens the keystore; seen in the log.
    ///
    /// # Errors
    /// STATE_CONFLICT while there are two; ALREADY_REGISTERED for a key that is certified.
    pub async fn found_another_operator(
        &self,
        founding: &Founding,
        key: PublicKey,
    ) -> Result<Enrolled, Error> {
        let standing = self.store.operators(founding.now).await?;
        if standing.in_force >= 2 {
            return Err(Reason::STATE_CONFLICT.into());
        }
        let home = standing.home.ok_or(Reason::INSTITUTION_NOT_FOUND)?;
        // Nobody reviewed it: it is seen.
        let entry =
            || founding.plain_entry(Act::OperatorFound).with("alert", "operator-certificate");
        // A number that nobody has, whatever numbers others were given.
        let id = IdentityId::generate();
        self.found_operator(home, (id, &id.to_string()), key, founding.now, entry).await
    }

    async fn found_operator(
        &self,
        home: InstitutionId,
        (id, number): (IdentityId, &str),
        key: PublicKey,
        now: UtcTime,
        entry: impl Fn() -> Entry,
    ) -> Result<Enrolled, Error> {
        let operator = IdentityRow {
            id,
            institution: home,
            role: Role::Operator.as_str().to_owned(),
            sealed_name: self.personal.seal_staff_name(id, Role::Operator.as_str())?,
            number: number.to_owned(),
            department: String::new(),
            registered_at: now,
            person: None,
            qualified_until: None,
        };
        let recorded = entry().on("identity", id.to_string());
        self.store.record_identity(operator.clone(), recorded).await?;
        self.issue(&operator, key, now, entry).await
    }

    /// Says so at start where one operator is alone: nothing that takes two persons can be done. It starts all
    /// the same, also where they cannot be counted.
    pub async fn tell_lone_operator(&self) {
        let standing = match self.store.operators(clock::now()).await {
            Ok(standing) => standing,
            Err(error) => {
                tracing::error!(cause = telemetry::chain(&error), "counting operators");
                return;
            }
        };
        // A service that is being founded has none yet.
        if standing.home.is_some() && standing.in_force < 2 {
            tracing::warn!(
                operators = standing.in_force,
                "fewer than two operators have certificates in force, and certificates take two persons: \
                 make another with `healthcardd operator`"
            );
        }
        if standing.by_one_person > 0 {
            tracing::warn!(
                operators = standing.by_one_person,
                "certificates of operators that one person issued are in force, from before two were asked \
                 for: revoke those that are not known"
            );
        }
    }
}
