//! Logs: readable lines in a terminal, one JSON object a line anywhere else.
//!
//! `LOG_FORMAT=json|pretty` overrides the guess, `RUST_LOG` the level (`info` by default; `tracing-subscriber`'s
//! directives). Logs are for someone: no guest's name, e-mail, phone, token or body is ever written.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use crate::settings::SettingsError;

/// SQL statements are the database layer's business, not a reader's.
pub const DEFAULT_FILTER: &str = "info,sqlx=warn,sea_orm=warn,sea_orm_migration=warn";

/// Starts logging to standard error for the whole process, at what `RUST_LOG` says, else at `default`.
///
/// # Errors
/// If `LOG_FORMAT` or `RUST_LOG` is not understood, or logging was started before.
pub fn start(default: &str) -> Result<(), SettingsError> {
    let level = std::env::var("RUST_LOG").ok();
    let directives = level.as_deref().unwrap_or(default);
    let filter = EnvFilter::try_new(directives)
        .map_err(|error| SettingsError::environment("RUST_LOG", directives, error.to_string()))?;
    let registry = tracing_subscriber::registry().with(filter);
    let started = match std::env::var("LOG_FORMAT").ok().as_deref() {
        Some("json") => registry.with(json()).try_init(),
        Some("pretty") => registry.with(pretty()).try_init(),
        None | Some("") if std::io::stderr().is_terminal() => registry.with(pretty()).try_init(),
        None | Some("") => registry.with(json()).try_init(),
        Some(other) => {
            return Err(SettingsError::environment(
                "LOG_FORMAT",
                other,
                "json or pretty",
            ));
        }
    };
    started.map_err(|error| SettingsError::environment("RUST_LOG", directives, error.to_string()))
}

fn json<S>() -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_writer(std::io::stderr)
}

fn pretty<S>() -> impl tracing_subscriber::Layer<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    fmt::layer()
        .compact()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
}
