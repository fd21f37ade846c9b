//! Many rows in one statement, value by value: nothing is printed as JSON and read again.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AssertSqlSafe, Sqlite};

/// Most rows of one statement.
pub(super) const MOST: usize = 512;

/// Texts by the head of the statement and the room for rows. There are as many as heads times eleven.
type Texts = Vec<(&'static str, usize, Arc<str>)>;

static TEXTS: LazyLock<Mutex<Texts>> = LazyLock::new(Mutex::default);

/// An `INSERT` of so many rows, whose values are to be bound one after the other; the first of a row is never null.
///
/// The statement has room for the next power of two of rows, so that few texts are prepared and kept; what is not bound
/// is null, and a row that begins with null is left out.
pub(super) fn insert(head: &'static str, columns: usize, rows: usize) -> Query<'static, Sqlite, SqliteArguments> {
    let room = rows.next_power_of_two();
    sqlx::query(AssertSqlSafe(text(head, columns, room)))
}

fn text(head: &'static str, columns: usize, room: usize) -> Arc<str> {
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((.., text)) = texts.iter().find(|(known, size, _)| *known == head && *size == room) {
        return text.clone();
    }
    let row = format!("({})", vec!["?"; columns].join(","));
    let rows = vec![row; room].join(",");
    let text: Arc<str> = format!("{head} SELECT * FROM (VALUES {rows}) WHERE column1 IS NOT NULL").into();
    texts.push((head, room, text.clone()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_the_next_power_of_two() {
        let one = text("INSERT INTO t (a, b)", 2, 1);
        assert_eq!(&*one, "INSERT INTO t (a, b) SELECT * FROM (VALUES (?,?)) WHERE column1 IS NOT NULL");
        assert!(Arc::ptr_eq(&one, &text("INSERT INTO t (a, b)", 2, 1)));
        assert_eq!(text("INSERT INTO t (a, b)", 2, 512).matches("(?,?)").count(), 512);
    }
}
