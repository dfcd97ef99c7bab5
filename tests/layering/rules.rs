//! The rules of the house, applied to one file: where paths may point, and what no file may do.

use crate::source::{Token, tokens};

/// The rooms, top row first. A file uses rooms of lower rows, and its own.
const ROWS: [&[&str]; 6] = [
    &["ffi"],
    &["service"],
    &["engine"],
    &["net", "store"],
    &["pop3", "oauth", "plan", "retry"],
    // Words everyone speaks, to one another too.
    &["config", "model", "secret", "error"],
];

/// A file that grows past this is two ideas.
pub const MOST_LINES: usize = 400;

/// Macros that write to the host's streams, and those that leave work undone.
const FORBIDDEN_MACROS: [&str; 7] =
    ["print", "println", "eprint", "eprintln", "dbg", "todo", "unimplemented"];

/// Everything wrong with one file of `src/`.
pub fn check(path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut complaints: Vec<String> = too_long(path, text).into_iter().collect();
    complaints.extend(arrows(path, &tokens));
    complaints.extend(forbidden(path, &tokens));
    complaints
}

pub fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MOST_LINES).then(|| format!("{path}: {lines} lines are two ideas; {MOST_LINES} are allowed"))
}

fn forbidden(path: &str, tokens: &[Token]) -> Vec<String> {
    let mut complaints = Vec::new();
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    for (i, token) in tokens.iter().enumerate() {
        let before = |n: usize| i.checked_sub(n).map_or("", |i| at(i));
        let reads = matches!(token.text.as_str(), "var" | "var_os" | "vars" | "vars_os");
        let from_env = reads && before(1) == "::" && before(2) == "env";
        let grouped = token.text == "env" && at(i + 1) == "::" && at(i + 2) == "{";
        let fault = match token.text.as_str() {
            "unsafe" if !path.starts_with("src/ffi/") => "unsafe outside src/ffi".to_owned(),
            name if at(i + 1) == "!" && FORBIDDEN_MACROS.contains(&name) => format!("{name}!"),
            "set_var" | "remove_var" => "changes the host's environment".to_owned(),
            _ if from_env || grouped => "reads the host's environment".to_owned(),
            "exit" if at(i + 1) == "(" && before(1) != "." => "exit ends the host".to_owned(),
            _ => continue,
        };
        complaints.push(format!("{path}:{}: {fault}", token.line));
    }
    complaints
}

/// Every path of the file that leads to a room it may not use.
fn arrows(path: &str, tokens: &[Token]) -> Vec<String> {
    let home = module_of(path);
    let Some(room) = home.first() else {
        return Vec::new(); // lib.rs names all rooms
    };
    let Some(row) = row_of(room) else {
        return vec![format!("{path}: unknown room {room}")];
    };
    let mut complaints = Vec::new();
    // Modules written inside the file, each with the depth of braces it was opened at.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut i = 0;
    while i < tokens.len() {
        let text = tokens[i].text.as_str();
        match text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inner.pop_if(|(_, opened)| *opened == depth);
            }
            "mod" if tokens.get(i + 2).is_some_and(|token| token.text == "{") => {
                inner.push((tokens[i + 1].text.clone(), depth));
                i += 1;
            }
            "crate" | "super" if tokens.get(i + 1).is_some_and(|token| token.text == "::") => {
                let mut here = home.clone();
                here.extend(inner.iter().map(|(name, _)| name.clone()));
                let mut targets = Vec::new();
                // A group's braces are skipped with it, so that they do not count as blocks.
                i = follow(tokens, i, &here, &mut targets);
                for (target, line) in targets {
                    let fault = match row_of(&target) {
                        _ if target == *room => continue,
                        None if target == "*" => "crate::* hides what is used".to_owned(),
                        None => format!("unknown room {target}"),
                        Some(below) if below > row || row == ROWS.len() - 1 && below == row => continue,
                        Some(_) => format!("{room} uses {target}, which is not below it"),
                    };
                    complaints.push(format!("{path}:{line}: {fault}"));
                }
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    complaints
}

/// Follows one path, or every path of a group, from token `i` and the module it is written in; answers where it
/// ends. Rooms that are reached from the crate's root are put into `targets` with their lines.
fn follow(tokens: &[Token], mut i: usize, here: &[String], targets: &mut Vec<(String, usize)>) -> usize {
    let mut module = here.to_vec();
    loop {
        let Some(token) = tokens.get(i) else { return i };
        let more = tokens.get(i + 1).is_some_and(|next| next.text == "::");
        match token.text.as_str() {
            "crate" if more => module.clear(),
            "super" if more => {
                module.pop();
            }
            "self" if more => {}
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|token| token.text != "}") {
                    i = follow(tokens, i, &module, targets);
                    // An alias (`as name`) and the comma belong to the entry.
                    while tokens.get(i).is_some_and(|token| token.text != "," && token.text != "}") {
                        i += 1;
                    }
                    if tokens.get(i).is_some_and(|token| token.text == ",") {
                        i += 1;
                    }
                }
                return i + 1;
            }
            name => {
                let target = module.first().cloned().unwrap_or_else(|| name.to_owned());
                targets.push((target, token.line));
                return skip(tokens, i);
            }
        }
        i += 2;
    }
}

/// The end of a path whose room is known: its segments and, in a `use`, its group.
fn skip(tokens: &[Token], mut i: usize) -> usize {
    while tokens.get(i + 1).is_some_and(|next| next.text == "::") {
        i += 2;
    }
    if tokens.get(i).is_none_or(|token| token.text != "{") {
        return i + 1;
    }
    let mut open = 0;
    while let Some(token) = tokens.get(i) {
        match token.text.as_str() {
            "{" => open += 1,
            "}" => open -= 1,
            _ => {}
        }
        i += 1;
        if open == 0 {
            break;
        }
    }
    i
}

fn row_of(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

/// `src/store/sqlite.rs` is the module `[store, sqlite]`; `src/lib.rs` is the root.
fn module_of(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")).expect("a file of src/");
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}
