//! The imports of this workspace: the layers between crates, and one direction inside a crate.
//!
//! No two files of a crate import each other, and there is no longer circle. The test reads the
//! `use` declarations of every file. `use crate::a::B`, `use super::a::B` and `use self::a` lead to
//! the file of module `a`. A child's `use super::B` leads to the file of its parent if `B` is
//! declared there, and to the file that the parent re-exports it from otherwise. A parent that only
//! declares or re-exports its children does not import them. Declarations inside a test module are
//! not read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the folders of all crates in `crates/` and `tools/`, relative to the repository.
fn crates(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for layer in ["crates", "tools"] {
        for entry in fs::read_dir(root.join(layer)).unwrap().map(Result::unwrap) {
            if entry.path().join("Cargo.toml").is_file() {
                found.push(format!("{layer}/{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    found.sort();
    assert!(found.len() >= 13, "{found:?}");
    found
}

/// Returns the crates of this workspace that a crate depends on, those for its tests left out.
fn dependencies(folder: &Path) -> Vec<String> {
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let section = section.split("\n[").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| name.starts_with("enjamb")).map(ToOwned::to_owned).collect()
}

#[test]
fn a_tool_imports_no_tool_and_the_crates_in_the_middle_import_the_ground_floor_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ground = ["enjamb", "enjamb-isolate"];
    let tools = ["enjamb-replay", "enjamb-proxy", "enjamb-corpus", "enjamb-cli", "enjamb-bench"];
    for folder in crates(&root) {
        let dependencies = dependencies(&root.join(&folder));
        let allowed = |name: &str| match folder.as_str() {
            "crates/enjamb" | "crates/enjamb-isolate" => false,
            "crates/enjamb-sources" => ground.contains(&name) || ["enjamb-capture", "enjamb-protocols"].contains(&name),
            // What the fuzz targets check is everything but the tools.
            "crates/enjamb-fuzz" => !tools.contains(&name),
            // The benchmark runs the binary, and the binary is made of the tools.
            "tools/bench" => name == "enjamb-cli" || !tools.contains(&name),
            "tools/enjamb" => name != "enjamb-bench",
            tool if tool.starts_with("tools/") => !tools.contains(&name),
            _ => ground.contains(&name),
        };
        for name in dependencies {
            assert!(allowed(&name), "{folder} may not depend on {name}");
        }
    }
}

/// The modules of a crate: the path of each, such as `laws::split`, with its file. The root is the
/// empty path.
type Modules = BTreeMap<String, PathBuf>;

fn modules(source: &Path) -> Modules {
    fn walk(folder: &Path, path: &str, modules: &mut Modules) {
        let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries.map(|entry| entry.unwrap().path()) {
            let stem = entry.file_stem().unwrap().to_string_lossy().into_owned();
            let child = if path.is_empty() { stem.clone() } else { format!("{path}::{stem}") };
            if entry.is_dir() {
                walk(&entry, &child, modules);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let module = match &*stem {
                    "mod" => path.to_owned(),
                    "lib" | "main" if path.is_empty() => String::new(),
                    _ => child,
                };
                modules.insert(module, entry);
            }
        }
    }
    let mut all = Modules::new();
    walk(source, "", &mut all);
    all
}

/// Returns the paths of all `use` declarations in `text`, with their braces resolved, and whether
/// they re-export.
fn uses(text: &str) -> Vec<(bool, String)> {
    let text = format!("\n{text}");
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut declaration = String::new();
    for line in code.lines().map(|line| line.split("//").next().unwrap_or_default().trim()) {
        let visibility_end = line.find("use ").filter(|at| {
            let before = line[..*at].trim();
            before.is_empty() || (before.starts_with("pub") && !before.contains(char::is_whitespace))
        });
        if visibility_end.is_some() || !declaration.is_empty() {
            declaration.push_str(line);
        }
        if declaration.ends_with(';') {
            let (visibility, paths) = declaration.split_once("use ").unwrap();
            expand("", paths.trim_end_matches(';').trim(), &mut |path| {
                found.push((!visibility.trim().is_empty(), path));
            });
            declaration.clear();
        }
    }
    found
}

/// Resolves braces: `a::{b, c::D}` is `a::b` and `a::c::D`.
fn expand(prefix: &str, path: &str, found: &mut impl FnMut(String)) {
    let Some((head, rest)) = path.split_once('{') else {
        let name = path.split(" as ").next().unwrap_or_default().trim();
        found(format!("{prefix}{name}"));
        return;
    };
    let inner = rest.strip_suffix('}').unwrap_or(rest);
    let prefix = format!("{prefix}{}", head.trim());
    let (mut depth, mut start) = (0, 0);
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inner[start..at].trim().is_empty() {
                    expand(&prefix, inner[start..at].trim(), found);
                }
                start = at + 1;
            }
            _ => {}
        }
    }
}

/// Returns the absolute path, within the crate, that `path` names in `module`. `None`: it is
/// outside of the crate.
fn absolute(module: &str, path: &str, modules: &Modules) -> Option<String> {
    let mut base: Vec<&str> = module.split("::").filter(|name| !name.is_empty()).collect();
    let mut names: Vec<&str> = path.split("::").collect();
    match names[0] {
        "crate" => base.clear(),
        "self" => {}
        "super" => {
            base.pop();
        }
        first => {
            let child = if module.is_empty() { first.to_owned() } else { format!("{module}::{first}") };
            if !modules.contains_key(&child) {
                return None;
            }
            names.insert(0, "self");
        }
    }
    names.remove(0);
    while names.first() == Some(&"super") {
        base.pop();
        names.remove(0);
    }
    names.retain(|name| *name != "self");
    Some(base.into_iter().chain(names).collect::<Vec<_>>().join("::"))
}

/// Returns the longest module that `path` begins with, and the name that follows it.
fn longest<'p>(path: &'p str, modules: &Modules) -> (String, Option<&'p str>) {
    let names: Vec<&str> = path.split("::").filter(|name| !name.is_empty()).collect();
    for count in (0..=names.len()).rev() {
        let module = names[..count].join("::");
        if modules.contains_key(&module) {
            return (module, names.get(count).copied());
        }
    }
    (String::new(), names.first().copied())
}

/// Returns for each module the modules that it imports.
fn imports(modules: &Modules) -> BTreeMap<String, BTreeSet<String>> {
    let texts: BTreeMap<&String, String> =
        modules.iter().map(|(module, file)| (module, fs::read_to_string(file).unwrap())).collect();
    let declared: BTreeMap<&String, Vec<(bool, String)>> =
        texts.iter().map(|(module, text)| (*module, uses(text))).collect();
    // The origin of a name that a module re-exports.
    let origin = |module: &String, name: &str| -> Option<String> {
        declared[module].iter().filter(|(public, _)| *public).find_map(|(_, path)| {
            let path = absolute(module, path, modules)?;
            let (from, item) = longest(&path, modules);
            (item == Some(name) && from != *module).then_some(from)
        })
    };
    let mut all = BTreeMap::new();
    for module in modules.keys() {
        let mut imported = BTreeSet::new();
        for (public, path) in &declared[module] {
            let Some(path) = absolute(module, path, modules) else { continue };
            let (mut target, name) = longest(&path, modules);
            let child =
                target.strip_prefix(module.as_str()).is_some_and(|rest| module.is_empty() || rest.starts_with("::"));
            if *public && child {
                continue;
            }
            while let Some(origin) = name.and_then(|name| origin(&target, name)) {
                target = origin;
            }
            if target != *module {
                imported.insert(target);
            }
        }
        all.insert(module.clone(), imported);
    }
    all
}

/// Returns a circle of modules, the first one again at the end.
fn circle(imports: &BTreeMap<String, BTreeSet<String>>) -> Option<Vec<String>> {
    fn visit(
        module: &String,
        imports: &BTreeMap<String, BTreeSet<String>>,
        path: &mut Vec<String>,
        done: &mut BTreeSet<String>,
    ) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|other| other == module) {
            return Some(path[start..].iter().chain([module]).cloned().collect());
        }
        if !done.insert(module.clone()) {
            return None;
        }
        path.push(module.clone());
        let found = imports[module].iter().find_map(|next| visit(next, imports, path, done));
        path.pop();
        found
    }
    let mut done = BTreeSet::new();
    imports.keys().find_map(|module| visit(module, imports, &mut Vec::new(), &mut done))
}

#[test]
fn no_crate_has_a_circle_of_imports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in crates(&root) {
        let modules = modules(&root.join(&folder).join("src"));
        assert!(!modules.is_empty(), "{folder}: no modules were found");
        let imports = imports(&modules);
        let any = modules.len() == 1 || imports.values().any(|imported| !imported.is_empty());
        assert!(any, "{folder}: no imports were found");
        if let Some(circle) = circle(&imports) {
            panic!("{folder}: these modules import each other: {}", circle.join(" -> "));
        }
    }
}

#[test]
fn a_circle_is_found_through_braces_and_re_exports() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use a::A;\n");
    write("a.rs", "use crate::{\n    b::{\n        B,\n    },\n};\n");
    write("b/mod.rs", "mod inner;\npub use inner::B;\n");
    write("b/inner.rs", "use std::fmt;\nuse crate::c::C;\n");
    write("c.rs", "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n");
    assert_eq!(circle(&imports(&modules(folder.path()))), None);
    write("c.rs", "use crate::A;\n");
    let found = circle(&imports(&modules(folder.path()))).unwrap();
    assert_eq!(found, ["a", "b::inner", "c", "a"]);
}
