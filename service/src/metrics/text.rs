//! The text form of Prometheus, version 0.0.4: families of samples, a line each.

use std::fmt::{Display, Write as _};

/// What becomes of the numbers of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// They grow, from the start of the process on.
    Counter,
    /// They are what they are now.
    Gauge,
    /// How many were at most so large.
    Histogram,
}

/// A text that is being written.
#[derive(Debug, Default)]
pub(crate) struct Text(String);

impl Text {
    /// Begins a family; its samples come next.
    pub(crate) fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// A number of the family that was begun.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> = labels.iter().map(|(name, value)| label(name, value)).collect();
        match labels.as_slice() {
            [] => self.line(format_args!("{name} {value}")),
            labels => self.line(format_args!("{name}{{{}}} {value}", labels.join(","))),
        }
    }

    /// A family of one gauge.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Kind::Gauge, help);
        self.sample(name, &[], value);
    }

    /// A family of one counter.
    pub(crate) fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help);
        self.sample(name, &[], value);
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes what is written");
    }
}

fn label(name: &str, value: &str) -> String {
    let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn families_and_samples_are_lines() {
        let mut text = Text::default();
        text.counter("a_total", "How many\nthere \\ were.", 7);
        text.family("b_seconds", Kind::Gauge, "How long.");
        text.sample("b_seconds", &[("of", "x"), ("by", "\"y\"\\\n")], -1.5);
        assert_eq!(
            text.finish(),
            "# HELP a_total How many\\nthere \\\\ were.\n# TYPE a_total counter\na_total 7\n\
             # HELP b_seconds How long.\n# TYPE b_seconds gauge\n\
             b_seconds{of=\"x\",by=\"\\\"y\\\"\\\\\\n\"} -1.5\n"
        );
    }

    proptest! {
        #[test]
        fn a_sample_is_one_line_whatever_a_label_says(value: String) {
            let mut text = Text::default();
            text.sample("a", &[("of", &value)], 1);
            let text = text.finish();
            prop_assert_eq!(text.matches('\n').count(), 1);
            let whole = text.starts_with("a{of=\"") && text.ends_with("\"} 1\n");
            prop_assert!(whole);
        }
    }
}
