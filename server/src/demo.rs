//! The demo company Lantern Travel: the same people, numbers and flows each time, with fresh passwords and tokens.
//!
//! Passwords and tokens stand in `<data-dir>/demo.json` (mode 600) and nowhere else; the store holds their hashes.

mod company;
mod file;
mod history;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use cordboard_shared::Millis;
use cordboard_shared::agent::{AgentProfile, Role};
use cordboard_shared::id::TokenId;
use cordboard_shared::token::{self, TokenClaims};
use sha2::{Digest as _, Sha256};

use crate::app::Directory;
use crate::clock;
use crate::keys::Keys;
use crate::password;
use crate::rights;
use crate::store::{NewAccount, NewPerson, Store, StoreError, TokenRow};

pub use company::directory;
pub use file::{DemoFile, DemoUser, write_demo_json};

/// Life of the demo's API tokens, in seconds: one year.
const TOKEN_SECONDS: i64 = 365 * 24 * 3_600;

/// Why the demo company could not be founded.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The store refuses.
    #[error("cannot store the demo company")]
    Store(#[from] StoreError),
    /// `demo.json` cannot be read or written.
    #[error("cannot read or write demo.json")]
    File(#[from] std::io::Error),
    /// A password could not be hashed.
    #[error("cannot hash a password: {0}")]
    Hash(argon2::password_hash::Error),
}

/// Fills an empty store with the demo company and writes its `demo.json`; a store with a company is left as it is.
pub async fn fill(
    store: &Store,
    keys: &Arc<Keys>,
    data_dir: &Path,
    (http, sip): (SocketAddr, SocketAddr),
    now: Millis,
    history_days: u32,
) -> Result<(), DemoError> {
    if !store.directory().await?.agents.is_empty() {
        return Ok(());
    }
    let keys = keys.clone();
    // Nine passwords are hashed: most of a second.
    let (new, mut file) = tokio::task::spawn_blocking(move || found(company::directory(), &keys, now))
        .await
        .map_err(std::io::Error::other)??;
    // The file first: were the store filled and the file lost, nobody could sign in.
    file.bound_to(http, sip);
    file.write(data_dir)?;
    store.create_account(&new).await?;
    let history = history::calls(&new.directory, now, history_days);
    store.commit(&history).await?;
    tracing::info!(people = new.people.len(), calls = history.calls.len(), "the demo company has been founded");
    Ok(())
}

/// The company with fresh passwords and tokens, and the file that tells them.
fn found(directory: Directory, keys: &Keys, now: Millis) -> Result<(NewAccount, DemoFile), DemoError> {
    let mut people = Vec::new();
    let mut tokens = Vec::new();
    let mut users = Vec::new();
    for profile in directory.agents.values() {
        let password = password::generate();
        let (row, token) = api_token(&directory, profile, keys, now);
        people.push(NewPerson {
            profile: profile.clone(),
            password: password::hash(&password).map_err(DemoError::Hash)?,
        });
        tokens.push(row);
        users.push(DemoUser::new(profile, password, token));
    }
    let mut sip_users = Vec::new();
    let mut phones = Vec::new();
    for (username, agent) in company::DESK_PHONES {
        let password = password::generate();
        sip_users.push(crate::app::sip_user(username, agent, &password));
        phones.push((username.to_owned(), password));
    }
    let file = DemoFile::new(&directory, users, phones);
    Ok((NewAccount { directory, people, tokens, sip_users }, file))
}

fn api_token(directory: &Directory, profile: &AgentProfile, keys: &Keys, now: Millis) -> (TokenRow, String) {
    let id = TokenId::new(now, clock::random());
    let issued = now.0 / 1_000;
    let claims = TokenClaims {
        tid: id,
        acct: directory.account,
        sub: profile.id,
        scopes: token_scopes(profile.role).iter().map(|&scope| scope.to_owned()).collect(),
        iat: issued,
        exp: issued + TOKEN_SECONDS,
        kid: keys.token.id.to_owned(),
        tg: 1,
    };
    let text = token::sign(&claims, &keys.token.signing);
    let row = TokenRow {
        id,
        account: directory.account,
        agent: profile.id,
        session: None,
        name: format!("Demo token of {}", profile.name),
        secret: Sha256::digest(&text).into(),
        created_at: now,
        expires_at: Millis(claims.exp * 1_000),
        revoked_at: None,
    };
    (row, text)
}

/// Scopes of a demo token: less than the role holds where an integration needs less.
fn token_scopes(role: Role) -> &'static [&'static str] {
    match role {
        Role::Agent => &[rights::PRESENCE_READ, rights::PRESENCE_WRITE_SELF, rights::CALLS_READ],
        Role::Manager => {
            &[rights::PRESENCE_READ, rights::PRESENCE_WRITE_SELF, rights::CALLS_READ, rights::PRESENCE_WRITE_TEAM]
        }
        Role::Owner | Role::Admin => rights::of_role(role),
    }
}
