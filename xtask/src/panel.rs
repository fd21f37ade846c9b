//! Builds the web panel: compile to WebAssembly, bind in-process, write `target/spa` from the pages in `frontend`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wasm_bindgen_cli_support::Bindgen;

use crate::page::{Asset, Page};
use crate::site::{self, Site};
use crate::split::{self, Cut};
use crate::{bindgen, say, workspace};

/// The pages, both with the same program: the desk, and management under `/manage`.
const PAGES: [&str; 2] = ["index.html", "manage.html"];
/// The package of the panel, and its program.
const PANEL: &str = "cordboard-frontend";
/// How the files begin that the desk never loads.
const MANAGE: &str = "part-manage-";
/// Sizes in bytes of programs as browsers receive them, compressed with brotli.
#[derive(Debug, Clone, Copy)]
struct Bound {
    /// What is wanted; more is said.
    aim: usize,
    /// What fails the build.
    limit: usize,
}

/// The desk before it works: what somebody at a slow line waits for, so nothing is allowed above it.
const DESK: Bound = Bound { aim: 250_000, limit: 250_000 };
/// The desk with all its parts. They come after it works and in their own time, so that this only keeps them from
/// growing: the limit is what calling out, transfer and notes brought it to.
const DESK_WHOLE: Bound = Bound { aim: 300_000, limit: 350_000 };
/// The whole panel. Half of it is management, which loads as one part; a person at the desk never fetches it. The
/// limit is what call flows, audio and telephony brought it to.
const TOGETHER: Bound = Bound { aim: 600_000, limit: 700_000 };

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
        // Only the last step of the compiler sees these: the library is compiled once, cut or not.
        Flavor::Release => cargo(
            "rustc",
            flavor,
            &["--package", PANEL, "--bin", PANEL, "--", "--cfg", "split", "-Clink-args=--emit-relocs"],
        ),
        Flavor::Dev => cargo("build", flavor, &["--package", PANEL]),
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
    // Both pages start the same program: it is packed once.
    let mut programs = BTreeMap::new();
    for name in PAGES {
        let html = fs::read_to_string(source.join(name)).with_context(|| format!("cannot read frontend/{name}"))?;
        let html = Page::parse(&html)?.render(|asset| match asset {
            Asset::Rust { bin } => {
                if let Some(started) = programs.get(bin) {
                    return Ok(String::clone(started));
                }
                let started = start(&mut site, built, release, bin)?;
                programs.insert(bin.clone(), started.clone());
                Ok(started)
            }
            Asset::Css { .. } | Asset::Icon { .. } | Asset::CopyFile { .. } | Asset::CopyDir { .. } => {
                put(&mut site, &source, asset)
            }
        })?;
        site.add(name, html.as_bytes())?;
    }
    report(&site);
    if release {
        hold_to_limits(&site)?;
    }
    site.finish()
}

/// Adds a program, and gives what starts it. The release is cut into parts; for work on the panel it stays whole.
fn start(site: &mut Site, built: &Path, release: bool, bin: &str) -> Result<String> {
    let wasm = built.join(bin).with_extension("wasm");
    let folder = workspace::cargo_target().join("bound").join(bin);
    site::remove(&folder)?;
    let cut = if release { Some(split::cut(&wasm, &folder.with_extension("cut"))?) } else { None };
    bind(cut.as_ref().map_or(&wasm, |cut| &cut.main), &folder, release)?;
    program(site, bin, &folder, cut.as_ref())
}

/// Adds a file a page asks for, and gives what stands in its place.
fn put(site: &mut Site, source: &Path, asset: &Asset) -> Result<String> {
    match asset {
        Asset::Rust { bin } => bail!("{bin} is a program, not a file"),
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
fn bind(wasm: &Path, folder: &Path, release: bool) -> Result<()> {
    Bindgen::new()
        .input_path(wasm)
        .out_name("panel")
        .web(true)?
        .typescript(false)
        .remove_name_section(release)
        .remove_producers_section(release)
        .omit_default_module_path(true)
        // Parts take the memory, the stack and the table of functions from the main module.
        .keep_lld_exports(release)
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
        let is_part = file.name.starts_with(split::PART);
        if is_part && !file.name.starts_with(MANAGE) {
            parts += size;
        } else if !is_part {
            desk += size;
        }
    }
    hold("the desk before it works", desk, DESK)?;
    hold("the desk with all its parts", desk + parts, DESK_WHOLE)?;
    hold("the whole panel", together, TOGETHER)
}

fn hold(what: &str, size: usize, bound: Bound) -> Result<()> {
    say::line(format!("    {what:<44} {:>11} of {} with brotli", say::bytes(size), say::bytes(bound.aim)));
    if size > bound.limit {
        bail!("{what}: {} bytes with brotli; the limit is {}", say::bytes(size), say::bytes(bound.limit));
    }
    if size > bound.aim {
        let over = say::bytes(size - bound.aim);
        say::line(format!("    {:<44} {over:>11} more than wanted; it fails at {}", "", say::bytes(bound.limit)));
    }
    Ok(())
}
