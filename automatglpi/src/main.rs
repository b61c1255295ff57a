//! The command line of AutomatGLPI.

fn main() {}
