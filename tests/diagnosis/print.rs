//! The table in print.

use std::fmt::Write;

use multipop::oauth::table::{self, Class, Row, When};

pub fn page() -> String {
    let mut page = String::from(HEAD);
    for (title, class) in [
        ("The user can mend it", Class::User),
        ("The administrator at the identity provider can mend it", Class::Admin),
        ("The administrator of the mailbox can mend it", Class::Mailbox),
        ("The configuration or the registration is wrong", Class::Config),
        ("Time mends it", Class::Time),
    ] {
        let _ = write!(
            page,
            "\n## {title}\n\n| seen | cause | to the user | to the administrator | next try |\n"
        );
        page.push_str("| --- | --- | --- | --- | --- |\n");
        for row in table::rows().filter(|row| row.class == class) {
            let cells = [
                seen(row),
                format!("`{}`", row.cause),
                row.for_user.to_owned(),
                row.for_operator.to_owned(),
                next_try(row),
            ];
            let _ = writeln!(page, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | "));
        }
    }
    page
}

const HEAD: &str = "\
# What a failure means and who can mend it

Made from `src/oauth/table/` by `cargo test --test diagnosis`; do not edit it here.

Microsoft's numbers refine `suberror` and `error`, and an HTTP status of 408, 429 or 5xx is time whatever stands in it.
Numbers that are not listed leave what `error` says. Of the rows for a mail server's answer the first that fits counts.
";

fn seen(row: &Row) -> String {
    let coded = |names: &[&str]| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let mut parts = Vec::new();
    if !row.numbers.is_empty() {
        let numbers: Vec<_> = row.numbers.iter().map(u32::to_string).collect();
        parts.push(format!("AADSTS {}", numbers.join(", ")));
    }
    if !row.errors.is_empty() {
        parts.push(format!("`error` {}", coded(row.errors)));
    }
    if !row.suberrors.is_empty() {
        parts.push(format!("`suberror` {}", coded(row.suberrors)));
    }
    parts.extend(row.sight.map(|sight| format!("mail server: {}", sight.words)));
    let when = match row.when {
        When::Always => "",
        When::InBrowser => "; said to the browser",
        When::AtToken => "; said at the token endpoint",
        When::SigningIn => "; in a sign-in",
        When::Renewing => "; in a refresh, so it worked before",
        When::ClockWrong => "; the clocks differ by 5 minutes or more",
        When::ClockRight => "; the clocks agree",
    };
    format!("{}{when}", parts.join("; "))
}

fn next_try(row: &Row) -> String {
    match (row.class, row.wait_s) {
        (Class::Time, 0) => "in 1, 2, 4 … 60 minutes".to_owned(),
        (Class::Time, seconds @ ..60) => format!("in {seconds} seconds"),
        (Class::Time, seconds) => format!("not before {} minutes", seconds / 60),
        (Class::User, _) => "at once after the sign-in; else hourly".to_owned(),
        _ => "every 6 hours, or when something changed".to_owned(),
    }
}
