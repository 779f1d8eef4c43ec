//! Each key, each version, each try (health-card.md, 9, "Keys").
mod terminal;

use card::command::{Blocking, CardError, InternalAuthenticate, Protected, ReadRecord, Select};
use card::layout::ddf1::ef08;
use card::layout::{Directory, df02};
use card::{CardKey, KeySession, KeyVersion, Status, tlv};
use card_emulator::sample;
use terminal::{Terminal, refused};

fn terminal() -> Terminal {
    let masters = sample::distinct_masters();
    Terminal::new(sample::image_of(&masters), &masters)
}

const BEYOND: &str = "a version beyond those of the key";

#[test]
fn each_version_of_each_key_proves_itself_alone() {
    let mut terminal = terminal();
    let versions = [1, 2, 3, 4].map(|number| KeyVersion::new(number).unwrap());
    let mut proven = 0;
    for key in CardKey::ALL {
        let Some(directory) = key.directory() else { continue };
        if CardKey::named_by(directory, key.facts().id) != Some(key) {
            continue;
        }
        terminal.enter(directory);
        for version in versions {
            assert_eq!(terminal.prove(key, version), Ok(()), "{key} {version}");
            proven += 1;
            // Another version's value is a wrong one.
            let said = versions[usize::from(version.number()) % 4];
            let wrong = terminal.prove_as(key, version, said);
            assert_eq!(wrong, Err(CardError::WrongKey { tries_left: Some(14) }), "{key} {version}");
            terminal.prove(key, said).unwrap();
        }
    }
    assert_eq!(proven, 11 * 4);
}

#[test]
fn keys_that_give_no_right_cannot_be_proven() {
    let mut terminal = terminal();
    for key in CardKey::ALL {
        let directory = key.directory().unwrap_or(Directory::Ddf1);
        // The internal key has the number of the read key, and is not it.
        let expected = match CardKey::named_by(directory, key.facts().id) {
            Some(named) if named == key => continue,
            Some(_) => Err(CardError::WrongKey { tries_left: Some(14) }),
            None => refused(Status::KeyNotFound),
        };
        terminal.enter(directory);
        assert_eq!(terminal.prove(key, KeyVersion::FIRST), expected, "{key}");
    }
}

#[test]
fn the_internal_key_answers_in_four_versions() {
    let mut terminal = terminal();
    terminal.enter(Directory::Ddf1);
    let mut answers = Vec::new();
    for number in 1..=4 {
        let version = KeyVersion::new(number).unwrap();
        let command = InternalAuthenticate { challenge: [1; 8], data: [2; 8], version };
        answers.push(terminal.run(&command).unwrap());
    }
    answers.dedup();
    assert_eq!(answers.len(), 4, "each version has its own value");
    let header = [0x00, 0x88, 0x00, 0x00];
    for number in [0, 5] {
        let data = [&[1; 16][..], &[number]].concat();
        let command = card::Apdu::new(header).with_data(data).expecting(8);
        assert_eq!(terminal.send(&command).status, Status::KeyNotFound, "{BEYOND}: {number}");
    }
}

/// Fifteen failures block the key; the right value before puts the counter back; a reset does not.
#[test]
fn fifteen_failures_block_a_key() {
    let mut terminal = terminal();
    let first = KeyVersion::FIRST;
    for (key, version) in CardKey::all_versions().filter(|(_, version)| *version == first) {
        let directory = key.directory().unwrap_or(Directory::Ddf1);
        if CardKey::named_by(directory, key.facts().id) != Some(key) {
            continue;
        }
        for left in [14, 13] {
            terminal.enter(directory);
            let failed = terminal.prove_forged(key);
            assert_eq!(failed, Err(CardError::WrongKey { tries_left: Some(left) }), "{key}");
        }
        terminal.prove(key, version).unwrap();
        for left in (0..15).rev() {
            terminal.card.reinsert();
            terminal.enter(directory);
            let failed = terminal.prove_forged(key);
            assert_eq!(failed, Err(CardError::WrongKey { tries_left: Some(left) }), "{key}");
        }
        assert_eq!(terminal.prove_forged(key), Err(CardError::KeyBlocked), "{key}");
        assert_eq!(terminal.prove(key, version), Err(CardError::KeyBlocked), "{key}");
        // Each version counts alone.
        assert_eq!(terminal.prove(key, KeyVersion::new(2).unwrap()), Ok(()), "{key}");
    }
}

#[test]
fn fifteen_wrong_macs_block_a_line_key() {
    let mut terminal = terminal();
    terminal.open(&ef08::FILE);
    terminal.prove(CardKey::Uk1Ddf1, KeyVersion::FIRST).unwrap();
    let record = tlv::wrap(&ef08::PAYMENT_1, &[0x01]);
    let update = |session: &mut dyn KeySession| Protected::update(session, 4, &record).unwrap();
    for _ in 0..14 {
        let forged = update(&mut *terminal.forged_session(CardKey::StkDdf1));
        assert_eq!(terminal.run(&forged), refused(Status::BadProtection));
    }
    let right = update(&mut *terminal.session(CardKey::StkDdf1));
    assert_eq!(terminal.run(&right), Ok(()), "the right MAC puts the counter back");
    for _ in 0..15 {
        let forged = update(&mut *terminal.forged_session(CardKey::StkDdf1));
        assert_eq!(terminal.run(&forged), refused(Status::BadProtection));
    }
    let right = update(&mut *terminal.session(CardKey::StkDdf1));
    assert_eq!(terminal.run(&right), refused(Status::Blocked));
}

#[test]
fn a_directory_is_blocked_and_unblocked_by_its_lock_key() {
    let mut terminal = terminal();
    let file = &df02::ef05::FILE;
    let on = Blocking::Enabled;
    terminal.open(file);
    terminal.prove(CardKey::Rk1Df02, KeyVersion::FIRST).unwrap();
    assert!(Blocking::Disabled.block_card(&mut *terminal.session(CardKey::BkMf)).is_err());
    let other = on.block_application(&mut *terminal.session(CardKey::LkDf01)).unwrap();
    assert_eq!(terminal.run(&other), refused(Status::BadProtection), "another directory's key");
    let block = on.block_application(&mut *terminal.session(CardKey::LkDf02)).unwrap();
    assert_eq!(terminal.run(&block), Ok(()));
    assert_eq!(terminal.run(&block), refused(Status::NotNow), "blocked already");
    assert_eq!(terminal.run(&ReadRecord::ByNumber(1)), refused(Status::NotNow));

    // It stays blocked over a reset, and says so when it is selected; the others go on.
    terminal.card.reinsert();
    terminal.enter(Directory::Df01);
    assert_eq!(terminal.prove(CardKey::Rk1Df01, KeyVersion::FIRST), Ok(()));
    let select = Select(Directory::Df02.id());
    assert_eq!(terminal.run(&select), refused(Status::FileInvalidated));
    assert_eq!(terminal.run(&Select(file.name.id)), refused(Status::NotNow));
    assert_eq!(terminal.prove(CardKey::Rk1Df02, KeyVersion::FIRST), refused(Status::NotNow));
    let unblock = on.unblock_application(&mut *terminal.session(CardKey::LkDf02)).unwrap();
    assert_eq!(terminal.run(&unblock), Ok(()));
    terminal.open(file);

    // Fifteen wrong attempts to unblock it, and it is blocked for good.
    let block = on.block_application(&mut *terminal.session(CardKey::LkDf02)).unwrap();
    assert_eq!(terminal.run(&block), Ok(()));
    for _ in 0..15 {
        let forged = on.unblock_application(&mut *terminal.forged_session(CardKey::LkDf02));
        assert_eq!(terminal.run(&forged.unwrap()), refused(Status::BadProtection));
    }
    let unblock = on.unblock_application(&mut *terminal.session(CardKey::LkDf02)).unwrap();
    assert_eq!(terminal.run(&unblock), refused(Status::ApplicationBlocked));
    assert_eq!(terminal.run(&select), refused(Status::ApplicationBlocked));
    terminal.enter(Directory::Df03);
    // DDF1 has no lock key.
    terminal.enter(Directory::Ddf1);
    let none = on.block_application(&mut *terminal.session(CardKey::LkDf01)).unwrap();
    assert_eq!(terminal.run(&none), refused(Status::KeyNotFound));
}

#[test]
fn a_blocked_card_answers_nothing_more() {
    let mut terminal = terminal();
    let forged = Blocking::Enabled.block_card(&mut *terminal.forged_session(CardKey::BkMf));
    assert_eq!(terminal.run(&forged.unwrap()), refused(Status::BadProtection));
    let block = Blocking::Enabled.block_card(&mut *terminal.session(CardKey::BkMf)).unwrap();
    assert_eq!(terminal.run(&block), Ok(()));
    terminal.card.reinsert();
    for id in [0x3F00, Directory::Ddf1.id()] {
        assert_eq!(terminal.run(&Select(id)), refused(Status::NotSupported));
    }
}
