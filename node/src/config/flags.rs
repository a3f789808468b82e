//! The configuration's keys as flags of the command line.

use super::KEYS;

/// One flag per configuration key; `troupe config explain` lists them with defaults.
#[derive(Clone, Debug, Default)]
pub struct Keys(pub Vec<(&'static str, String)>);

/// Short flags of keys that users type often.
const SHORT: &[(&str, &str)] =
    &[("join", "cluster.join"), ("token-file", "cluster.token_file"), ("compat-cim", "compat.cim.enabled")];

impl clap::FromArgMatches for Keys {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let mut keys = Keys::default();
        keys.update_from_arg_matches(matches)?;
        Ok(keys)
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        for key in KEYS {
            if let Some(value) = matches.get_one::<String>(key.name) {
                self.0.push((key.name, value.clone()));
            }
        }
        Ok(())
    }
}

/// Keys whose flag needs no value: `--cluster-insecure` means true.
pub(super) const BOOLEANS: &[&str] =
    &["client.insecure", "cluster.insecure", "compat.cim.enabled", "debug.replica", "hooks.private", "push.preview"];

impl clap::Args for Keys {
    fn augment_args(mut command: clap::Command) -> clap::Command {
        for key in KEYS {
            let mut arg = clap::Arg::new(key.name)
                .long(key.flag())
                .value_name("VALUE")
                .help(key.about)
                .help_heading("Configuration (see `troupe config explain`)");
            if BOOLEANS.contains(&key.name) {
                arg = arg.num_args(0..=1).default_missing_value("true");
            }
            for (short, _) in SHORT.iter().filter(|(_, name)| *name == key.name) {
                arg = arg.visible_alias(*short);
            }
            if key.name == "cluster.insecure" {
                arg = arg.visible_alias("insecure");
            }
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}
