//! The figures of several runs, their medians, and how Tidings compares in each run.

use serde_json::{Map, Value, json};

use super::super::contestant::Contestant;

/// Figures by name.
type Figures = Vec<(String, f64)>;

/// What all runs of one workload gave.
#[derive(Debug, Default)]
pub struct Results {
    pub workload: String,
    /// Each run has the figures of every contestant.
    runs: Vec<Vec<(Contestant, Figures)>>,
}

impl Results {
    pub fn of(workload: String) -> Self {
        Self { workload, runs: Vec::new() }
    }

    pub fn add_run(&mut self, run: Vec<(Contestant, Figures)>) {
        self.runs.push(run);
    }

    pub const fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Names every figure, in the order in which they were measured.
    pub fn figures(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.runs.iter().flatten().flat_map(|(_, figures)| figures) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Gives the median of a figure over the runs.
    pub fn median(&self, contestant: Contestant, figure: &str) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| find(run, contestant, figure)))
    }

    /// Gives how often larger the figure of Tidings is: the median of the ratios within each run, since
    /// what else the machine does falls on all of a run alike.
    pub fn ratio(&self, reference: Contestant, figure: &str) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| {
            let ours = find(run, Contestant::Tidings, figure)?;
            let theirs = find(run, reference, figure)?;
            (theirs > 0.0).then(|| ours / theirs)
        }))
    }

    /// Gives the largest of a figure of Tidings over the runs.
    pub fn worst(&self, figure: &str) -> Option<f64> {
        let values = self.runs.iter().filter_map(|run| find(run, Contestant::Tidings, figure));
        values.max_by(f64::total_cmp)
    }

    pub fn runs_to_json(&self) -> Value {
        let figures = |figures: &Figures| -> Map<String, Value> {
            figures.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
        };
        let run = |run: &Vec<(Contestant, Figures)>| -> Map<String, Value> {
            run.iter().map(|(contestant, of)| (contestant.name().to_owned(), figures(of).into())).collect()
        };
        self.runs.iter().map(run).collect()
    }

    pub fn medians_to_json(&self) -> Value {
        let of = |contestant| -> Map<String, Value> {
            let median = |figure: &str| Some((figure.to_owned(), json!(self.median(contestant, figure)?)));
            self.figures().into_iter().filter_map(median).collect()
        };
        Contestant::ALL.iter().map(|each| (each.name().to_owned(), Value::from(of(*each)))).collect()
    }
}

fn find(run: &[(Contestant, Figures)], contestant: Contestant, figure: &str) -> Option<f64> {
    let (_, figures) = run.iter().find(|(who, _)| *who == contestant)?;
    figures.iter().find(|(name, _)| name == figure).map(|(_, value)| *value)
}

/// Gives the middle value, the mean of the two where their number is even.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len().checked_sub(1)? / 2;
    Some((values[middle] + values[values.len() / 2]) / 2.0)
}
