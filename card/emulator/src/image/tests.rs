use super::*;
use crate::sample;
use ::card::layout::ddf1::ef06;

#[test]
fn an_image_reads_as_it_is_written() {
    let mut image = sample::image();
    image.answers = Answers::InParts;
    image.photo = Some(Photo::new(vec![0xFF, 0xD8, 0xFF, 0xE0, 1]).unwrap());
    image.issuer.certificate.0[179] = 9;
    image.overrides.insert((ef06::FILE.name, 3), vec![0x0D, 1, 0x57]);
    let again = Image::from_toml(&image.to_toml()).unwrap();
    assert_eq!(again.keys, image.keys);
    assert_eq!(again.issuer, image.issuer);
    assert_eq!(again.holder, image.holder);
    assert_eq!(again.photo, image.photo);
    assert_eq!(again.contact, image.contact);
    assert_eq!(again.overrides, image.overrides);
    assert_eq!((again.factor, again.answers), (image.factor, image.answers));
}

#[test]
fn a_wrong_image_is_refused_without_telling_its_secrets() {
    let good = sample::image().to_toml();
    let field = |name: &str| ImageError::Field { field: name.to_owned() };
    let key = &good[good.find("IRK_DDF1").unwrap()..][..45];
    let cases = [
        ("no TOML", "[card".to_owned(), ImageError::Syntax { line: 1 }),
        ("unknown table", format!("x = 1\n{}", *good), ImageError::Syntax { line: 1 }),
        ("unknown key", good.replace("IRK_DDF1", "IRK_DDF9"), field("IRK_DDF9")),
        ("short key", good.replace(key, "IRK_DDF1 = \"AB\""), field("IRK_DDF1")),
        ("id number", good.replace("002X", "0021"), field("id_number")),
        ("date", good.replace("2034-01-01", "2034-13-01"), field("valid_until")),
        ("sex", good.replace("sex = 2", "sex = 3"), field("sex")),
        ("answers", good.replace("\"direct\"", "\"slowly\""), field("answers")),
        ("overrides", format!("{}\"DDF1/EF09/1\" = \"00\"\n", *good), field("overrides")),
    ];
    for (name, text, expected) in cases {
        let refused = Image::from_toml(&text).err().unwrap_or_else(|| panic!("{name}: accepted"));
        assert_eq!(refused, expected, "{name}");
        let told = format!("{refused} {refused:?}");
        assert!(!told.contains("张三") && !told.contains("002X"), "{name}: {told}");
    }
    let mut image = sample::image();
    image.overrides.insert((ef06::FILE.name, 6), vec![]);
    let refused = crate::Card::new(&image, Box::new(|_| {})).err();
    assert_eq!(refused, Some(ImageError::NoSuchRecord { file: ef06::FILE.name, record: 6 }));
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn a_changed_image_reads_or_is_refused(at in 0usize..600, to in "[\\PC\n]{0,3}") {
        let good = sample::image().to_toml();
        let at = (0..=at.min(good.len())).rev().find(|at| good.is_char_boundary(*at)).unwrap();
        let changed = format!("{}{to}{}", &good[..at], &good[at..]);
        if let Ok(image) = Image::from_toml(&changed) {
            proptest::prop_assert!(Image::from_toml(&image.to_toml()).is_ok());
        }
    }
}
