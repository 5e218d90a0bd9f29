use crate::config::settings::{DEFAULT_ADMIN, DEFAULT_LISTEN};
use crate::config::{AccessLogFormat, AdminAddress, Flags, Problems, Settings, Watch, limits};
use std::path::Path;

/// The settings that come of a file with this text, beside a directory `mine`.
pub(super) fn load(text: &str, flags: Flags) -> Result<Settings, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("mine")).unwrap();
    let path = directory.path().join("sluicegate.yaml");
    std::fs::write(&path, text).unwrap();
    let prefix = format!("{}/", directory.path().display());
    let problems = |problems: Problems| {
        problems.0.iter().map(|problem| problem.to_string().replace(&prefix, "")).collect::<Vec<_>>()
    };
    Settings::load(Some(&path), flags).map_err(problems)
}

#[test]
fn works_without_file_and_flags() {
    let settings = Settings::load(None, Flags::default()).unwrap();
    assert_eq!(settings.listen, [DEFAULT_LISTEN]);
    assert_eq!(settings.admin, AdminAddress::Tcp(DEFAULT_ADMIN));
    assert_eq!((settings.namespace.as_str(), settings.cluster_domain.as_str()), ("default", "cluster.local"));
    assert_eq!((settings.access_log, settings.watch), (AccessLogFormat::Json, Watch::Auto));
    assert!(settings.workers >= 1 && settings.manifests.is_empty() && settings.request_body.is_none());
    assert_eq!(settings.drain, limits::DRAIN);
}

#[test]
fn a_flag_beats_the_file_and_the_file_beats_the_default() {
    type Shown = fn(&Settings) -> String;
    let some = |text: &str| Some(text.to_owned());
    let table: [(&str, Flags, Shown, &str, &str); 8] = [
        ("workers: 3", Flags { workers: some("5"), ..Flags::default() }, |s| s.workers.to_string(), "3", "5"),
        ("log: warn", Flags { log: some("debug"), ..Flags::default() }, |s| s.log.clone(), "warn", "debug"),
        ("watch: poll", Flags { watch: some("off"), ..Flags::default() }, |s| format!("{:?}", s.watch), "Poll", "Off"),
        (
            "access-log: off",
            Flags { access_log: some("json"), ..Flags::default() },
            |s| format!("{:?}", s.access_log),
            "Off",
            "Json",
        ),
        (
            "limits: { drain: 5s }",
            Flags { drain: some("250ms"), ..Flags::default() },
            |s| format!("{:?}", s.drain),
            "5s",
            "250ms",
        ),
        (
            "listen: ['127.0.0.1:1', '127.0.0.1:2']",
            Flags { listen: vec!["[::1]:3".into()], ..Flags::default() },
            |s| format!("{:?}", s.listen),
            "[127.0.0.1:1, 127.0.0.1:2]",
            "[[::1]:3]",
        ),
        (
            "admin: { address: 'unix:/run/a' }",
            Flags { admin: some("127.0.0.1:4"), ..Flags::default() },
            |s| s.admin.to_string(),
            "unix:/run/a",
            "http://127.0.0.1:4",
        ),
        (
            "namespace: shop",
            Flags { namespace: some("till"), ..Flags::default() },
            |s| s.namespace.clone(),
            "shop",
            "till",
        ),
    ];
    for (file, flags, shown, from_file, from_flag) in table {
        assert_eq!(shown(&load(file, Flags::default()).unwrap()), from_file, "{file}");
        assert_eq!(shown(&load(file, flags).unwrap()), from_flag, "{file}");
    }
}

#[test]
fn reports_all_wrong_values_of_file_and_flags_at_once() {
    let file = "workers: none\nwatch: pol\nlimits:\n  drain: soon\n  request-body: 1 lot\nmanifests: [mine, yours]\n";
    let flags = Flags { log: Some("info,=".into()), listen: vec!["8080".into()], ..Flags::default() };
    let problems = load(file, flags).unwrap_err().join("\n");
    for expected in [
        "--listen: error: `8080` is not an address",
        "--log: error: `info,=` does not name log levels",
        "sluicegate.yaml:1:10: error: `none` is not a whole number",
        "sluicegate.yaml:2:8: error: `pol` is none of auto, native, poll, off\n  help: did you mean `poll`?",
        "sluicegate.yaml:4:10: error: `soon` is not a duration",
        "sluicegate.yaml:5:17: error: `1 lot` is not a size",
        "sluicegate.yaml:6:19: error: there is no directory `yours`",
    ] {
        assert!(problems.contains(expected), "no {expected:?} in\n{problems}");
    }
}

#[test]
fn a_wrong_shape_does_not_hide_a_wrong_value() {
    let problems = load("wrokers: 2\nlimits: { drain: soon }\n", Flags::default()).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:#?}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let problems = Settings::load(Some(Path::new("nowhere.yaml")), Flags::default()).unwrap_err();
    assert!(problems.to_string().starts_with("nowhere.yaml: error: cannot be read"), "{problems}");
}
