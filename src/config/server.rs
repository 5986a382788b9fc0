//! Where the server listens and how it logs.

use std::{net::IpAddr, path::PathBuf};

use tracing_subscriber::EnvFilter;

use super::{
    access::Environment,
    variables::{ConfigError, Variables, wrong},
};
use crate::telemetry::LogFormat;

/// Where the server listens and how it logs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerConfig {
    /// `HOST`: the address to listen on. Default 127.0.0.1.
    pub host: IpAddr,
    /// `PORT`: the port to listen on; 0 takes a free one. Default 8080.
    pub port: u16,
    /// `APP_ENV`, or what `HOST`, `VERCEL` and `RAILWAY_ENVIRONMENT` mean without it.
    pub environment: Environment,
    /// `RUST_LOG`: which lines are logged. Default `info`.
    pub log_filter: String,
    /// `LOG_FORMAT`: `text` or `json`. Default `text`.
    pub log_format: LogFormat,
    /// The program that reads a PDF's text layer when called as `<program> read-text-layer`.
    /// Not from the environment: the binary names itself, a service that mounts the router takes
    /// `tidings` from its path when this is none.
    pub text_layer_program: Option<PathBuf>,
}

impl ServerConfig {
    pub(super) fn read(variables: &Variables) -> Result<Self, ConfigError> {
        let host =
            variables.parse("HOST", IpAddr::from([127, 0, 0, 1]), "an IP address, for example 127.0.0.1")?;
        Ok(Self {
            host,
            port: variables.number("PORT", 8080, 0, u16::MAX)?,
            environment: Environment::read(variables, host.is_loopback())?,
            log_filter: log_filter(variables)?,
            log_format: log_format(variables)?,
            text_layer_program: None,
        })
    }

    /// Gives the address to listen on.
    #[must_use]
    pub fn address(&self) -> String {
        std::net::SocketAddr::from((self.host, self.port)).to_string()
    }
}

fn log_filter(variables: &Variables) -> Result<String, ConfigError> {
    let filter = variables.text("RUST_LOG").unwrap_or("info");
    match EnvFilter::try_new(filter) {
        Ok(_) => Ok(filter.to_owned()),
        Err(_) => Err(wrong("RUST_LOG", filter, "a level or a list, for example info,tidings=debug")),
    }
}

fn log_format(variables: &Variables) -> Result<LogFormat, ConfigError> {
    match variables.text("LOG_FORMAT") {
        None | Some("text") => Ok(LogFormat::Text),
        Some("json") => Ok(LogFormat::Json),
        Some(other) => Err(wrong("LOG_FORMAT", other, "text or json")),
    }
}
