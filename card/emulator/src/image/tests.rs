use super::*;
use crate::sample;
use ::card::layout::ddf1::{ef05, ef06};
use ::card::layout::{FILES, Structure, df02};

/// The sample card with something in every item, and in every way odd.
fn full(profile: Profile) -> Image {
    let mut image = sample::image();
    image.profile = profile;
    image.files = Files::complete(profile);
    for (number, file) in FILES.into_iter().filter(|file| file.exists(profile)).enumerate() {
        let spell = |item: &::card::layout::Item| {
            let element = item.element;
            let room = usize::from(element.length);
            use ::card::layout::Kind::*;
            match element.kind {
                Text => {
                    "脑卒中".chars().take(room / 2).chain(['x'; 1]).take(room.div_ceil(3)).collect()
                }
                Digits => "12".repeat(room),
                Amount => if room > 2 { "12.5" } else { "1.5" }.to_owned(),
                Date => "2025-02-28".to_owned(),
                DateTime => "2025-02-28T23:59:01".to_owned(),
                Flag => "true".to_owned(),
                Bytes if element.codes.is_some() => "0".to_owned(),
                Bytes => "A5".repeat(room),
            }
        };
        let row = || {
            let items = file.items(profile);
            items.iter().map(|item| (item.element.item.to_string(), spell(item))).collect()
        };
        let mut told = FileText::default();
        match file.structure {
            Structure::Variable(_) => told.items = row(),
            Structure::Fixed { .. } | Structure::Cyclic { .. } => {
                told.records = (0..file.records(profile)).map(|_| row()).collect();
            }
            Structure::Transparent { sections: [], .. } => {
                told.photo = Some(format!("FFD8FF{number:02X}"));
            }
            Structure::Transparent { .. } => told.items = row(),
        }
        fill(&mut image, &[(file.name.to_string(), told)].into()).unwrap();
    }
    image
}

#[test]
fn an_image_reads_as_it_is_written() {
    for profile in [Profile::Full, Profile::Reduced] {
        let mut image = full(profile);
        assert!(image.is_complete());
        image.answers = Answers::InParts;
        image.replace(ef06::FILE.name, 3, vec![0x0D, 1, 0x57]).unwrap();
        image.replace(ef06::FILE.name, 4, vec![0x0D, 2, 3]).unwrap();
        image.replace(df02::ef07::FILE.name, 2, vec![b'x'; 119]).unwrap();
        image.blocked.directories.insert(Directory::Df02);
        let key = Name::Card(CardKey::Uk2Df03, KeyVersion::new(4).unwrap());
        image.keys.slot(key).unwrap().tries_left = 3;
        let text = image.to_toml();
        // In readable form, but for what cannot be read.
        assert!(text.contains("脑卒中") && text.contains("2025-02-28T23:59:01"));
        assert_eq!(text.matches("hex:").count(), 0, "{}", *text);
        let again = Image::from_toml(&text).unwrap();
        assert_eq!(again.files, image.files);
        assert!(again.keys.iter().eq(image.keys.iter()));
        assert_eq!(again.blocked, image.blocked);
        assert_eq!((again.factor, again.answers), (image.factor, image.answers));
        assert_eq!(again.profile, profile);
    }
}

#[test]
fn a_card_without_all_its_files_is_written_too() {
    let mut image = Image::blank(sample::person().factor, Profile::Full, Zeroizing::new([5; 16]));
    image.files.create_directory(Directory::Ddf1);
    image.files.create(&ef05::FILE, Profile::Full);
    let again = Image::from_toml(&image.to_toml()).unwrap();
    assert!(again.is_open() && !again.is_complete());
    assert_eq!(again.files, image.files);
}

#[test]
fn a_wrong_image_is_refused_without_telling_its_secrets() {
    let good = sample::image().to_toml();
    let field = |name: &str| ImageError::Field { field: name.to_owned() };
    let key = &good[good.find("IRK_DDF1").unwrap()..][..45];
    let end = |more: &str| format!("{}\n{more}\n", *good);
    let cases = [
        ("no TOML", "[card".to_owned(), ImageError::Syntax { line: 1 }),
        ("unknown table", format!("x = 1\n{}", *good), ImageError::Syntax { line: 1 }),
        ("unknown key", good.replace("IRK_DDF1 ", "IRK_DDF9 "), field("IRK_DDF9")),
        ("unknown version", good.replace("IRK_DDF1/4", "IRK_DDF1/5"), field("IRK_DDF1/5")),
        ("a key twice", good.replace("IRK_DDF1/2", "IRK_DDF1/1"), field("IRK_DDF1/1")),
        ("short key", good.replace(key, "IRK_DDF1 = \"AB\""), field("IRK_DDF1")),
        ("text too long", good.replace("002X", "002XX"), field("DDF1/EF05 8")),
        ("date", good.replace("2034-01-01", "2034-13-01"), field("DDF1/EF08 7")),
        ("answers", good.replace("\"direct\"", "\"slowly\""), field("answers")),
        ("profile", good.replace("\"32K\"", "\"64K\""), field("profile")),
        (
            "an item of another file",
            end("[files.\"DDF1/EF05\"]\n11 = \"x\""),
            ImageError::Syntax { line: 0 },
        ),
        ("an unknown file", end("[files.\"DF01/EF09\"]"), field("DF01/EF09")),
        ("too many tries", end("[tries]\nIRK_DDF1 = 16"), field("IRK_DDF1")),
        ("overrides", end("[overrides]\n\"DDF1/EF09/1\" = \"00\""), field("overrides")),
        (
            "a record of no card",
            end("[overrides]\n\"DDF1/EF06/6\" = \"00\""),
            ImageError::NoSuchRecord { file: ef06::FILE.name, record: 6 },
        ),
        (
            "four allergies",
            end(
                "[[files.\"DF02/EF07\".records]]\n[[files.\"DF02/EF07\".records]]\n[[files.\"DF02/EF07\".records]]\n[[files.\"DF02/EF07\".records]]",
            ),
            field("DF02/EF07"),
        ),
    ];
    for (name, text, expected) in cases {
        let refused = Image::from_toml(&text).err().unwrap_or_else(|| panic!("{name}: accepted"));
        match (&refused, expected) {
            (ImageError::Syntax { .. }, ImageError::Syntax { line: 0 }) => {}
            (refused, expected) => assert_eq!(*refused, expected, "{name}"),
        }
        let told = format!("{refused} {refused:?}");
        assert!(!told.contains("张三") && !told.contains("002X"), "{name}: {told}");
    }
    let refused = sample::image().replace(ef06::FILE.name, 6, vec![]);
    assert_eq!(refused, Err(ImageError::NoSuchRecord { file: ef06::FILE.name, record: 6 }));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_image_reads_or_is_refused(at in 0usize..6000, to in "[\\PC\n]{0,3}") {
        let good = sample::image().to_toml();
        let at = (0..=at.min(good.len())).rev().find(|at| good.is_char_boundary(*at)).unwrap();
        let changed = format!("{}{to}{}", &good[..at], &good[at..]);
        if let Ok(image) = Image::from_toml(&changed) {
            let again = Image::from_toml(&image.to_toml()).unwrap();
            proptest::prop_assert_eq!(again.files, image.files);
        }
    }

    /// Whatever bytes a file holds, the image says exactly them.
    #[test]
    fn any_contents_survive(
        file in 0usize..22, record in 0u8..6, bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40),
    ) {
        let mut image = sample::image();
        let file = FILES[file];
        if image.replace(file.name, record, bytes.clone()).is_ok() {
            let again = Image::from_toml(&image.to_toml()).unwrap();
            proptest::prop_assert_eq!(&again.files, &image.files, "{} {}", file.name, record);
        }
    }
}
