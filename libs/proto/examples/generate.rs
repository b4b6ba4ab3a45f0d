//! Writes the generated code into `src/gen`: `make proto`.

#[path = "../codegen.rs"]
mod codegen;

fn main() {
    let folder = codegen::folder();
    std::fs::create_dir_all(&folder).expect("src/gen");
    for (name, content) in codegen::generate() {
        std::fs::write(folder.join(name), content).expect("to write a generated file");
    }
}
