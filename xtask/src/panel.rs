//! Builds the web panel: compile to WebAssembly, bind in-process, write `target/spa` from the pages in `frontend`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::page::{Asset, Page};
use crate::site::{self, Site};
use crate::{bindgen, say, workspace};

/// The pages, each with its own program: the desk, and the management pages under `/manage`.
const PAGES: [&str; 2] = ["index.html", "manage.html"];
/// The desk's program.
const DESK: &str = "cordboard-frontend";
/// The most bytes the desk's program may have as browsers receive it, compressed with brotli.
const DESK_LIMIT: usize = 300_000;
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
    let built = say::step("compile the panel to WebAssembly", || compile_package(DESK, flavor))?;
    say::step("bind and pack the panel", || pack(&built, flavor))
}

/// Compiles a package of the workspace to WebAssembly and gives the path of the result.
pub(crate) fn compile(package: &str, flavor: Flavor) -> Result<PathBuf> {
    let built = compile_package(package, flavor)?;
    // A library is named with underscores, a binary as its package.
    [package.replace('-', "_"), package.to_owned()]
        .iter()
        .map(|name| built.join(name).with_extension("wasm"))
        .find(|path| path.is_file())
        .with_context(|| {
            format!("{package} gave no .wasm in {}; a library needs crate-type \"cdylib\"", built.display())
        })
}

/// Compiles a package to WebAssembly and gives the folder its results are in.
fn compile_package(package: &str, flavor: Flavor) -> Result<PathBuf> {
    bindgen::assert_one_version()?;
    let (profile, folder) = match flavor {
        Flavor::Release => ("wasm-release", "wasm-release"),
        Flavor::Dev => ("dev", "debug"),
    };
    workspace::run(workspace::cargo().args([
        "build",
        "--package",
        package,
        "--target",
        "wasm32-unknown-unknown",
        "--profile",
        profile,
    ]))?;
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
        Asset::Rust { bin } => program(site, bin, &bind(&built.join(bin).with_extension("wasm"), bin, release)?),
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
fn program(site: &mut Site, bin: &str, bound: &Path) -> Result<String> {
    let wasm = site.add_hashed(bin, "wasm", &fs::read(bound.join("panel_bg.wasm"))?)?;
    let glue = site.add_hashed(bin, "js", &fs::read(bound.join("panel.js"))?)?;
    let snippets = bound.join("snippets");
    if snippets.is_dir() {
        // The glue imports these by their own names, which hold a hash of their crate already.
        site.add_folder("snippets", &snippets)?;
    }
    let boot = format!("import start from \"/{glue}\";\nawait start({{ module_or_path: \"/{wasm}\" }});\n");
    let boot = site.add_hashed("boot", "js", boot.as_bytes())?;
    Ok(format!(
        r#"<link rel="modulepreload" href="/{glue}">
<link rel="preload" href="/{wasm}" as="fetch" type="application/wasm" crossorigin>
<script type="module" src="/{boot}"></script>"#
    ))
}

/// Makes the JavaScript glue and the final module, in a folder of their own.
fn bind(wasm: &Path, bin: &str, release: bool) -> Result<PathBuf> {
    let folder = workspace::cargo_target().join("bound").join(bin);
    site::remove(&folder)?;
    Bindgen::new()
        .input_path(wasm)
        .out_name("panel")
        .web(true)?
        .typescript(false)
        .remove_name_section(release)
        .remove_producers_section(release)
        .omit_default_module_path(true)
        .generate(&folder)
        .with_context(|| format!("cannot bind {}", wasm.display()))?;
    Ok(folder)
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
    let mut together = 0;
    for file in site.written.iter().filter(|file| is_program(&file.name)) {
        let size = file.brotli.unwrap_or(file.raw);
        together += size;
        if file.name.starts_with(DESK) {
            hold(&file.name, size, DESK_LIMIT)?;
        }
    }
    hold("all programs together", together, TOGETHER_LIMIT)
}

fn hold(what: &str, size: usize, limit: usize) -> Result<()> {
    if size > limit {
        bail!("{what}: {} bytes with brotli; the limit is {}", say::bytes(size), say::bytes(limit));
    }
    Ok(())
}
