//! `sluice demo` needs nothing but the executable and its filters, and what it says can be done as it is printed.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use rustix::process::{Pid, Signal, kill_process};
use sluicegate_tests::{Answer, Client, Directory, Request, sluice, stock_filter, wait_until};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A development build compiles its filters at the start, perhaps on a busy machine.
const START: Duration = Duration::from_mins(1);
/// What people call at once, on a busy machine.
const SOON: Duration = Duration::from_secs(15);
/// The last words of the guide.
const LAST: &str = "Ctrl-C ends it all.";
/// The files that must not be touched.
const ARTICLE: [&str; 3] = ["order-service.yaml", "orders-channel.yaml", "product-service.yaml"];

/// A running demo. Dropping it kills it; if the test is failing, its log is shown.
struct Demo {
    child: Child,
    /// The executable and its filters, alone in a directory.
    _installation: TempDir,
    /// Where it runs, which has nothing to do with it.
    elsewhere: Directory,
    /// The system's directory for temporary files.
    temporary: Directory,
}

impl Demo {
    fn start(flags: &[&str]) -> Self {
        let installation = install();
        let (elsewhere, temporary) = (Directory::new(), Directory::new());
        let output = |name: &str| File::create(elsewhere.file(name)).expect("a file can be written");
        let mut command = demo(installation.path(), &["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
        command.args(flags).current_dir(elsewhere.path()).env("TMPDIR", temporary.path());
        command.stdin(Stdio::null()).stdout(output("out")).stderr(output("log"));
        let child = command.spawn().expect("the demo can be started");
        let mut demo = Self { child, _installation: installation, elsewhere, temporary };
        wait_until(START, || demo.guide().contains(LAST) || demo.has_ended());
        assert!(!demo.has_ended(), "it ended by itself: {}", demo.log());
        demo
    }

    fn guide(&self) -> String {
        fs::read_to_string(self.elsewhere.file("out")).unwrap_or_default()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.elsewhere.file("log")).unwrap_or_default()
    }

    fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child of this test").is_some()
    }

    /// The command that the guide prints under a line with these words.
    #[track_caller]
    fn command(&self, words: &str) -> String {
        let guide = self.guide();
        let (_, rest) = guide.split_once(words).unwrap_or_else(|| panic!("`{words}` is not in:\n{guide}"));
        rest.lines().nth(1).expect("a command follows").trim().to_owned()
    }

    /// Does what the guide says under a line with these words, and gives the answer of its curl.
    #[track_caller]
    fn try_out(&self, words: &str) -> Answer {
        curl(&self.command(words))
    }

    /// Does what the guide says until its curl is answered as expected.
    #[track_caller]
    fn change(&self, words: &str, is_expected: impl Fn(&Answer) -> bool) {
        let command = self.command(words);
        let (change, ask) = command.split_once(" && sleep 1 && ").expect("a change, and a request");
        assert!(shell(change).status.success(), "{change}");
        wait_until(SOON, || is_expected(&curl(ask)));
    }

    /// The directory of manifests, as the guide names it.
    fn manifests(&self) -> PathBuf {
        let command = self.command("every finding in the directory");
        words(&command).pop().map(PathBuf::from).expect("it ends in the directory")
    }

    fn stock_of_teapots(&self) -> u64 {
        let answer = self.try_out("... and the stock has changed").json();
        answer["products"]["teapot"]["stock"].as_u64().expect("a number")
    }

    /// Ctrl-C.
    fn interrupt(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        kill_process(pid, Signal::INT).expect("it is running");
        wait_until(SOON, || self.has_ended());
        assert!(self.child.wait().is_ok_and(|status| status.success()), "{}", self.log());
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // Both fail only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the demo's log:\n{}", self.log());
        }
    }
}

/// The executable and its filters in a directory of their own, beside the build so that links can lead there.
fn install() -> TempDir {
    let program = sluice();
    let directory = tempfile::tempdir_in(program.parent().expect("it is in a directory")).expect("it can be made");
    fs::hard_link(&program, directory.path().join("sluice")).expect("it can be linked");
    fs::create_dir(directory.path().join("filters")).expect("it can be made");
    for name in ["router", "composer", "bridge"] {
        let component = stock_filter(name);
        let file = directory.path().join("filters").join(name).with_extension("wasm");
        fs::hard_link(component, file).expect("it can be linked");
    }
    directory
}

fn demo(installation: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(installation.join("sluice"));
    command.arg("demo").args(flags);
    command
}

fn shell(command: &str) -> Output {
    Command::new("sh").args(["-c", command]).stdin(Stdio::null()).output().expect("there is a shell")
}

/// The words of a command line that quotes with `'` alone.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in command.chars() {
        match character {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            _ => word.push(character),
        }
    }
    words.push(word);
    words
}

/// Sends what curl would send.
#[track_caller]
fn curl(command: &str) -> Answer {
    let (mut method, mut headers, mut body, mut url) = ("GET", Vec::new(), String::new(), String::new());
    let mut words = words(command).into_iter();
    assert_eq!(words.next().as_deref(), Some("curl"), "{command}");
    while let Some(word) = words.next() {
        let mut value = || words.next().expect("the option has a value");
        match word.as_str() {
            "-i" => {}
            "-H" => headers.push(value()),
            "-d" => (method, body) = ("POST", value()),
            _ => url = word,
        }
    }
    let rest = url.strip_prefix("http://").expect("a URL");
    let (address, path) = rest.split_once('/').expect("a path");
    let headers: Vec<_> = headers.iter().filter_map(|header| header.split_once(": ")).collect();
    let host = headers.iter().find(|(name, _)| *name == "Host").map_or(address, |(_, host)| host);
    let request = Request::new(method, &format!("http://{host}/{path}")).body(body);
    let others = headers.iter().filter(|(name, _)| *name != "Host");
    let request = others.fold(request, |request, (name, value)| request.header(name, value));
    Client::connect(address.parse().expect("an address")).send(request).expect("an answer")
}

#[test]
fn orders_of_the_order_service_are_answered_by_the_inventory_service() {
    let answer = Demo::start(&[]).try_out("request-response:");
    assert_eq!((answer.status, &answer.json()["service"]), (200, &"inventory-service".into()));
}

#[test]
fn products_are_one_answer_of_both_services_and_a_part_that_fails_is_reported() {
    let demo = Demo::start(&[]);
    let answer = demo.try_out("composition:").json();
    assert_eq!(answer["order-service"]["products"]["teapot"]["ordered"], 1, "{answer}");
    assert_eq!(answer["inventory-service"]["products"]["teapot"]["stock"], 12, "{answer}");
    let half = demo.try_out("a part that fails").json();
    assert_eq!(half["order-service"], answer["order-service"]);
    assert_eq!(half["errors"]["inventory-service"]["status"], 503, "{half}");
}

#[test]
fn an_event_arrives_at_the_inventory_service_and_changes_its_stock_once() {
    let demo = Demo::start(&[]);
    let before = demo.stock_of_teapots();
    assert_eq!(demo.try_out("event:").status, 202);
    wait_until(SOON, || demo.stock_of_teapots() == before - 2);
    assert_eq!(demo.try_out("event:").status, 202);
    let another = demo.command("event:").replace("ce-id: 1", "ce-id: 2");
    assert_eq!(curl(&another).status, 202);
    wait_until(SOON, || demo.stock_of_teapots() == before - 4);
}

#[test]
fn a_new_file_takes_effect_and_a_broken_one_does_not() {
    let demo = Demo::start(&[]);
    let is_catalogue = |answer: &Answer| answer.status == 200 && answer.json()["service"] == "product-service";
    demo.change("hot reload:", is_catalogue);
    demo.change("a broken file never takes effect", |_| {
        demo.log().lines().any(|line| line.contains("catalogue.json") && line.contains("ERROR"))
    });
    assert!(is_catalogue(&curl(demo.command("hot reload:").rsplit(" && ").next().expect("a request"))));
    demo.change("back to how it was", |answer| answer.status == 404);
}

#[test]
fn the_looks_inside_are_commands_that_work() {
    let demo = Demo::start(&[]);
    let looks = [
        ("which filter decides what", "composer"),
        ("every finding in the directory", "1 warning, 1 note"),
        ("the filters: version", "bridge"),
    ];
    for (words, part) in looks {
        let output = shell(&demo.command(words));
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && said.contains(part), "{words}: {said}");
    }
    for words in ["the metrics", "what is configured"] {
        assert_eq!(demo.try_out(words).status, 200, "{words}");
    }
}

#[test]
fn ctrl_c_ends_everything_and_removes_the_directory() {
    let mut demo = Demo::start(&[]);
    let manifests = demo.manifests();
    assert!(manifests.starts_with(demo.temporary.path()), "{}", manifests.display());
    demo.try_out("composition:");
    let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/manifests");
    for file in ARTICLE {
        let read = |directory: &Path| fs::read_to_string(directory.join(file)).expect("it is there");
        assert_eq!(read(&manifests), read(&original), "{file} was touched");
    }
    demo.interrupt();
    assert_eq!(fs::read_dir(demo.temporary.path()).expect("it is there").count(), 0, "something was left");
}

#[test]
fn the_directory_is_kept_if_it_is_to_be() {
    let mut demo = Demo::start(&["--keep"]);
    let manifests = demo.manifests();
    demo.interrupt();
    assert!(manifests.join("services.yaml").is_file());
}

#[test]
fn a_taken_port_is_named_with_its_flag_before_anything_starts() {
    let holder = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = holder.local_addr().expect("an address").to_string();
    let installation = install();
    for (flag, other) in [("--listen", "--admin"), ("--admin", "--listen")] {
        let temporary = Directory::new();
        let mut command = demo(installation.path(), &[flag, &taken, other, "127.0.0.1:0"]);
        let output = command.env("TMPDIR", temporary.path()).output().expect("it runs");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{errors}");
        assert!(errors.contains(&taken) && errors.contains(&format!("sluice demo {flag} ADDR")), "{errors}");
        assert!(output.stdout.is_empty(), "a guide was printed");
    }
}
