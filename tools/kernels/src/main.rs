//! Compiles the shaders for GPUs that need not be there, and counts. README.md says which scripts
//! call this.

mod driver;
mod floors;
mod listing;
mod loops;
mod measure;
mod page;
mod selection;
mod spirv;
mod survey;
mod texts;

use floors::Floors;
use loops::Loop;
use measure::STATISTIC;
use selection::{Comparison, Constants, Table};
use spirv::Form;
use std::{
    env, error, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

type Failure = Box<dyn error::Error>;

const USAGE: &str = "usage:
  kernels compile TARGET FILE [NAME=VALUE]... [--checked] [--listing FILE] [--spirv FILE]
  kernels texts FOLDER
  kernels table MESA FOLDER PAGE FLOORS
  kernels check MESA FOLDER FLOORS
  kernels select SWEEP TILES [--write]
  kernels driver FILE [NAME=VALUE]... [--checked]";

/// The floors are of other compilers: nothing can be said.
const OTHER_MESA: u8 = 3;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match &args[..] {
        ["compile", target, file, options @ ..] => compile(target, Path::new(file), options),
        ["texts", folder] => texts::kernels().and_then(|all| texts::write(&all, Path::new(folder))),
        ["table", mesa, folder, page, floors] => {
            table(mesa, Path::new(folder), Path::new(page), Path::new(floors))
        }
        ["check", mesa, folder, floors] => {
            return check(mesa, Path::new(folder), Path::new(floors)).unwrap_or_else(fail);
        }
        ["select", sweep, tiles] => select(Path::new(sweep), Path::new(tiles), false),
        ["select", sweep, tiles, "--write"] => select(Path::new(sweep), Path::new(tiles), true),
        ["driver", file, options @ ..] => driver(Path::new(file), options),
        _ => Err(USAGE.into()),
    };
    done.map_or_else(fail, |()| ExitCode::SUCCESS)
}

fn fail(error: Failure) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

/// How to compile a file.
#[derive(Default)]
struct Options {
    overrides: Vec<(String, f64)>,
    is_checked: bool,
    listing: Option<PathBuf>,
    spirv: Option<PathBuf>,
}

impl Options {
    fn parse(options: &[&str]) -> Result<Self, Failure> {
        let (mut parsed, mut options) = (Options::default(), options.iter());
        while let Some(&option) = options.next() {
            let mut file = || options.next().map(PathBuf::from).ok_or(USAGE);
            match (option, option.split_once('=')) {
                ("--checked", _) => parsed.is_checked = true,
                ("--listing", _) => parsed.listing = Some(file()?),
                ("--spirv", _) => parsed.spirv = Some(file()?),
                (_, Some((name, value))) => {
                    let value = value.parse().map_err(|_| format!("{option}: no number"))?;
                    parsed.overrides.push((name.to_owned(), value));
                }
                _ => return Err(USAGE.into()),
            }
        }
        Ok(parsed)
    }

    fn form(&self) -> Form {
        if self.is_checked { Form::Checked } else { Form::Trusted }
    }
}

/// Prints what the driver says of a file, and its loops.
fn compile(target: &str, file: &Path, options: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(options)?;
    let form = options.form();
    if let Some(path) = &options.spirv {
        let words = spirv::write(&fs::read_to_string(file)?, &options.overrides, form)?.words;
        fs::write(path, words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())?;
    }
    let compiled = measure::compile(target, file, &options.overrides, form)?;
    if let Some(path) = &options.listing {
        fs::write(path, &compiled.listing)?;
    }
    for (name, value) in &compiled.statistics {
        println!("{name:<28}{value}");
    }
    let blocks = compiled.blocks()?;
    let loops = loops::loops(&blocks);
    for found in &loops {
        let mix = found.mix.iter().map(|(class, count)| format!(" {class:?} {count}"));
        let (sums, accumulators) = (found.sums, found.accumulators);
        println!(
            "loop of {} instructions: {:.1}% multiply-adds, {sums} sum into {accumulators} registers:{}",
            found.instructions(),
            100.0 * found.share(),
            mix.collect::<String>(),
        );
    }
    if let Some(share) = loops::hottest(&loops).map(Loop::share) {
        println!("hottest loop                {:.1}% multiply-adds", 100.0 * share);
    }
    if let Some(count) = loops::per_multiply_add(&blocks, &loops, measure::TERMS) {
        println!("instructions a multiply-add {count:.2} at {} terms", measure::TERMS);
    }
    Ok(())
}

/// Writes the page and the floors.
fn table(mesa: &str, folder: &Path, page: &Path, floors: &Path) -> Result<(), Failure> {
    let kernels = texts::kernels()?;
    texts::write(&kernels, folder)?;
    let rows = survey::survey(&kernels, folder, true)?;
    let units = survey::units(&kernels, folder)?;
    fs::write(page, page::page(&rows, &units, mesa)?)?;
    Floors::of(&rows, &units, mesa).write(floors)
}

/// Compares with the floors.
fn check(mesa: &str, folder: &Path, path: &Path) -> Result<ExitCode, Failure> {
    let floors = Floors::read(path)?;
    if floors.mesa != mesa {
        eprintln!("{} is of Mesa {}, not {mesa}", path.display(), floors.mesa);
        return Ok(ExitCode::from(OTHER_MESA));
    }
    let kernels = texts::kernels()?;
    texts::write(&kernels, folder)?;
    let units = survey::units(&kernels, folder)?;
    let failures = floors.failures(&survey::survey(&kernels, folder, false)?, &units);
    failures.iter().for_each(|failure| println!("{failure}"));
    println!("{} kernels, {} worse than their floors", kernels.len(), failures.len());
    Ok(if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints the constants that a sweep speaks for, beside those of a file, and writes them into it if asked.
fn select(sweep: &Path, tiles: &Path, writes: bool) -> Result<(), Failure> {
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let (table, source) = (Table::parse(&read(sweep)?)?, read(tiles)?);
    let now = Constants::parse(&source)?;
    let fitted = now.fitted(&table);
    println!("{}", Comparison { now: &now, fitted: &fitted, table: &table });
    if writes {
        fs::write(tiles, fitted.written_into(&source))?;
    }
    Ok(())
}

/// Compiles with the driver that is present, and prints what it shows: the statistics on stderr, as some
/// drivers print their listings on stdout themselves, cut wherever their buffer is full.
fn driver(file: &Path, options: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(options)?;
    let text = fs::read_to_string(file)?;
    let spirv = spirv::write(&text, &options.overrides, options.form())?;
    let compiled = driver::Driver::open()?.compile(&spirv)?;
    for (name, value) in compiled.statistics {
        eprintln!("{STATISTIC}{name}\t{value}");
    }
    print!("{}", compiled.listing);
    Ok(())
}
