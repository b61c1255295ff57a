use std::{fs, path::PathBuf, process::Command};

use secrecy::ExposeSecret as _;
use service_kit::{
    config::{ConfigError, Source},
    settings,
};
use tempfile::NamedTempFile;

use crate::child;

fn source(environment: &[(&str, &str)], file: Option<&str>) -> Source {
    read(environment, file).unwrap()
}

fn read(environment: &[(&str, &str)], file: Option<&str>) -> Result<Source, ConfigError> {
    let environment =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Source::new(environment, file.map(|text| (PathBuf::from("sample.toml"), text.to_owned())))
}

fn problems(source: &Source) -> Vec<String> {
    source.finish().unwrap_err().0
}

fn file_with(content: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), content).unwrap();
    file
}

#[test]
fn the_environment_stands_above_the_file_and_the_file_above_the_default() {
    let file = "answer_within = \"2s\"\nlanguage = \"en\"\n[glpi]\nurl = \"https://glpi\"";
    let source = source(&[("AUTOMATGLPI_LANGUAGE", "de")], Some(file));
    assert_eq!(source.text(&settings::AUTOMATGLPI_LANGUAGE).unwrap(), "de");
    assert_eq!(source.duration(&settings::AUTOMATGLPI_ANSWER_WITHIN).as_secs(), 2);
    assert_eq!(source.required_text(&settings::GLPI_URL), "https://glpi");
    assert_eq!(source.duration(&settings::GLPI_REQUEST_TIMEOUT).as_secs(), 10);
    assert_eq!(source.duration(&settings::AUTOMATGLPI_RETENTION).as_secs(), 30 * 24 * 60 * 60);
    assert_eq!(source.finish(), Ok(()));
}

#[test]
fn everything_wrong_is_told_at_once_with_its_place() {
    let environment = [
        ("GLPI_URI", "x"),
        ("AUTOMATGLPI_ANSWER_WITHIN", "soon"),
        ("AUTOMATGLPI_HTTP_LISTEN", "8080"),
    ];
    let source = source(&environment, Some("langage = \"fr\"\n[glpi]\nmax_in_flight = \"many\""));
    source.duration(&settings::AUTOMATGLPI_ANSWER_WITHIN);
    source.addr(&settings::AUTOMATGLPI_HTTP_LISTEN);
    source.parse::<usize>(&settings::GLPI_MAX_IN_FLIGHT, "a number");
    source.required_secret(&settings::GLPI_APP_TOKEN);
    assert_eq!(
        problems(&source),
        [
            "GLPI_URI (environment) is not a setting; did you mean GLPI_URL?",
            "sample.toml, langage is not a setting; did you mean language?",
            "AUTOMATGLPI_ANSWER_WITHIN “soon” (environment) should be a duration such as 4s, 500ms or 30d",
            "AUTOMATGLPI_HTTP_LISTEN “8080” (environment) should be an address and port such as 127.0.0.1:8080",
            "GLPI_MAX_IN_FLIGHT “many” (sample.toml, [glpi] max_in_flight) should be a number",
            "GLPI_APP_TOKEN is missing (in a file: [glpi] app_token)",
        ]
    );
}

#[test]
fn a_name_far_from_all_others_gets_no_advice() {
    let source = source(&[("AUTOMATGLPI_FAVOURITE_COLOUR", "red")], None);
    assert_eq!(problems(&source), ["AUTOMATGLPI_FAVOURITE_COLOUR (environment) is not a setting"]);
}

#[test]
fn names_of_others_and_of_tests_are_left_alone() {
    let environment = [("PATH", "/bin"), ("AUTOMATGLPI_TEST_POSTGRES_URL", "postgres://x")];
    assert_eq!(source(&environment, None).finish(), Ok(()));
}

#[test]
fn an_empty_variable_or_key_is_unset() {
    let empty = [("AUTOMATGLPI_LANGUAGE", ""), ("GLPI_NONSENSE", "")];
    let below = source(&empty, Some("language = \"en\"\n[glpi]\nurl = \"\""));
    assert_eq!(below.text(&settings::AUTOMATGLPI_LANGUAGE).unwrap(), "en");
    assert_eq!(below.text(&settings::GLPI_URL), None);
    assert_eq!(source(&empty, None).text(&settings::AUTOMATGLPI_LANGUAGE).unwrap(), "fr");
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_shown() {
    let file = file_with("s3cret\n");
    let path = file.path().to_str().unwrap();
    let toml = format!("[glpi]\nuser_token_file = {path:?}");
    let source = source(&[("GLPI_APP_TOKEN_FILE", path)], Some(&toml));
    assert_eq!(source.required_secret(&settings::GLPI_APP_TOKEN).expose_secret(), "s3cret");
    assert_eq!(source.required_secret(&settings::GLPI_USER_TOKEN).expose_secret(), "s3cret");
    source.wrong(&settings::GLPI_APP_TOKEN, "something else");
    let told = format!("{:?} {:?} {:?}", source.effective(), source, source.finish());
    assert!(!told.contains("s3cret"), "{told}");
    assert!(told.contains("••••"));
}

#[test]
fn a_secret_set_twice_in_one_place_is_refused() {
    let file = file_with("b");
    let path = file.path().to_str().unwrap();
    let environment = source(&[("GLPI_APP_TOKEN", "a"), ("GLPI_APP_TOKEN_FILE", path)], None);
    assert!(problems(&environment)[0].starts_with("GLPI_APP_TOKEN is set twice: "));

    let toml = format!("[glpi]\napp_token = \"a\"\napp_token_file = {path:?}");
    assert_eq!(
        problems(&source(&[], Some(&toml))),
        [
            "GLPI_APP_TOKEN is set twice: sample.toml, [glpi] app_token and file named by sample.toml, [glpi] app_token_file"
        ]
    );
    assert_eq!(source(&[("GLPI_APP_TOKEN", "c")], Some(&toml)).finish(), Ok(()), "it stands above");
}

#[test]
fn a_secret_file_that_is_missing_or_empty_is_refused_once() {
    let file = file_with("\n");
    let path = file.path().to_str().unwrap();
    let environment =
        [("GLPI_APP_TOKEN_FILE", "/nowhere/token"), ("AUTOMATGLPI_WEBHOOK_TOKEN_FILE", path)];
    let source = source(&environment, None);
    source.required_secret(&settings::GLPI_APP_TOKEN);
    assert!(source.secret(&settings::AUTOMATGLPI_WEBHOOK_TOKEN).is_none(), "never an empty token");
    let problems = problems(&source);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("GLPI_APP_TOKEN_FILE names a file that cannot be read: "));
    assert_eq!(problems[1], "AUTOMATGLPI_WEBHOOK_TOKEN_FILE names a file that is empty");
}

#[test]
fn a_mark_at_the_start_of_a_file_is_not_a_part_of_what_it_says() {
    let (secret, nothing) = (file_with("\u{feff}s3cret\r\n"), file_with("\u{feff}\n"));
    let path = |file: &NamedTempFile| file.path().to_str().unwrap().to_owned();
    let toml = "\u{feff}language = \"en\"";
    let marked = source(&[("GLPI_APP_TOKEN_FILE", &path(&secret))], Some(toml));
    assert_eq!(marked.required_secret(&settings::GLPI_APP_TOKEN).expose_secret(), "s3cret");
    assert_eq!(marked.required_text(&settings::AUTOMATGLPI_LANGUAGE), "en");
    assert_eq!(marked.finish(), Ok(()));

    let empty = source(&[("GLPI_APP_TOKEN_FILE", &path(&nothing))], None);
    assert_eq!(problems(&empty), ["GLPI_APP_TOKEN_FILE names a file that is empty"]);
}

#[test]
fn a_problem_is_told_once_however_often_its_setting_is_read() {
    let source = source(&[("AUTOMATGLPI_CLIENTS", "s3cret")], None);
    for _listener in 0..2 {
        source.wrong_in(&settings::AUTOMATGLPI_CLIENTS, 1, "no name");
    }
    source.wrong_in(&settings::AUTOMATGLPI_CLIENTS, 2, "no name");
    assert_eq!(problems(&source).len(), 2);
}

#[test]
fn an_authority_that_vouches_for_nobody_is_refused() {
    let key = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n";
    let half = "-----BEGIN CERTIFICATE-----\nMC4CAQAwBQYDK2Vw";
    for (content, told) in [
        (key, "holds no certificate"),
        ("", "holds no certificate"),
        ("perhaps\n", "holds no certificate"),
        (half, "is damaged"),
    ] {
        let file = file_with(content);
        let source = source(&[("GLPI_CA_FILE", file.path().to_str().unwrap())], None);
        assert_eq!(source.certificates(&settings::GLPI_CA_FILE), None);
        let problems = problems(&source).join("\n");
        assert!(problems.contains("GLPI_CA_FILE") && problems.contains(told), "{problems}");
        assert!(!problems.contains("MC4CAQ"), "{problems}");
    }
}

#[test]
fn only_secrets_are_read_from_files() {
    let source = source(&[("GLPI_URL_FILE", "/dev/null")], Some("language_file = \"/dev/null\""));
    assert_eq!(problems(&source).len(), 2);
}

#[test]
fn a_table_or_list_is_not_taken_for_a_text() {
    let source = source(&[], Some("fields = [\"nom=caller_name\"]\n[glpi.url]\nhost = \"x\""));
    assert_eq!(
        problems(&source),
        [
            "AUTOMATGLPI_FIELDS (sample.toml, fields) should be a text, number or boolean",
            "GLPI_URL (sample.toml, [glpi] url) should be a text, number or boolean",
        ]
    );
}

#[test]
fn a_file_cannot_name_another_file() {
    let source = source(&[], Some("config = \"other.toml\""));
    assert_eq!(problems(&source), ["sample.toml, config can only be set in the environment"]);
}

#[test]
fn a_broken_file_is_told_by_its_line_without_its_text() {
    let error = read(&[], Some("language = \"fr\"\n[glpi]\napp_token = s3cret")).unwrap_err();
    let [problem] = &error.0[..] else { panic!("{error}") };
    assert!(problem.starts_with("sample.toml, line 3, is not TOML: "), "{problem}");
    assert!(!problem.contains("s3cret"), "{problem}");
}

#[test]
fn what_takes_effect_is_told_with_its_origin() {
    let source = source(&[("AUTOMATGLPI_LANGUAGE", "de")], Some("[glpi]\nmax_in_flight = 4"))
        .with(&settings::AUTOMATGLPI_RETENTION, "7d");
    let effective = source.effective();
    let of = |setting: &settings::Setting| {
        let shown = effective.iter().find(|shown| shown.name == setting.name).unwrap();
        (shown.value.as_str(), shown.origin.as_str())
    };
    assert_eq!(of(&settings::AUTOMATGLPI_LANGUAGE), ("de", "environment"));
    assert_eq!(of(&settings::GLPI_MAX_IN_FLIGHT), ("4", "sample.toml, [glpi] max_in_flight"));
    assert_eq!(of(&settings::AUTOMATGLPI_RETENTION), ("7d", "command line"));
    assert_eq!(of(&settings::AUTOMATGLPI_ANSWER_WITHIN), ("4s", "default"));
    assert_eq!(of(&settings::GLPI_APP_TOKEN), ("", "unset"));
    assert_eq!(effective.len(), settings::ALL.len());
}

#[test]
fn every_default_is_readable() {
    let source = source(&[], None);
    for setting in settings::ALL.iter().filter(|setting| setting.default.is_some()) {
        match setting.name.rsplit('_').next().unwrap() {
            "TIMEOUT" | "WITHIN" | "RETENTION" | "REQUEST" => {
                assert!(!source.duration(setting).is_zero(), "{}", setting.name);
            }
            "LISTEN" => assert_ne!(source.addr(setting).port(), 0),
            _ => {}
        }
    }
    assert_eq!(source.finish(), Ok(()));
}

#[test]
fn a_process_reads_its_environment_and_the_file_named_there() {
    let file = file_with("language = \"en\"");
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let test = "config::a_process_that_tells_its_configuration";

    let told = run(child::running(test).env("AUTOMATGLPI_CONFIG", file.path()));
    assert!(told.contains("language: en"), "{told}");

    let told = run(child::running(test).env("AUTOMATGLPI_CONFIG", "/nowhere/glpi.toml"));
    let reason = "AUTOMATGLPI_CONFIG names a file that cannot be read: /nowhere/glpi.toml: ";
    assert!(told.contains(reason), "{told}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_refused_not_ignored() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let test = "config::a_process_that_tells_its_configuration";
    let latin1 = OsStr::from_bytes(b"fran\xe7ais");
    let output = child::running(test).env("AUTOMATGLPI_LANGUAGE", latin1).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("AUTOMATGLPI_LANGUAGE (environment) should be Unicode text"), "{told}");
}

#[test]
fn a_process_that_tells_its_configuration() {
    if !child::is_this_process() {
        return;
    }
    let source = Source::from_process(None);
    match source.and_then(|source| source.finish().map(|()| source)) {
        Ok(source) => {
            println!("language: {}", source.required_text(&settings::AUTOMATGLPI_LANGUAGE));
        }
        Err(error) => println!("{error}"),
    }
}
