//! A root, the people's authority, a doctor and a revoked nurse, written as files that other
//! programs read.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ca::{
    Authority, Certificate, Document, Encoding, IdentifyingExtension, Issuer, Name, Order, Profile,
    Serial,
    cms::{SignedAttributes, SignedData},
    crl::{Changes, Crl, Edition, Reason, Revocation, Scope},
    request::request,
};
use hsm::{Sm2Signer, sm2::SecretKey, sm3};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime, macros::datetime};

/// In the past of any clock: Bouncy Castle refuses to judge what is yet to come.
pub(crate) const ISSUED: OffsetDateTime = datetime!(2025-03-03 08:00:00 UTC);
pub(crate) const SIGNED: OffsetDateTime = datetime!(2025-03-03 09:30:00 UTC);
pub(crate) const NOW: OffsetDateTime = datetime!(2025-03-04 08:00:00 UTC);
pub(crate) const RECORD: &[u8] = "病程记录: 患者病情平稳\n".as_bytes();

/// Entity unique identifier of both persons, as the service writes those that are pseudonyms.
pub(crate) const ENTITY: &str = "1@0000JM0AEBAGBAFAYDQQCIKBMGA2DQPCA";

pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) root: Certificate,
    pub(crate) people: Certificate,
    pub(crate) doctor: Certificate,
    pub(crate) nurse: Certificate,
    pub(crate) crls: [Crl; 2],
    /// Of the people's authority: the list of the part that all certificates here name, with nobody in
    /// it, and what has changed since.
    pub(crate) part: [Crl; 2],
    pub(crate) doctor_key: SecretKey,
    pub(crate) succession: Succession,
}

/// What there is after the root has got another key.
pub(crate) struct Succession {
    pub(crate) root: Certificate,
    pub(crate) people: Certificate,
    pub(crate) new_with_old: Certificate,
    pub(crate) old_with_new: Certificate,
    pub(crate) crl: Crl,
}

impl Succession {
    fn of(before: &Issuer, before_key: &SecretKey, people: &Certificate) -> Self {
        let key = SecretKey::generate();
        let order = |profile, of: &Certificate, key: &SecretKey| Order {
            profile,
            subject: of.subject().clone(),
            public_key: key.public().clone(),
            days: None,
            identifiers: Vec::new(),
        };
        let serial = |number| Serial::from_random([number; 16]);
        let old = before.certificate();
        let until_old_ends = (NOW, old.not_after());
        let new_with_old = before.draft_link(key.public(), serial(10), until_old_ends).unwrap();
        let root = Issuer::draft_root(order(Profile::Root, old, &key), serial(11), NOW);
        let root = Issuer::new(root.unwrap().sign(&key).unwrap(), Authority::Root).unwrap();
        let as_long_as_old = (old.not_before(), old.not_after());
        let old_with_new = root.draft_link(old.public_key(), serial(12), as_long_as_old).unwrap();
        let people = Order {
            public_key: people.public_key().clone(),
            ..order(Profile::IssuingAuthority, people, &key)
        };
        let people = root.draft(people, serial(13), NOW).unwrap();
        let edition = Edition { number: 8, this_update: NOW, next_update: NOW + Duration::DAY };
        let crl = root.draft_crl(edition, &Scope::All, None, &[]).unwrap();
        Self {
            new_with_old: new_with_old.sign(before_key).unwrap(),
            old_with_new: old_with_new.sign(&key).unwrap(),
            people: people.sign(&key).unwrap(),
            crl: crl.sign(&key).unwrap(),
            root: root.certificate().clone(),
        }
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let [root_key, people_key, doctor_key, nurse_key] = [(); 4].map(|()| SecretKey::generate());
        let order = |profile, subject, key: &SecretKey| Order {
            profile,
            subject,
            public_key: key.public().clone(),
            days: None,
            identifiers: identifiers(profile),
        };
        let authority = |name| Name::of_authority("Test health region", name).unwrap();
        let identity = |id| Name::of_identity("县人民医院", "doctor", id).unwrap();
        let serial = |number| Serial::from_random([number; 16]);

        let root = Issuer::draft_root(
            order(Profile::Root, authority("root"), &root_key),
            serial(1),
            ISSUED,
        );
        let root = Issuer::new(root.unwrap().sign(&root_key).unwrap(), Authority::Root).unwrap();
        let people = order(Profile::IssuingAuthority, authority("people"), &people_key);
        let people = root.draft(people, serial(2), ISSUED).unwrap().sign(&root_key).unwrap();
        let people = Issuer::new(people, Authority::People)
            .and_then(|issuer| issuer.with_crl_url("http://ca.example.invalid/people.crl"))
            .and_then(|issuer| issuer.with_issuer_url("http://ca.example.invalid/people.cer"))
            .unwrap();
        let person = |id, key: &SecretKey, number| {
            let order = order(Profile::Person, identity(id), key);
            people.draft(order, serial(number), ISSUED).unwrap().sign(&people_key).unwrap()
        };
        let doctor = person("01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e21", &doctor_key, 3);
        let nurse = person("01932f6a-7c1e-7d2a-9b55-3f1d0c8a4e22", &nurse_key, 4);
        let edition =
            Edition { number: 7, this_update: ISSUED, next_update: ISSUED + Duration::days(7) };
        let lost = Revocation {
            serial: nurse.serial().clone(),
            at: ISSUED + Duration::HOUR,
            reason: Reason::KeyCompromise,
        };
        let crls = [
            root.draft_crl(edition, &Scope::All, None, &[]).unwrap().sign(&root_key).unwrap(),
            people
                .draft_crl(edition, &Scope::All, None, std::slice::from_ref(&lost))
                .unwrap()
                .sign(&people_key)
                .unwrap(),
        ];
        let scope = Scope::Points(vec!["http://ca.example.invalid/people.crl".to_owned()]);
        let delta_url = Some("http://ca.example.invalid/people-delta.crl");
        let complete = people.draft_crl(edition, &scope, delta_url, &[]).unwrap();
        let changes = Changes { revoked: vec![lost], released: Vec::new() };
        let later = Edition { number: 8, ..edition };
        let delta = people.draft_delta_crl(later, &scope, 7, &changes).unwrap();
        let part = [complete, delta].map(|draft| draft.sign(&people_key).unwrap());
        let succession = Succession::of(&root, &root_key, people.certificate());
        let (root, people) = (root.certificate().clone(), people.certificate().clone());
        let folder = TempDir::new().unwrap();
        let bench =
            Self { folder, root, people, doctor, nurse, crls, part, doctor_key, succession };
        bench.write_all();
        bench
    }

    /// Doctor's signature over the record, made in two steps.
    pub(crate) fn signed_record(&self) -> Vec<u8> {
        let attributes = SignedAttributes::prepare(&self.doctor, &sm3::digest(RECORD), SIGNED);
        let e = self.doctor_key.digest(attributes.der());
        let signature = self.doctor_key.sign(&e).unwrap();
        SignedData::complete(&attributes, &self.doctor, [&self.people], &signature).unwrap()
    }

    fn write_all(&self) {
        let certificates = [
            ("root", &self.root),
            ("people", &self.people),
            ("doctor", &self.doctor),
            ("nurse", &self.nurse),
            ("next-root", &self.succession.root),
            ("next-people", &self.succession.people),
            ("new-with-old", &self.succession.new_with_old),
            ("old-with-new", &self.succession.old_with_new),
        ];
        for (name, certificate) in certificates {
            self.write(&format!("{name}.pem"), certificate.to_pem().as_bytes());
        }
        for (name, crl) in ["root", "people"].iter().zip(&self.crls) {
            self.write(&format!("{name}.crl"), crl.der());
        }
        for (name, crl) in ["part", "delta"].iter().zip(&self.part) {
            self.write(&format!("{name}.crl"), crl.der());
        }
        self.write("next-root.crl", self.succession.crl.der());
        self.write("doctor.key", self.doctor_key.to_pkcs8_pem().as_bytes());
        let request = request(self.doctor.subject(), &self.doctor_key).unwrap();
        self.write("doctor.req", &request);
        self.write("record.bin", RECORD);
        self.write("record.p7s", &self.signed_record());
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Runs a program in the folder. What it says is one text, as programs differ in where they say
    /// it.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> (bool, String) {
        let output = Command::new(program).args(arguments).current_dir(self.folder()).output();
        let Output { status, stdout, stderr } =
            output.unwrap_or_else(|error| panic!("{program}: {error}"));
        let said = [stdout, stderr].concat();
        (status.success(), String::from_utf8_lossy(&said).into_owned())
    }
}

/// Of a person: an entity unique identifier, and an `IdentifyCode`.
fn identifiers(profile: Profile) -> Vec<IdentifyingExtension> {
    let rows = [
        ("1.2.86.21.1.1", Encoding::Utf8, ENTITY),
        ("1.2.156.10260.4.1.1", Encoding::IdentifyCode(Document::Passport), "E12345678"),
    ];
    let rows = rows.into_iter().filter(|_| profile == Profile::Person);
    let made = rows.map(|(oid, encoding, text)| {
        IdentifyingExtension::new(oid.parse().unwrap(), encoding, text).unwrap()
    });
    made.collect()
}
