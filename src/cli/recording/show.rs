//! Answers of the server in words.

use serde_json::Value;
use tapedeck_storage::utc_text;

/// Blanks between two columns.
const GAP: &str = "  ";

pub fn started(answer: &Value) -> String {
    let recording = &answer["recording"];
    format!(
        "recording {} as {}: {}",
        text(&recording["roomName"]),
        text(&recording["id"]),
        text(&recording["name"])
    )
}

pub fn changed(answer: &Value) -> String {
    let recording = &answer["recording"];
    let (room, status) = (text(&recording["roomName"]), text(&recording["status"]));
    format!("{room} ({}): {status}", text(&recording["id"]))
}

pub fn stopped(answer: &Value) -> String {
    let recording = &answer["recording"];
    let name = text(&recording["name"]);
    let length = recording["duration"].as_f64().map_or("?".into(), seconds);
    let mut line = match recording["size"].as_u64() {
        Some(size) => format!(
            "stopped {name}: {}, {length}, {}",
            text(&recording["status"]),
            bytes(size)
        ),
        None => format!("stopped {name}: {length}; its file is in the making"),
    };
    let pending = &recording["pending"];
    if let Some(lag) = pending["renderLag"].as_f64() {
        line.push_str(&format!(", {lag:.0} s behind"));
    }
    if let Some(trouble) = pending["trouble"].as_str() {
        line.push_str(&format!("; {trouble}"));
    }
    line
}

/// A page of recordings.
pub fn table(answer: &Value) -> String {
    let recordings = answer["recordings"].as_array();
    let mut rows = vec![
        [
            "ID",
            "STATE",
            "ROOM",
            "STARTED (UTC)",
            "LENGTH",
            "SIZE",
            "FILE",
        ]
        .map(str::to_owned),
    ];
    for recording in recordings.into_iter().flatten() {
        let started = recording["startedAtMs"]
            .as_i64()
            .or(recording["createdAtMs"].as_i64());
        rows.push([
            text(&recording["id"]).to_owned(),
            text(&recording["state"]).to_owned(),
            text(&recording["roomName"]).to_owned(),
            started.map(utc_text).unwrap_or_default(),
            recording["durationMs"]
                .as_f64()
                .map_or(String::new(), |ms| seconds(ms / 1_000.0)),
            recording["sizeBytes"].as_u64().map_or(String::new(), bytes),
            text(&recording["name"]).to_owned(),
        ]);
    }
    if rows.len() == 1 {
        return "no recordings".to_owned();
    }
    let mut lines = aligned(&rows);
    if !answer["nextCursor"].is_null() {
        lines.push_str("there are more: see --limit\n");
    }
    lines
}

/// Rows with their columns below one another.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; N] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut lines = String::new();
    for row in rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        lines.push_str(cells.join(GAP).trim_end());
        lines.push('\n');
    }
    lines
}

/// A text of the server, fit for a terminal.
pub fn text(value: &Value) -> &str {
    let text = value.as_str().unwrap_or_default();
    // Names hold no control characters; what does is no name.
    match text.chars().any(char::is_control) {
        true => "?",
        false => text,
    }
}

/// Hours, minutes and seconds.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no recording is so long"
)]
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let (hours, minutes) = (whole / 3_600, whole / 60 % 60);
    match hours {
        0 => format!("{minutes}:{:02}", whole % 60),
        _ => format!("{hours}:{minutes:02}:{:02}", whole % 60),
    }
}

pub fn bytes(count: u64) -> String {
    let value = count as f64;
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} KB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_stand_below_one_another() {
        let answer = json!({"recordings": [
            {"id": "EG_1", "state": "active", "roomName": "방", "startedAtMs": 0, "durationMs": 3_725_000,
             "sizeBytes": null, "name": "a.mp4"},
            {"id": "EG_22", "state": "complete", "roomName": "studio", "createdAtMs": 0,
             "sizeBytes": 1_500_000, "name": "b.mp4"}
        ], "nextCursor": null});
        let table = table(&answer);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 3, "{table}");
        let column = |line: &str, text: &str| {
            let at = line.find(text).unwrap_or_else(|| panic!("{line}"));
            line[..at].chars().count()
        };
        assert_eq!(column(lines[1], "a.mp4"), column(lines[2], "b.mp4"));
        assert_eq!(column(lines[0], "STATE"), column(lines[1], "active"));
        assert!(
            lines[1].contains("1:02:05") && lines[2].contains("1.5 MB"),
            "{table}"
        );
        assert_eq!(super::table(&json!({"recordings": []})), "no recordings");
    }

    #[test]
    fn a_stop_tells_what_is_left_to_do() {
        let whole = json!({"recording": {"name": "a.mp4", "status": "complete", "duration": 61.2, "size": 2_000}});
        assert_eq!(stopped(&whole), "stopped a.mp4: complete, 1:01, 2.0 KB");
        let pending = json!({"recording": {"name": "a.mp4", "status": "ending", "duration": 5, "size": null,
            "pending": {"renderLag": 12.4, "upload": false, "trouble": null}}});
        assert_eq!(
            stopped(&pending),
            "stopped a.mp4: 0:05; its file is in the making, 12 s behind"
        );
    }

    #[test]
    fn a_terminal_is_sent_no_control_characters() {
        assert_eq!(text(&json!("a\u{1b}[2J")), "?");
        assert_eq!(text(&json!("방 1")), "방 1");
    }
}
