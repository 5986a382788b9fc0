//! Who answers what patients ask in chats.

use super::{
    access::Environment,
    variables::{ConfigError, Variables, wrong},
};

/// `RESPONDER`: who answers what patients ask in chats. Default: `local` in development, else `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResponderConfig {
    /// This program, by what was found in the documents of the case.
    Local,
    /// Nobody here.
    Off,
}

impl ResponderConfig {
    pub(super) fn read(variables: &Variables, environment: Environment) -> Result<Self, ConfigError> {
        // Tables of somebody else hold no findings, and no messages are kept beside them.
        let has_own_tables = variables.text("STATUS_SQL").is_none();
        match variables.text("RESPONDER") {
            Some("off") => Ok(Self::Off),
            Some("local") if has_own_tables => Ok(Self::Local),
            Some("local") => {
                Err(wrong("RESPONDER", "local", "off where STATUS_SQL is set, as there are no findings"))
            }
            None if has_own_tables && environment == Environment::Development => Ok(Self::Local),
            None => Ok(Self::Off),
            Some(other) => Err(wrong("RESPONDER", other, "local or off")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)], environment: Environment) -> Result<ResponderConfig, String> {
        ResponderConfig::read(&Variables::of(pairs), environment).map_err(|error| error.to_string())
    }

    #[test]
    fn it_answers_on_a_laptop_and_in_production_only_if_asked_for() {
        use Environment::{Development, Production};

        assert_eq!(read(&[], Development), Ok(ResponderConfig::Local));
        assert_eq!(read(&[], Production), Ok(ResponderConfig::Off));
        assert_eq!(read(&[("RESPONDER", "local")], Production), Ok(ResponderConfig::Local));
        assert_eq!(read(&[("RESPONDER", "off")], Development), Ok(ResponderConfig::Off));
    }

    #[test]
    fn over_tables_of_somebody_else_there_is_nothing_to_answer_from() {
        let theirs = ("STATUS_SQL", "SELECT 1");

        assert_eq!(read(&[theirs], Environment::Development), Ok(ResponderConfig::Off));
        let error = read(&[theirs, ("RESPONDER", "local")], Environment::Development).unwrap_err();
        assert!(error.contains("RESPONDER") && error.contains("STATUS_SQL"), "{error}");
    }
}
