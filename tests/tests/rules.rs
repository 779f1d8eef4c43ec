//! Rules of access of an institution's own: used as they were signed, in the order of their versions, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use service::policy::Texts;
use service::rules::FILE;
use tests::hospital::{Hospital, text};

/// A hospital that is closed, whose settings name a folder with the shipped rules.
struct Rules {
    hospital: Hospital,
    folder: PathBuf,
    /// The settings without the folder.
    settings: String,
}

impl Rules {
    fn new() -> Self {
        let mut hospital = Hospital::open();
        hospital.stage.server().unwrap().end().unwrap();
        let folder = hospital.stage.path("data/rules");
        fs::create_dir(&folder).unwrap();
        for (file, text) in service::policy::SHIPPED.files() {
            fs::write(folder.join(file), text).unwrap();
        }
        let path = hospital.stage.path("data/healthcard.toml");
        let settings = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("policy = \"rules\"\n{settings}")).unwrap();
        Self { hospital, folder, settings }
    }

    /// `healthcardd policy` about the folder; what it told.
    fn told(&self, order: &[&str]) -> Value {
        let folder = self.folder.to_str().unwrap();
        let directory = if order[0] == "shipped" { &[][..] } else { &[folder][..] };
        let order = [&["policy"], order, directory, &["--json"]].concat();
        let finished = self.hospital.healthcardd(&order);
        assert_eq!(finished.code, 0, "{order:?}: {}", finished.stderr);
        serde_json::from_str(&finished.stdout).unwrap()
    }

    /// The service does not start, and says why in both languages; `policy check` says the same.
    fn refused(&self, zh: &str, en: &str) {
        for order in [&["check"][..], &["policy", "check", self.folder.to_str().unwrap()]] {
            let finished = self.hospital.healthcardd(order);
            assert_eq!((finished.code, finished.stdout.as_str()), (1, ""), "{order:?}: {en}");
            let why = finished.stderr;
            assert!(why.contains(zh) && why.contains(en), "{order:?}: {why}");
        }
    }

    fn serve(&mut self) {
        self.hospital.stage.serve().unwrap();
    }

    fn close(&mut self) {
        self.hospital.stage.server().unwrap().end().unwrap();
    }

    fn change(&self, file: &str, more: &str) {
        let path = self.folder.join(file);
        let before = fs::read_to_string(&path).unwrap();
        fs::write(path, format!("{before}{more}")).unwrap();
    }

    /// Copies the four files elsewhere, or back from there.
    fn copy(&self, from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for file in Texts::FILES.into_iter().chain([FILE]) {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
    }
}

#[test]
fn signed_rules_are_used_and_whatever_was_changed_is_not() {
    let mut rules = Rules::new();
    rules.refused("没有签名", "are not signed");
    let signed = rules.told(&["sign", "--name", "县医院"]);
    assert_eq!((&signed["version"], &signed["in_use"]), (&1.into(), &Value::Null));
    assert_eq!(signed["changes"], serde_json::json!([]), "they are the shipped ones");
    assert_eq!(rules.told(&["check"])["in_use"], false);
    rules.serve();
    // Which they are is told while the service runs, to whoever looks after it and to whoever has the keystore.
    assert_eq!(rules.told(&["check"])["in_use"], true);
    let status = rules.hospital.granted("operator", &["status"]);
    for field in ["name", "version", "digest"] {
        assert_eq!(status["rules"][field], signed[field], "{status}");
    }
    let folder = rules.folder.to_str().unwrap().to_owned();
    let running = rules.hospital.healthcardd(&["policy", "sign", &folder]);
    assert!(running.code == 1 && running.stderr.contains("stop it first"), "{}", running.stderr);
    rules.close();

    for file in Texts::FILES {
        let path = rules.folder.join(file);
        let before = fs::read(&path).unwrap();
        let mut octets = before.clone();
        octets[2] ^= 1;
        fs::write(&path, octets).unwrap();
        rules.refused(
            &format!("{file} 在签名后被改动"),
            &format!("{file} was changed after it was signed"),
        );
        assert!(rules.hospital.stage.serve().is_err());
        fs::write(&path, before).unwrap();
    }
    let manifest = rules.folder.join(FILE);
    let before = fs::read_to_string(&manifest).unwrap();
    for (from, to, zh, en) in [
        ("version 1\n", "version 2\n", "不是本服务的规则密钥", "not signed by this service's key"),
        ("version 1\n", "version one\n", "清单格式不符", "line 4"),
        ("\nsignature", "signature", "清单格式不符", "line 10"),
    ] {
        fs::write(&manifest, before.replacen(from, to, 1)).unwrap();
        rules.refused(zh, en);
    }
    fs::write(&manifest, before).unwrap();
    rules.serve();

    // The log has that they were signed, and that they came into use, once.
    for act in ["rules.sign", "rules.take"] {
        let found = rules.hospital.granted("auditor", &["audit", "search", "--action", act]);
        let found = found.to_string();
        assert_eq!(found.matches(&text(&signed, "digest")).count(), 1, "{act}: {found}");
        assert!(found.contains("县医院") && found.contains("\"version\":\"1\""), "{found}");
    }
}

#[test]
fn rules_do_not_go_back_unless_somebody_says_so() {
    let mut rules = Rules::new();
    rules.told(&["sign"]);
    rules.serve();
    rules.close();
    let elsewhere = rules.hospital.stage.path("first");
    rules.copy(&rules.folder, &elsewhere);
    rules.change("access.cedar", "// Looked at again.\n");
    let second = rules.told(&["sign"]);
    assert_eq!((&second["version"], &second["in_use"]), (&2.into(), &1.into()));
    assert_eq!(second["name"], "rules");
    assert_eq!(second["changes"][0]["new"][0], "// Looked at again.");
    rules.serve();
    rules.close();

    let newest = rules.hospital.stage.path("second");
    rules.copy(&rules.folder, &newest);
    rules.copy(&elsewhere, &rules.folder);
    rules.refused("第 1 版早于已启用过的第 2 版", "version 1 of the rules of access is older");
    assert!(rules.hospital.stage.serve().is_err());
    // The same version is never another set of rules; and an older one is not signed.
    let folder = rules.folder.to_str().unwrap().to_owned();
    for (version, why) in [("2", "other rules of access of version 2"), ("1", "older")] {
        let order = ["policy", "sign", &folder, "--version", version];
        let finished = rules.hospital.healthcardd(&order);
        assert!(finished.code == 1 && finished.stderr.contains(why), "{}", finished.stderr);
    }
    // Old rules come back as new ones.
    assert_eq!(rules.told(&["sign"])["version"], 3);
    rules.serve();
    rules.close();

    let settings = rules.hospital.stage.path("data/healthcard.toml");
    let with = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, &rules.settings).unwrap();
    let finished = rules.hospital.healthcardd(&["check"]);
    assert!(finished.stderr.contains("healthcardd policy shipped"), "{}", finished.stderr);
    assert!(rules.hospital.stage.serve().is_err());
    assert_eq!(rules.told(&["shipped"])["changed"], true);
    assert_eq!(rules.told(&["shipped"])["changed"], false);
    rules.serve();
    let status = rules.hospital.granted("operator", &["status"]);
    assert_eq!(
        (text(&status["rules"], "name").as_str(), &status["rules"]["version"]),
        ("county-hospital", &0.into())
    );
    let acts = ["audit", "search", "--action", "rules.shipped"];
    assert_eq!(
        rules.hospital.granted("auditor", &acts).to_string().matches("\"rules.shipped\"").count(),
        1
    );
    rules.close();
    // Versions go on from there.
    fs::write(&settings, with).unwrap();
    rules.copy(&newest, &rules.folder);
    rules.refused("早于", "older than version 3");
}

#[test]
fn rules_that_a_compromised_key_signed_are_signed_again() {
    let mut rules = Rules::new();
    rules.told(&["sign"]);
    rules.serve();
    rules.close();
    let keys = ["keys", "compromise", "soft:policy", "--version", "1"];
    let compromised = rules.hospital.healthcardd(&keys);
    assert_eq!(compromised.code, 0, "{}", compromised.stderr);
    rules.refused("或该密钥已泄露", "or it is compromised");
    assert_eq!(rules.told(&["sign"])["version"], 2);
    rules.serve();
}
