//! multipop
