//! What a failing database, file or disk means, and who can mend it: always the operator, by a sentence.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::{Error, Status};

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        let rusqlite::Error::SqliteFailure(failure, words) = &error else {
            return of_value(&error);
        };
        // The words are the database's own; bound values never stand in them.
        let words = words.as_deref().unwrap_or("no further word");
        match failure.code {
            ErrorCode::ReadOnly => read_only(words),
            ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => permission(words),
            ErrorCode::DiskFull => full(words),
            ErrorCode::DatabaseCorrupt => corrupt(words),
            ErrorCode::NotADatabase => foreign("it is not a SQLite database, or its first page is damaged"),
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SchemaChanged => busy(words),
            ErrorCode::CannotOpen => store("store.open", format!("cannot be opened: {words}")).advice(
                "The store's directory must exist and be writable for the user this process runs as: two files \
                 beside the store come and go with every use.",
            ),
            ErrorCode::SystemIoFailure => store("store.io", format!("reading or writing failed: {words}"))
                .advice("Look for disk errors in the system's log; the store must not lie on a network file system."),
            ErrorCode::OutOfMemory => {
                Error::new(Status::Resources, "resources.memory", "no memory for the store")
                    .advice("Give the process more memory.")
            }
            _ => Error::bug(format!("the store refused a statement: {words}")),
        }
    }
}

pub const LEASE_LOST: &str = "lease.lost";

/// What a visit hears that was fenced off.
pub fn lease_lost() -> Error {
    Error::new(
        Status::Transient,
        LEASE_LOST,
        "the account was changed, removed or taken over during the visit",
    )
    .advice("Nothing is to be done: what was not recorded is collected again.")
}

/// A file beside the store, or the store's own, that the operating system refused.
pub(super) fn of_file(error: &io::Error, doing: &str) -> Error {
    let words = format!("{doing}: {error}");
    match error.kind() {
        io::ErrorKind::PermissionDenied => permission(&words),
        io::ErrorKind::ReadOnlyFilesystem => read_only(&words),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(&words),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            store("store.directory", format!("has no directory to lie in ({words})"))
                .advice("Create the directory `store` lies in, owned by the user this process runs as.")
        }
        _ => store("store.io", format!("cannot be used: {words}")).advice(
            "Look for disk errors in the system's log; the store must not lie on a network file system.",
        ),
    }
}

pub(super) fn read_only(words: &str) -> Error {
    store("store.read_only", format!("cannot be written: {words}")).advice(
        "The store, the files beside it and their directory must be writable for the user this process runs as, \
         and not on a file system mounted read-only.",
    )
}

pub(super) fn busy(words: &str) -> Error {
    store("store.busy", format!("is held by another process for too long: {words}"))
        .advice("Another program (a backup, a shell on the database) keeps the store locked, or a process of this library was stopped while writing.")
        .retry_after(60)
}

pub(super) fn foreign(why: &str) -> Error {
    store("store.foreign", format!("is not a store of multipop: {why}")).advice(
        "Check the path `store` in the configuration. If the file once was this store, restore it from a backup; \
         the library never touches a file it does not know.",
    )
}

pub(super) fn newer(found: i64, known: i64) -> Error {
    store(
        "store.newer",
        format!("has schema {found}, and this version of multipop knows schemas up to {known}"),
    )
    .advice("A newer multipop has used this store. Install that version again, or restore the backup made before.")
}

pub(super) fn corrupt(words: &str) -> Error {
    store("store.corrupt", format!("is damaged: {words}")).advice(
        "Stop every process that uses the store, keep a copy of it and of the files beside it, and restore the last \
         backup. Mail left on the servers is collected again where the backup does not know it.",
    )
}

/// Says which store it was, where that is not plain.
pub(super) fn at(path: &Path, mut error: Error) -> Error {
    if error.status == Status::Store {
        error.message = format!("the store {} {}", path.display(), error.message);
    }
    error
}

fn of_value(error: &rusqlite::Error) -> Error {
    use rusqlite::Error as E;
    match error {
        E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::InvalidColumnType(..)
        | E::Utf8Error(..) => corrupt(&error.to_string()),
        _ => Error::bug(format!("a statement to the store is wrong: {error}")),
    }
}

fn permission(words: &str) -> Error {
    store("store.permission", format!("may not be used by this user: {words}")).advice(
        "The store, the files beside it and their directory must belong to the user this process runs as; if a \
         command made them as root, give them to the owner of the directory.",
    )
}

fn full(words: &str) -> Error {
    store("store.full", format!("has no room to grow: {words}"))
        .advice("The disk or quota the store lies on is full. Nothing was lost; collection goes on when there is room.")
}

fn store(cause: &'static str, message: String) -> Error {
    Error::new(Status::Store, cause, message)
}
