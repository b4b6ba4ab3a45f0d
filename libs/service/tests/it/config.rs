//! Where settings come from, and which are refused.

use std::io::Write;
use std::time::Duration;

use callboard_service::config::{Config, ConfigError, Sources};
use secrecy::ExposeSecret;

fn sources(environment: &[(&str, &str)]) -> Sources {
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { service: "test", defaults: crate::support::DEFAULTS, environment, ..Sources::default() }
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn problems(sources: &Sources) -> String {
    Config::load(sources).unwrap_err().to_string()
}

#[test]
fn the_defaults_are_valid_and_documented() {
    let config = Config::load(&sources(&[])).unwrap();
    assert_eq!(config.grpc.max_message_bytes, 4_194_304);
    assert_eq!(config.shutdown.propagation_delay, Duration::from_secs(5));
    // Every section is explained.
    let defaults = callboard_service::config::DEFAULTS;
    assert!(defaults.matches("\n#").count() > 30);
}

#[test]
fn an_unknown_key_is_an_error_wherever_it_comes_from() {
    let from_environment =
        sources(&[("CALLBOARD__GRPC__LISSEN", "x"), ("CALLBOARD__TEST__WHAT", "1"), ("OTHER__X", "1")]);
    let said = problems(&from_environment);
    assert!(said.contains("grpc.lissen is not a known key") && said.contains("test.what"), "{said}");
    let text = file("[grpc]\nreflexion = true\n[else]\nx = 1\n");
    let said = problems(&Sources { file: Some(text.path().into()), ..sources(&[]) });
    assert!(said.contains("grpc.reflexion") && said.contains("else"), "{said}");
    let issuers = r#"[{"issuer": "i", "audience": "a", "jwks_url": "http://x", "audiense": "a"}]"#;
    assert!(problems(&sources(&[("CALLBOARD__AUTH__ISSUERS", issuers)])).contains("unknown field"));
}

#[test]
fn later_sources_win_and_take_the_type_of_the_default() {
    let text =
        file("[grpc]\nmax_message_bytes = 5000\nreflection = false\n[database]\nmax_connections = 3\n");
    let environment =
        [("CALLBOARD__GRPC__MAX_MESSAGE_BYTES", "6000"), ("CALLBOARD__TELEMETRY__LOG_FORMAT", "text")];
    let config = Config::load(&Sources { file: Some(text.path().into()), ..sources(&environment) }).unwrap();
    assert_eq!((config.grpc.max_message_bytes, config.grpc.reflection), (6000, false));
    assert_eq!(config.database.max_connections, 3);
    let said = problems(&sources(&[
        ("CALLBOARD__GRPC__MAX_MESSAGE_BYTES", "many"),
        ("CALLBOARD__GRPC__REFLECTION", "2"),
    ]));
    assert!(
        said.contains("grpc.max_message_bytes must be a number") && said.contains("true or false"),
        "{said}"
    );
}

#[test]
fn a_secret_may_lie_in_a_file() {
    let secret = file("postgres://me:hunter2@db/callboard\n");
    let path = secret.path().display().to_string();
    let config = Config::load(&sources(&[("CALLBOARD__DATABASE__URL_FILE", &path)])).unwrap();
    assert_eq!(config.database.url.expose_secret(), "postgres://me:hunter2@db/callboard");
    // A key whose own name ends so is itself.
    let config = Config::load(&sources(&[("CALLBOARD__NATS__CREDENTIALS_FILE", &path)])).unwrap();
    assert_eq!(config.nats.credentials_file, path);
    let said = problems(&sources(&[("CALLBOARD__DATABASE__URL_FILE", "/does/not/exist")]));
    assert!(said.contains("cannot be read"), "{said}");
    let twice = [("CALLBOARD__DATABASE__URL_FILE", path.as_str()), ("CALLBOARD__DATABASE__URL", "x")];
    assert!(problems(&sources(&twice)).contains("set twice"));
}

#[test]
fn the_effective_configuration_shows_no_secret() {
    let environment = [
        ("CALLBOARD__DATABASE__URL", "postgres://me:hunter2@db/callboard"),
        ("CALLBOARD__NATS__URL", "nats://hunter2@one:4222,nats://me:hunter2@two:4222"),
    ];
    let config = Config::load(&sources(&environment)).unwrap();
    let shown = config.render();
    assert!(!shown.contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{shown}");
    assert!(shown.contains(r#"database.url = "postgres://me:***@db/callboard""#), "{shown}");
    assert!(shown.contains("grpc.max_message_bytes = 4194304\n"), "{shown}");
    for url in ["postgres://db/callboard?user=me&password=hunter2", "postgres://me:hun,hunter2@db/callboard"]
    {
        let shown = Config::load(&sources(&[("CALLBOARD__DATABASE__URL", url)])).unwrap().render();
        assert!(!shown.contains("hun"), "{shown}");
    }
}

#[test]
fn limits_are_checked() {
    let said = problems(&sources(&[
        ("CALLBOARD__DATABASE__MAX_CONNECTIONS", "17"),
        ("CALLBOARD__SHUTDOWN__HARD_LIMIT", "10s"),
        ("CALLBOARD__AUTH__ISSUERS", r#"[{"issuer": "i", "audience": "a"}]"#),
    ]));
    for part in ["1 to 16", "hard_limit", "jwks_url or jwks"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let ConfigError(list) =
        Config::load(&sources(&[("CALLBOARD__GRPC__DEFAULT_DEADLINE", "soon")])).unwrap_err();
    assert!(list[0].contains("duration"), "{list:?}");
}

#[test]
fn a_value_of_the_wrong_form_is_named_by_its_key_and_the_rule() {
    let said = problems(&sources(&[("CALLBOARD__GRPC__DEFAULT_DEADLINE", "soon")]));
    assert!(said.contains("grpc.default_deadline") && said.contains("write a whole number"), "{said}");
}

#[test]
fn a_service_without_settings_of_its_own_takes_none() {
    let load = |environment: &[(&str, &str)]| {
        let sources = Sources { service: "bare", defaults: "", ..sources(environment) };
        callboard_service::config::no_section(&Config::load(&sources).unwrap())
    };
    assert_eq!(load(&[]), Ok(()));
    let said = load(&[("CALLBOARD__BARE__WHAT", "1")]).unwrap_err().to_string();
    assert!(said.contains("bare") && said.contains("unknown field"), "{said}");
}
