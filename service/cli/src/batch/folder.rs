//! The directory of a batch: what it is called at the service, and at the end its report and its
//! manifest. It holds nobody's data: rows are numbers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use proto::v1::{RowState, RowVerdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Rows;
use crate::{
    failure::Failure,
    files::{self, Audience},
    text::problems,
};

/// The file that names the batch.
const NAME: &str = "batch.json";
/// Largest such file.
const LIMIT: u64 = 4096;

/// The directory of one batch.
pub(crate) struct Folder {
    path: PathBuf,
    pub(crate) batch_id: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    batch_id: String,
    input: String,
    rows: u32,
}

impl Folder {
    /// Opens the directory of this batch, or makes it. One that is of other input is refused.
    pub(crate) fn open(path: &Path, rows: &Rows) -> Result<Self, Failure> {
        files::make_directory(path)?;
        let file = path.join(NAME);
        let known = file.try_exists().unwrap_or(true);
        let (input, count) = (hex::encode(rows.digest), rows.count);
        let batch_id = if known {
            let bytes = files::read(&file, LIMIT)?;
            let malformed = || Failure::of(problems::INPUT_MALFORMED).about(file.display());
            let named: Named = serde_json::from_slice(&bytes).map_err(|_| malformed())?;
            if (&named.input, named.rows) != (&input, count) {
                return Err(Failure::of(problems::BATCH_OTHER_INPUT).about(path.display()));
            }
            named.batch_id
        } else {
            let batch_id = uuid::Uuid::now_v7().to_string();
            let named = Named { batch_id: batch_id.clone(), input, rows: count };
            let text = serde_json::to_vec(&named).map_err(|_| problems::FILE_UNWRITABLE)?;
            files::write(&file, &text, Audience::Owner)?;
            batch_id
        };
        Ok(Self { path: path.to_owned(), batch_id })
    }

    /// Writes what became of each row, as `report.csv` and `report.json`.
    pub(crate) fn report(&self, progress: &Progress) -> Result<(), Failure> {
        let mut table = String::from("row,verdict,reasons,card_id,chip_serial\r\n");
        let mut list = Vec::new();
        for (row, verdict) in &progress.verdicts {
            let reasons: Vec<String> =
                verdict.reasons.iter().map(|why| format!("{}:{}", why.field, why.code)).collect();
            let word = word(verdict.state());
            let (card, chip) = (&verdict.card_id, &verdict.chip_serial);
            table.push_str(&format!("{row},{word},{},{card},{chip}\r\n", reasons.join(" ")));
            list.push(verdict_json(verdict));
        }
        files::write(&self.path.join("report.csv"), table.as_bytes(), Audience::Owner)?;
        let list = format!("{}\n", Value::Array(list));
        files::write(&self.path.join("report.json"), list.as_bytes(), Audience::Owner)
    }

    /// Writes the manifest, and where it is.
    pub(crate) fn manifest(&self, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join("manifest.txt");
        files::write(&path, text.as_bytes(), Audience::Everyone)?;
        Ok(path)
    }
}

/// The word for a state in reports.
pub(crate) fn word(state: RowState) -> &'static str {
    match state {
        RowState::Issued => "issued",
        RowState::Refused => "refused",
        RowState::Writing => "writing",
        RowState::Held => "held",
        RowState::Waiting | RowState::Unspecified => "waiting",
    }
}

/// A verdict as programs read it. There is no person in it.
pub(crate) fn verdict_json(verdict: &RowVerdict) -> Value {
    let reasons = verdict.reasons.iter().map(|why| {
        json!({
            "field": why.field, "code": why.code,
            "message_zh": why.message_zh, "message_en": why.message_en,
        })
    });
    json!({
        "row": verdict.row,
        "verdict": word(verdict.state()),
        "reasons": reasons.collect::<Vec<_>>(),
        "card_id": verdict.card_id,
        "chip_serial": verdict.chip_serial,
        "transcript": hex::encode(&verdict.transcript),
    })
}

/// What became of the rows so far.
pub(crate) struct Progress {
    pub(crate) rows: u32,
    pub(crate) verdicts: BTreeMap<u32, RowVerdict>,
    since: Instant,
    /// Cards made since then.
    made: u32,
}

impl Progress {
    pub(crate) fn new(rows: u32) -> Self {
        Self { rows, verdicts: BTreeMap::new(), since: Instant::now(), made: 0 }
    }

    /// Takes a verdict; whether it says something new.
    pub(crate) fn take(&mut self, mut verdict: RowVerdict) -> bool {
        // It is told when it comes; of a great batch it would take much room.
        verdict.receipt = None;
        let before = self.verdicts.get(&verdict.row).map(RowVerdict::state);
        let state = verdict.state();
        if before == Some(RowState::Writing) && state == RowState::Issued {
            self.made += 1;
        }
        self.verdicts.insert(verdict.row, verdict);
        before != Some(state)
    }

    /// Starts counting time anew: the rows are handed in, and cards are made from now on.
    pub(crate) fn begin(&mut self) {
        (self.since, self.made) = (Instant::now(), 0);
    }

    pub(crate) fn count(&self, state: RowState) -> u32 {
        self.verdicts.values().filter(|verdict| verdict.state() == state).count() as u32
    }

    /// Whether every row has been handed in.
    pub(crate) fn is_handed_in(&self) -> bool {
        self.verdicts.len() == self.rows as usize
    }

    /// Rows that a card can still be made for.
    pub(crate) fn remaining(&self) -> u32 {
        let done = [RowState::Issued, RowState::Refused, RowState::Held];
        self.rows - done.map(|state| self.count(state)).iter().sum::<u32>()
    }

    /// Cards a minute.
    pub(crate) fn rate(&self) -> f64 {
        let elapsed = self.since.elapsed().max(Duration::from_millis(1));
        f64::from(self.made) * 60.0 / elapsed.as_secs_f64()
    }
}
