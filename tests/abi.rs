//! The ABI as hosts meet it: the header against Rust, the exports against the history, and C and C++ programs that
//! behave well and badly against the built library (I4, I5, I6).

#[path = "abi/layout.rs"]
mod layout;
#[path = "abi/programs.rs"]
mod programs;

use std::collections::BTreeSet;
use std::process::Command;

use programs::{compile, library, root, run};

fn header() -> String {
    std::fs::read_to_string(root().join("include/multipop.h")).expect("the header is there")
}

fn behave(case: &str) {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "c11", "tests/abi/behave.c", &[]);
    let said = run(Command::new(program).arg(library()).arg(dir.path()).arg(case));
    assert_eq!(said.trim(), "fine");
}

#[test]
fn every_size_offset_and_number_of_the_header_is_rusts() {
    let dir = tempfile::tempdir().unwrap();
    let numbers: Vec<String> = header()
        .lines()
        .filter_map(|line| line.strip_prefix("#define "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .filter(|name| {
            let other = ["MULTIPOP_H", "MULTIPOP_OPERATOR"].contains(&name.as_str());
            !name.contains('(') && !name.ends_with("_INIT") && !other
        })
        .collect();
    let inc: String = numbers.iter().map(|name| format!("NUMBER({name});\n")).collect();
    std::fs::write(dir.path().join("numbers.inc"), inc).unwrap();

    let printed =
        run(&mut Command::new(compile(dir.path(), "c99", "tests/abi/layout.c", &["-DMULTIPOP_NO_LOADER"])));
    let c: BTreeSet<&str> = printed.lines().collect();
    let rust = layout::lines();
    let rust: BTreeSet<&str> = rust.iter().map(String::as_str).collect();
    assert_eq!(c.difference(&rust).collect::<Vec<_>>(), Vec::<&&str>::new(), "the header says these alone");
    assert_eq!(rust.difference(&c).collect::<Vec<_>>(), Vec::<&&str>::new(), "Rust says these alone");
}

#[test]
fn no_struct_has_padding() {
    for (name, size, fields) in layout::structs() {
        assert_eq!(
            size,
            fields.iter().map(|(_, _, size)| size).sum::<usize>(),
            "{name} has padding, or a field nobody compared"
        );
    }
}

#[test]
fn the_header_compiles_without_a_warning_and_loads() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other.so");
    run(Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&other)
        .arg(root().join("tests/abi/other_major.c")));
    let first = dir.path().join("first.so");
    run(Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&first)
        .arg(root().join("tests/abi/first_minor.c")));
    for dialect in ["c99", "c11", "c++17"] {
        let program = compile(dir.path(), dialect, "tests/abi/dialect.c", &[]);
        run(Command::new(program).arg(library()).arg(&other).arg(&first));
        let program = compile(dir.path(), dialect, "tests/abi/dialect.c", &["-DMULTIPOP_NO_LOADER"]);
        run(&mut Command::new(program));
    }
}

#[test]
fn the_examples_compile_without_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    for dialect in ["c99", "c11", "c++17"] {
        compile(dir.path(), dialect, "examples/minimal.c", &[]);
    }
    compile(dir.path(), "c++17", "examples/host.cpp", &[]);
    let minimal = std::fs::read_to_string(root().join("examples/minimal.c")).unwrap();
    assert!(minimal.lines().count() <= 150);
}

fn exported() -> BTreeSet<String> {
    run(Command::new("nm").args(["-D", "--defined-only"]).arg(library()))
        .lines()
        .filter_map(|line| line.split_whitespace().nth(2).map(str::to_owned))
        .collect()
}

/// The functions the header declares: a name at the left of a parenthesis, outside comments and macros.
fn declared() -> BTreeSet<String> {
    let (functions, _) = header()
        .split_once("/* ---- A type for every function")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .expect("the header has that page");
    let mut code = String::new();
    let mut rest = functions.as_str();
    while let Some((before, comment)) = rest.split_once("/*") {
        code.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    code.push_str(rest);
    code.lines()
        .filter(|line| !line.starts_with(['#', ' ']))
        .filter_map(|line| line.split_once('(').map(|(before, _)| before))
        .filter_map(|before| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("multipop_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn exports_history_and_header_are_one_list() {
    const CHECKED: &str = "_1as_0lib_1header_0root_bmodule_bloader";
    let history: BTreeSet<String> = std::fs::read_to_string(root().join("include/ABI-HISTORY.md"))
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| line.split_once('`').map(|(name, _)| name.to_owned()))
        .filter(|name| !name.ends_with("_t"))
        .collect();
    assert_eq!(exported(), history);
    let mut header = declared();
    header.insert(CHECKED.to_owned());
    assert_eq!(header, history);
}

#[test]
fn every_function_has_its_type_and_is_loaded() {
    let header = header();
    let history = std::fs::read_to_string(root().join("include/ABI-HISTORY.md")).unwrap();
    for name in declared() {
        let field = name.trim_start_matches("multipop_");
        assert!(header.contains(&format!("{name}_fn *{field};")), "{name} is not in multipop_api_t");
        let is_first = history.contains(&format!("| `{name}` | 1.0 |"));
        let found = if is_first { "MULTIPOP_FIND_" } else { "MULTIPOP_FIND_LATER_" };
        assert!(header.contains(&format!("{found}({field})")), "{name} is not loaded");
    }
}

#[test]
fn the_library_has_its_soname_and_stays_mapped() {
    let dynamic = run(Command::new("readelf").arg("-dW").arg(library()));
    assert!(dynamic.contains("[libmultipop.so.1]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn i04_null_in_every_place_is_refused() {
    behave("nulls");
}

#[test]
fn i04_wrong_sizes_and_dirty_tails_are_refused() {
    behave("sizes");
}

#[test]
fn i04_bad_and_huge_text_is_refused() {
    behave("text");
}

#[test]
fn i04_a_call_from_a_callback_is_refused_and_destroy_waits_for_its_time() {
    behave("reentrant");
}

#[test]
fn i04_a_second_thread_is_refused_at_once() {
    behave("concurrent");
}

#[test]
fn i04_a_child_forked_during_a_call_is_told_so() {
    behave("fork_during");
}

#[test]
fn nothing_goes_before_configure() {
    behave("unconfigured");
}

#[test]
fn a_fork_between_calls_just_works() {
    behave("fork_between");
}

#[test]
fn a_peer_that_hangs_up_raises_no_sigpipe() {
    behave("sigpipe");
}

#[test]
fn cancel_works_from_a_signal_handler_and_is_sticky() {
    behave("cancel");
}

#[test]
fn i05_callbacks_on_the_callers_thread() {
    behave("own_thread");
}

#[test]
fn i06_quiet_between_calls() {
    behave("quiet");
}

#[test]
fn dlclose_cannot_hurt() {
    behave("unload");
}

#[test]
fn i04_a_throwing_cpp_host_hears_its_own_exception() {
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "c++17", "tests/abi/throwing.cpp", &[]);
    let said = run(Command::new(program).arg(library()).arg(dir.path()));
    assert_eq!(said.trim(), "fine");
}

#[test]
fn i04_an_exception_that_leaves_a_callback_ends_the_host_before_it_passes_through() {
    use std::os::unix::process::ExitStatusExt;
    let dir = tempfile::tempdir().unwrap();
    let program = compile(dir.path(), "c++17", "tests/abi/raw_throw.cpp", &[]);
    let out = Command::new(program).arg(library()).arg(dir.path()).output().unwrap();
    assert_eq!(out.status.signal(), Some(6), "{out:?}");
    // Not at a `catch_unwind` of the runtime's, after our frames were torn down.
    assert_eq!(String::from_utf8_lossy(&out.stderr), "");
}

/// One process, two types: a root module is kept per type.
#[test]
fn a_rust_host_built_with_the_structs_of_1_0_loads_todays_library() {
    use abi_stable::library::RootModule;
    use multipop_abi::module::MultipopRef;
    use multipop_abi_frozen as frozen;

    let then = frozen::MultipopRef::load_from_file(&library()).expect("ABI 1.0 still loads");
    let now = MultipopRef::load_from_file(&library()).expect("today's ABI loads");
    // SAFETY: the loader compared the layouts.
    unsafe {
        assert_eq!(then.abi_version()() >> 16, 1);
        assert_eq!(then.abi_version()(), now.abi_version()());
        let host = frozen::Host {
            struct_size: size_of::<frozen::Host>() as u32,
            log_level: 0,
            name: c"frozen".as_ptr(),
            user: std::ptr::null_mut(),
            log: None,
            event: None,
        };
        let mut mp = std::ptr::null_mut();
        assert_eq!(then.init()(&host, &mut mp, std::ptr::null_mut()), 0);
        assert_eq!(then.configure()(mp, c"{}".as_ptr(), std::ptr::null_mut()), multipop_abi::E_CONFIG);
        then.destroy()(mp);
    }
    let wrong = frozen::wrong::MultipopRef::load_from_file(&library());
    assert!(wrong.is_err(), "a host that wants other functions must be refused");
}
