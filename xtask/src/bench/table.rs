//! How rows are shown: every comparison with a column for each peer, then the goals one by one.

use bench_report::Row;

/// All rows, as text for a terminal.
pub(super) fn show(rows: &[Row]) -> String {
    let mut text = String::new();
    for block in blocks(rows) {
        text.push_str(&columns(&block.lines()));
        text.push('\n');
    }
    let with_goals: Vec<_> = rows.iter().filter(|row| row.goal.is_some()).collect();
    text.push_str(&goals(&with_goals));
    text
}

/// Comparisons with the same peers, so that they can share their columns.
struct Block<'r> {
    unit: &'r str,
    peers: Vec<&'r str>,
    comparisons: Vec<&'r [Row]>,
}

/// Comparisons in blocks, in the order in which each block's first one stands.
fn blocks(rows: &[Row]) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for comparison in rows.chunk_by(|one, next| one.name == next.name) {
        let unit = comparison[0].unit.as_str();
        let peers: Vec<_> = comparison.iter().map(|row| row.peer_name.as_str()).collect();
        match blocks.iter_mut().find(|block| block.unit == unit && block.peers == peers) {
            Some(block) => block.comparisons.push(comparison),
            None => blocks.push(Block { unit, peers, comparisons: vec![comparison] }),
        }
    }
    blocks
}

impl Block<'_> {
    fn lines(&self) -> Vec<Vec<String>> {
        let headings = [self.unit, "ours"].into_iter().chain(self.peers.iter().copied());
        let mut lines = vec![headings.map(str::to_owned).collect::<Vec<_>>()];
        for comparison in &self.comparisons {
            let peers = comparison.iter().map(|row| format!("{} ({:.2})", figure(row.peer), row.ratio));
            let ours = [comparison[0].name.clone(), figure(comparison[0].ours)];
            lines.push(ours.into_iter().chain(peers).collect());
        }
        lines
    }
}

const HEADINGS: [&str; 8] = ["goals", "unit", "ours", "peer", "peer's name", "ratio", "goal", "ok"];

fn goals(rows: &[&Row]) -> String {
    let mut lines = vec![HEADINGS.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| cells(row).to_vec()));
    let missed = rows.iter().filter(|row| !row.ok).count();
    format!("{}{} goals, {missed} missed\n", columns(&lines), rows.len())
}

fn cells(row: &Row) -> [String; 8] {
    let ok = match (&row.goal, row.ok) {
        (None, _) => "",
        (Some(_), true) => "yes",
        (Some(_), false) => "MISSED",
    };
    [
        row.name.clone(),
        row.unit.clone(),
        figure(row.ours),
        figure(row.peer),
        row.peer_name.clone(),
        format!("{:.2}", row.ratio),
        row.goal.clone().unwrap_or_default(),
        ok.to_owned(),
    ]
}

/// Pads each column to its widest cell.
fn columns(lines: &[Vec<String>]) -> String {
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
    let mut text = String::new();
    for line in lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Three digits that mean something, and no more.
fn figure(value: f64) -> String {
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, peer_name: &str, goal: Option<&str>, ok: bool) -> Row {
        Row {
            name: name.into(),
            unit: "ns".into(),
            ours: 61.25,
            peer: 590.4,
            peer_name: peer_name.into(),
            ratio: 9.64,
            goal: goal.map(str::to_owned),
            ok,
        }
    }

    #[test]
    fn a_comparison_is_one_line_with_a_column_for_each_peer() {
        let rows = [
            row("spawn", "tokio::spawn", None, true),
            row("spawn", "JoinSet", None, true),
            row("local", "buffered", None, true),
            row("cancel", "tokio::spawn", None, true),
            row("cancel", "JoinSet", None, true),
        ];
        let text = show(&rows);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "ns      ours  tokio::spawn  JoinSet");
        assert_eq!(lines[1], "spawn   61.2  590 (9.64)    590 (9.64)");
        assert_eq!(lines[2], "cancel  61.2  590 (9.64)    590 (9.64)");
        assert_eq!(lines[5], "local  61.2  590 (9.64)");
    }

    #[test]
    fn the_goals_say_what_was_missed() {
        let rows = [
            row("spawn", "tokio::spawn", Some("ratio >= 5"), true),
            row("cancel", "tokio::spawn", Some("ratio >= 10"), false),
            row("x", "tokio::spawn", None, true),
        ];
        let text = show(&rows);
        let lines: Vec<_> = text.lines().skip_while(|line| !line.starts_with("goals")).collect();
        assert_eq!(lines[1], "spawn   ns    61.2  590   tokio::spawn  9.64   ratio >= 5   yes");
        assert_eq!(lines[2], "cancel  ns    61.2  590   tokio::spawn  9.64   ratio >= 10  MISSED");
        assert_eq!(lines[3], "2 goals, 1 missed");
    }
}
