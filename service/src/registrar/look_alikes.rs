//! The guard against two records of one person, and one record of two people. Who looks alike is
//! neither merged nor passed over: the call is refused with the rules that matched, and is repeated
//! with what staff decided after seeing the documents.

use audit::{Entry, Outcome};

use super::{Caller, Error, Registrar, entry_by, personal::Remark, service_actor};
use crate::{
    catalogue::Reason,
    clock::UtcTime,
    likeness::{Rule, Verdict},
    policy::Act,
    store::{self, DecisionId, IdentityId, InstitutionId, LookAlike, Receipt, ResidentId},
};

/// Most candidates that an entry of the log names; their number and the case stand for the others.
const MOST_NAMED: usize = 12;
/// Residents of before whose likenesses are recorded at once.
const BATCH: u32 = 256;

/// What staff decided about people who look alike.
pub struct Decision {
    /// The question it answers: `case` of the refusal.
    pub case: [u8; 32],
    /// The answer.
    pub verdict: Verdict,
    /// On what grounds, in a few words.
    pub grounds: String,
}

/// Residents that staff must tell apart: what a refusal says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// LOOK_ALIKE or NUMBER_SHARED.
    pub reason: Reason,
    /// The rules that matched.
    pub rules: Vec<Rule>,
    /// Those whose records are open to the caller.
    pub here: Vec<ResidentId>,
    /// How many others there are, of other institutions.
    pub elsewhere: usize,
    /// What a decision must name.
    pub case: Option<[u8; 32]>,
}

impl Alike {
    /// The same for programs: pairs of the error's metadata.
    #[must_use]
    pub fn told(&self) -> Vec<(String, String)> {
        let mut told = vec![
            ("rules".to_owned(), words(&self.rules)),
            ("here".to_owned(), ids(&self.here)),
            ("elsewhere".to_owned(), self.elsewhere.to_string()),
        ];
        told.extend(self.case.map(|case| ("case".to_owned(), hex::encode(case))));
        told
    }
}

/// A decision on record, as far as the caller may see it.
pub struct DecisionRecord {
    /// Its identifier.
    pub id: DecisionId,
    /// What was decided.
    pub verdict: Verdict,
    /// The rules that had matched.
    pub rules: Vec<Rule>,
    /// The others, where the caller's institution registered them.
    pub here: Vec<ResidentId>,
    /// How many others there were, of other institutions.
    pub elsewhere: usize,
    /// On what grounds.
    pub grounds: String,
    /// Where.
    pub institution: InstitutionId,
    /// Who decided.
    pub identity: IdentityId,
    /// When.
    pub decided_at: UtcTime,
}

/// A question to staff: whom they must tell apart, and the name of this very question.
pub(super) struct Question {
    candidates: Vec<LookAlike>,
    case: [u8; 32],
}

impl Question {
    fn rules(&self) -> Vec<Rule> {
        distinct(self.candidates.iter().map(|other| other.rule))
    }

    /// The other resident that a stopped registration is about: one that the institution knows, if
    /// there is one.
    pub(super) fn foremost(&self, institution: InstitutionId) -> Option<ResidentId> {
        let here = self.candidates.iter().find(|other| other.institution == institution);
        here.or(self.candidates.first()).map(|other| other.resident)
    }

    /// What the log says of it: pseudonyms, rules and the case; neither names nor numbers.
    pub(super) fn told_in(&self, entry: Entry) -> Entry {
        let others = distinct(self.candidates.iter().map(|other| other.resident));
        entry
            .with("look_alike_rules", words(&self.rules()))
            .with("look_alikes", others.len().to_string())
            .with("look_alike", ids(&others[..others.len().min(MOST_NAMED)]))
            .with("case", hex::encode(self.case))
    }
}

impl Registrar {
    /// The question whether these are the same as `subject`; `subject` is what only this call is
    /// about, so that a decision serves for no other.
    pub(super) fn question(
        &self,
        subject: &[&[u8]],
        candidates: Vec<LookAlike>,
    ) -> Result<Question, Error> {
        let mut text = Vec::new();
        for part in subject {
            text.extend((part.len() as u64).to_be_bytes());
            text.extend(*part);
        }
        for other in &candidates {
            text.extend(format!("{} {}\n", other.resident, other.rule).as_bytes());
        }
        Ok(Question { case: self.personal.case(&text)?, candidates })
    }

    /// Whether a decision answers this question; otherwise a refusal is left in the log.
    pub(super) async fn answered(
        &self,
        caller: &Caller,
        refused: Entry,
        question: &Question,
        decision: &Decision,
    ) -> Result<(), Error> {
        if question.candidates.is_empty() {
            return self.refuse(refused, Reason::STATE_CONFLICT).await;
        }
        if question.case != decision.case {
            return self.ask_staff(caller, refused, question).await;
        }
        Ok(())
    }

    /// Refuses until staff decide.
    pub(super) async fn ask_staff<T>(
        &self,
        caller: &Caller,
        refused: Entry,
        question: &Question,
    ) -> Result<T, Error> {
        let others = distinct(question.candidates.iter().map(|o| (o.resident, o.institution)));
        let (here, elsewhere) = self.seen_of(caller, &others).await?;
        let (reason, rules) = (Reason::LOOK_ALIKE, question.rules());
        let alike = Alike { reason, rules, here, elsewhere, case: Some(question.case) };
        self.refuse(question.told_in(refused), Error::Alike(Box::new(alike))).await
    }

    /// Which of these residents are open to the caller, and how many are not.
    pub(super) async fn seen_of(
        &self,
        caller: &Caller,
        residents: &[(ResidentId, InstitutionId)],
    ) -> Result<(Vec<ResidentId>, usize), Error> {
        let mut here = Vec::new();
        for (resident, institution) in residents {
            if self.is_open_to(caller, *institution, *resident).await? {
                here.push(*resident);
            }
        }
        let elsewhere = residents.len() - here.len();
        Ok((here, elsewhere))
    }

    /// A decision as the store keeps it, about a resident whose key seals the grounds.
    pub(super) fn decided(
        &self,
        caller: &Caller,
        about: &store::Resident,
        question: &Question,
        decision: &Decision,
    ) -> Result<store::Decision, Error> {
        let id = DecisionId::generate();
        let remark = Remark::Decision(id);
        Ok(store::Decision {
            id,
            resident: about.id,
            verdict: decision.verdict,
            candidates: question.candidates.clone(),
            institution: caller.holder.institution,
            identity: caller.holder.identity,
            sealed_grounds: self.personal.seal_remark(about, remark, &decision.grounds)?,
            decided_at: caller.now,
        })
    }

    /// Records that staff took two for the same person and stopped.
    pub(super) async fn stop(
        &self,
        caller: &Caller,
        about: ResidentId,
        question: &Question,
        decision: &Decision,
    ) -> Result<Receipt, Error> {
        let about = self.known_resident(about).await?;
        let decided = self.decided(caller, &about, question, decision)?;
        let entry = self
            .entry(caller, Act::LookAlikeDecide, Outcome::Granted)
            .about(about.id.to_string())
            .on("decision", decided.id.to_string())
            .with("verdict", decided.verdict.as_str());
        Ok(self.store.record_decision(decided, question.told_in(entry)).await?)
    }

    /// Decisions about a resident, for a caller to whom the resident's record is open.
    pub(super) async fn decisions_about(
        &self,
        caller: &Caller,
        resident: &store::Resident,
    ) -> Result<Vec<DecisionRecord>, Error> {
        let decisions = self.store.decisions(resident.id).await?;
        let told = |decision: store::Decision| {
            let remark = Remark::Decision(decision.id);
            let others = distinct(decision.candidates.iter().map(|o| (o.resident, o.institution)));
            let ours = |(other, institution): &(ResidentId, InstitutionId)| {
                (*institution == caller.holder.institution).then_some(*other)
            };
            let here: Vec<_> = others.iter().filter_map(ours).collect();
            Ok(DecisionRecord {
                id: decision.id,
                verdict: decision.verdict,
                rules: distinct(decision.candidates.iter().map(|other| other.rule)),
                elsewhere: others.len() - here.len(),
                here,
                grounds: self.personal.open_remark(resident, remark, &decision.sealed_grounds)?,
                institution: decision.institution,
                identity: decision.identity,
                decided_at: decision.decided_at,
            })
        };
        decisions.into_iter().map(told).collect()
    }

    /// Computes by what residents of before are compared with others. Done before the service
    /// answers, as a guard with gaps is none; once done there is nothing left to do.
    ///
    /// # Errors
    /// A record that does not open; the store.
    pub async fn fill_likenesses(&self, now: UtcTime) -> Result<u64, Error> {
        let mut filled = 0;
        loop {
            let batch = self.store.unlikened(BATCH).await?;
            if batch.is_empty() {
                return Ok(filled);
            }
            let mut residents = Vec::new();
            for row in &batch {
                let record = self.personal.open_resident(row)?;
                let phone = Some(record.phone.as_str());
                let likenesses =
                    self.personal.likenesses(&record.name, &record.id_number, phone)?;
                residents.push((row.id, likenesses));
            }
            filled += batch.len() as u64;
            let actor = service_actor(&self.name);
            let entry = entry_by(actor, Act::LikenessFill, Outcome::Granted, now)
                .with("residents", batch.len().to_string());
            self.store.record_likenesses(residents, entry).await?;
        }
    }
}

/// Each once, in their order.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut found = Vec::new();
    for one in all {
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

fn words(rules: &[Rule]) -> String {
    rules.iter().map(|rule| rule.as_str()).collect::<Vec<_>>().join(",")
}

fn ids(residents: &[ResidentId]) -> String {
    residents.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
