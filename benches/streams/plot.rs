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

fn panel(title: &str, lines: &[(&str, &str, Line)]) -> String {
    let largest =
        |of: fn(&(f64, f64)) -> f64| lines.iter().flat_map(|line| &line.2).map(of).fold(0.0, f64::max);
    let (most_viewers, most) = (largest(|point| point.0), nice(largest(|point| point.1)));
    let x = |viewers: f64| ROOM.0 + viewers / most_viewers * (PANEL.0 - ROOM.0 - 70.0);
    let y = |value: f64| PANEL.1 - ROOM.1 - value / most * (PANEL.1 - 2.0 * ROOM.1);
    let mut panel = format!("<text x=\"{}\" y=\"24\" font-weight=\"bold\">{title}</text>\n", ROOM.0);
    for step in 0..=4 {
        let value = most * f64::from(step) / 4.0;
        let _ = writeln!(
            panel,
            "<path d=\"M{:.1} {:.1}H{:.1}\" stroke=\"#dddddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            x(0.0),
            y(value),
            x(most_viewers),
            x(0.0) - 6.0,
            y(value) + 4.0,
        );
    }
    for (viewers, _) in lines.iter().map(|line| &line.2).max_by_key(|line| line.len()).into_iter().flatten() {
        let _ = writeln!(
            panel,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{viewers}</text>",
            x(*viewers),
            y(0.0) + 16.0
        );
    }
    let _ = writeln!(
        panel,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">viewers</text>",
        x(most_viewers / 2.0),
        y(0.0) + 32.0
    );
    for (name, colour, line) in lines.iter().filter(|line| !line.2.is_empty()) {
        let points: Vec<_> =
            line.iter().map(|(viewers, value)| format!("{:.1},{:.1}", x(*viewers), y(*value))).collect();
        let end = line[line.len() - 1];
        let _ = writeln!(
            panel,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
            points.join(" "),
            x(end.0) + 6.0,
            y(end.1) + 4.0
        );
    }
    panel
}

/// Gives the next number that reads well: 1, 2, 4 or 8 times a power of ten.
fn nice(most: f64) -> f64 {
    let power = 10_f64.powf(most.max(1e-9).log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0]
        .into_iter()
        .map(|times| times * power)
        .find(|nice| *nice >= most)
        .unwrap_or(most)
}
