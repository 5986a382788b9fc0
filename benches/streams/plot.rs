//! Draws what `growth` measured as an SVG: two panels, a line per server.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::Value;

use super::{contestant::Contestant, workload::AT};

/// Size of a panel, and of the room around its plot for words.
const PANEL: (f64, f64) = (420.0, 300.0);
const ROOM: (f64, f64) = (56.0, 44.0);
/// Room for a line's name behind its end.
const NAME: f64 = 70.0;
const MIDDLE: &str = "text-anchor=\"middle\"";
const COLOURS: [(Contestant, &str); 3] =
    [(Contestant::Floor, "#777777"), (Contestant::Baseline, "#c2571a"), (Contestant::Tidings, "#1a5fb4")];
const PANELS: [(&str, &str); 2] = [
    ("resident_kib_per_viewer", "memory of the server per viewer, KiB"),
    ("cpu_us_per_viewer_second", "processor time per viewer and second, µs"),
];

/// A line: the number of viewers and the figure.
pub type Line = Vec<(f64, f64)>;

/// Reads `growth.json` in `results` and writes the plot where the documentation shows it.
///
/// # Errors
/// When growth has not been measured, or the plot cannot be written.
pub fn draw(results: &Path) -> anyhow::Result<()> {
    let file = results.join("growth.json");
    let text = fs::read_to_string(&file)
        .with_context(|| format!("read {}: measure it first, make bench ONLY=growth", file.display()))?;
    let svg = svg(&serde_json::from_str(&text)?);
    let plot = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/performance/growth.svg");
    fs::create_dir_all(plot.parent().context("a folder")?)?;
    fs::write(&plot, svg)?;
    println!("{}", plot.display());
    Ok(())
}

/// Draws both panels.
pub fn svg(growth: &Value) -> String {
    let (width, height) = (PANEL.0 * PANELS.len() as f64, PANEL.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (place, (figure, title)) in PANELS.iter().enumerate() {
        let lines =
            COLOURS.map(|(contestant, colour)| (contestant.name(), colour, line(growth, contestant, figure)));
        let _ = write!(
            svg,
            "<g transform=\"translate({} 0)\">\n{}</g>\n",
            PANEL.0 * place as f64,
            panel(title, &lines)
        );
    }
    svg + "</svg>\n"
}

/// Reads the medians of one contestant, by the number of viewers.
pub fn line(growth: &Value, contestant: Contestant, figure: &str) -> Line {
    let medians = growth["medians"][contestant.name()].as_object();
    let points = medians.into_iter().flatten().filter_map(|(name, value)| {
        let (of, viewers) = name.split_once(AT)?;
        (of == figure).then_some((viewers.parse().ok()?, value.as_f64()?))
    });
    let mut points: Line = points.collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

/// One line with its name and colour.
type Named<'a> = (&'a str, &'a str, Line);

/// Where values are on a panel.
struct Axes {
    most_viewers: f64,
    most: f64,
}

fn panel(title: &str, lines: &[Named]) -> String {
    let points = || lines.iter().flat_map(|line| &line.2);
    let axes = Axes {
        most_viewers: points().map(|point| point.0).fold(1.0, f64::max),
        most: nice(points().map(|point| point.1).fold(0.0, f64::max)),
    };
    let title = format!("<text x=\"{}\" y=\"24\" font-weight=\"bold\">{title}</text>\n", ROOM.0);
    let drawn = lines.iter().filter(|line| !line.2.is_empty()).map(|line| axes.draw(line));
    [title, axes.grid(), axes.names(lines), drawn.collect()].concat()
}

impl Axes {
    fn x(&self, viewers: f64) -> f64 {
        (viewers / self.most_viewers).mul_add(PANEL.0 - ROOM.0 - NAME, ROOM.0)
    }

    fn y(&self, value: f64) -> f64 {
        (value / self.most).mul_add(2.0f64.mul_add(ROOM.1, -PANEL.1), PANEL.1 - ROOM.1)
    }

    fn grid(&self) -> String {
        let line = |step: u8| {
            let value = self.most * f64::from(step) / 4.0;
            let (left, right, y) = (self.x(0.0), self.x(self.most_viewers), self.y(value));
            let line = format!("<path d=\"M{left:.1} {y:.1}H{right:.1}\" stroke=\"#dddddd\"/>");
            [line, text(left - 6.0, y + 4.0, "text-anchor=\"end\"", &value.to_string())].concat()
        };
        (0..=4).map(line).collect()
    }

    /// Writes the numbers of viewers that have room, and what they are.
    fn names(&self, lines: &[Named]) -> String {
        let line = lines.iter().map(|line| &line.2).max_by_key(|line| line.len());
        let (bottom, mut right) = (self.y(0.0), f64::MIN);
        let mut names = text(self.x(self.most_viewers / 2.0), bottom + 32.0, MIDDLE, "viewers");
        for (viewers, _) in line.into_iter().flatten() {
            let x = self.x(*viewers);
            if x - right >= ROOM.1 {
                names += &text(x, bottom + 16.0, MIDDLE, &viewers.to_string());
                right = x;
            }
        }
        names
    }

    fn draw(&self, (name, colour, line): &Named) -> String {
        let place = |(viewers, value): &(f64, f64)| format!("{:.1},{:.1} ", self.x(*viewers), self.y(*value));
        let points: String = line.iter().map(place).collect();
        let (viewers, value) = line[line.len() - 1];
        let name = text(self.x(viewers) + 6.0, self.y(value) + 4.0, &format!("fill=\"{colour}\""), name);
        format!("<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>{name}")
    }
}

fn text(x: f64, y: f64, style: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{words}</text>\n")
}

/// Gives the next number that reads well: 1, 2, 4 or 8 times a power of ten.
fn nice(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1e-9).log10().floor());
    let nice = [1.0, 2.0, 4.0, 8.0, 10.0].map(|times| times * power);
    nice.into_iter().find(|nice| *nice >= most).unwrap_or(most)
}
