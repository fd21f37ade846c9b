//! Builds the edge worker: compile to WebAssembly, bind in-process, and write `edge/build` with the shim
//! workerd starts. wrangler uses the same files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::panel::{Flavor, compile};
use crate::{say, site, workspace};

/// The Durable Object classes the worker exports.
const DURABLE_OBJECTS: [&str; 1] = ["PresenceObject"];

/// The part of the shim that is the same for every worker.
const SHIM: &str = include_str!("shim.js");

/// Where the worker is written.
pub(crate) fn folder() -> PathBuf {
    workspace::root().join("edge").join("build")
}

/// Builds the worker into [`folder`].
pub(crate) fn build() -> Result<()> {
    workspace::ensure_wasm_target()?;
    let wasm = say::step("compile the worker to WebAssembly", || compile("cordboard-edge", Flavor::Release))?;
    say::step("bind the worker", || bind(&wasm))
}

fn bind(wasm: &Path) -> Result<()> {
    let build = folder();
    site::remove(&build)?;
    Bindgen::new()
        .input_path(wasm)
        .out_name("edge")
        .module(true)?
        .typescript(false)
        .reset_state_function(true)
        .force_enable_abort_handler(true)
        .generate(&build)
        .with_context(|| format!("cannot bind {}", wasm.display()))?;

    let glue = build.join("edge.js");
    // workerd gives a compiled module for a plain import and does not know the source phase.
    let script = fs::read_to_string(&glue)?.replace("import source wasmModule", "import wasmModule");
    for class in DURABLE_OBJECTS {
        if !script.contains(&format!("class {class}")) {
            bail!("the worker exports no Durable Object class {class}");
        }
    }
    fs::write(&glue, script)?;
    fs::write(build.join("shim.js"), shim())?;
    fs::write(build.join("modules.capnp"), module_list(&build)?)?;
    for name in ["shim.js", "edge.js", "edge_bg.wasm"] {
        say::line(format!("    {name:<44} {:>11}", say::bytes(fs::read(build.join(name))?.len())));
    }
    Ok(())
}

fn shim() -> String {
    let mut shim = String::from(SHIM);
    for class in DURABLE_OBJECTS {
        let _ = writeln!(shim, "export const {class} = durable(worker.{class});");
    }
    shim
}

/// workerd's list of modules, which `edge/config.capnp` imports: the entry first, snippets by their own names.
fn module_list(build: &Path) -> Result<String> {
    let mut list = String::from(
        "# Made by `cargo xtask worker`: the worker's modules, the entry first.\n\
         @0xd6c0a4cf1f6e8b02;\n\
         using Workerd = import \"/workerd/workerd.capnp\";\n\
         const modules :List(Workerd.Worker.Module) = [\n",
    );
    for name in ["shim.js", "edge.js"] {
        writeln!(list, "  (name = \"{name}\", esModule = embed \"{name}\"),")?;
    }
    writeln!(list, "  (name = \"edge_bg.wasm\", wasm = embed \"edge_bg.wasm\"),")?;
    let snippets = build.join("snippets");
    if snippets.is_dir() {
        for folder in site::sorted(&snippets)? {
            for file in site::sorted(&snippets.join(&folder))? {
                writeln!(
                    list,
                    "  (name = \"snippets/{folder}/{file}\", esModule = embed \"snippets/{folder}/{file}\"),"
                )?;
            }
        }
    }
    list.push_str("];\n");
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shim_exports_every_durable_object() {
        let shim = shim();

        for class in DURABLE_OBJECTS {
            assert!(shim.contains(&format!("export const {class} = durable(worker.{class});")));
        }
        assert!(shim.contains("export default class extends WorkerEntrypoint"));
    }
}
