//! Builds the web panel: compile to WebAssembly, bind in-process, write `target/spa` from the pages in `frontend`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::page::{Asset, Page};
use crate::site::{self, Site};
use crate::split::{self, Cut};
use crate::{bindgen, say, workspace};

/// The pages, each with its own program: the desk, and the management pages under `/manage`.
const PAGES: [&str; 2] = ["index.html", "manage.html"];
/// The desk's program, and the package of both.
const DESK: &str = "cordboard-frontend";
/// The program of management.
const MANAGE: &str = "cordboard-manage";
/// The most bytes the desk's program may have as browsers receive it, compressed with brotli: what comes before it works.
const DESK_LIMIT: usize = 250_000;
/// The most bytes of the desk with all its parts, compressed with brotli.
const DESK_WHOLE_LIMIT: usize = 300_000;
/// The most bytes of all programs together, compressed with brotli.
const TOGETHER_LIMIT: usize = 600_000;

/// How the panel is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Small, compressed, held to the size limit: what is shipped.
    Release,
    /// Quick to build, with names and checks: for work on the panel.
    Dev,
}

/// Where the panel is written, and where the server takes it from.
pub(crate) fn folder() -> PathBuf {
    workspace::output().join("spa")
}

/// Builds the panel into [`folder`].
pub(crate) fn build(flavor: Flavor) -> Result<()> {
    workspace::ensure_wasm_target()?;
    let built = say::step("compile the panel to WebAssembly", || match flavor {
        Flavor::Release => {
            cargo("build", flavor, &["--package", DESK, "--bin", MANAGE])?;
            // Only the last step of the compiler sees these: the library is compiled once for both programs.
            cargo(
                "rustc",
                flavor,
                &["--package", DESK, "--bin", DESK, "--", "--cfg", "split", "-Clink-args=--emit-relocs"],
            )
        }
        Flavor::Dev => cargo("build", flavor, &["--package", DESK]),
    })?;
    say::step("bind and pack the panel", || pack(&built, flavor))
}

/// Compiles a package of the workspace to WebAssembly and gives the path of the result.
pub(crate) fn compile(package: &str, flavor: Flavor) -> Result<PathBuf> {
    let built = cargo("build", flavor, &["--package", package])?;
    // A library is named with underscores, a binary as its package.
    [package.replace('-', "_"), package.to_owned()]
        .iter()
        .map(|name| built.join(name).with_extension("wasm"))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("{package} gave no .wasm in {}; a library needs crate-type \"cdylib\"", built.display())
        })
}

/// Compiles to WebAssembly and gives the folder the results are in.
fn cargo(verb: &str, flavor: Flavor, what: &[&str]) -> Result<PathBuf> {
    bindgen::assert_one_version()?;
    let (profile, folder) = match flavor {
        Flavor::Release => ("wasm-release", "wasm-release"),
        Flavor::Dev => ("dev", "debug"),
    };
    workspace::run(
        workspace::cargo().args([verb, "--target", "wasm32-unknown-unknown", "--profile", profile]).args(what),
    )?;
    Ok(workspace::cargo_target().join("wasm32-unknown-unknown").join(folder))
}

fn pack(built: &Path, flavor: Flavor) -> Result<()> {
    let source = workspace::root().join("frontend");
    let release = flavor == Flavor::Release;
    let mut site = Site::begin(&folder(), release)?;
    for name in PAGES {
        let html = fs::read_to_string(source.join(name)).with_context(|| format!("cannot read frontend/{name}"))?;
        let html = Page::parse(&html)?.render(|asset| put(&mut site, &source, built, release, asset))?;
        site.add(name, html.as_bytes())?;
    }
    report(&site);
    if release {
        hold_to_limits(&site)?;
    }
    site.finish()
}

/// Adds what a page asks for, and gives what stands in its place.
fn put(site: &mut Site, source: &Path, built: &Path, release: bool, asset: &Asset) -> Result<String> {
    match asset {
        Asset::Rust { bin } => {
            let wasm = built.join(bin).with_extension("wasm");
            let folder = workspace::cargo_target().join("bound").join(bin);
            site::remove(&folder)?;
            // Only the desk has a limit that parts help with.
            if release && bin == DESK {
                let cut = split::cut(&wasm, &folder.with_extension("cut"))?;
                bind(&cut.main, &folder, release, Some(&cut))?;
                program(site, bin, &folder, Some(&cut))
            } else {
                bind(&wasm, &folder, release, None)?;
                program(site, bin, &folder, None)
            }
        }
        Asset::Css { href } => {
            let name = add_source(site, source, href)?;
            Ok(format!(r#"<link rel="stylesheet" href="/{name}">"#))
        }
        Asset::Icon { href, kind } => {
            let name = add_source(site, source, href)?;
            let kind = kind.as_ref().map(|kind| format!(r#" type="{kind}""#)).unwrap_or_default();
            Ok(format!(r#"<link rel="icon" href="/{name}"{kind}>"#))
        }
        Asset::CopyFile { href } => {
            let path = source.join(href);
            site.add(&file_name(&path)?, &read(&path)?)?;
            Ok(String::new())
        }
        Asset::CopyDir { href } => {
            let path = source.join(href);
            site.add_folder(&file_name(&path)?, &path)?;
            Ok(String::new())
        }
    }
}

/// Adds the program's files; a script of its own starts it, since the content security policy forbids inline scripts.
fn program(site: &mut Site, bin: &str, bound: &Path, cut: Option<&Cut>) -> Result<String> {
    let wasm = site.add_hashed(bin, "wasm", &fs::read(bound.join("panel_bg.wasm"))?)?;
    let glue = fs::read_to_string(bound.join("panel.js"))?;
    let (glue, link) = match cut {
        Some(cut) => {
            let names = cut.add(site, bin, &glue)?;
            (names.glue, format!("<link rel=\"modulepreload\" href=\"/{}\">\n", names.link))
        }
        None => (site.add_hashed(bin, "js", glue.as_bytes())?, String::new()),
    };
    let snippets = bound.join("snippets");
    if snippets.is_dir() {
        // The glue imports these by their own names, which hold a hash of their crate already.
        site.add_folder("snippets", &snippets)?;
    }
    let boot = format!("import start from \"/{glue}\";\nawait start({{ module_or_path: \"/{wasm}\" }});\n");
    let boot = site.add_hashed("boot", "js", boot.as_bytes())?;
    Ok(format!(
        r#"<link rel="modulepreload" href="/{glue}">
{link}<link rel="preload" href="/{wasm}" as="fetch" type="application/wasm" crossorigin>
<script type="module" src="/{boot}"></script>"#
    ))
}

/// Makes the JavaScript glue and the final module in a folder.
fn bind(wasm: &Path, folder: &Path, release: bool, cut: Option<&Cut>) -> Result<()> {
    Bindgen::new()
        .input_path(wasm)
        .out_name("panel")
        .web(true)?
        .typescript(false)
        .remove_name_section(release)
        .remove_producers_section(release)
        .omit_default_module_path(true)
        // Parts take the memory, the stack and the table of functions from the main module.
        .keep_lld_exports(cut.is_some())
        .generate(folder)
        .with_context(|| format!("cannot bind {}", wasm.display()))
}

fn add_source(site: &mut Site, source: &Path, href: &str) -> Result<String> {
    let path = source.join(href);
    let name = file_name(&path)?;
    let (stem, extension) = name.split_once('.').with_context(|| format!("{href} has no extension"))?;
    // `style.gen.css` is served as `style-<hash>.css`.
    let extension = extension.rsplit('.').next().unwrap_or(extension);
    site.add_hashed(stem, extension, &read(&path)?)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("a page names {}, which cannot be read", path.display()))
}

fn file_name(path: &Path) -> Result<String> {
    let name = path.file_name().with_context(|| format!("{} has no file name", path.display()))?;
    Ok(name.to_string_lossy().into_owned())
}

fn report(site: &Site) {
    let shown = |size: Option<usize>| size.map_or_else(|| String::from("-"), say::bytes);
    say::line(format!("    {:<44} {:>11} {:>9} {:>9}", "file", "bytes", "gzip", "brotli"));
    for file in &site.written {
        say::line(format!(
            "    {:<44} {:>11} {:>9} {:>9}",
            file.name,
            say::bytes(file.raw),
            shown(file.gzip),
            shown(file.brotli)
        ));
    }
}

fn hold_to_limits(site: &Site) -> Result<()> {
    let is_program = |name: &str| Path::new(name).extension().is_some_and(|extension| extension == "wasm");
    let (mut desk, mut parts, mut together) = (0, 0, 0);
    for file in site.written.iter().filter(|file| is_program(&file.name)) {
        let size = file.brotli.unwrap_or(file.raw);
        together += size;
        if file.name.starts_with(split::PART) {
            parts += size;
        } else if file.name.starts_with(DESK) {
            desk += size;
        }
    }
    hold("the desk before it works", desk, DESK_LIMIT)?;
    hold("the desk with all its parts", desk + parts, DESK_WHOLE_LIMIT)?;
    hold("all programs together", together, TOGETHER_LIMIT)
}

fn hold(what: &str, size: usize, limit: usize) -> Result<()> {
    say::line(format!("    {what:<44} {:>11} of {} with brotli", say::bytes(size), say::bytes(limit)));
    if size > limit {
        bail!("{what}: {} bytes with brotli; the limit is {}", say::bytes(size), say::bytes(limit));
    }
    Ok(())
}
