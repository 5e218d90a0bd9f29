//! Every way in which files change, on real directories.

use super::*;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use tempfile::TempDir;

/// Within which a change has to be reported on a machine that is busy with other tests.
const SOON: Duration = Duration::from_secs(5);
/// The same on one that is not: the promise is a second for the whole reload.
const PROMISED: Duration = Duration::from_millis(700);
/// How long nothing may be reported, where nothing is to be.
const LONG: Duration = Duration::from_millis(1300);

const YAML: &[&str] = &["yaml"];

fn start(path: &Path, mode: Mode) -> Watch {
    Watch::start(vec![Target { path: path.into(), extensions: YAML }], mode).unwrap().0
}

/// The names of the files with their content.
fn content(trees: &Trees, root: &Path) -> Vec<String> {
    let file = |(path, file): (&PathBuf, &File)| {
        format!("{}={}", path.strip_prefix(root).unwrap().display(), String::from_utf8_lossy(&file.bytes))
    };
    trees[0].files.iter().map(file).collect()
}

/// Runs with each way of noticing changes, side by side, as most of a test is waiting.
fn in_each_mode(test: impl Fn(&Path, &dyn Fn() -> Watch) + Sync) {
    thread::scope(|scope| {
        for mode in [Mode::Auto, Mode::Native, Mode::Poll] {
            let test = &test;
            scope.spawn(move || {
                let directory = TempDir::new().unwrap();
                test(directory.path(), &|| start(directory.path(), mode));
            });
        }
    });
}

/// Waits for a state of the files.
fn expect(watch: &mut Watch, root: &Path, expected: &[&str]) {
    let end = Instant::now() + SOON;
    let mut last = Vec::new();
    while let Some(trees) = watch.wait(end.saturating_duration_since(Instant::now())) {
        last = content(&trees, root);
        if last == expected {
            return;
        }
    }
    panic!("expected {expected:?}, the last report was {last:?}");
}

fn pause(watch: &mut Watch, milliseconds: u64) {
    assert!(watch.wait(Duration::from_millis(milliseconds)).is_none(), "reported too early");
}

#[test]
fn a_file_that_is_renamed_over_is_reported() {
    in_each_mode(|root, start| {
        fs::write(root.join("a.yaml"), "one").unwrap();
        let mut watch = start();
        fs::write(root.join(".a.yaml.tmp"), "two").unwrap();
        fs::rename(root.join(".a.yaml.tmp"), root.join("a.yaml")).unwrap();
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(content(&trees, root), ["a.yaml=two"]);
        assert!(watch.wait(LONG).is_none(), "one change is one report");
    });
}

#[test]
fn a_config_map_swap_is_one_change_of_all_its_files() {
    in_each_mode(|root, start| {
        let version = |name: &str, text: &str| {
            fs::create_dir(root.join(name)).unwrap();
            fs::write(root.join(name).join("a.yaml"), text).unwrap();
            fs::write(root.join(name).join("b.yaml"), text).unwrap();
        };
        version("..1", "one");
        symlink("..1", root.join("..data")).unwrap();
        symlink("..data/a.yaml", root.join("a.yaml")).unwrap();
        symlink("..data/b.yaml", root.join("b.yaml")).unwrap();
        let mut watch = start();
        for (name, old, text) in [("..2", "..1", "two"), ("..3", "..2", "three")] {
            version(name, text);
            symlink(name, root.join("..tmp")).unwrap();
            fs::rename(root.join("..tmp"), root.join("..data")).unwrap();
            fs::remove_dir_all(root.join(old)).unwrap();
            let trees = watch.wait(SOON).expect("a report");
            assert_eq!(content(&trees, root), [format!("a.yaml={text}"), format!("b.yaml={text}")]);
        }
        // Written through the link, in the directory behind it.
        fs::write(root.join("..3/a.yaml"), "four").unwrap();
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(content(&trees, root)[0], "a.yaml=four");
    });
}

#[test]
fn a_file_that_is_still_being_written_is_reported_when_it_is_complete() {
    use std::io::Write;
    in_each_mode(|root, start| {
        fs::write(root.join("a.yaml"), "old").unwrap();
        let mut watch = start();
        let mut file = fs::File::create(root.join("a.yaml")).unwrap();
        pause(&mut watch, 100);
        for part in ["half ", "and ", "half"] {
            file.write_all(part.as_bytes()).unwrap();
            // A machine that stalls here makes the pause look like the end, which the next report then corrects.
            let _ = watch.wait(Duration::from_millis(20));
        }
        drop(file);
        expect(&mut watch, root, &["a.yaml=half and half"]);
    });
}

#[test]
fn a_file_that_was_written_elsewhere_and_moved_in_is_read_alone_and_soon() {
    let directory = TempDir::new().unwrap();
    let (root, other) = (directory.path().join("root"), directory.path().join("new"));
    fs::create_dir(&root).unwrap();
    let touched = Arc::new(Touched::default());
    let targets = vec![Target { path: root.clone(), extensions: YAML }];
    let (signal, signals) = mpsc::sync_channel(1);
    let _settle = settle::Settle::new(targets, Mode::Native, signal, Arc::clone(&touched));
    fs::write(&other, "whole").unwrap();
    fs::rename(&other, root.join("a.yaml")).unwrap();
    // Events come in order: what happened before this has been told when it is.
    fs::write(root.join("b.yaml"), "another").unwrap();
    let end = Instant::now() + SOON;
    while !touched.noted().names(&root.join("b.yaml")) {
        signals.recv_timeout(end.saturating_duration_since(Instant::now())).expect("an event");
    }
    let noted = touched.noted();
    assert!(noted.came_whole(&root.join("a.yaml")), "{noted:?}");
    assert!(!noted.names(&other), "{noted:?}");
}

#[test]
fn a_file_that_is_written_to_where_it_was_renamed_to_is_waited_for() {
    use std::io::Write;
    let directory = TempDir::new().unwrap();
    let root = directory.path();
    let mut watch = start(root, Mode::Native);
    let mut file = fs::File::create(root.join(".a")).unwrap();
    file.write_all(b"half ").unwrap();
    fs::rename(root.join(".a"), root.join("a.yaml")).unwrap();
    file.write_all(b"and half").unwrap();
    drop(file);
    expect(&mut watch, root, &["a.yaml=half and half"]);
    pause(&mut watch, 300);
    fs::write(root.join(".a"), "whole").unwrap();
    fs::rename(root.join(".a"), root.join("a.yaml")).unwrap();
    expect(&mut watch, root, &["a.yaml=whole"]);
}

#[test]
fn a_file_that_is_deleted_and_restored_at_once_is_no_change_and_one_that_stays_away_is() {
    in_each_mode(|root, start| {
        fs::write(root.join("a.yaml"), "one").unwrap();
        fs::write(root.join("b.yaml"), "two").unwrap();
        let mut watch = start();
        fs::remove_file(root.join("a.yaml")).unwrap();
        pause(&mut watch, 60);
        fs::write(root.join("a.yaml"), "one").unwrap();
        assert!(watch.wait(LONG).is_none(), "the content is what it was");
        fs::remove_file(root.join("a.yaml")).unwrap();
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(content(&trees, root), ["b.yaml=two"]);
        fs::write(root.join("a.yaml"), "three").unwrap();
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(content(&trees, root), ["a.yaml=three", "b.yaml=two"]);
    });
}

#[test]
fn touches_and_files_of_other_kinds_report_nothing() {
    in_each_mode(|root, start| {
        fs::write(root.join("a.yaml"), "one").unwrap();
        let mut watch = start();
        fs::File::open(root.join("a.yaml")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        fs::write(root.join("a.yaml"), "one").unwrap();
        fs::write(root.join("readme.txt"), "text").unwrap();
        fs::write(root.join(".b.yaml.swp"), "text").unwrap();
        assert!(watch.wait(LONG).is_none());
    });
}

#[test]
fn many_changes_at_once_are_reported_together() {
    in_each_mode(|root, start| {
        let mut watch = start();
        for index in 0..200 {
            fs::write(root.join(format!("{index}.yaml")), "text").unwrap();
        }
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(trees[0].files.len(), 200);
        assert!(watch.wait(LONG).is_none());
    });
}

#[test]
fn new_directories_are_followed_from_their_first_file_on() {
    in_each_mode(|root, start| {
        let mut watch = start();
        fs::create_dir_all(root.join("x/y")).unwrap();
        fs::write(root.join("x/y/a.yaml"), "one").unwrap();
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(content(&trees, root), ["x/y/a.yaml=one"]);
        fs::write(root.join("x/y/a.yaml"), "two").unwrap();
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(content(&trees, root), ["x/y/a.yaml=two"]);
    });
}

#[test]
fn a_directory_may_appear_late_and_be_replaced() {
    for mode in [Mode::Auto, Mode::Native, Mode::Poll] {
        let directory = TempDir::new().unwrap();
        let root = directory.path().join("deep/manifests");
        let mut watch = start(&root, mode);
        let mut seen = |texts: &[&str]| {
            for text in texts {
                fs::write(root.join("a.yaml"), text).unwrap();
                expect(&mut watch, &root, &[&format!("a.yaml={text}")]);
            }
        };
        fs::create_dir_all(&root).unwrap();
        seen(&["one"]);
        fs::rename(&root, directory.path().join("deep/old")).unwrap();
        fs::create_dir(&root).unwrap();
        seen(&["two", "three"]);
        // The next one may get the inode of this one.
        fs::remove_dir_all(&root).and_then(|()| fs::create_dir(&root)).unwrap();
        seen(&["four", "five"]);
    }
}

#[test]
fn links_out_of_the_directory_are_followed() {
    in_each_mode(|root, start| {
        let elsewhere = TempDir::new().unwrap();
        let (file, folder) = (elsewhere.path().join("x.yaml"), elsewhere.path().join("folder"));
        fs::write(&file, "one").unwrap();
        fs::create_dir(&folder).unwrap();
        symlink(&file, root.join("a.yaml")).unwrap();
        symlink(&folder, root.join("folder")).unwrap();
        let mut watch = start();
        fs::write(&file, "two").unwrap();
        assert_eq!(content(&watch.wait(SOON).expect("a report"), root), ["a.yaml=two"]);
        fs::write(folder.join("b.yaml"), "three").unwrap();
        let trees = watch.wait(SOON).expect("a report");
        assert_eq!(content(&trees, root), ["a.yaml=two", "folder/b.yaml=three"]);
    });
}

#[test]
fn loops_of_links_end() {
    let directory = TempDir::new().unwrap();
    symlink(directory.path(), directory.path().join("again")).unwrap();
    fs::write(directory.path().join("a.yaml"), "one").unwrap();
    let tree = Tree::scan(directory.path(), YAML);
    assert!(tree.files.contains_key(&directory.path().join("a.yaml")));
}

#[test]
fn what_cannot_be_read_is_said_and_the_rest_is_read() {
    let directory = TempDir::new().unwrap();
    symlink("nowhere", directory.path().join("a.yaml")).unwrap();
    fs::write(directory.path().join("b.yaml"), "one").unwrap();
    let tree = Tree::scan(directory.path(), YAML);
    assert_eq!(tree.files.len(), 1);
    assert!(tree.failures[&directory.path().join("a.yaml")].contains("No such file"));
}

#[test]
fn a_change_is_reported_well_within_a_second() {
    in_each_mode(|root, start| {
        let mut watch = start();
        let latency = |index: usize| {
            let begun = Instant::now();
            fs::write(root.join("a.yaml"), index.to_string()).unwrap();
            expect(&mut watch, root, &[&format!("a.yaml={index}")]);
            begun.elapsed()
        };
        let best = (0..4).map(latency).min().unwrap();
        assert!(best < PROMISED, "{best:?}");
    });
}

#[test]
fn tasks_can_wait_too() {
    let directory = TempDir::new().unwrap();
    let mut watch = start(directory.path(), Mode::Auto);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    fs::write(directory.path().join("a.yaml"), "one").unwrap();
    let trees = runtime.block_on(async { tokio::time::timeout(SOON, watch.changed()).await });
    assert_eq!(content(&trees.expect("a report"), directory.path()), ["a.yaml=one"]);
}

#[test]
fn a_watch_that_is_dropped_ends_its_thread_at_once() {
    let directory = TempDir::new().unwrap();
    for mode in [Mode::Auto, Mode::Native, Mode::Poll] {
        let watch = start(directory.path(), mode);
        let begun = Instant::now();
        drop(watch);
        assert!(begun.elapsed() < SOON, "{mode:?}");
    }
}

#[test]
fn a_directory_that_is_named_relative_to_the_current_one_has_events() {
    let directory = TempDir::new_in(".").unwrap();
    let root = Path::new(".").join(directory.path().file_name().unwrap());
    fs::write(root.join("a.yaml"), "one").unwrap();
    let mut watch = start(&root, Mode::Native);
    fs::write(root.join("a.yaml"), "two").unwrap();
    expect(&mut watch, &root, &["a.yaml=two"]);
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test's own thread is no worker")]
fn a_file_that_keeps_its_size_is_read_again_and_the_others_beside_it_are_not() {
    let directory = TempDir::new().unwrap();
    for name in ["a.yaml", "b.yaml"] {
        fs::write(directory.path().join(name), "one").unwrap();
    }
    // Until they have rested.
    thread::sleep(Duration::from_secs(4));
    let (mut watch, before) =
        Watch::start(vec![Target { path: directory.path().into(), extensions: YAML }], Mode::Auto).unwrap();
    fs::write(directory.path().join("a.yaml"), "two").unwrap();
    let after = watch.wait(SOON).expect("a report");
    assert_eq!(content(&after, directory.path()), ["a.yaml=two", "b.yaml=one"]);
    let bytes = |trees: &Trees| Arc::clone(&trees[0].files[&directory.path().join("b.yaml")].bytes);
    assert!(Arc::ptr_eq(&bytes(&before), &bytes(&after)), "it was read again for nothing");
}
