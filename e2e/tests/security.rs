//! The basics that keep strangers out: headers, cookies, origins, tokens, files.

use std::os::unix::fs::PermissionsExt as _;

use anyhow::{Context, Result, ensure};
use cordboard_e2e::api::{Answer, Api};
use cordboard_e2e::journey::journey;
use cordboard_e2e::stack::Stack;
use reqwest::Method;
use serde_json::json;

const STRANGER: &str = "https://evil.example";

#[test]
fn the_page_is_served_with_a_strict_policy() {
    journey("security-page", async |journey| {
        let stack = journey.stack().await?;
        let api = stack.api()?;
        let page = api.get("/").await?;
        ensure!(page.status == 200, "{}", page.status);
        let policy = page.header("content-security-policy").context("no content security policy")?;
        let scripts = policy.split(';').find(|part| part.trim().starts_with("script-src")).context("no script-src")?;
        ensure!(!scripts.contains("unsafe-inline") && !scripts.contains("'unsafe-eval'"), "{scripts}");
        ensure!(policy.contains("frame-ancestors 'none'"), "{policy}");
        for (name, value) in
            [("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"), ("cache-control", "no-cache")]
        {
            ensure!(page.header(name).is_some_and(|found| found.contains(value)), "{name}: {:?}", page.header(name));
        }
        ensure!(!page.text().contains("<script>"), "an inline script stands in the page");

        // Every page of the panel is the same document; a file that is not there is not.
        ensure!(api.get("/calls").await?.body == page.body, "a page of the panel is another document");
        ensure!(api.get("/no-such-file.js").await?.status == 404, "a missing file is served");
        for path in
            ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/..%2fkeys%2ftoken.key", "/core/recordings/..%2f..%2fdemo.json"]
        {
            let answer = api.get(path).await?;
            ensure!(!answer.text().contains("[workspace]") && !answer.text().contains("password"), "{path} leaks");
        }
        let html = page.text();
        let script = html.split('"').find(|part| part.starts_with("/boot-")).context("no script in the page")?;
        let script = api.get(script).await?;
        ensure!(script.status == 200, "the script: {}", script.status);
        let kept = script.header("cache-control").unwrap_or_default();
        ensure!(kept.contains("immutable"), "a file named by its content may be kept: {kept}");

        let wasm = stack.api()?;
        let name = script.text();
        let name = name.split('"').find(|part| part.contains(".wasm")).context("no program in the script")?.to_owned();
        let packed = wasm.send(Method::GET, &name, &[("accept-encoding", "br")], None).await?;
        ensure!(packed.header("content-encoding") == Some("br"), "the program is not compressed: {:?}", packed.headers);
        ensure!(packed.header("content-type") == Some("application/wasm"), "{:?}", packed.headers);
        ensure!(packed.body.len() <= 250_000, "the program has {} bytes as served", packed.body.len());
        Ok(())
    });
}

#[test]
fn a_sign_in_works_from_the_own_pages_only() {
    journey("security-sign-in", async |journey| {
        let stack = journey.stack().await?;
        let api = stack.api()?;
        let (own, asha) = (stack.url(), stack.person("Asha")?.clone());
        let path = format!("/core/agents/{}/presence", asha.uuid);

        sign_in(&api, STRANGER, &asha.email, &asha.password).await?.expect_problem(403)?;
        let wrong = sign_in(&api, &own, &asha.email, "wrong").await?.expect_problem(401)?;
        let unknown = sign_in(&api, &own, "nobody@lantern.example", "wrong").await?.expect_problem(401)?;
        ensure!(wrong["detail"] == unknown["detail"], "an answer tells who has an account: {wrong} {unknown}");

        let answer = sign_in(&api, &own, &asha.email, &asha.password).await?;
        ensure!(answer.status.is_success(), "{} {}", answer.status, answer.text());
        let set = answer.header("set-cookie").context("no cookie")?.to_owned();
        ensure!(set.contains("HttpOnly") && set.contains("SameSite=Lax"), "{set}");
        let cookie = set.split(';').next().unwrap_or_default().to_owned();
        ensure!(!set.contains(&asha.password), "the cookie holds the password");

        let write = async |origin: Option<&str>| -> Result<Answer> {
            let mut headers = vec![("cookie", cookie.as_str()), ("content-type", "application/json")];
            headers.extend(origin.map(|origin| ("origin", origin)));
            api.send(Method::POST, &path, &headers, Some(json!({ "state": 0 }).to_string().into())).await
        };
        write(Some(STRANGER)).await?.expect_problem(403)?;
        write(None).await?.expect_problem(403)?;
        ensure!(write(Some(&own)).await?.status == 200, "the own page may");

        for (origin, wanted) in [(Some(STRANGER), 403), (Some(own.as_str()), 101)] {
            let answer = socket(&api, &cookie, origin).await?;
            ensure!(answer.status.as_u16() == wanted, "a socket from {origin:?}: {} {}", answer.status, answer.text());
        }
        ensure!(socket(&api, "", Some(&own)).await?.status.as_u16() == 401, "a socket needs a sign-in");

        let out = api.send(Method::DELETE, "/core/session", &[("cookie", &cookie), ("origin", &own)], None).await?;
        ensure!(out.status.is_success(), "signing out: {}", out.status);
        write(Some(&own)).await?.expect_problem(401)?;
        Ok(())
    });
}

#[test]
fn tokens_open_what_they_are_for_and_secrets_stay_in_their_files() {
    journey("security-tokens", async |journey| {
        let stack = journey.stack().await?;
        let api = stack.api()?;
        for path in ["/core/calls", "/core/users", "/core/departments", "/core/numbers", "/core/session"] {
            api.get(path).await?.expect_problem(401)?;
        }
        for token in ["", "x", "ccp1.a.b", &"a".repeat(10_000)] {
            api.with_token(token).get("/core/calls").await?.expect_problem(401)?;
        }
        let asha = stack.api_as("Asha")?;
        asha.toggle(&stack.person("Riya")?.uuid, 0).await?.expect_problem(403)?;
        stack.api_as("Meera")?.read("/core/calls?limit=1").await?;
        stack.api_as("Meera")?.get("/core/calls?cursor=nonsense").await?.expect_problem(400)?;

        expect_mode(&stack, "demo.json", 0o600)?;
        expect_mode(&stack, "keys", 0o700)?;
        expect_mode(&stack, "keys/token.key", 0o600)?;
        expect_mode(&stack, "keys/feed.key", 0o600)?;
        let said = stack.program().output();
        for person in &stack.demo.users {
            ensure!(!said.contains(&person.password), "the log holds the password of {}", person.name);
            ensure!(!said.contains(&person.api_token), "the log holds the token of {}", person.name);
        }
        Ok(())
    });
}

async fn sign_in(api: &Api, origin: &str, email: &str, password: &str) -> Result<Answer> {
    let headers = [("origin", origin), ("content-type", "application/json")];
    let body = json!({ "email": email, "password": password }).to_string();
    api.send(Method::POST, "/core/session", &headers, Some(body.into())).await
}

async fn socket(api: &Api, cookie: &str, origin: Option<&str>) -> Result<Answer> {
    let mut headers = vec![
        ("cookie", cookie),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "cordboard.v1"),
    ];
    headers.extend(origin.map(|origin| ("origin", origin)));
    api.send(Method::GET, "/core/ws", &headers, None).await
}

fn expect_mode(stack: &Stack, name: &str, wanted: u32) -> Result<()> {
    let mode =
        std::fs::metadata(stack.data().join(name)).with_context(|| format!("no {name}"))?.permissions().mode() & 0o777;
    ensure!(mode == wanted, "{name} has mode {mode:o}");
    Ok(())
}
