//! The page "Write a session" and the example that it quotes.

const PAGE: &str = include_str!("../../../docs/sessions.md");
const EXAMPLE: &str = include_str!("../examples/session.rs");

#[test]
fn every_rust_block_of_the_page_is_part_of_the_example() {
    let blocks: Vec<&str> = PAGE.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(blocks.len() >= 5, "the page quotes the example");
    for block in blocks {
        assert!(EXAMPLE.contains(block), "examples/session.rs does not contain:\n{block}");
    }
}
