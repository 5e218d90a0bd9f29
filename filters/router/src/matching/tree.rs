//! A radix tree of paths: walking a path down yields everything that is written for it or for the start of it.

/// What stands at a place of the tree; each list is sorted, as entries are added in order.
#[derive(Debug, Default)]
struct Node {
    /// What leads here from the node above.
    label: Vec<u8>,
    /// By the first byte of their label.
    children: Vec<(u8, usize)>,
    /// For paths that end here.
    exact: Vec<usize>,
    /// For paths that come through here.
    prefix: Vec<usize>,
    /// For paths that end here or go on with a `/`.
    segments: Vec<usize>,
}

/// What a path must do at the place that an entry is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// End there.
    Exact,
    /// Come through.
    Prefix,
    /// End there, or go on with another segment.
    Segments,
}

/// The tree. Its depth is bounded by the length of what is added.
#[derive(Debug)]
pub(super) struct Tree {
    /// The root is the first.
    nodes: Vec<Node>,
}

impl Tree {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self { nodes: Vec::new() }
    }

    /// Adds an entry; later ones have larger numbers.
    pub(super) fn insert(&mut self, text: &[u8], reach: Reach, entry: usize) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let at = self.reach(text);
        let Some(node) = self.nodes.get_mut(at) else { return };
        match reach {
            Reach::Exact => node.exact.push(entry),
            Reach::Prefix => node.prefix.push(entry),
            Reach::Segments => node.segments.push(entry),
        }
    }

    /// Gives back memory that was meant for more entries: there is a tree for every host.
    pub(super) fn shrink(&mut self) {
        self.nodes.shrink_to_fit();
        for node in &mut self.nodes {
            node.label.shrink_to_fit();
            node.children.shrink_to_fit();
            for list in [&mut node.exact, &mut node.prefix, &mut node.segments] {
                list.shrink_to_fit();
            }
        }
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Hands every list that a path reaches to `visit`: those of shorter texts first.
    pub(super) fn walk(&self, path: &[u8], mut visit: impl FnMut(&[usize])) {
        let mut rest = path;
        let mut node = self.nodes.first();
        while let Some(here) = node {
            visit(&here.prefix);
            if matches!(rest.first(), None | Some(b'/')) {
                visit(&here.segments);
            }
            let Some(first) = rest.first() else { return visit(&here.exact) };
            let Some(below) = here.child(*first).and_then(|child| self.nodes.get(child)) else { return };
            let Some(left) = rest.strip_prefix(below.label.as_slice()) else { return };
            rest = left;
            node = Some(below);
        }
    }

    /// The node for a text, which is made where it is missing.
    fn reach(&mut self, text: &[u8]) -> usize {
        let mut rest = text;
        let mut at = 0;
        while let Some(first) = rest.first() {
            let Some(child) = self.nodes.get(at).and_then(|node| node.child(*first)) else {
                return self.add_leaf(at, rest);
            };
            let label = self.nodes.get(child).map_or(&[][..], |node| &node.label);
            let shared = label.iter().zip(rest).take_while(|(one, other)| one == other).count();
            at = if shared < label.len() { self.split(at, child, shared) } else { child };
            rest = rest.get(shared..).unwrap_or_default();
        }
        at
    }

    fn add_leaf(&mut self, parent: usize, label: &[u8]) -> usize {
        let added = self.nodes.len();
        self.nodes.push(Node { label: label.to_vec(), ..Node::default() });
        self.link(parent, label, added);
        added
    }

    /// Puts a node between a parent and its child, after the first `shared` bytes of the child's label.
    fn split(&mut self, parent: usize, child: usize, shared: usize) -> usize {
        let between = self.nodes.len();
        let Some(node) = self.nodes.get_mut(child) else { return child };
        let lower = node.label.split_off(shared);
        let upper = std::mem::replace(&mut node.label, lower.clone());
        self.link(parent, &upper, between);
        self.nodes.push(Node { label: upper, ..Node::default() });
        self.link(between, &lower, child);
        between
    }

    fn link(&mut self, parent: usize, label: &[u8], child: usize) {
        let (Some(parent), Some(&first)) = (self.nodes.get_mut(parent), label.first()) else { return };
        match parent.children.binary_search_by_key(&first, |(byte, _)| *byte) {
            Ok(at) => parent.children.get_mut(at).into_iter().for_each(|known| *known = (first, child)),
            Err(at) => parent.children.insert(at, (first, child)),
        }
    }
}

impl Node {
    fn child(&self, first: u8) -> Option<usize> {
        let at = self.children.binary_search_by_key(&first, |(byte, _)| *byte).ok()?;
        self.children.get(at).map(|(_, child)| *child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(entries: &[(String, Reach)], path: &str) -> Vec<usize> {
        let mut tree = Tree::new();
        for (number, (text, reach)) in entries.iter().enumerate() {
            tree.insert(text.as_bytes(), *reach, number);
        }
        let mut found = Vec::new();
        tree.walk(path.as_bytes(), |list| {
            assert!(list.is_sorted());
            found.extend_from_slice(list);
        });
        found.sort_unstable();
        found
    }

    #[test]
    fn segments_end_where_the_path_ends_or_has_a_slash() {
        let entries = [("/v2".to_owned(), Reach::Segments), (String::new(), Reach::Segments)];
        for (path, expected) in [
            ("/v2", vec![0, 1]),
            ("/v2/", vec![0, 1]),
            ("/v2/a", vec![0, 1]),
            ("/v2example", vec![1]),
            ("/", vec![1]),
            ("", vec![1]),
        ] {
            assert_eq!(found(&entries, path), expected, "{path}");
        }
    }

    fn reach() -> impl Strategy<Value = Reach> {
        proptest::sample::select(vec![Reach::Exact, Reach::Prefix, Reach::Segments])
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_comparing_with_every_text_finds(
            entries in proptest::collection::vec(("[ab/é]{0,5}", reach()), 0..12),
            path in "[ab/é]{0,6}",
        ) {
            let fits = |(text, reach): &(String, Reach)| match (path.strip_prefix(text.as_str()), reach) {
                (Some(rest), Reach::Exact) => rest.is_empty(),
                (Some(_), Reach::Prefix) => true,
                (Some(rest), Reach::Segments) => rest.is_empty() || rest.starts_with('/'),
                (None, _) => false,
            };
            let naive: Vec<usize> = (0..).zip(&entries).filter(|(_, entry)| fits(entry)).map(|(at, _)| at).collect();
            prop_assert_eq!(found(&entries, &path), naive);
        }
    }
}
