//! The server side of the feed: the last changes, for pulls and pushes.
