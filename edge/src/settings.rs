//! What the environment gives: public keys, the edge's own key, the server's address.

use cordboard_shared::edge::signature::{EDGE_KEY_ID, PublicKeys, parse_signing_key};
use ed25519_dalek::SigningKey;
use worker::Env;

/// Name of a token key that has none in the setting.
const TOKEN_KEY: &str = "t1";
/// Name of a feed key that has none in the setting.
const FEED_KEY: &str = "f1";

/// A setting is missing or cannot be read; its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSetting(pub(crate) &'static str);

/// Keys that tokens are signed with.
pub(crate) fn token_keys(env: &Env) -> Result<PublicKeys, BadSetting> {
    public_keys(env, "TOKEN_PUBLIC_KEY", TOKEN_KEY)
}

/// Keys that feed frames are signed with.
pub(crate) fn feed_keys(env: &Env) -> Result<PublicKeys, BadSetting> {
    public_keys(env, "FEED_PUBLIC_KEY", FEED_KEY)
}

/// The edge's own key and its name.
pub(crate) fn edge_key(env: &Env) -> Result<(String, SigningKey), BadSetting> {
    let bad = BadSetting("EDGE_PRIVATE_KEY");
    let text = text(env, "EDGE_PRIVATE_KEY")?;
    let (name, key) = text.split_once(':').unwrap_or((EDGE_KEY_ID, &text));
    Ok((name.to_owned(), parse_signing_key(key).map_err(|_| bad)?))
}

/// The server's address, without a slash at its end.
pub(crate) fn server_url(env: &Env) -> Result<String, BadSetting> {
    let url = text(env, "SERVER_URL")?;
    if url.starts_with("http://") || url.starts_with("https://") {
        Ok(url.trim_end_matches('/').to_owned())
    } else {
        Err(BadSetting("SERVER_URL"))
    }
}

fn public_keys(env: &Env, setting: &'static str, name: &str) -> Result<PublicKeys, BadSetting> {
    PublicKeys::parse(&text(env, setting)?, name).map_err(|_| BadSetting(setting))
}

fn text(env: &Env, setting: &'static str) -> Result<String, BadSetting> {
    // workerd binds what comes from its environment as text, Cloudflare a secret likewise.
    env.var(setting).map(|value| value.to_string()).map_err(|_| BadSetting(setting))
}
