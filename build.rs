//! Gives the shared library its SONAME and keeps it mapped after `dlclose`: thread-local destructors of the
//! standard library live in it and would otherwise run in unmapped code.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libmultipop.so.1");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
}
