//! What a decision is made on, and how Cedar has it.

use std::{
    collections::{HashMap, HashSet},
    str::FromStr as _,
    sync::LazyLock,
};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression,
};

use super::{Domain, Standing};
use crate::vocabulary::{DataClass, Frame, Grade, Purpose, Relation, Role};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// A token for data of these kinds, up to this grade.
    Access,
    /// The whole of a card.
    Dump,
}

impl Action {
    pub(super) const ALL: [Self; 2] = [Self::Access, Self::Dump];

    pub(super) fn uid(self) -> EntityUid {
        uid(&ACTION, self.as_str())
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Dump => "dump",
        }
    }
}

/// What a decision is made on.
#[derive(Debug, Clone)]
pub(super) struct Facts<'a> {
    pub(super) action: Action,
    pub(super) role: Role,
    /// The institution of whoever asks, and its region.
    pub(super) own: &'a Domain,
    /// Those of the data.
    pub(super) records: &'a Domain,
    pub(super) frame: Frame,
    pub(super) here: bool,
    pub(super) visit_open: bool,
    pub(super) objected: bool,
    pub(super) purpose: Purpose,
    pub(super) relations: Vec<Relation>,
    pub(super) classes: Vec<DataClass>,
    pub(super) grade: Grade,
}

/// Conditions in the order in which they are looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    Role,
    Institution,
    Visit,
    Purpose,
    Relation,
    Class,
    Grade,
}

impl Step {
    pub(super) const ALL: [Self; 7] = [
        Self::Role,
        Self::Institution,
        Self::Visit,
        Self::Purpose,
        Self::Relation,
        Self::Class,
        Self::Grade,
    ];
}

impl<'a> Facts<'a> {
    pub(super) fn of(standing: &'a Standing, action: Action, purpose: Purpose) -> Self {
        Self {
            action,
            role: standing.role,
            own: &standing.own,
            records: &standing.records,
            frame: standing.frame,
            here: standing.here,
            visit_open: standing.visit_open,
            objected: standing.objected,
            purpose,
            relations: standing.relations.clone(),
            classes: Vec::new(),
            grade: Grade::LOWEST,
        }
    }

    /// These facts with more that ties the caller to the resident.
    pub(super) fn with_relations(&self, more: &[Relation]) -> Facts<'a> {
        let mut relations = self.relations.clone();
        relations.extend(more.iter().filter(|it| !self.relations.contains(it)));
        Facts { relations, ..self.clone() }
    }

    /// These facts within something of one's own that lasts.
    pub(super) fn within(&self, frame: Frame) -> Facts<'a> {
        Facts { frame, here: true, visit_open: true, ..self.clone() }
    }

    /// These facts within each of the other things that there are.
    pub(super) fn within_others(&self) -> impl Iterator<Item = Facts<'a>> {
        let others = Frame::ALL.iter().filter(|frame| **frame != self.frame);
        others.map(|frame| self.within(*frame))
    }

    /// These facts with whatever comes after this step at its most favourable: lists are short, so all of them are tried.
    pub(super) fn variants(&self, step: Step) -> Vec<Facts<'a>> {
        let mut best = self.clone();
        if step < Step::Institution {
            best.records = best.own;
            best.here = true;
        }
        best.visit_open |= step < Step::Visit;
        // Last of all: that somebody objects is not told to who could not see it anyway.
        best.objected &= step == Step::Grade;
        if step < Step::Relation {
            best.relations = Relation::ALL.to_vec();
        }
        let purposes =
            if step < Step::Purpose { Purpose::ALL.to_vec() } else { vec![self.purpose] };
        let mut classes = vec![self.classes.clone()];
        if step < Step::Class && self.action == Action::Access {
            classes.extend(DataClass::ALL.iter().map(|class| vec![*class]));
        }
        let mut grades = vec![self.grade];
        if step < Step::Grade {
            grades.push(Grade::LOWEST);
        }
        let mut variants = Vec::with_capacity(purposes.len() * classes.len() * grades.len());
        for purpose in purposes {
            for classes in &classes {
                for grade in &grades {
                    let (classes, grade) = (classes.clone(), *grade);
                    variants.push(Facts { purpose, classes, grade, ..best.clone() });
                }
            }
        }
        variants
    }

    /// What is asked, as Cedar has it.
    pub(super) fn request(&self) -> Option<Request> {
        let relations = self.relations.iter().map(|it| word(&RELATION, it.as_str()));
        let mut context = vec![
            ("purpose".to_owned(), word(&PURPOSE, self.purpose.as_str())),
            ("relations".to_owned(), RestrictedExpression::new_set(relations)),
            ("frame".to_owned(), word(&FRAME, self.frame.as_str())),
            ("here".to_owned(), RestrictedExpression::new_bool(self.here)),
            ("visit_open".to_owned(), RestrictedExpression::new_bool(self.visit_open)),
        ];
        if self.action == Action::Access {
            let classes = self.classes.iter().map(|it| word(&CLASS, it.as_str()));
            context.push(("classes".to_owned(), RestrictedExpression::new_set(classes)));
            let grade = RestrictedExpression::new_long(self.grade.level().into());
            context.push(("grade".to_owned(), grade));
            let objected = RestrictedExpression::new_bool(self.objected);
            context.push(("objected".to_owned(), objected));
        }
        let context = Context::from_pairs(context).ok()?;
        Request::new(asker(), self.action.uid(), asked_for(), context, None).ok()
    }

    /// Who asks and where, as Cedar has it.
    pub(super) fn entities(&self) -> Option<Entities> {
        let (own, at) = (&self.own.institution, &self.records.institution);
        let mut attributes = HashMap::from([
            ("role".to_owned(), word(&ROLE, self.role.as_str())),
            ("institution".to_owned(), word(&DOMAIN, own)),
        ]);
        for (name, digits) in [("county", 6), ("city", 4), ("province", 2)] {
            let region = self.own.region.get(..digits)?;
            attributes.insert(name.to_owned(), word(&DOMAIN, region));
        }
        let mut entities = vec![
            Entity::new(asker(), attributes, HashSet::new()).ok()?,
            Entity::new_no_attrs(asked_for(), HashSet::from([uid(&DOMAIN, at)])),
        ];
        for (institution, region) in [(own, &self.own.region), (at, &self.records.region)] {
            let levels =
                [Some(institution.as_str()), region.get(..6), region.get(..4), region.get(..2)];
            let levels: Vec<_> = levels.into_iter().flatten().map(|it| uid(&DOMAIN, it)).collect();
            for (at, domain) in levels.iter().enumerate() {
                if !entities.iter().any(|known| known.uid() == *domain) {
                    let above = levels.get(at + 1).cloned();
                    entities
                        .push(Entity::new_no_attrs(domain.clone(), above.into_iter().collect()));
                }
            }
        }
        Entities::from_entities(entities, None).ok()
    }
}

/// The types of the schema, read once.
macro_rules! types {
    ($($name:ident = $text:literal),+ $(,)?) => {
        $(static $name: LazyLock<EntityTypeName> =
            LazyLock::new(|| EntityTypeName::from_str($text).expect("an identifier"));)+
    };
}
types! {
    ACTION = "Action",
    ROLE = "Role",
    PURPOSE = "Purpose",
    RELATION = "Relation",
    FRAME = "Frame",
    CLASS = "Class",
    DOMAIN = "Domain",
    PERSON = "Person",
    RECORDS = "Records",
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// Whoever asks. Who that is decides nothing: no rule is about a person.
fn asker() -> EntityUid {
    uid(&PERSON, "asker")
}

/// The records that are asked for.
fn asked_for() -> EntityUid {
    uid(&RECORDS, "asked-for")
}

fn word(kind: &EntityTypeName, word: &str) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(uid(kind, word))
}
