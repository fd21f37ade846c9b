//! What `docs/routing.md` tells admins is what the engine does: the matrix there is the one that routes.

use std::collections::BTreeSet;

use cordboard_routing::{Column, Durable, Engine, Row};
use cordboard_shared::Millis;
use cordboard_shared::api::availability::MatrixCell;
use cordboard_shared::policy::Settings;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/routing.md");

fn cells() -> Vec<MatrixCell> {
    Engine::start(Millis(0), 1, Durable::default()).matrix_cells()
}

/// The table as the document must show it: the letter, and a star where a setting may change it.
fn table() -> String {
    let cells = cells();
    let head = "| # | Call path | Available | Away | DND | Opted out | Paused | Off schedule | No device | Busy |\n\
                | --: | --- | :-: | :-: | :-: | :-: | :-: | :-: | :-: | :-: |\n";
    let mut table = head.to_owned();
    for row in Row::ALL {
        let mut line = format!("| {} | {} |", row.number(), row.words());
        for column in Column::ALL {
            let name = format!("{}/{}", row.number(), column.name());
            let cell = cells.iter().find(|cell| cell.cell == name).expect("every cell is there");
            let star = if cell.setting.is_some() { "\\*" } else { "" };
            line.extend([" ", &cell.default.to_string(), star, " |"]);
        }
        table.push_str(&line);
        table.push('\n');
    }
    table
}

#[test]
fn the_matrix_in_the_document_is_the_one_that_routes() {
    let document = std::fs::read_to_string(DOCUMENT).expect("docs/routing.md is there");
    let table = table();
    assert!(document.contains(&table), "docs/routing.md must have this table:\n\n{table}");
}

#[test]
fn every_setting_behind_a_cell_is_explained() {
    let document = std::fs::read_to_string(DOCUMENT).expect("docs/routing.md is there");
    let settings: BTreeSet<String> = cells().into_iter().filter_map(|cell| cell.setting).collect();
    assert!(!settings.is_empty());
    for setting in settings {
        assert!(document.contains(&format!("`{setting}`")), "docs/routing.md says nothing of `{setting}`");
    }
}

#[test]
fn every_account_setting_is_explained() {
    let document = std::fs::read_to_string(DOCUMENT).expect("docs/routing.md is there");
    let settings = serde_json::to_value(Settings::default()).expect("settings are plain data");
    let reach = settings["reach"].as_object().into_iter().flatten();
    let account = settings.as_object().into_iter().flatten().filter(|(name, _)| *name != "reach");
    for (name, _) in reach.chain(account) {
        assert!(document.contains(&format!("`{name}`")), "docs/routing.md says nothing of `{name}`");
    }
}
