//! Where answers go: a page for people, or one JSON object.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use crate::{
    failure::Failure,
    page::{Cell, Page},
    qr::{Picture, Surface},
    show,
    text::{self, Lang, Text},
};

/// The terminal, in one language and one form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) lang: Lang,
    pub(crate) json: bool,
}

impl Screen {
    /// Shows an answer.
    pub(crate) fn show(self, json: &Value, page: &Page) {
        if self.json {
            print(&format!("{json}\n"));
        } else {
            print(&page.render(self.lang));
        }
    }

    /// Gives out a text as it is, for people and for files.
    pub(crate) fn raw(self, json: &Value, text: &str) {
        if self.json { print(&format!("{json}\n")) } else { print(text) }
    }

    /// Shows why nothing came of it: what happened, why, what to do.
    pub(crate) fn fail(self, failure: &Failure) {
        if self.json {
            print(&format!("{}\n", failure.json(self.lang)));
            return;
        }
        let lang = self.lang;
        let mut page = Page::default().row(text::REFUSED, failure.message.speak(lang));
        for detail in &failure.detail {
            page = page.row(text::CAUSE, detail);
        }
        for fault in &failure.rows {
            let values = [fault.row.to_string(), fault.column.to_owned()];
            let values = values.into_iter().chain([fault.text.speak(lang).to_owned()]);
            page = page.row(text::CAUSE, Cell::Filled(text::ROW_FAULT, values.collect()));
        }
        if let Some(refusal) = &failure.refusal {
            page = page
                .row(text::RULE, &refusal.rule)
                .row(text::MISSING_STEP, refusal.missing.speak(lang))
                .row(text::GRANTOR, refusal.grantor.speak(lang));
        }
        if let Some(alike) = &failure.alike {
            page = show::alike(page, alike);
        }
        page = page.row(text::ADVICE, failure.advice.speak(lang));
        // Nothing is left to say when the terminal itself is gone.
        let _ = io::stderr().write_all(page.render(lang).as_bytes());
    }

    /// Lays something before a person who decides. It is no part of the answer.
    pub(crate) fn present(self, page: &Page) {
        // Nothing is left to say when the terminal itself is gone.
        let _ = io::stderr().write_all(page.render(self.lang).as_bytes());
    }

    /// Draws a code, where people look and not programs.
    pub(crate) fn draw(self, picture: &Picture) {
        if !self.json {
            let terminal = io::stdout().is_terminal();
            print(&picture.draw(if terminal { Surface::Terminal } else { Surface::Paper }));
        }
    }

    /// Tells a person who waits what to do. It is no part of the answer.
    pub(crate) fn hint(self, text: Text) {
        if !self.json {
            // Nothing is left to say when the terminal itself is gone.
            let _ = writeln!(io::stderr(), "{}", text.speak(self.lang));
        }
    }

    /// Tells a person who waits how it goes. It is no part of the answer.
    pub(crate) fn note(self, cell: &Cell) {
        if !self.json {
            // Nothing is left to say when the terminal itself is gone.
            let _ = writeln!(io::stderr(), "{}", cell.speak(self.lang));
        }
    }

    /// Whether a person is there to be asked.
    pub(crate) fn can_ask(self) -> bool {
        !self.json && io::stdin().is_terminal()
    }
}

/// Writes to the standard output. A closed pipe ends the reader's interest, not our work.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
