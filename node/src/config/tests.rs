use std::io::Write;

use super::*;

fn gather(file: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Settings, ConfigError> {
    let mut on_disk = tempfile::NamedTempFile::new().expect("a temporary file");
    on_disk.write_all(file.as_bytes()).expect("written");
    let environment = environment.iter().map(|(k, v)| (k.to_string(), v.to_string()));
    let flags: Vec<_> = flags.iter().map(|(k, v)| (*k, v.to_string())).collect();
    Settings::gather(Some(on_disk.path()), environment, &flags, &crate::cli::variables())
}

#[test]
fn later_sources_win_and_are_remembered() {
    let file =
        "[client]\nlisten = \"127.0.0.1:1\"\n[http]\nlisten = \"127.0.0.1:2\"\n[cluster]\nlisten = \"127.0.0.1:3\"\n";
    let environment =
        [("TROUPE_HTTP_LISTEN", "127.0.0.1:12"), ("TROUPE_CLUSTER_LISTEN", "127.0.0.1:13"), ("HOME", "/")];
    let settings = gather(file, &environment, &[("cluster.listen", "127.0.0.1:23")]).expect("good");
    assert_eq!(settings.get("client.listen").0, "127.0.0.1:1");
    assert_eq!(settings.get("http.listen").0, "127.0.0.1:12");
    assert_eq!(settings.get("cluster.listen"), ("127.0.0.1:23", &Source::Flag("cluster-listen".into())));
    assert_eq!(settings.get("data.dir"), ("./troupe-data", &Source::Default));
}

#[test]
fn unknown_names_come_with_the_nearest_known_one() {
    let error = gather("[client]\nlistn = \"x\"\n", &[], &[]).expect_err("refused");
    assert!(error.0.contains("did you mean \"client.listen\"?"), "{error}");
    let settings = gather("", &[("TROUPE_CLUSTER_JION", "x"), ("TROUPE_PORT", "tcp://10.0.0.1:7700")], &[]);
    let warnings = settings.expect("a variable may be somebody else's").warnings().to_vec();
    assert!(warnings.len() == 1 && warnings[0].contains("did you mean TROUPE_CLUSTER_JOIN?"), "{warnings:?}");
}

#[test]
fn every_single_edit_of_a_key_suggests_that_key() {
    for key in KEYS {
        for at in 0..key.name.len() {
            let mut missing = key.name.to_owned();
            missing.remove(at);
            if find(&missing).is_some() {
                continue;
            }
            let error = unknown("key", &missing, "a test");
            assert!(error.0.contains(&format!("\"{}\"?", key.name)), "{missing}: {error}");
        }
    }
}

#[test]
fn bad_values_name_the_key_and_where_it_came_from() {
    for (name, value, wants) in [
        ("cluster.shards", "0", "a number from 1 to 256"),
        ("cluster.shards", "many", "a number from 1 to 256"),
        ("client.listen", "7700", "host:port"),
        ("cluster.login_policy", "maybe", "replace or refuse"),
        ("contacts.strangers", "maybe", "invite or add"),
        ("cluster.insecure", "perhaps", "true or false"),
        ("cluster.join", "a:1,b", "not host:port"),
        ("log.filter", "info,troupe=loud", "parsing level filter"),
        ("log.format", "xml", "auto, human or json"),
        ("http.listen", "127.0.0.1:7700", "client.listen listens there already"),
        ("cluster.listen", "0.0.0.0:7780", "http.listen listens there already"),
        ("client.tls_cert", "/nowhere/cert.pem", "client.tls_key"),
        ("http.origins", "chat.example", "scheme://host"),
        ("http.control", "10.0.0.1:7870", "loopback"),
        ("http.control", "127.0.0.1:7870; script-src *", "loopback"),
        ("client.insecure", "perhaps", "true or false"),
        ("client.advertise", "tcp://10.0.0.1:7700", "client.insecure"),
        ("client.advertise", "http://10.0.0.1:7700", "tls://host:port"),
    ] {
        let settings = gather("", &[], &[(name, value)]).expect("gathered");
        let error = Config::from_settings(&settings).expect_err("refused");
        assert!(error.0.contains(name) && error.0.contains(wants) && error.0.contains("flag --"), "{error}");
    }
}

#[test]
fn the_debug_view_stays_on_loopback() {
    let settings = gather("", &[], &[("debug.replica", "true"), ("http.listen", "0.0.0.0:7780")]).expect("gathered");
    assert!(Config::from_settings(&settings).is_err());
}

#[test]
fn explain_does_not_show_the_token() {
    let settings = gather("", &[], &[("cluster.token", "troupe1.hidden.00")]).expect("gathered");
    let text = explain(&settings, None).expect("explained");
    assert!(text.contains("(secret)") && !text.contains("hidden"));
    assert!(explain(&settings, Some("cluster.tokn")).expect_err("refused").0.contains("cluster.token"));
}

#[test]
fn the_default_limits_are_those_of_the_program() {
    let settings = gather("", &[], &[]).expect("gathered");
    assert_eq!(Config::from_settings(&settings).expect("good").limits, Limits::default());
    let settings = gather("", &[("TROUPE_LIMITS_CONNECTIONS", "0")], &[]).expect("gathered");
    let error = Config::from_settings(&settings).expect_err("refused");
    assert!(error.0.contains("limits.connections") && error.0.contains("a number from 1"), "{error}");
}

#[test]
fn a_token_is_judged_and_never_shown() {
    let settings = gather("", &[], &[("cluster.token", "troupe1.secret")]).expect("gathered");
    let error = Config::from_settings(&settings).expect_err("refused").0;
    assert!(error.contains("cluster.token (flag --cluster-token)") && !error.contains("secret"), "{error}");
    let good = crate::token::generate();
    let settings = gather("", &[], &[("cluster.token", &good)]).expect("gathered");
    assert_eq!(Config::from_settings(&settings).expect("good").cluster.token, Some(good));
}

#[test]
fn plain_text_off_loopback_must_be_wanted() {
    let abroad = ("client.listen", "10.0.0.1:7700");
    let config = |flags: &[(&'static str, &str)]| Config::from_settings(&gather("", &[], flags).expect("gathered"));
    assert_eq!(config(&[abroad]).expect("TLS").cluster.client_address, "10.0.0.1:7700");
    let error = config(&[abroad, ("cluster.insecure", "true")]).expect_err("no authority").0;
    assert!(error.contains("plain text") && error.contains("client.tls_cert"), "{error}");
    let wanted = config(&[abroad, ("cluster.insecure", "true"), ("client.insecure", "true")]).expect("wanted");
    assert_eq!(wanted.cluster.client_address, "tcp://10.0.0.1:7700");
}

#[test]
fn listeners_on_different_addresses_may_share_a_port() {
    let settings = gather("", &[], &[("http.listen", "127.0.0.2:7700"), ("cluster.listen", "10.0.0.1:7700")]);
    Config::from_settings(&settings.expect("gathered")).expect("good");
    let settings = gather("", &[], &[("http.listen", "localhost:7700")]).expect("gathered");
    assert!(Config::from_settings(&settings).is_err());
}

#[test]
fn cim_is_served_where_the_operator_says_and_each_key_counts() {
    let cim = |pairs: &[(&'static str, &str)]| {
        let settings = gather("", &[], pairs).expect("gathered");
        Config::from_settings(&settings).map(|config| config.cim)
    };
    let on = ("compat.cim.enabled", "true");
    assert_eq!(cim(&[]).expect("a configuration"), None);
    let usual = cim(&[on]).expect("a configuration");
    for (name, value) in [
        ("compat.cim.http", "127.0.0.1:18083"),
        ("compat.cim.listen", "127.0.0.1:21211"),
        ("compat.cim.allow", "10.1.0.0/16"),
        ("compat.cim.advertise", "10.1.2.3"),
    ] {
        let other = cim(&[on, (name, value)]).expect(name);
        assert!(other.is_some() && other != usual, "{name} does nothing");
    }
    let section = gather("[compat.cim]\nenabled = true\nhttp = \"127.0.0.1:18083\"\n", &[], &[]).expect("gathered");
    assert_ne!(Config::from_settings(&section).expect("a configuration").cim, usual);
    for (name, value, wants) in [
        ("compat.cim.http", "0.0.0.0:8083", "compat.cim.allow"),
        ("compat.cim.listen", "10.0.0.1:11211", "compat.cim.allow"),
        ("compat.cim.allow", "0.0.0.0/0", "whole internet"),
        ("compat.cim.allow", "office", "is no network"),
        ("compat.cim.http", "127.0.0.1:7780", "http.listen listens there already"),
        ("compat.cim.listen", "11211", "host:port"),
    ] {
        let error = cim(&[on, (name, value)]).expect_err(name);
        assert!(error.0.contains(name) && error.0.contains(wants), "{error}");
    }
}
