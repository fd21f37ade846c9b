//! Library and binding tool of wasm-bindgen must be one version, or the binding fails with a riddle.

use std::fs;

use anyhow::{Result, bail};

use crate::workspace;

/// An error unless Cargo.lock has the wasm-bindgen that this program binds with.
pub(crate) fn assert_one_version() -> Result<()> {
    compare(&fs::read_to_string(workspace::root().join("Cargo.lock"))?)
}

fn compare(lock: &str) -> Result<()> {
    let lock: toml::Value = toml::from_str(lock)?;
    let packages = lock.get("package").and_then(toml::Value::as_array).cloned().unwrap_or_default();
    let versions = |name: &str| -> Vec<String> {
        packages
            .iter()
            .filter(|package| package.get("name").and_then(toml::Value::as_str) == Some(name))
            .filter_map(|package| package.get("version")?.as_str().map(str::to_owned))
            .collect()
    };
    let (library, tool) = (versions("wasm-bindgen"), versions("wasm-bindgen-cli-support"));
    if library.len() != 1 || library != tool {
        bail!(
            "Cargo.lock has wasm-bindgen {library:?} and wasm-bindgen-cli-support {tool:?}; both must be one and the same"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn library_and_binding_tool_have_one_version() {
        assert_one_version().unwrap();
    }

    #[test]
    fn different_versions_are_noticed() {
        let lock = "[[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.1\"\n\
                    [[package]]\nname = \"wasm-bindgen-cli-support\"\nversion = \"0.2.2\"\n";

        assert!(compare(lock).is_err());
    }
}
