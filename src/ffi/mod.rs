//! The door: C types in, Rust out. The only unsafe code of the library.
