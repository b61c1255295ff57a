//! What a metric is.

use metrics::{KeyName, Level, Metadata, Unit};

/// A metric by name and meaning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// `automatglpi_…`, in base units; counters end in `_total`.
    pub name: &'static str,
    /// How its values behave.
    pub kind: Kind,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it means, in one line; the page's `# HELP`.
    pub help: &'static str,
}

/// How the values of a metric behave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows, until the process restarts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size; the bounds are the upper ends of its buckets.
    Histogram(&'static [f64]),
}

/// Bounds for what happens while a caller waits, in seconds. 4 s is the longest a caller waits.
pub(crate) const WHILE_WAITING: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 10.0, 30.0];

/// Bounds for what may take a night, in seconds.
pub(crate) const OVERNIGHT: &[f64] = &[
    0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 43_200.0, 86_400.0,
    259_200.0,
];

const METADATA: Metadata<'static> = Metadata::new("meters", Level::INFO, None);

impl Metric {
    pub(crate) const fn counter(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    pub(crate) const fn gauge(
        name: &'static str,
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Gauge, labels, help }
    }

    pub(crate) const fn seconds(
        name: &'static str,
        bounds: &'static [f64],
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram(bounds), labels, help }
    }

    /// The counter with these labels' values.
    pub(crate) fn count(&self, values: &[&str]) -> metrics::Counter {
        metrics::with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA))
    }

    /// The gauge with these labels' values.
    pub(crate) fn level(&self, values: &[&str]) -> metrics::Gauge {
        metrics::with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA))
    }

    /// The histogram with these labels' values.
    pub(crate) fn spread(&self, values: &[&str]) -> metrics::Histogram {
        metrics::with_recorder(|recorder| recorder.register_histogram(&self.key(values), &METADATA))
    }

    fn key(&self, values: &[&str]) -> metrics::Key {
        debug_assert_eq!(self.labels.len(), values.len(), "{} has other labels", self.name);
        let pairs = self.labels.iter().zip(values);
        let labels: Vec<metrics::Label> =
            pairs.map(|(label, value)| metrics::Label::new(*label, (*value).to_owned())).collect();
        metrics::Key::from_parts(self.name, labels)
    }

    fn describe(&self) {
        let name = KeyName::from_const_str(self.name);
        metrics::with_recorder(|recorder| match self.kind {
            Kind::Counter => recorder.describe_counter(name, None, self.help.into()),
            Kind::Gauge => recorder.describe_gauge(name, None, self.help.into()),
            Kind::Histogram(_) => {
                recorder.describe_histogram(name, Some(Unit::Seconds), self.help.into());
            }
        });
    }
}

/// Tells the recorder what each metric means, and begins those whose labels are known at zero: a
/// first failure shall be seen as a rise. Once, after the recorder is installed.
pub fn describe() {
    crate::ALL.iter().for_each(Metric::describe);
    crate::store::begin();
    crate::outbox::begin();
    crate::glpi::begin();
    crate::calls::begin();
}
