//! What the process's environment says. The only place of this crate that reads it.

use std::path::PathBuf;

/// What the environment says; empty variables count as unset.
#[derive(Clone, Default)]
pub struct Environment {
    /// `AEGIS_URL`.
    pub url: Option<String>,
    /// `AEGIS_API_KEY`.
    pub api_key: Option<String>,
    /// `AEGIS_CONFIG`.
    pub config_file: Option<PathBuf>,
    /// Where the profile lies: below `XDG_CONFIG_HOME`, or below `HOME`.
    pub profile: Option<PathBuf>,
    /// Whether `NO_COLOR` is set.
    pub no_color: bool,
}

impl Environment {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self::read(|name| {
            #[expect(
                clippy::disallowed_methods,
                reason = "the one place of the command line that reads the environment"
            )]
            std::env::var(name).ok()
        })
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let config_home = set("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let config_home = config_home.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config")));
        Self {
            url: set("AEGIS_URL"),
            api_key: set("AEGIS_API_KEY"),
            config_file: set("AEGIS_CONFIG").map(PathBuf::from),
            profile: config_home.map(|home| home.join("aegis").join("profile.toml")),
            no_color: set("NO_COLOR").is_some() || variable("TERM").as_deref() == Some("dumb"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], profile: Option<&str>) {
        let environment = Environment::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        });
        assert_eq!(environment.profile, profile.map(PathBuf::from), "{variables:?}");
    }

    #[test]
    fn the_profile_lies_where_configuration_belongs() {
        check(&[("HOME", "/home/a")], Some("/home/a/.config/aegis/profile.toml"));
        check(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/x")], Some("/x/aegis/profile.toml"));
        check(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "")], Some("/home/a/.config/aegis/profile.toml"));
        check(&[("HOME", "/home/a"), ("XDG_CONFIG_HOME", "relative")], Some("/home/a/.config/aegis/profile.toml"));
        check(&[], None);
    }
}
