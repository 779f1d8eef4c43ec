//! What a package says of itself to people, in either language.

use audit::package::{Manifest, Selection};

const ZH: &str = include_str!("README.zh-CN.md");
const EN: &str = include_str!("README.md");

/// Both texts, English first, about a package that has everything of this manifest but its members.
pub(super) fn written(manifest: &Manifest) -> [String; 2] {
    let Manifest { log, made, by, certificate, selection, reason, .. } = manifest;
    let (en, zh) = match selection {
        Selection::Range { from, until, size } => (
            format!(
                "entries {from} up to and without {until} of a log of {size}, as `entries.txt`"
            ),
            format!(
                "日志共 {size} 条，其中第 {from} 条起、第 {until} 条之前的全部记录，见 `entries.txt`"
            ),
        ),
        Selection::History { resident, entries, size } => (
            format!(
                "the {entries} entries of a log of {size} about resident {resident}, as `history.txt`"
            ),
            format!(
                "日志共 {size} 条，其中关于居民 {resident} 的全部 {entries} 条，见 `history.txt`"
            ),
        ),
    };
    let filled = |text: &str, selection: &str, none: &str| {
        let reason = reason.as_deref().unwrap_or(none);
        let values = [
            ("{log}", log.as_str()),
            ("{made}", made),
            ("{by}", by),
            ("{certificate}", certificate),
            ("{selection}", selection),
            ("{entries}", manifest.selection.member()),
            ("{reason}", reason),
        ];
        values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value))
    };
    [filled(EN, &en, "none was given"), filled(ZH, &zh, "未填写")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_say_who_made_it_of_what() {
        let selection = Selection::Range { from: 3, until: 9, size: 12 };
        let manifest = Manifest {
            log: "log.example".to_owned(),
            made: "2026-11-28T01:00:00.000000Z".to_owned(),
            by: "0193".to_owned(),
            certificate: "5a01".to_owned(),
            selection,
            reason: Some("complaint 118".to_owned()),
            members: Vec::new(),
        };
        for text in written(&manifest) {
            for said in [
                "log.example",
                "2026-11-28T01:00:00",
                "0193",
                "5a01",
                "complaint 118",
                "entries.txt",
            ] {
                assert!(text.contains(said), "{said}: {text}");
            }
            for blank in
                ["{log}", "{made}", "{by}", "{certificate}", "{selection}", "{entries}", "{reason}"]
            {
                assert!(!text.contains(blank), "{blank}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
        }
    }
}
