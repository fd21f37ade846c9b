//! Logs and metrics: the subscriber, and every metric with its help text in one place.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::sync::atomic::{AtomicU64, Ordering};

use tracing_subscriber::EnvFilter;

use crate::app::Counts;
use crate::config::LogFormat;

/// Starts the logs. `CORDBOARD_LOG` sets the level, in the syntax `info,cordboard_server=debug`.
pub fn start_logs(format: LogFormat) {
    let filter = EnvFilter::try_from_env("CORDBOARD_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second start within one process (a test) keeps the first subscriber.
    let _ = match format {
        LogFormat::Human => builder.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident = $name:literal, $help:literal;)+) => {
        /// What the shells count. Labels would be route patterns and enums, never ids.
        #[derive(Debug, Default)]
        pub struct Metrics {
            $($(#[$doc])* pub $field: Counter,)+
        }

        impl Metrics {
            fn write_counters(&self, out: &mut String) {
                $(write_metric(out, $name, "counter", $help, self.$field.get());)+
            }
        }
    };
}

counters! {
    /// Requests answered.
    http_requests = "cordboard_http_requests_total", "HTTP requests answered.";
    /// Answers with a status of 500 and above.
    http_failures = "cordboard_http_failures_total", "HTTP requests answered with a status of 500 or above.";
    /// Requests refused by a rate limit.
    http_limited = "cordboard_http_limited_total", "HTTP requests refused by a rate limit.";
    /// Passwords that were right.
    sign_ins = "cordboard_sign_ins_total", "Sign-ins with a right password.";
    /// Passwords that were wrong.
    sign_in_failures = "cordboard_sign_in_failures_total", "Sign-ins with a wrong email or password.";
    /// Toggles that were stored.
    presence_writes = "cordboard_presence_writes_total", "Presence writes that were stored.";
    /// Live sockets opened.
    sockets_opened = "cordboard_sockets_opened_total", "Live sockets that said hello.";
    /// Live sockets closed because of what the client did or did not do.
    sockets_refused = "cordboard_sockets_refused_total", "Live sockets closed for a malformed, oversized or missing frame.";
}

/// A number that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metrics {
    /// Everything in the Prometheus text format 0.0.4, with the account's counts as they are now.
    pub fn render(&self, counts: Counts) -> String {
        let mut out = String::with_capacity(2_048);
        let gauge = |out: &mut String, name, help, value: usize| {
            write_metric(out, name, "gauge", help, value as u64);
        };
        gauge(&mut out, "cordboard_calls_active", "Calls that have not ended.", counts.calls);
        gauge(&mut out, "cordboard_legs_active", "Legs of calls that have not ended.", counts.legs);
        gauge(
            &mut out,
            "cordboard_stuck_agents",
            "Agents held by no live leg, offer or timer and yet not idle; always 0.",
            counts.stuck_agents,
        );
        gauge(&mut out, "cordboard_sockets_active", "Live sockets.", counts.sockets);
        gauge(&mut out, "cordboard_sip_transactions", "SIP transactions of both kinds.", counts.sip_transactions);
        gauge(&mut out, "cordboard_sip_dialogs", "SIP dialogs that are up or on their way.", counts.sip_dialogs);
        gauge(&mut out, "cordboard_sip_timers", "Armed timers of SIP.", counts.sip_timers);
        write_metric(&mut out, "cordboard_media_legs", "gauge", "Legs of the media thread.", counts.media_legs);
        write_metric(&mut out, "cordboard_calls_total", "counter", "Calls since the start.", counts.calls_total);
        write_metric(
            &mut out,
            "cordboard_offers_total",
            "counter",
            "Offers to agents since the start.",
            counts.offers_total,
        );
        write_metric(
            &mut out,
            "cordboard_call_panics_total",
            "counter",
            "Calls ended by a fault of the server.",
            counts.call_panics,
        );
        write_metric(
            &mut out,
            "cordboard_outgoing_caps_reached_total",
            "counter",
            "Outgoing calls held back by a cap of the account.",
            counts.caps_reached,
        );
        self.write_counters(&mut out);
        out
    }
}

fn write_metric(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_print_in_the_prometheus_text_format() {
        let metrics = Metrics::default();
        metrics.http_requests.increment();
        let text = metrics.render(Counts { calls: 3, ..Counts::default() });

        assert!(text.contains("# TYPE cordboard_calls_active gauge\ncordboard_calls_active 3\n"));
        assert!(text.contains("cordboard_http_requests_total 1\n"));
        assert!(text.contains("cordboard_stuck_agents 0\n"));
        for line in text.lines() {
            assert!(line.starts_with('#') || line.split(' ').count() == 2, "{line}");
        }
    }
}
