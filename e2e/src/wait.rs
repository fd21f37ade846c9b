//! Waiting for a condition, with a limit: the only way a journey lets time pass.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// How long to pause between two looks.
const PAUSE: Duration = Duration::from_millis(40);

/// Looks until `look` gives a value, at most for `limit`; the error says what was waited for and what was seen last.
///
/// `look` answers `Ok(value)` when the condition holds and `Err(why)` when it does not yet.
pub async fn until<T, E: Display>(
    what: &str,
    limit: Duration,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T> {
    let begun = Instant::now();
    loop {
        match look().await {
            Ok(value) => return Ok(value),
            Err(why) if begun.elapsed() >= limit => {
                bail!("waited {:.1} s for {what}: {why:#}", begun.elapsed().as_secs_f64())
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Fails as soon as `look` no longer gives `Ok`, and passes when it did for the whole of `span`.
pub async fn throughout<E: Display>(
    what: &str,
    span: Duration,
    mut look: impl AsyncFnMut() -> Result<(), E>,
) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < span {
        if let Err(why) = look().await {
            bail!("after {:.1} s it was no longer so that {what}: {why:#}", begun.elapsed().as_secs_f64());
        }
        sleep(PAUSE).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_tells_what_was_seen_last() {
        let mut looks = 0;

        let error = until::<(), _>("the impossible", Duration::from_millis(300), async || {
            looks += 1;
            Err(format!("look {looks}"))
        })
        .await
        .unwrap_err();

        assert!(error.to_string().contains("the impossible"));
        assert!(error.to_string().contains(&format!("look {looks}")));
        assert!(looks > 2);
    }

    #[tokio::test]
    async fn a_condition_is_taken_when_it_comes() {
        let mut looks = 0;

        let value = until("three looks", Duration::from_secs(9), async || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("not yet") }
        })
        .await
        .unwrap();

        assert_eq!(value, 3);
    }

    #[tokio::test]
    async fn what_breaks_in_between_is_noticed() {
        let mut looks = 0;

        let outcome = throughout("all is quiet", Duration::from_millis(300), async || {
            looks += 1;
            if looks < 4 { Ok(()) } else { Err("a noise") }
        })
        .await;

        assert!(outcome.unwrap_err().to_string().contains("a noise"));
    }
}
