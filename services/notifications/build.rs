//! Lists `texts/`: a language is added by adding its file (N-3).

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=texts");
    // Those are built in, too, and a new one is noticed by nothing else.
    println!("cargo:rerun-if-changed=migrations");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("texts");
    let mut files: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    files.sort_by_key(fs::DirEntry::file_name);
    let mut list = String::from("[");
    for file in files {
        let path = file.path();
        let (Some(tag), true) = (path.file_stem(), path.extension().is_some_and(|end| end == "json")) else {
            continue;
        };
        // Writing to a text does not fail.
        let _ = write!(list, "({:?}, include_str!({:?})), ", tag.to_string_lossy(), path.to_string_lossy());
    }
    list.push(']');
    fs::write(Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("texts.rs"), list)
}
