//! Reads single variables and says what is wrong with them.

use std::{collections::HashMap, fmt::Display, str::FromStr, time::Duration};

use secrecy::SecretString;

/// Tells which variable does not hold what it may; one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {held}; it must be {allowed}")]
pub struct ConfigError {
    name: &'static str,
    held: String,
    allowed: String,
}

/// The environment, or a map in its place.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    values: HashMap<String, String>,
}

impl Variables {
    /// Reads the environment of this process; what is not UTF-8 counts as not set.
    #[must_use]
    pub fn of_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { values: std::env::vars_os().filter_map(utf8).collect() }
    }

    /// Makes an environment of pairs.
    #[must_use]
    pub fn of(pairs: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self { values: pairs.iter().map(owned).collect() }
    }

    /// Gives a variable's text; an empty one counts as not set.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    pub(super) fn secret(
        &self,
        name: &'static str,
        least: usize,
    ) -> Result<Option<SecretString>, ConfigError> {
        match self.text(name) {
            Some(secret) if secret.len() < least => {
                let held = format!("{} characters long", secret.len());
                Err(ConfigError { name, held, allowed: format!("at least {least} characters long") })
            }
            secret => Ok(secret.map(SecretString::from)),
        }
    }

    /// Parses a variable, or takes the default.
    pub(super) fn parse<T: FromStr>(
        &self,
        name: &'static str,
        default: T,
        allowed: &str,
    ) -> Result<T, ConfigError> {
        match self.text(name) {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| wrong(name, text, allowed)),
        }
    }

    /// Parses a whole number between two bounds, or takes the default.
    pub(super) fn number<T>(
        &self,
        name: &'static str,
        default: T,
        least: T,
        most: T,
    ) -> Result<T, ConfigError>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        let allowed = format!("a whole number from {least} to {most}");
        let number = self.parse(name, default, &allowed)?;
        if number < least || number > most {
            return Err(wrong(name, &number.to_string(), &allowed));
        }
        Ok(number)
    }

    pub(super) fn milliseconds(
        &self,
        name: &'static str,
        default: u64,
        bounds: (u64, u64),
    ) -> Result<Duration, ConfigError> {
        self.number(name, default, bounds.0, bounds.1).map(Duration::from_millis)
    }

    pub(super) fn seconds(
        &self,
        name: &'static str,
        default: u64,
        bounds: (u64, u64),
    ) -> Result<Duration, ConfigError> {
        self.number(name, default, bounds.0, bounds.1).map(Duration::from_secs)
    }

    pub(super) fn flag(&self, name: &'static str, default: bool) -> Result<bool, ConfigError> {
        match self.text(name) {
            None => Ok(default),
            Some("true" | "1" | "on") => Ok(true),
            Some("false" | "0" | "off") => Ok(false),
            Some(other) => Err(wrong(name, other, "true or false")),
        }
    }
}

/// Says what is wrong with a variable whose value may be shown.
pub(super) fn wrong(name: &'static str, held: &str, allowed: &str) -> ConfigError {
    let short: String = held.chars().take(80).collect();
    ConfigError { name, held: format!("{short:?}"), allowed: allowed.to_owned() }
}

/// Says that a variable has to be set.
pub(super) fn missing(name: &'static str, allowed: &str) -> ConfigError {
    ConfigError { name, held: "not set".into(), allowed: allowed.to_owned() }
}
