//! The import rules of `ARCHITECTURE.md`, read from the `use` lines and paths of the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Folder or file of the workspace, and what its source must not name.
const RULES: &[(&str, &[&str])] = &[
    ("shared/src", &["tokio", "axum", "sqlx", "std::net::UdpSocket", "std::time::Instant", "SystemTime", "std::fs"]),
    (
        "server/routing/src",
        &[
            "tokio",
            "axum",
            "sqlx",
            "cordboard_sip",
            "cordboard_media",
            "std::time::",
            "std::net::",
            "std::fs",
            "std::thread",
        ],
    ),
    (
        "server/sip/src",
        &["tokio", "axum", "sqlx", "cordboard_routing", "cordboard_media", "Instant::now", "UdpSocket", "std::fs"],
    ),
    (
        "server/media/src",
        &["tokio", "axum", "sqlx", "cordboard_routing", "cordboard_sip", "Instant::now", "UdpSocket", "std::fs"],
    ),
    ("server/src/call.rs", CORE),
    ("server/src/call", CORE),
    ("server/src/directory.rs", CORE),
    ("server/src/store.rs", &["crate::http", "crate::net", "crate::call", "axum"]),
    ("server/src/store", &["crate::http", "crate::net", "crate::call", "axum"]),
    ("server/src/net.rs", &["crate::store", "crate::http", "crate::app", "crate::call", "axum", "sqlx"]),
    ("server/src/net", &["crate::store", "crate::http", "crate::app", "crate::call", "axum", "sqlx"]),
    ("server/src/http.rs", &["crate::call", "crate::net", "cordboard_sip", "cordboard_media"]),
    ("server/src/http", &["crate::call", "crate::net", "cordboard_sip", "cordboard_media"]),
    ("server/src/app", &["crate::http", "axum"]),
    ("frontend/src", &["cordboard_server", "cordboard_sip", "cordboard_media", "tokio"]),
    ("edge/src", &["cordboard_server", "cordboard_routing", "cordboard_sip", "cordboard_media", "tokio"]),
    ("e2e", &["cordboard_server", "cordboard_routing", "cordboard_sip", "cordboard_media"]),
];

/// What the call core must not name.
const CORE: &[&str] = &[
    "tokio",
    "axum",
    "sqlx",
    "crate::store",
    "crate::net",
    "crate::app",
    "crate::http",
    "Instant::now",
    "SystemClock",
    "std::fs",
];

#[test]
fn nobody_imports_what_the_rules_forbid() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut broken = Vec::new();
    for (place, forbidden) in RULES {
        let files = sources(&workspace.join(place));
        assert!(!files.is_empty(), "{place} holds no source: has it moved?");
        for file in files {
            for (number, line) in code_lines(&fs::read_to_string(&file).unwrap()) {
                for word in forbidden.iter().filter(|word| names(&line, word)) {
                    broken.push(format!("{}:{number} names {word}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_rules_would_notice() {
    assert!(names("use tokio::net::UdpSocket;", "tokio"));
    assert!(names("let at = std::time::Instant::now();", "Instant::now"));
    assert!(!names("//! Knows no tokio.", "tokio") || code_lines("//! Knows no tokio.").is_empty());
    assert!(!names("let stokio = 1;", "tokio"));
}

fn sources(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let mut found = Vec::new();
    let mut folders = vec![place.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// Tests may build what they like; the rules are about the product.
fn is_test(path: &Path) -> bool {
    path.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "testing.rs")))
        && !path.components().any(|part| part.as_os_str() == "e2e")
}

/// Lines of code outside comments and outside the test module at a file's foot.
fn code_lines(text: &str) -> Vec<(usize, String)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

/// Whether the line names the word as a whole path segment.
fn names(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}
