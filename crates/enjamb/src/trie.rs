//! The automaton of Aho and Corasick: a trie of words. Every node has a link to the longest proper
//! suffix of its path that is a path too. Walking a text costs at most two steps per byte, since
//! each failure undoes an earlier step.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;

/// The node of the empty path.
pub(crate) const ROOT: usize = 0;

#[derive(Debug)]
pub(crate) struct Trie {
    nodes: Box<[Node]>,
    /// The children of every node, side by side, by their byte.
    edges: Box<[(u8, usize)]>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    depth: usize,
    /// The index of the first child among the edges, and the number of children.
    edges: usize,
    children: usize,
    /// The longest proper suffix of the path that is a path.
    failure: usize,
    /// The first word whose path goes through here.
    through: usize,
    /// The first word that is the path.
    word: Option<usize>,
    /// The node of the longest word at the end of the path, which may be the path itself.
    ends_in: Option<usize>,
}

impl Trie {
    /// Builds a trie of words that are not empty, in linear time and space.
    pub(crate) fn new<W: Iterator<Item = u8>>(words: impl Iterator<Item = W>) -> Self {
        let mut nodes = vec![Node::default()];
        let mut children: Vec<Vec<(u8, usize)>> = vec![Vec::new()];
        for (index, word) in words.enumerate() {
            let mut at = ROOT;
            for byte in word {
                at = match children[at].binary_search_by_key(&byte, |edge| edge.0) {
                    Ok(place) => children[at][place].1,
                    Err(place) => {
                        let child = nodes.len();
                        children[at].insert(place, (byte, child));
                        nodes.push(Node { depth: nodes[at].depth + 1, through: index, ..Node::default() });
                        children.push(Vec::new());
                        child
                    }
                };
            }
            nodes[at].word.get_or_insert(index);
        }
        let mut edges = Vec::with_capacity(nodes.len());
        for (node, children) in nodes.iter_mut().zip(&children) {
            (node.edges, node.children) = (edges.len(), children.len());
            edges.extend_from_slice(children);
        }
        let mut trie = Self { nodes: nodes.into_boxed_slice(), edges: edges.into_boxed_slice() };
        trie.link();
        trie
    }

    /// Sets the failures, from the root outwards: the failure of a child is found on the failures
    /// of its parent.
    fn link(&mut self) {
        let mut next = VecDeque::from([ROOT]);
        while let Some(node) = next.pop_front() {
            let edges = self.nodes[node].edges..self.nodes[node].edges + self.nodes[node].children;
            for edge in edges {
                let (byte, child) = self.edges[edge];
                let failure = if node == ROOT { ROOT } else { self.advance(self.nodes[node].failure, byte) };
                self.nodes[child].failure = failure;
                let itself = self.nodes[child].word.map(|_| child);
                self.nodes[child].ends_in = itself.or(self.nodes[failure].ends_in);
                next.push_back(child);
            }
        }
    }

    /// Returns the node of the longest path at the end of a text, if `node` is that of the text
    /// without its last `byte`.
    pub(crate) fn advance(&self, mut node: usize, byte: u8) -> usize {
        loop {
            match self.child(node, byte) {
                Some(child) => return child,
                None if node == ROOT => return ROOT,
                None => node = self.nodes[node].failure,
            }
        }
    }

    #[inline]
    pub(crate) fn child(&self, node: usize, byte: u8) -> Option<usize> {
        let Node { edges, children, .. } = self.nodes[node];
        let edges = &self.edges[edges..edges + children];
        if let [(only, child)] = *edges {
            return (only == byte).then_some(child);
        }
        edges.binary_search_by_key(&byte, |edge| edge.0).ok().map(|place| edges[place].1)
    }

    /// Returns all nodes, parents before their children.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = usize> + use<> {
        0..self.nodes.len()
    }

    /// Returns the bytes that words begin with, in order.
    pub(crate) fn first_bytes(&self) -> impl Iterator<Item = u8> {
        self.edges[..self.nodes[ROOT].children].iter().map(|edge| edge.0)
    }

    pub(crate) fn children(&self, node: usize) -> impl Iterator<Item = usize> {
        let Node { edges, children, .. } = self.nodes[node];
        self.edges[edges..edges + children].iter().map(|edge| edge.1)
    }

    /// Returns the length of the node's path.
    #[inline]
    pub(crate) fn depth(&self, node: usize) -> usize {
        self.nodes[node].depth
    }

    #[inline]
    pub(crate) fn failure(&self, node: usize) -> usize {
        self.nodes[node].failure
    }

    /// Returns a word that begins with the node's path.
    pub(crate) fn through(&self, node: usize) -> usize {
        self.nodes[node].through
    }

    /// Returns whether the node has no children. Its path is a word then.
    #[inline]
    pub(crate) fn is_leaf(&self, node: usize) -> bool {
        self.nodes[node].children == 0
    }

    /// Returns the longest word at the end of the node's path.
    pub(crate) fn ends_in(&self, node: usize) -> Option<usize> {
        self.nodes[node].ends_in.and_then(|node| self.nodes[node].word)
    }
}
