//! Nothing stops silently and nobody is flooded: who is told what, when, once.

mod house;

#[path = "notices/ends.rs"]
mod ends;
#[path = "notices/many.rs"]
mod many;
#[path = "notices/people.rs"]
mod people;
#[path = "notices/setup.rs"]
mod setup;
