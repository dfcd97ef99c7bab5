//! What becomes of older, newer and foreign databases.

use super::*;

fn version(connection: &Connection) -> i64 {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

#[test]
fn an_older_schema_goes_the_missing_steps_only() {
    let mut connection = Connection::open_in_memory().unwrap();
    bring_up_by(&mut connection, &["CREATE TABLE one (a); INSERT INTO one VALUES (7)"], 100).unwrap();
    let steps = ["CREATE TABLE one (a)", "CREATE TABLE two AS SELECT a FROM one"];
    assert_eq!(standing_of(&connection, &steps).unwrap(), Standing::Behind(1));
    bring_up_by(&mut connection, &steps, 200).unwrap();
    assert_eq!(standing_of(&connection, &steps).unwrap(), Standing::Current);
    let kept: i64 = connection.query_row("SELECT a FROM two", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 7);
    let when: i64 = connection.query_row("SELECT sum(gone_at) FROM steps", [], |row| row.get(0)).unwrap();
    assert_eq!(when, 300);
}

#[test]
fn a_step_that_fails_half_way_leaves_the_schema_before_it() {
    let mut connection = Connection::open_in_memory().unwrap();
    bring_up_by(&mut connection, &["CREATE TABLE one (a)"], 100).unwrap();
    let steps = ["CREATE TABLE one (a)", "CREATE TABLE two (a); CREATE TABLE one (a)"];
    bring_up_by(&mut connection, &steps, 200).unwrap_err();
    assert_eq!(version(&connection), 1);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'two'", [], |row| row.get(0))
        .unwrap();
    assert_eq!(tables, 0);
}

#[test]
fn foreign_and_newer_databases_are_refused() {
    let mut connection = Connection::open_in_memory().unwrap();
    bring_up(&mut connection, 100).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    let error = standing(&connection).unwrap_err();
    assert_eq!(error.cause, "store.newer");
    assert!(error.message.contains("99") && error.message.contains(&STEPS.len().to_string()));

    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE messages (a)").unwrap();
    assert_eq!(standing(&connection).unwrap_err().cause, "store.foreign");
}
