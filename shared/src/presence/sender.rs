//! When the server sends which part of the feed.
