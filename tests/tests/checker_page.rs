//! The checker page in Chromium says of every export what `healthcard audit check` says, and reaches for nothing.

use std::fs;
use std::path::Path;

use audit::{Actor, Entry, Outcome};
use serde_json::{Value, json};
use tests::browser::Browser;
use tests::hospital::{Hospital, text};
use tests::private::repository;

mod desk;

use self::desk::{Desk, TAMPERED, UNVERIFIABLE, VALID, first_entry, found, keep, recount};

#[test]
fn the_page_agrees_with_the_command_on_whatever_was_altered() {
    let mut desk = Desk::open();
    let whole = desk.export("whole", &[]);
    let part = desk.export("part", &["--from", "9", "--until", "16"]);
    for good in [&whole, &part] {
        assert_eq!(desk.agree("as exported", good.concat().as_bytes()).0, VALID);
    }
    let begin = first_entry(&whole);
    let size = whole.len() - begin - 1;
    let [size, last] = [size, size - 2].map(|number| number.to_string());
    let other_key = format!("key {}\n", Hospital::founded().verifier_key());
    type Change<'a> = &'a dyn Fn(&mut Vec<String>, usize);
    type Named<'a> = &'a [(&'a str, &'a str)];
    #[rustfmt::skip]
    let cases: [(&str, Change<'_>, i32, Named<'_>); 19] = [
        ("a word of an entry", &|l, e| l[e + 7] = l[e + 7].replace("granted", "refused"), TAMPERED, &[("altered", "7")]),
        ("markup in an entry", &|l, e| l[e + 7] = l[e + 7].replace("granted", "<img src=x onerror=alert(1)>"), TAMPERED,
         &[("altered", "7")]),
        ("the hash beside an entry", &|l, e| {
            let hash = format!("7 {}= ", "A".repeat(43));
            l[e + 7] = l[e + 7].splitn(3, ' ').nth(2).map(|entry| hash + entry).unwrap();
        }, TAMPERED, &[("hash_altered", "7")]),
        ("one deleted", &|l, e| { l.remove(e + 7); recount(l); }, TAMPERED, &[("missing", "7")]),
        ("three deleted", &|l, e| { l.drain(e + 7..e + 10); recount(l); }, TAMPERED, &[("missing", "7")]),
        ("the last ones deleted", &|l, _| { l.drain(l.len() - 3..l.len() - 1); recount(l); }, TAMPERED,
         &[("missing", &last)]),
        ("one twice", &|l, e| { l.insert(e + 8, l[e + 7].clone()); recount(l); }, TAMPERED, &[("inserted", "7")]),
        ("one from elsewhere", &|l, e| { l.insert(e + 3, l[e + 7].clone()); recount(l); }, TAMPERED,
         &[("missing", "3"), ("inserted", "3"), ("inserted", "4"), ("inserted", "5"), ("inserted", "6"), ("inserted", "7")]),
        ("two neighbours swapped", &|l, e| l.swap(e + 7, e + 8), TAMPERED, &[("missing", "7"), ("inserted", "7")]),
        ("the texts of two swapped, with their hashes", &|l, e| {
            let [one, other] = [7, 9].map(|at| l[e + at].split_once(' ').unwrap().1.to_owned());
            (l[e + 7], l[e + 9]) = (format!("7 {other}"), format!("9 {one}"));
        }, TAMPERED, &[("altered_within", "0")]),
        ("the size in the checkpoint", &|l, e| l[e - 5] = "7\n".into(), TAMPERED, &[("checkpoint_altered", &size)]),
        ("the root in the checkpoint", &|l, e| l[e - 4] = format!("{}=\n", "A".repeat(43)), TAMPERED,
         &[("checkpoint_altered", &size)]),
        ("the checkpoint not signed", &|l, e| { l.remove(e - 2); l[e - 7] = "checkpoint 4\n".into(); }, TAMPERED,
         &[("checkpoint_altered", &size)]),
        ("another key", &|l, _| l[1] = other_key.clone(), UNVERIFIABLE, &[]),
        ("cut short", &|l, _| l.truncate(l.len() - 2), UNVERIFIABLE, &[]),
        ("without its last newline", &|l, _| l.last_mut().unwrap().truncate(4), UNVERIFIABLE, &[]),
        ("a line after the last", &|l, _| l.push("\n".into()), UNVERIFIABLE, &[]),
        ("a line that the format does not have", &|l, _| l.insert(2, "witness log.example\n".into()), UNVERIFIABLE, &[]),
        ("another version", &|l, _| l[0] = "healthcard-audit-bundle v2\n".into(), UNVERIFIABLE, &[]),
    ];
    for (what, change, expected, named) in cases {
        let mut lines = whole.clone();
        change(&mut lines, begin);
        let (code, answer) = desk.agree(what, lines.concat().as_bytes());
        assert_eq!((code, &answer.found), (expected, &found(named)), "{what}");
    }

    // A byte anywhere, changed, removed or added; and a cut anywhere.
    for (text, steps) in [(part.concat().into_bytes(), 45), (whole.concat().into_bytes(), 25)] {
        for step in 0..steps {
            let at = step * (text.len() - 1) / steps + step % 7;
            let [mut flipped, mut shorter, mut longer] = [text.clone(), text.clone(), text.clone()];
            flipped[at] ^= 1 << (step % 8);
            shorter.remove(at);
            longer.insert(at, b"0 \"\xff\n="[step % 6]);
            for (what, altered) in [
                ("changed", &flipped[..]),
                ("removed", &shorter),
                ("added", &longer),
                ("cut", &text[..at]),
            ] {
                let (code, answer) = desk.agree(&format!("byte {at} {what}"), altered);
                // Whoever changes the key itself is found with a key that was obtained another way.
                assert!(code != VALID, "byte {at} {what}: {answer:?}");
            }
        }
    }
    assert_eq!(desk.browser.complaints(), [] as [&Value; 0]);
    assert_eq!(desk.browser.addresses(), [format!("file://{}", desk.page.display())]);
    assert_eq!(desk.browser.evaluate("document.images.length"), 0);
}

#[test]
fn a_key_and_a_checkpoint_obtained_another_way_count() {
    let mut desk = Desk::open();
    let other = Hospital::founded().verifier_key();
    let own = desk.hospital.verifier_key();
    let export = desk.export("whole", &[]).concat();
    let file = desk.file("whole", export.as_bytes());
    desk.page(&file);
    assert_eq!(desk.browser.evaluate("document.querySelector('#key-in-file') !== null"), true);
    let (folded, rest) = own.split_at(40);
    for (key, code) in
        [(&own, VALID), (&format!(" {folded}\n{rest}\n"), VALID), (&other, UNVERIFIABLE)]
    {
        let joined = key.replace(['\n', ' '], "");
        let (told, command) = desk.command(&file, &["--verifier-key", &joined]);
        assert_eq!((desk.given(key, ""), told), (command, code));
        assert_eq!(desk.browser.evaluate("document.querySelector('#key-in-file') !== null"), false);
    }
    // The key in the file was exchanged.
    let exchanged = desk.file("exchanged", export.replacen(&own, &other, 1).as_bytes());
    let (code, command) = desk.command(&exchanged, &["--verifier-key", &own]);
    assert_eq!((code, command.found.len()), (TAMPERED, 1));
    desk.page(&exchanged);
    assert_eq!(desk.given(&own, ""), command);
    desk.page(&file);
    // What is no key gives no verdict.
    desk.browser.evaluate(
        "$('key').value = 'demo+00000000+AAAA'; document.querySelector('#given button').click(); 0",
    );
    let told = desk.browser.evaluate(
        "[$('verdict').hidden, $('key-problem').hidden, document.documentElement.dataset.verdict]",
    );
    assert_eq!(told, json!([true, false, null]));

    // The log grew since, by an entry that says who exported it: of its newest checkpoint this is a roll-back. A longer
    // export goes on from that checkpoint, and one that begins later cannot tell.
    desk.export("longer", &[]);
    let held = text(&desk.hospital.granted("auditor", &["audit", "checkpoint"]), "checkpoint");
    let held_file = desk.file("held", held.as_bytes());
    let size = held.lines().nth(1).unwrap().parse::<u64>().unwrap();
    desk.export("longest", &[]);
    desk.export("later", &["--from", &(size + 1).to_string()]);
    for (name, expected) in [("whole", TAMPERED), ("longest", VALID), ("later", UNVERIFIABLE)] {
        let file = desk.hospital.stage.path("log").join(name);
        let order = ["--verifier-key", &own, "--checkpoint", &held_file.to_string_lossy()];
        let (code, command) = desk.command(&file, &order);
        desk.given(&own, &held);
        assert_eq!((desk.page(&file), code), (command, expected), "{name}");
    }
    // A note that this key did not sign is said to be none of it.
    assert!(desk.given(&own, &held.replacen(&size.to_string(), "1", 1)).hindered);
}

#[test]
fn an_enclosed_export_is_checked_when_the_page_is_opened() {
    let mut desk = Desk::open();
    let whole = desk.export("whole", &[]);
    let mut tampered = whole.clone();
    let at = first_entry(&whole) + 7;
    tampered[at] = tampered[at].replace("granted", "refused");
    for (lines, verdict, said, named) in [
        (&whole, "valid", "日志完好", &[][..]),
        (&tampered, "tampered", "日志被改动", &[("altered", "7")][..]),
    ] {
        let bundle = desk.file("bundle", lines.concat().as_bytes());
        let page = desk.hospital.stage.path("log").join(format!("{verdict}.html"));
        let order = [
            "audit",
            "checker",
            "--bundle",
            &bundle.to_string_lossy(),
            "--out",
            &page.to_string_lossy(),
        ];
        desk.hospital.granted("auditor", &order);
        desk.browser.visit(&page);
        let answer = desk.answer();
        assert_eq!((&answer.verdict[..], &answer.found), (verdict, &found(named)));
        let text = desk.browser.evaluate("document.body.innerText");
        let text = text.as_str().unwrap();
        assert!(text.contains(said) && text.contains("自检通过"), "{text}");
        assert_eq!(desk.browser.complaints(), [] as [&Value; 0]);
        assert_eq!(desk.browser.addresses(), [format!("file://{}", page.display())]);
        keep(&format!("checker-{verdict}.png"), &desk.browser.picture());
    }
    // The finding leads to the entry, which is there in full; the search finds it and no other.
    desk.browser.evaluate("document.querySelector('#findings button').click()");
    let row = desk
        .browser
        .evaluate("[document.activeElement.dataset.position, document.activeElement.innerText]");
    assert_eq!(row[0], "7");
    assert!(row[1].as_str().unwrap().contains("已拒绝"), "{row}");
    let search = |word: &str| {
        format!(
            "$('search').value = '{word}'; $('search').dispatchEvent(new Event('input')); $('rows').children.length"
        )
    };
    assert_eq!(desk.browser.evaluate(&search("内容与摘要不符")), 0);
    let id = tampered[at].split("\"id\":\"").nth(1).unwrap()[..36].to_owned();
    assert_eq!(desk.browser.evaluate(&search(&id)), 1);
    // The same in English.
    let english = desk
        .browser
        .evaluate("$('language').click(); $('verdict').innerText + $('findings').innerText");
    let english = english.as_str().unwrap();
    assert!(
        english.contains("The log was tampered with") && english.contains("entry 7 was altered"),
        "{english}"
    );

    let no_bundle = desk.file("other", b"no export\n");
    let out = desk.hospital.stage.path("log/none.html");
    let order = [
        "audit",
        "checker",
        "--bundle",
        &no_bundle.to_string_lossy(),
        "--out",
        &out.to_string_lossy(),
    ];
    desk.hospital.refused("auditor", &order, "LOG_UNREADABLE");
    assert!(!out.exists());
}

#[test]
fn a_page_that_was_altered_or_computes_wrongly_gives_no_verdict() {
    let mut desk = Desk::open();
    let export = desk.export("whole", &[]).concat();
    let file = desk.file("whole", export.as_bytes());
    // Its policy names the digest of its program.
    let altered = fs::read_to_string(&desk.page).unwrap().replacen(
        "verdict: tampered ?",
        "verdict: false ?",
        1,
    );
    assert_ne!(altered, fs::read_to_string(&desk.page).unwrap());
    let altered = desk.file("altered.html", altered.as_bytes());
    desk.browser.visit(&altered);
    let state = "[document.documentElement.dataset.state, typeof checkBundle, $('verdict').hidden]";
    assert_eq!(desk.browser.evaluate(state), json!(["broken", "undefined", true]));
    assert_ne!(desk.browser.complaints(), [] as [&Value; 0]);

    // A browser that gets lengths wrong.
    let wrong = json!({ "source": "DataView.prototype.setUint32 = () => {};" });
    desk.browser.call("Page.addScriptToEvaluateOnNewDocument", wrong);
    let page = desk.page.clone();
    desk.browser.visit(&page);
    let state = "[document.documentElement.dataset.state, $('file').disabled, $('self-test').innerText.includes('自检未通过')]";
    assert_eq!(desk.browser.evaluate(state), json!(["broken", true, true]));
    desk.browser.choose("#file", &file);
    let verdict = "new Promise((done) => setTimeout(() => done([$('verdict').hidden, document.documentElement.dataset.verdict]), 200))";
    assert_eq!(desk.browser.evaluate(verdict), json!([true, null]));
}

/// An entry with every field, texts of several scripts, and characters that are escaped.
fn full_entry() -> Entry {
    let actor = Actor {
        identity: Some("doctor-1".into()),
        certificate: Some("5f01".into()),
        role: Some("doctor".into()),
        institution: Some("示例县人民医院".into()),
        address: Some("10.0.0.7".into()),
    };
    let id = "01936b1e-7c00-7000-8000-000000000001";
    Entry::new(id, "2028-02-29T23:59:59.999999Z", "token.issue", Outcome::Granted, actor)
        .about("resident-1")
        .in_visit("a \"visit\" \\ 𠮷")
        .for_purpose("treatment")
        .under("9c", "attending")
        .on("token", "t-1")
        .with("grade", "3")
        .with("\u{ffff}", "before the next in UTF-8 and not in UTF-16")
        .with("𠮷", "诊疗")
}

#[test]
fn it_takes_entries_in_their_one_form_only() {
    let full = full_entry();
    let mut forms = vec![full.encode().unwrap()];
    let text = String::from_utf8(forms[0].clone()).unwrap();
    let least = r#"{"v":1,"id":"01936b1e-7c00-7000-8000-000000000001","at":"2026-11-23T08:00:00.000000Z","action":"a","outcome":"failed""#;
    let long =
        |name: &str, length: usize| format!(r#"{least},"{name}":"{}"}}"#, "医".repeat(length));
    let pairs = |count: usize| {
        let pairs: Vec<_> = (100..100 + count).map(|at| format!(r#""{at}":"v""#)).collect();
        format!(r#"{least},"detail":{{{}}}}}"#, pairs.join(","))
    };
    for rest in [
        "}",
        " }",
        "}\n",
        "}{}",
        r#","resident":null}"#,
        r#","actor":{}}"#,
        r#","detail":{}}"#,
        r#","name":"x"}"#,
        r#","detail":{"b":"1","a":"1"}}"#,
        r#","detail":{"a":"1","a":"1"}}"#,
        r#","detail":{"9":"1","10":"1"}}"#,
        r#","detail":{"10":"1","9":"1"}}"#,
        r#","detail":{"__proto__":"1"}}"#,
        r#","visit":"\u0061"}"#,
        r#","visit":"\/"}"#,
        r#","visit":"\ud800"}"#,
        r#","visit":"v","resident":"r"}"#,
        r#","visit":"v","visit":"v"}"#,
        r#","visit":""}"#,
        r#","actor":{,"role":"r"}}"#,
        r#","actor":{"role":"r",}}"#,
        r#","actor":{"role":"r""address":"a"}}"#,
        r#","policy":{"hash":"h"}}"#,
        r#","object":{"kind":"k","id":"i","more":"m"}}"#,
        "\u{feff}",
    ] {
        forms.push(format!("{least}{rest}").into_bytes());
    }
    forms.extend(
        [long("visit", 170), long("visit", 171), pairs(32), pairs(33)].map(String::into_bytes),
    );
    forms.push([b"\xef\xbb\xbf", &forms[0][..]].concat());
    for (from, to) in [
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1", "\"v\":1.0"),
        ("granted", "maybe"),
        ("02-29", "02-30"),
        ("2028", "2100"),
        ("23:59", "24:59"),
        ("01936b1e", "01936B1E"),
        ("token.issue", "Token issue"),
    ] {
        forms.push(text.replacen(from, to, 1).into_bytes());
    }
    for at in 0..forms[0].len() {
        for other in [b'"', b'\\', b',', b'{', b'0', b'\x7f', b'\xc2', b'\n'] {
            let (mut replaced, mut longer) = (forms[0].clone(), forms[0].clone());
            replaced[at] = other;
            longer.insert(at, other);
            forms.extend([replaced, longer]);
        }
        forms.push([&forms[0][..at], &forms[0][at + 1..]].concat());
    }
    let mut browser = Browser::open();
    browser.visit(&repository().join("service/audit/checker/checker.html"));
    let texts: Vec<_> = forms.iter().map(hex::encode).collect();
    let taken = format!("{}.map((it) => readEntry(fromHex(it)) !== undefined)", json!(texts));
    let taken: Vec<bool> = serde_json::from_value(browser.evaluate(&taken)).unwrap();
    let mut good = 0;
    for (form, taken) in forms.iter().zip(taken) {
        let decoded = Entry::decode(form);
        assert_eq!(taken, decoded.is_ok(), "{}: {decoded:?}", String::from_utf8_lossy(form));
        good += usize::from(taken);
    }
    assert!(good > 300 && forms.len() > 20 * good / 3, "{good} of {}", forms.len());
    let read = browser.evaluate(&format!("readEntry(fromHex('{}'))", hex::encode(&forms[0])));
    let (actor, object) = (&full.actor, full.object.as_ref().unwrap());
    assert_eq!(
        read,
        json!({
            "id": full.id, "at": full.at, "action": full.action, "outcome": "granted", "resident": full.resident,
            "visit": full.visit, "purpose": full.purpose, "rule": "attending",
            "actor": { "identity": actor.identity, "certificate": actor.certificate, "role": actor.role,
                       "institution": actor.institution, "address": actor.address },
            "object": { "kind": object.kind, "id": object.id },
        })
    );
}

fn vectors(name: &str) -> Value {
    let file = repository().join("tests/vectors").join(name);
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

fn tests_of(vectors: &Value) -> Vec<&Value> {
    let groups = vectors["groups"].as_array().unwrap().iter();
    groups
        .filter(|group| group["hash"] != "SHA-256")
        .flat_map(|it| it["tests"].as_array().unwrap())
        .collect()
}

/// *r* ‖ *s* of a signature in DER, where they have that form: what is not DER is for readers of DER.
fn raw(der: &str) -> Option<String> {
    let der = hex::decode(der).ok()?;
    let [0x30, length, rest @ ..] = &der[..] else { return None };
    let (mut rest, mut raw) = (rest, Vec::new());
    if usize::from(*length) != rest.len() {
        return None;
    }
    for _ in 0..2 {
        let [0x02, length, after @ ..] = rest else { return None };
        let (number, after) = after.split_at_checked((*length).into())?;
        let minimal = match number {
            [0, next, ..] => *next >= 0x80,
            [first, ..] => *first < 0x80,
            [] => false,
        };
        let number = number.strip_prefix(&[0]).filter(|it| !it.is_empty()).unwrap_or(number);
        if !minimal || number.len() > 32 {
            return None;
        }
        raw.resize(raw.len() + 32 - number.len(), 0);
        raw.extend_from_slice(number);
        rest = after;
    }
    rest.is_empty().then(|| hex::encode(raw))
}

#[test]
fn its_arithmetic_passes_every_vector() {
    let mut browser = Browser::open();
    browser.visit(&repository().join("service/audit/checker/checker.html"));
    let digests = vectors("sm3.json");
    for test in tests_of(&digests) {
        let digest = browser.evaluate(&format!("toHex(sm3(fromHex({})))", test["message"]));
        assert_eq!(digest, test["digest"], "{}", test["comment"]);
    }
    let verified = vectors("sm2_verify.json");
    let mut passed = 0;
    for test in tests_of(&verified).into_iter().filter(|it| it["result"] != "acceptable") {
        let Some(signature) = test["signature_der"].as_str().and_then(raw) else { continue };
        let good = browser.evaluate(&format!(
            "verifies(fromHex({}), fromHex({}), fromHex({}), fromHex('{signature}'))",
            test["public_key"], test["user_id"], test["message"]
        ));
        assert_eq!(good, test["result"] == "valid", "{}", test["comment"]);
        passed += 1;
    }
    assert!(passed > 40, "{passed}");
    let digested = vectors("sm2_verify_digest.json");
    for test in tests_of(&digested) {
        let (r, s) = (test["r"].as_str().unwrap(), test["s"].as_str().unwrap());
        let good = browser.evaluate(&format!(
            "verifiesDigest(fromHex({}), fromHex({}), fromHex('{r}{s}'))",
            test["public_key"], test["e"]
        ));
        assert_eq!(good, test["result"] == "valid", "{}", test["comment"]);
    }
    let keys = vectors("sm2_keys.json");
    for test in tests_of(&keys).into_iter().filter(|it| it["point"].is_string()) {
        let good =
            browser.evaluate(&format!("publicPoint(fromHex({})) !== undefined", test["point"]));
        // Of other forms than 04 ‖ X ‖ Y none is taken.
        let plain = test["point"].as_str().unwrap().starts_with("04");
        assert_eq!(good, plain && test["result"] != "invalid", "{}", test["comment"]);
    }
    let merkle = vectors("merkle.json");
    for test in tests_of(&merkle).into_iter().filter(|it| it["kind"] == "root") {
        let grown = format!(
            "{{ const tree = new Frontier(); for (const leaf of {}) tree.push(0, leafHash(fromHex(leaf))); toHex(tree.root()); }}",
            test["leaves"]
        );
        assert_eq!(browser.evaluate(&grown), test["root"], "{}", test["size"]);
    }
}

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/history");

#[test]
fn a_history_is_judged_as_the_command_judges_it() {
    let mut desk = Desk::open();
    let vector = |name: &str| fs::read_to_string(Path::new(VECTORS).join(name)).unwrap();
    let untrue = &[("index_wrong", "49"), ("index_wrong", "50"), ("index_wrong", "51")];
    let untrue_segments = &[
        ("index_wrong", "46"),
        ("segment_wrong", "47"),
        ("segment_wrong", "49"),
        ("segment_wrong", "50"),
    ];
    for (name, verdict, named) in [
        ("history.txt", "valid", &[][..]),
        ("log-with-histories.txt", "valid", &[][..]),
        ("log-with-untrue-statements.txt", "tampered", &untrue[..]),
        ("history-removed.txt", "valid", &[][..]),
        ("log-with-segments.txt", "tampered", &untrue_segments[..]),
    ] {
        let (_, answer) = desk.agree(name, vector(name).as_bytes());
        assert_eq!((&*answer.verdict, &answer.found), (verdict, &found(named)), "{name}");
    }
    for (name, said, picture) in [
        ("history.txt", "没有一条未列出", "checker-history.png"),
        ("history-removed.txt", "另有 7 条保存期满", "checker-history-removed.png"),
    ] {
        let history = vector(name);
        desk.agree("whole", history.as_bytes());
        let text = desk.browser.evaluate("document.body.innerText");
        assert!(text.as_str().unwrap().contains(said), "{text}");
        keep(picture, &desk.browser.picture());
        every_line_matters(&mut desk, &history);
    }
}

/// What is done to any line of a history the page finds as the command does.
fn every_line_matters(desk: &mut Desk, history: &str) {
    let lines: Vec<&str> = history.split_inclusive('\n').collect();
    let mut tampered = 0;
    for at in 2..lines.len() {
        let mut without = lines.clone();
        without.remove(at);
        let mut twice = lines.clone();
        twice.insert(at, lines[at]);
        let digits = lines[at].replacen(|c: char| c.is_ascii_digit(), "7", 1);
        let mut other = lines.clone();
        other[at] = &digits;
        for (what, altered) in [("without", without), ("twice", twice), ("another", other)] {
            // As whoever tampers would, with the count set right.
            let mut altered: Vec<String> = altered.into_iter().map(str::to_owned).collect();
            if altered.last().is_some_and(|line| line.starts_with("end "))
                && altered.contains(&"entries\n".to_owned())
            {
                recount(&mut altered);
            }
            let altered = altered.concat();
            let (code, _) = desk.agree(&format!("{what} {at}"), altered.as_bytes());
            assert!(code != 0 || altered == history, "{what} {at}");
            tampered += usize::from(code == TAMPERED);
        }
    }
    assert!(tampered > lines.len() / 2, "{tampered} of {}", lines.len());
}
