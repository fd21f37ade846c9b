//! The reachability matrix in words: rows are call paths, columns are a person's states.

/// The call paths, row 1 first.
pub const ROWS: [&str; 17] = [
    "Department calls",
    "Department calls, always included",
    "Callers bound to this person, strict",
    "Callers bound to this person, loose",
    "Call flow to this extension",
    "Direct extension",
    "Calls from colleagues",
    "Blind transfers",
    "Warm transfers",
    "Scheduled callbacks",
    "Emergency route",
    "Pickup at this person's phone",
    "Taking a waiting call",
    "Own calls by click",
    "Outbound calls",
    "Voicemail messages",
    "Personal calls to the SIM",
];

/// The states: the name in a cell, and the word.
pub const COLUMNS: [(&str, &str); 8] = [
    ("available", "Available"),
    ("away", "Away"),
    ("dnd", "Do Not Disturb"),
    ("opted_out", "Opted out"),
    ("paused", "Paused"),
    ("off_schedule", "Off schedule"),
    ("no_device", "No device"),
    ("busy", "On a call"),
];

/// The call path of a row; rows count from 1.
pub fn row(number: u8) -> &'static str {
    usize::from(number).checked_sub(1).and_then(|index| ROWS.get(index)).copied().unwrap_or("Another path")
}

/// `Department calls × Away`, for the cell `1/away`.
pub fn cell(name: &str) -> Option<String> {
    let (number, column) = name.split_once('/')?;
    let word = column_word(column);
    Some(format!("{} × {word}", row(number.parse().ok()?)))
}

/// The word of a column; the engine's finer names of load and seat included.
pub fn column_word(name: &str) -> &str {
    match name {
        "on_call" | "busy" | "load" => "On a call",
        "ringing" => "Ringing",
        "after_call_work" => "After-call work",
        "disabled" => "Disabled",
        other => COLUMNS.iter().find(|(known, _)| *known == other).map_or(other, |(_, word)| word),
    }
}

/// What a letter means.
pub fn letter(letter: char) -> &'static str {
    match letter {
        'R' => "rings, or is allowed",
        'S' => "skipped, the next one is tried",
        'V' => "voicemail, else busy",
        'F' => "the sticky fallback",
        'X' => "refused, with the reason",
        'H' => "onto the follow-up list",
        'W' => "waits until free",
        'N' => "not allowed",
        'P' => "by phone only",
        'U' => "untouched",
        _ => "as the rule says",
    }
}

/// Why nobody may change a cell.
pub fn locked(row: u8, column: &str) -> &'static str {
    match (row, column) {
        (16, _) => "A mailbox always takes messages.",
        (17, _) => "Personal calls are none of ours.",
        (_, "dnd") => "Do Not Disturb is a hard stop: only the person, or an admin openly, ends it.",
        (_, "paused") => "A pause is a hard stop: it ends by time or by an admin.",
        (_, "opted_out") => "An opt-out is a hard stop people must be able to trust.",
        (_, "no_device") => "Nothing of theirs can ring.",
        (_, "available") => "Available people ring.",
        (12, _) => "A pickup never reaches somebody who cannot take the call.",
        _ => "No setting changes this cell.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_reads_as_path_and_state() {
        assert_eq!(cell("6/away").as_deref(), Some("Direct extension × Away"));
        assert_eq!(cell("1/on_call").as_deref(), Some("Department calls × On a call"));
        assert_eq!(cell("99/away").as_deref(), Some("Another path × Away"));
        assert_eq!(cell("nonsense"), None);
    }
}
