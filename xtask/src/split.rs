//! Cuts a program into what is needed at once and parts that come when they are first wanted.
//!
//! The cut is made before binding: the parts import from the main module what both use, so that all glue stays in one
//! place. A script, here called the link, fetches a part and joins it to the running program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use walrus::{ModuleConfig, passes};
use wasm_split_cli_support::Options;

use crate::site::{self, Site};

/// What the link is called where the glue imports it, and the glue where the link does.
const LINK: &str = "./parts.js";
const GLUE: &str = "./panel.js";
/// How the files of parts begin, so that they are told from programs.
pub(crate) const PART: &str = "part-";

/// A program that was cut.
pub(crate) struct Cut {
    /// The main module, still to be bound.
    pub(crate) main: PathBuf,
    link: PathBuf,
    parts: Vec<PathBuf>,
}

/// Names under which a cut program is served.
pub(crate) struct Names {
    /// The glue, which imports the link.
    pub(crate) glue: String,
    /// The link, which imports the glue.
    pub(crate) link: String,
}

/// Cuts a program at its marks; it must have been linked with its relocations.
pub(crate) fn cut(wasm: &Path, folder: &Path) -> Result<Cut> {
    site::remove(folder)?;
    fs::create_dir_all(folder)?;
    let input = fs::read(wasm).with_context(|| format!("cannot read {}", wasm.display()))?;
    let main = folder.join("main.wasm");
    let mut options = Options::new(&input);
    options.output_dir = folder;
    options.main_out_path = &main;
    options.link_name = LINK;
    options.main_module = GLUE;
    let cut = wasm_split_cli_support::transform(options)
        .map_err(|error| anyhow!("cannot cut {}: {error:#}", wasm.display()))?;
    ensure!(!cut.split_modules.is_empty(), "{} has no part to cut off", wasm.display());
    Ok(Cut { link: folder.join(LINK), main, parts: cut.split_modules })
}

impl Cut {
    /// Adds parts, link and glue to the site.
    pub(crate) fn add(&self, site: &mut Site, bin: &str, glue: &str) -> Result<Names> {
        let mut link = fs::read_to_string(&self.link)?;
        for path in &self.parts {
            let file = path.file_name().context("a part has no name")?.to_string_lossy().into_owned();
            let stem = file.trim_start_matches("split_").trim_end_matches(".wasm").replace('_', "-");
            let name = site.add_hashed(&format!("{PART}{stem}"), "wasm", &compact(&fs::read(path)?)?)?;
            link = renamed(&link, &format!("\"./{file}\""), &format!("\"./{name}\""))?;
        }
        // Link and glue import each other, so neither can hold the other's hash: both are named by both.
        let stamp = site::digest(format!("{glue}\n{link}").as_bytes());
        let names = Names { glue: format!("{bin}-{stamp}.js"), link: format!("parts-{stamp}.js") };
        // Each function of the link has an import of its own; the key under which they are handed on stays.
        let glue = renamed(glue, &format!("from \"{LINK}\""), &format!("from \"./{}\"", names.link))?;
        let link = renamed(&link, &format!("from \"{GLUE}\""), &format!("from \"./{}\"", names.glue))?;
        site.add(&names.glue, glue.as_bytes())?;
        site.add(&names.link, link.as_bytes())?;
        Ok(names)
    }
}

/// A script with a file it names named anew, wherever it does.
fn renamed(script: &str, from: &str, to: &str) -> Result<String> {
    ensure!(script.contains(from), "no script names {from}");
    Ok(script.replace(from, to))
}

/// A part written anew: the linker pads every number to its full width so that cutting can change it, and names, types
/// and sections that only tools read are left in.
fn compact(part: &[u8]) -> Result<Vec<u8>> {
    let mut module = ModuleConfig::new().generate_name_section(false).generate_producers_section(false).parse(part)?;
    let custom: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in custom {
        module.customs.delete(id);
    }
    passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_part_has_no_padding_and_no_unused_type() {
        let mut part = b"\0asm\x01\0\0\0".to_vec();
        // Two types, the second unused.
        part.extend([1, 7, 2, 0x60, 0, 0, 0x60, 0, 0]);
        // One function with the first.
        part.extend([3, 2, 1, 0]);
        // It is exported as `f`.
        part.extend([7, 5, 1, 1, b'f', 0, 0]);
        // It calls itself, the index padded to five bytes.
        part.extend([10, 10, 1, 8, 0, 0x10, 0x80, 0x80, 0x80, 0x80, 0x00, 0x0b]);
        part.extend([0, 3, 1, b'x', 9]);

        let compact = compact(&part).unwrap();

        let mut wanted = b"\0asm\x01\0\0\0".to_vec();
        wanted.extend([1, 4, 1, 0x60, 0, 0]);
        wanted.extend([3, 2, 1, 0]);
        wanted.extend([7, 5, 1, 1, b'f', 0, 0]);
        wanted.extend([10, 6, 1, 4, 0, 0x10, 0, 0x0b]);
        assert_eq!(compact, wanted);
    }

    #[test]
    fn what_is_no_module_is_an_error() {
        assert!(compact(b"\0asm\x01\0\0\0\x01\x09").is_err());
    }

    #[test]
    fn every_import_is_renamed_and_none_is_an_error() {
        let glue =
            "import * as a from \"./parts.js\"\nimport * as b from \"./parts.js\"\nconst keys = { \"./parts.js\": a };";

        let renamed_glue = renamed(glue, "from \"./parts.js\"", "from \"./x.js\"").unwrap();

        assert_eq!(renamed_glue.matches("./x.js").count(), 2);
        assert!(renamed_glue.contains("{ \"./parts.js\": a }"));
        assert!(renamed("import './parts.js'", "from \"./parts.js\"", "").is_err());
    }
}
