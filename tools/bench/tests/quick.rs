//! Every contestant of every row finds what is in the input. How fast is not a matter for tests.

use assert_cmd::Command;

fn bench(arguments: &[&str]) -> assert_cmd::assert::Assert {
    Command::new(env!("CARGO_BIN_EXE_enjamb-bench")).args(arguments).assert()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("it prints text")
}

#[test]
fn all_find_the_same() {
    let run = bench(&["--quick"]).success();
    let printed = text(&run.get_output().stdout);
    let listed = bench(&["--list"]).success();
    let names = text(&listed.get_output().stdout);
    let rows: Vec<&str> = names.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(rows.len() > 10, "{names}");
    for row in rows {
        let table = printed.contains(&format!("### {row}\n"));
        assert!(table || printed.contains(&format!("| {row} ")), "{row} is missing");
    }
    let ours = printed.matches("\n| enjamb  ").count() + printed.matches("\n| enjamb replay  ").count();
    assert_eq!(ours, printed.matches("\n### ").count(), "one enjamb a row");
}

#[test]
fn a_row_that_does_not_exist_is_wrong_usage() {
    bench(&["--quick", "--row", "no such row"]).code(2);
    bench(&["--quick", "--only", "no such group"]).code(2);
}
