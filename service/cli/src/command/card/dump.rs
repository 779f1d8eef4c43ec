//! `healthcard card dump`: what the whole card says, for whoever treats the holder.

use std::time::Duration;

use clap::Args;
use proto::v1::{
    CardDump, CardField, CardFieldProblem, CardFile, CardFileState, CardProfile, Purpose,
    RecordSignature, WholeCard,
};

use crate::{
    context::{Context, Outcome},
    desk,
    failure::Both,
    page::{Cell, Page},
    show,
    text::{self, Text, parser, word_of},
};

#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// 持卡人的就诊编号，就诊须未结束 | The open visit of the holder
    #[arg(long, value_name = "VISIT")]
    visit: String,
    /// 访问目的 | What it is for
    #[arg(long, value_name = "PURPOSE", default_value = "treatment", value_parser = parser::<Purpose>())]
    purpose: Purpose,
    /// 只读此文件，可多次给出，如 DF01/EF05 | Only this file, such as DF01/EF05; may be given again
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<String>,
    /// 连同原始字节 | Show the bytes as well
    #[arg(long)]
    raw: bool,
    /// 只用名称含此文字的读卡器 | Only readers whose name contains this
    #[arg(long, value_name = "TEXT")]
    reader: Option<String>,
    /// 等待放卡的秒数 | Seconds to wait for a card
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
    #[command(flatten)]
    sam: desk::SamOptions,
}

impl Dump {
    pub(super) async fn run(self, context: &Context) -> Outcome {
        let raw = self.raw;
        let order = WholeCard {
            purpose: self.purpose.into(),
            visit_id: self.visit,
            files: self.files,
            raw,
        };
        let patience = Duration::from_secs(self.wait);
        let dump = desk::dump_one(context, self.reader, &self.sam, patience, order).await?;
        context.answer("CardDump", &dump, &page(&dump, raw))
    }
}

/// The card, file by file. Without the bytes, fields that say nothing are only counted.
fn page(dump: &CardDump, raw: bool) -> Page {
    let page = Page::titled(text::CARD_DUMPED)
        .maybe(text::CARD_PROFILE, word_of::<CardProfile>(dump.profile))
        .row(text::CARD_ID, &dump.card_id)
        .row(text::VISIT_ID, &dump.visit_id);
    let page = show::receipt(page, dump.receipt.as_ref());
    dump.files.iter().fold(page, |page, read| page.below(file(read, raw)))
}

fn file(read: &CardFile, raw: bool) -> Page {
    let page = Page::headed(both(
        format!("{}（{}）", read.title_zh, read.name),
        format!("{} ({})", read.title_en, read.name),
    ));
    let page = match read.state() {
        CardFileState::Read => page,
        state => return page.note(word_of::<CardFileState>(state.into()).unwrap_or(text::UNKNOWN)),
    };
    let is_empty =
        |field: &&CardField| field.value.is_empty() && field.problem() == CardFieldProblem::None;
    let shown: Vec<_> = read.fields.iter().filter(|field| raw || !is_empty(field)).collect();
    let empty = read.fields.len() - shown.len();
    let page = match shown.is_empty() {
        true => page,
        false => {
            let bytes = raw.then_some(text::BYTES);
            let headings: Vec<Text> = [text::ITEM, text::VALUE].into_iter().chain(bytes).collect();
            page.table(&headings, shown.into_iter().map(|field| line(field, raw)).collect())
        }
    };
    let page = match read.photo.len() {
        0 => page,
        size => page.note(Cell::Filled(text::PHOTO_SIZE, vec![size.to_string()])),
    };
    let page = match read.signature() {
        RecordSignature::Unspecified => page,
        worth => page.note(word_of::<RecordSignature>(worth.into()).unwrap_or(text::UNKNOWN)),
    };
    match empty {
        0 => page,
        count => page.note(Cell::Filled(text::FIELDS_EMPTY, vec![count.to_string()])),
    }
}

fn line(field: &CardField, raw: bool) -> Vec<Cell> {
    let mut cells = vec![name(field), value(field)];
    if raw {
        cells.push(hex::encode_upper(&field.raw).into());
    }
    cells
}

/// The item, with its repetition, and its record where each record has all items.
fn name(field: &CardField) -> Cell {
    let times = match (field.repetition, field.record) {
        (0, _) => String::new(),
        (times, _) => format!(" {times}"),
    };
    let said = |name: &str| format!("{name}{times}");
    both(said(&field.name_zh), said(&field.name_en))
}

fn value(field: &CardField) -> Cell {
    let code = &field.value;
    match field.problem() {
        CardFieldProblem::None if field.unknown_code => {
            Cell::Filled(text::CODE_UNKNOWN, vec![code.clone()])
        }
        CardFieldProblem::None if field.label_zh.is_empty() => code.into(),
        CardFieldProblem::None => match code.as_str() {
            "true" | "false" => both(field.label_zh.clone(), field.label_en.clone()),
            code => both(
                format!("{}（{code}）", field.label_zh),
                format!("{} ({code})", field.label_en),
            ),
        },
        problem => {
            let word = word_of::<CardFieldProblem>(problem.into()).unwrap_or(text::UNKNOWN);
            Cell::Marked("✗", Box::new(word.into()))
        }
    }
}

fn both(zh: String, en: String) -> Cell {
    Cell::Both(Both { zh, en })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Lang;

    fn said(value: &str, labels: (&str, &str)) -> CardField {
        CardField {
            name_zh: "性别".to_owned(),
            name_en: "Sex".to_owned(),
            value: value.to_owned(),
            label_zh: labels.0.to_owned(),
            label_en: labels.1.to_owned(),
            raw: vec![0x0C, 1, 2],
            ..CardField::default()
        }
    }

    fn dump() -> CardDump {
        let files = vec![
            CardFile {
                name: "DDF1/EF06".to_owned(),
                title_zh: "持卡人基本信息数据文件".to_owned(),
                title_en: "Holder data".to_owned(),
                state: CardFileState::Read.into(),
                fields: vec![
                    said("2", ("女", "female")),
                    said("true", ("是", "yes")),
                    CardField { unknown_code: true, repetition: 2, ..said("7", ("", "")) },
                    CardField { problem: CardFieldProblem::Value.into(), ..said("", ("", "")) },
                    said("", ("", "")),
                ],
                ..CardFile::default()
            },
            CardFile {
                name: "DF03/EE01".to_owned(),
                title_zh: "住院信息文件1".to_owned(),
                title_en: "Inpatient record 1".to_owned(),
                state: CardFileState::MarkedInvalid.into(),
                ..CardFile::default()
            },
        ];
        CardDump { files, profile: CardProfile::Full.into(), ..CardDump::default() }
    }

    #[test]
    fn a_nurse_reads_what_is_there_and_what_is_wrong() {
        let shown = page(&dump(), false).render(Lang::Zh);
        for part in [
            "持卡人基本信息数据文件（DDF1/EF06）",
            "女（2）",
            "性别 2",
            "7（代码表中没有）",
            "✗ 内容不符合规范",
            "另有 1 项未填写",
            "住院信息文件1（DF03/EE01）",
            "标为无效",
        ] {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        assert!(!shown.contains("0C0102"), "{shown}");
        let english = page(&dump(), true).render(Lang::En);
        for part in ["Holder data (DDF1/EF06)", "female (2)", "yes", "0C0102"] {
            assert!(english.contains(part), "{part} in {english}");
        }
    }
}
