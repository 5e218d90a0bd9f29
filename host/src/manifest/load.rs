//! From directories, or files that are read already, to documents.

use super::codes;
use super::diagnostic::{Diagnostic, Diagnostics};
use super::document::Document;
use super::header;
use super::source::{Location, Source};
use super::yaml;
use crate::watch::{File, Tree};
use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// The files that are manifests.
pub const EXTENSIONS: &[&str] = &["yaml", "yml", "json"];
/// The largest manifest file, in bytes: a hundred times a large one, and little enough to read at every reload.
pub const FILE_LIMIT: usize = 4 << 20;

/// Files that are worth starting a thread for: parsing a small one takes less than a tenth of a millisecond.
const FILES_FOR_A_THREAD: usize = 100;

/// Reads all manifests below the directories (a path may also be one file).
pub fn load(directories: &[PathBuf], default_namespace: &str) -> (Vec<Arc<Document>>, Diagnostics) {
    let trees: Vec<Tree> = directories.iter().map(|directory| Tree::scan(directory, EXTENSIONS)).collect();
    load_from(&trees, default_namespace)
}

/// The same with files that are read already.
pub fn load_from<'a>(
    trees: impl IntoIterator<Item = &'a Tree>,
    default_namespace: &str,
) -> (Vec<Arc<Document>>, Diagnostics) {
    load_changed(trees, default_namespace, &mut Parsed::default())
}

/// What files were parsed into, by their paths.
#[derive(Debug, Default)]
pub struct Parsed(HashMap<PathBuf, ParsedFile>);

/// What was made of one file.
#[derive(Debug)]
struct ParsedFile {
    /// Of the content that it was made of.
    hash: [u8; 32],
    documents: Vec<Arc<Document>>,
    diagnostics: Diagnostics,
}

/// The same where only files that have changed are parsed: the documents of the others are those of the last time, down to
/// their place in memory.
pub fn load_changed<'a>(
    trees: impl IntoIterator<Item = &'a Tree>,
    default_namespace: &str,
    parsed: &mut Parsed,
) -> (Vec<Arc<Document>>, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let mut files: Vec<(&PathBuf, &File)> = Vec::new();
    for tree in trees {
        for (path, reason) in &tree.failures {
            let diagnostic = Diagnostic::error(codes::UNREADABLE, format!("cannot be read: {reason}"));
            diagnostics.push(diagnostic.at(Location::file(path)));
        }
        files.extend(&tree.files);
    }
    let known = |(path, file): &(&PathBuf, &File)| parsed.0.get(*path).is_some_and(|known| known.hash == file.hash);
    let changed: Vec<_> = files.iter().filter(|file| !known(file)).copied().collect();
    for (path, file) in parse_all(&changed, default_namespace) {
        parsed.0.insert(path, file);
    }
    if parsed.0.len() > files.len() {
        let present: HashSet<&PathBuf> = files.iter().map(|(path, _)| *path).collect();
        parsed.0.retain(|path, _| present.contains(path));
    }
    let mut documents = Vec::new();
    for file in files.iter().filter_map(|(path, _)| parsed.0.get(*path)) {
        documents.extend(file.documents.iter().cloned());
        diagnostics.extend(file.diagnostics.iter().cloned());
    }
    report_duplicates(&documents, &mut diagnostics);
    diagnostics.sort();
    (documents, diagnostics)
}

/// Parses files, many of them side by side.
fn parse_all(files: &[(&PathBuf, &File)], default_namespace: &str) -> Vec<(PathBuf, ParsedFile)> {
    let parse = |(path, file): &(&PathBuf, &File)| {
        let mut diagnostics = Diagnostics::new();
        let documents = parse(path, &file.bytes, default_namespace, &mut diagnostics);
        let documents = documents.into_iter().map(Arc::new).collect();
        ((*path).clone(), ParsedFile { hash: file.hash, documents, diagnostics })
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(files.len() / FILES_FOR_A_THREAD);
    if threads < 2 {
        return files.iter().map(parse).collect();
    }
    thread::scope(|scope| {
        let parts = files.chunks(files.len().div_ceil(threads));
        let parts: Vec<_> = parts.map(|part| scope.spawn(move || part.iter().map(parse).collect::<Vec<_>>())).collect();
        // A thread that panics has found a defect, which is not to go unnoticed.
        parts.into_iter().flat_map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// Reads the documents of one file.
pub fn parse(path: &Path, bytes: &[u8], default_namespace: &str, diagnostics: &mut Diagnostics) -> Vec<Document> {
    if bytes.len() > FILE_LIMIT {
        let message = format!("the file is larger than {FILE_LIMIT} bytes");
        let diagnostic = Diagnostic::error(codes::TOO_LARGE, message).at(Location::file(path));
        diagnostics.push(diagnostic.help("split it: documents may lie in any number of files"));
        return Vec::new();
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            diagnostics.push(not_utf8(path, bytes, error.valid_up_to()));
            return Vec::new();
        }
    };
    let source = Arc::new(Source::new(path, text.into()));
    let nodes = yaml::parse(&source, diagnostics);
    header::read(&source, nodes, default_namespace, diagnostics)
}

fn not_utf8(path: &Path, bytes: &[u8], at: usize) -> Diagnostic {
    // The text up to the bad byte is enough to name its line and column.
    let valid = bytes.get(..at).map(String::from_utf8_lossy).unwrap_or_default();
    let position = Source::new(path, valid.into_owned()).position(at);
    let mut location = Location::file(path);
    (location.line, location.column, location.end) = (position.line, position.column, position);
    Diagnostic::error(codes::NOT_UTF8, "the file is not UTF-8").at(location).help("save it as UTF-8")
}

fn report_duplicates(documents: &[Arc<Document>], diagnostics: &mut Diagnostics) {
    let mut seen: HashMap<[&str; 4], &Document> = HashMap::new();
    for document in documents {
        let key = [&*document.group, &document.kind, &document.namespace, &document.name];
        let Some(first) = seen.get(&key) else {
            seen.insert(key, document);
            continue;
        };
        let message = format!("{} is defined twice", document.label());
        diagnostics.push(
            Diagnostic::error(codes::DUPLICATE_DOCUMENT, message)
                .at(document.location_of("/metadata/name"))
                .help("rename or remove one of the two")
                .related("it is defined here first", Some(first.location_of("/metadata/name"))),
        );
    }
}
