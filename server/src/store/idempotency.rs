//! Answers kept by the caller's own key (`Idempotency-Key`), for 24 hours.

use cordboard_shared::Millis;
use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use super::{Store, StoreError};

/// Rows written or deleted by one statement: a toggle that waits for the one writing connection waits no longer than that.
const CHUNK: usize = 256;

/// A key that was used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The token or sign-in that sent it.
    pub principal: Uuid,
    /// The key.
    pub key: String,
    /// SHA-256 of method, path and body.
    pub fingerprint: [u8; 32],
    /// When it was used first.
    pub at: Millis,
    /// The answer; none while it is not known.
    pub answer: Option<KeptAnswer>,
}

/// An answer as it is given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers that belong to the answer.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Store {
    /// Stores keys; a row that is there already is replaced.
    #[tracing::instrument(name = "db.idempotency.save", level = "debug", skip_all, fields(keys = keys.len()))]
    pub async fn save_keys(&self, keys: &[KeyRow]) -> Result<(), StoreError> {
        for chunk in keys.chunks(CHUNK) {
            let rows: Vec<Value> = chunk
                .iter()
                .map(|row| {
                    let answer = row.answer.as_ref();
                    json!([
                        row.principal.simple().to_string(),
                        row.key,
                        crate::hex::hex(&row.fingerprint),
                        row.at.0,
                        answer.map(|answer| answer.status),
                        answer.map_or_else(|| json!([]), |answer| json!(answer.headers)),
                        answer.map(|answer| answer.body.as_str()).unwrap_or_default()
                    ])
                })
                .collect();
            sqlx::query(
                "INSERT INTO idempotency (principal, key, fingerprint, at, status, headers, body)
                 SELECT unhex(k.value->>0), k.value->>1, unhex(k.value->>2), k.value->>3, k.value->>4,
                        k.value->5, k.value->>6
                 FROM json_each($1) k WHERE true
                 ON CONFLICT (principal, key) DO UPDATE SET
                     fingerprint = excluded.fingerprint, at = excluded.at, status = excluded.status,
                     headers = excluded.headers, body = excluded.body",
            )
            .bind(Value::Array(rows).to_string())
            .execute(&mut *self.write.turn().await?)
            .await?;
        }
        Ok(())
    }

    /// The newest keys used after a time, at most so many, oldest of them first.
    #[tracing::instrument(name = "db.idempotency.list", level = "debug", skip(self))]
    pub async fn keys_since(&self, since: Millis, limit: u32) -> Result<Vec<KeyRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT principal, key, fingerprint, at, status, headers, body FROM idempotency
             WHERE at > $1 ORDER BY at DESC LIMIT $2",
        )
        .bind(since.0)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter().rev().map(key_of).collect()
    }

    /// Forgets keys, as if they had never been used.
    pub async fn forget_keys(&self, keys: &[(Uuid, String)]) -> Result<(), StoreError> {
        for chunk in keys.chunks(CHUNK) {
            let rows: Vec<Value> =
                chunk.iter().map(|(principal, key)| json!([principal.simple().to_string(), key])).collect();
            sqlx::query(
                "DELETE FROM idempotency WHERE (principal, key) IN
                     (SELECT unhex(k.value->>0), k.value->>1 FROM json_each($1) k)",
            )
            .bind(Value::Array(rows).to_string())
            .execute(&mut *self.write.turn().await?)
            .await?;
        }
        Ok(())
    }

    /// Forgets keys used up to a time; the number of those forgotten.
    pub async fn forget_keys_until(&self, until: Millis) -> Result<u64, StoreError> {
        let mut forgotten = 0;
        loop {
            let deleted = sqlx::query(
                "DELETE FROM idempotency WHERE (principal, key) IN
                     (SELECT principal, key FROM idempotency WHERE at <= $1 LIMIT $2)",
            )
            .bind(until.0)
            .bind(i64::try_from(CHUNK).unwrap_or(i64::MAX))
            .execute(&mut *self.write.turn().await?)
            .await?
            .rows_affected();
            forgotten += deleted;
            if deleted < CHUNK as u64 {
                return Ok(forgotten);
            }
        }
    }
}

fn key_of(row: &SqliteRow) -> Result<KeyRow, StoreError> {
    let fingerprint: Vec<u8> = row.try_get("fingerprint")?;
    let status: Option<i64> = row.try_get("status")?;
    let headers: String = row.try_get("headers")?;
    let answer = match status {
        Some(status) => Some(KeptAnswer {
            status: u16::try_from(status).unwrap_or(500),
            headers: serde_json::from_str(&headers).map_err(StoreError::corrupt("idempotency"))?,
            body: row.try_get("body")?,
        }),
        None => None,
    };
    Ok(KeyRow {
        principal: row.try_get("principal")?,
        key: row.try_get("key")?,
        fingerprint: fingerprint
            .try_into()
            .map_err(|_| StoreError::Corrupt { what: "idempotency", source: "its hash has another length".into() })?,
        at: Millis(row.try_get("at")?),
        answer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str, at: i64, answer: Option<KeptAnswer>) -> KeyRow {
        KeyRow { principal: Uuid::from_u128(7), key: key.to_owned(), fingerprint: [3; 32], at: Millis(at), answer }
    }

    #[tokio::test]
    async fn keys_are_kept_with_their_answers_until_they_are_old() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let answer = KeptAnswer {
            status: 200,
            headers: vec![("etag".to_owned(), "\"1.2\"".to_owned())],
            body: "{\"state\":0,\"reason\":\"it's \\\"late\\\"\"}".to_owned(),
        };

        store.save_keys(&[row("old", 1, None), row("running", 10, None), row("k", 20, None)]).await.unwrap();
        store.save_keys(&[row("k", 20, Some(answer.clone()))]).await.unwrap();

        let kept = store.keys_since(Millis(5), 10).await.unwrap();
        assert_eq!(kept, [row("running", 10, None), row("k", 20, Some(answer))]);
        assert_eq!(
            store.keys_since(Millis(5), 1).await.unwrap()[0].key,
            "k",
            "the newest when there is no room for all"
        );
        assert_eq!(store.forget_keys_until(Millis(10)).await.unwrap(), 2);
        store.forget_keys(&[(Uuid::from_u128(7), "k".to_owned())]).await.unwrap();
        assert!(store.keys_since(Millis(0), 10).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn many_keys_are_written_and_swept_in_parts() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("db")).await.unwrap();
        let keys: Vec<_> = (0..1_000).map(|n| row(&format!("k{n}"), n + 1, None)).collect();

        store.save_keys(&keys).await.unwrap();

        assert_eq!(store.keys_since(Millis(0), 5_000).await.unwrap().len(), 1_000);
        assert_eq!(store.forget_keys_until(Millis(900)).await.unwrap(), 900);
        assert_eq!(store.keys_since(Millis(0), 5_000).await.unwrap().len(), 100);
    }
}
