//! Access histories for people: on the screen and on paper.

use std::{collections::HashMap, fs::File, io::BufReader, path::Path};

use audit::{
    Entry, Outcome,
    check::Removed,
    history::{Before, Header, Reader},
};
use proto::v1::{HistoryActor, Purpose, Role};
use serde_json::{Value, json};

use crate::{
    failure::Failure,
    page::{Cell, Page, entry_instant, log_instant},
    paper::{escaped, picture, sheet},
    show::finding::removed_json,
    text::{self, Lang, Text, problems, word_named},
};

/// The role of the service itself in the log.
const ITSELF: &str = "service";
/// Entries on the screen.
const SHOWN: usize = 50;
const HEADINGS: [Text; 6] =
    [text::POSITION, text::AT, text::HISTORY_WHO, text::HISTORY_WHAT, text::PURPOSE, text::OUTCOME];
const STYLE: &str = "@page{size:A4;margin:14mm}img{width:46mm;height:46mm}\
.list{border-collapse:collapse;width:100%;clear:both;font-size:9.5pt}.list th,.list td{border-bottom:1px solid #999;padding:1mm 2mm 1mm 0;text-align:left}\
.list td:nth-child(-n+2){white-space:nowrap}tr{break-inside:avoid}thead{display:table-header-group}";

/// What the code on the page says that leads to the file, which has this digest.
pub(crate) fn code(link: &str, digest: &str) -> String {
    let sign = if link.contains('#') { '&' } else { '#' };
    format!("{link}{sign}sm3={digest}")
}

/// What of a history that was checked was removed after its term, in words.
pub(crate) fn removed(header: &Header) -> Option<Cell> {
    let before = header.before.as_ref()?;
    let removal = Entry::decode(&before.removal.entry).ok()?;
    let Removed { until, months, since, witnessed, .. } = before.removed()?;
    let told = vec![
        before.standing.count.to_string(),
        until.to_string(),
        entry_instant(&removal),
        months.to_string(),
        log_instant(since),
    ];
    let said = if witnessed { text::HISTORY_REMOVED } else { text::HISTORY_UNWITNESSED };
    Some(Cell::Filled(said, told))
}

/// A history that was checked.
pub(crate) struct History {
    header: Header,
    /// The entry that states the index.
    statement: Entry,
    /// The newest first.
    entries: Vec<(u64, Entry)>,
    actors: HashMap<String, HistoryActor>,
    /// SM3 of the file, hexadecimal.
    digest: String,
}

impl History {
    /// Reads a file that was checked. `actors` says who the people in it are.
    pub(crate) fn read(
        path: &Path,
        digest: [u8; 32],
        actors: Vec<HistoryActor>,
    ) -> Result<Self, Failure> {
        let unreadable = || Failure::of(problems::LOG_UNREADABLE).about(path.display());
        let file = File::open(path)
            .map_err(|error| Failure::of(problems::FILE_UNREADABLE).about(error))?;
        let mut reader = Reader::new(BufReader::new(file)).map_err(|_| unreadable())?;
        let header = reader.header().clone();
        let statement = Entry::decode(&header.statement.entry).map_err(|_| unreadable())?;
        let mut entries = Vec::new();
        while let Some(line) = reader.next_line().map_err(|_| unreadable())? {
            let entry = Entry::decode(&line.entry).map_err(|_| unreadable())?;
            entries.push((line.position, entry));
        }
        entries.reverse();
        let actors = actors.into_iter().map(|it| (it.identity_id.clone(), it)).collect();
        Ok(Self { header, statement, entries, actors, digest: hex::encode(digest) })
    }

    /// Whether it answers this question, and not another one.
    pub(crate) fn answers(&self, resident: &str, presence: &str) -> bool {
        let stated = self.statement.detail.get("presence");
        self.header.resident == resident && stated.is_some_and(|stated| stated == presence)
    }

    /// What it is a history of.
    fn rows(&self) -> Vec<(Text, Cell)> {
        let Header { key, resident, standing, statement, .. } = &self.header;
        let mut rows = vec![
            (text::RESIDENT_ID, resident.into()),
            (text::HISTORY_UNTIL, entry_instant(&self.statement).into()),
            (text::HISTORY_ENTRIES, standing.count.into()),
        ];
        rows.extend(removed(&self.header).map(|cell| (text::HISTORY_BEFORE, cell)));
        rows.extend([
            (text::HISTORY_LOG, key.name().into()),
            (text::HISTORY_STATED, statement.position.into()),
            (text::HISTORY_DIGEST, (&self.digest).into()),
        ]);
        rows
    }

    /// What one entry says, under [`HEADINGS`].
    fn line(&self, position: u64, entry: &Entry) -> Vec<Cell> {
        let outcome = match entry.outcome {
            Outcome::Granted => text::OUTCOME_GRANTED,
            Outcome::Refused => text::OUTCOME_REFUSED,
            Outcome::Failed => text::OUTCOME_FAILED,
        };
        let purpose = entry.purpose.as_deref();
        let purpose = purpose.map(|it| match word_named::<Purpose>(it) {
            Some(word) => Cell::from(word),
            None => Cell::from(it),
        });
        let what = text::act(&entry.action).map_or_else(|| Cell::from(&entry.action), Cell::from);
        vec![
            position.into(),
            entry_instant(entry).into(),
            self.who(entry),
            what,
            purpose.unwrap_or_else(|| Cell::from("")),
            outcome.into(),
        ]
    }

    /// Name, role and institution of whoever acted.
    fn who(&self, entry: &Entry) -> Cell {
        let Some(identity) = &entry.actor.identity else { return text::HISTORY_UNKNOWN.into() };
        let role = entry.actor.role.as_deref().unwrap_or_default();
        if role == ITSELF {
            return text::HISTORY_ITSELF.into();
        }
        let role = word_named::<Role>(role).map_or_else(|| Cell::from(role), Cell::from);
        match self.actors.get(identity) {
            Some(actor) => {
                Cell::Joined(vec![Cell::from(&actor.name), role, Cell::from(&actor.institution)])
            }
            None => Cell::Joined(vec![Cell::from(identity), role]),
        }
    }

    /// On the screen.
    pub(crate) fn shown(&self, path: &Path) -> Page {
        let page = self
            .rows()
            .into_iter()
            .fold(Page::titled(text::HISTORY), |page, (label, cell)| page.row(label, cell));
        let lines = self
            .entries
            .iter()
            .take(SHOWN)
            .map(|(position, entry)| self.line(*position, entry))
            .collect();
        let page = page.row(text::FILE, path.display().to_string()).table(&HEADINGS, lines);
        let page = match self.entries.len() > SHOWN {
            true => page.note(Cell::Filled(text::HISTORY_NEWEST, vec![SHOWN.to_string()])),
            false => page,
        };
        page.note(text::HISTORY_WHOLE).note(text::HISTORY_NAMES)
    }

    /// For programs.
    pub(crate) fn json(&self, path: &Path) -> Value {
        let Header { key, resident, index, standing, statement, before, .. } = &self.header;
        let accesses = self.entries.iter().map(|(position, entry)| {
            let actor = entry.actor.identity.as_ref().and_then(|it| self.actors.get(it));
            json!({
                "position": position,
                "entry": entry,
                "name": actor.map(|actor| &actor.name),
                "institution_name": actor.map(|actor| &actor.institution),
            })
        });
        json!({
            "verdict": "valid",
            "file": path,
            "sm3": self.digest,
            "log": key.name(),
            "resident": resident,
            "counted": index.size,
            "stated_at": statement.position,
            "entries": standing.count,
            "removed": before.as_ref().map_or(0, |before| before.standing.count),
            "removal": before.as_ref().and_then(Before::removed).as_ref().map(removed_json),
            "accesses": accesses.collect::<Vec<_>>(),
        })
    }

    /// On paper. `link` is where the file can be had; without it the code names the log, the position and the digest.
    pub(crate) fn paper(&self, link: Option<&str>, lang: Lang) -> Result<String, Failure> {
        let Self { header, digest, .. } = self;
        let code = match link {
            Some(link) => self::code(link, digest),
            None => {
                let position = header.statement.position;
                format!("healthcard-history:{}:{position}:{digest}", header.key.name())
            }
        };
        let (mut facts, mut list) = (String::new(), String::new());
        for (label, cell) in self.rows() {
            let (label, cell) = (escaped(label.speak(lang)), escaped(&cell.speak(lang)));
            facts.push_str(&format!("<tr><th>{label}<td>{cell}</tr>\n"));
        }
        for (position, entry) in &self.entries {
            let cells = self.line(*position, entry).into_iter();
            let cells = cells.map(|cell| format!("<td>{}", escaped(&cell.speak(lang))));
            list.push_str(&format!("<tr>{}</tr>\n", cells.collect::<String>()));
        }
        let headings: String =
            HEADINGS.iter().map(|text| format!("<th>{}", escaped(text.speak(lang)))).collect();
        let advice = [text::HISTORY_PAPER, text::HISTORY_NAMES].map(|it| escaped(it.speak(lang)));
        let advice = advice.join(" ");
        let picture = picture(&code)?;
        let body = format!(
            "{picture}<table>\n{facts}</table>\n<p>{advice}</p>\n\
             <table class=\"list\"><thead><tr>{headings}</tr></thead>\n{list}</table>\n"
        );
        Ok(sheet(text::HISTORY, lang, STYLE, &body))
    }
}
