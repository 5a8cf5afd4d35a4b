//! The command line: words in, a `Verb` out. Nothing is done here.

use crate::failure::Failure;
use crate::suite::Suite;
use crate::v2::{self, Errand};

/// What `cargo xtask help` shows.
pub const HELP: &str = "\
cargo xtask VERB

  test [--only SUITE]…      run every suite, or only those named, and show the seconds of each
                            suites: fmt, tidy, clippy, gen, unit, doc, schemathesis, fuzz,
                            v2
  ci                        the same as `test`
  tidy                      check the house rules: layers, licences, sizes, words, links
  gen [--check]             write the generated files, or say which of them have drifted
  build                     build the release binary as bin/aegis
  up [ARGUMENT]…            install what is missing, build, start `aegis up`
  bench [NAME]…             run the benchmarks
  soak boxes [--count N] [--concurrency N]
                            make 10,000 boxes, 50 at a time, unless told otherwise; nothing
                            may fail and nothing may be left
  soak runs [--count N] [--concurrency N]
                            invoke a server 2,000 times, 16 at a time, each in a box of its own;
                            then look what 500 sessions that rest cost
  fuzz TARGET… [--seconds N]  fuzz, 60 seconds each unless told otherwise
  frameworks                deploy agents of other people's frameworks, unchanged, to a real
                            server and invoke them; installs their packages
  v2 [--seconds N] [--env NAME=VALUE]… [-- PROGRAM [ARGUMENT]…]
                            run a program as root in a machine that has cgroup v2 only, for
                            at most 300 seconds unless told otherwise; show the machine if
                            none is named. It sees this file system, read-only

  Example: cargo xtask test --only tidy --only clippy";

/// How long one fuzz target runs unless told otherwise.
const FUZZ_SECONDS: u32 = 60;

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Verb {
    /// Show the verbs.
    Help,
    /// Check the house rules.
    Tidy,
    /// Run suites; all of them when none is named.
    Test {
        /// The named ones.
        only: Vec<Suite>,
    },
    /// Write or check the generated files.
    Generate {
        /// Compare only.
        check: bool,
    },
    /// Build the release binary.
    Build,
    /// Start everything.
    Up {
        /// Passed on to `aegis up`.
        rest: Vec<String>,
    },
    /// Show what a server that was just started can do; `up` starts this beside it.
    Demo {
        /// Where it serves.
        url: String,
        /// Where its data lies.
        data: String,
    },
    /// Run benchmarks.
    Bench {
        /// Passed on.
        rest: Vec<String>,
    },
    /// Make many of something, and look that nothing is left.
    Soak {
        /// Passed on.
        rest: Vec<String>,
    },
    /// Fuzz.
    Fuzz {
        /// Which targets; all when empty.
        targets: Vec<String>,
        /// How long each.
        seconds: u32,
    },
    /// Try agents of other people's frameworks.
    Frameworks,
    /// Run a program in a machine that has cgroup v2 only.
    V2(Errand),
}

impl Verb {
    /// Reads the words after `cargo xtask`.
    pub fn parse(words: &[String]) -> Result<Self, Failure> {
        let Some((verb, rest)) = words.split_first() else {
            return Ok(Self::Help);
        };
        match verb.as_str() {
            "help" | "-h" | "--help" => Ok(Self::Help),
            "tidy" => alone(rest, Self::Tidy),
            "ci" => alone(rest, Self::Test { only: Vec::new() }),
            "build" => alone(rest, Self::Build),
            "test" => Ok(Self::Test { only: suites(rest)? }),
            "gen" => generate(rest),
            "up" => Ok(Self::Up { rest: rest.to_vec() }),
            "demo" => demo(rest),
            "bench" => Ok(Self::Bench { rest: rest.to_vec() }),
            "soak" => soak(rest),
            "fuzz" => fuzz(rest),
            "frameworks" => alone(rest, Self::Frameworks),
            "v2" => errand(rest).map(Self::V2),
            other => Err(Failure::Usage(format!("`{other}` is not a verb"))),
        }
    }
}

fn alone(rest: &[String], verb: Verb) -> Result<Verb, Failure> {
    match rest.first() {
        None => Ok(verb),
        Some(word) => Err(Failure::Usage(format!("`{word}` is too much"))),
    }
}

fn generate(rest: &[String]) -> Result<Verb, Failure> {
    match rest {
        [word, rest @ ..] if word == "--check" => alone(rest, Verb::Generate { check: true }),
        rest => alone(rest, Verb::Generate { check: false }),
    }
}

fn demo(rest: &[String]) -> Result<Verb, Failure> {
    match rest {
        [url, data] => Ok(Verb::Demo { url: url.clone(), data: data.clone() }),
        _ => Err(Failure::Usage("`demo` wants the server's URL and its data directory".to_owned())),
    }
}

fn suites(mut rest: &[String]) -> Result<Vec<Suite>, Failure> {
    let mut only = Vec::new();
    while let [flag, after @ ..] = rest {
        let ("--only", [name, after @ ..]) = (flag.as_str(), after) else {
            return Err(Failure::Usage(format!("`{flag}` is not `--only SUITE`")));
        };
        let suite = Suite::by_name(name).ok_or_else(|| Failure::Usage(format!("`{name}` is not a suite")))?;
        only.push(suite);
        rest = after;
    }
    Ok(only)
}

fn fuzz(mut rest: &[String]) -> Result<Verb, Failure> {
    let mut targets = Vec::new();
    let mut seconds = FUZZ_SECONDS;
    while let [word, after @ ..] = rest {
        rest = after;
        if word != "--seconds" {
            targets.push(word.clone());
            continue;
        }
        seconds = above_zero(word, rest.first())?;
        rest = rest.get(1..).unwrap_or_default();
    }
    Ok(Verb::Fuzz { targets, seconds })
}

fn soak(rest: &[String]) -> Result<Verb, Failure> {
    let (what, mut options) = rest.split_first().map_or((None, rest), |(what, options)| (Some(what), options));
    if what.is_none_or(|what| what != "boxes" && what != "runs") {
        return Err(Failure::Usage("`soak` wants to know of what: `boxes` or `runs`".to_owned()));
    }
    while let [flag, after @ ..] = options {
        if flag != "--count" && flag != "--concurrency" {
            return Err(Failure::Usage(format!("`{flag}` is not `--count` or `--concurrency`")));
        }
        above_zero(flag, after.first())?;
        options = after.get(1..).unwrap_or_default();
    }
    Ok(Verb::Soak { rest: rest.to_vec() })
}

fn above_zero(flag: &str, word: Option<&String>) -> Result<u32, Failure> {
    let number = word.and_then(|word| word.parse().ok()).filter(|number| *number > 0);
    number.ok_or_else(|| Failure::Usage(format!("`{flag}` wants a number above 0")))
}

fn errand(rest: &[String]) -> Result<Errand, Failure> {
    let mut errand = Errand { program: Vec::new(), variables: Vec::new(), seconds: v2::SECONDS };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--" => errand.program = words.by_ref().cloned().collect(),
            "--seconds" => errand.seconds = above_zero(word, words.next())?,
            "--env" => errand.variables.push(setting(words.next())?),
            _ => return Err(Failure::Usage(format!("`{word}` is too much; the program comes after `--`"))),
        }
    }
    Ok(errand)
}

/// `NAME=VALUE`, of a name that a shell takes.
fn setting(word: Option<&String>) -> Result<(String, String), Failure> {
    let of_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let (name, value) = word.and_then(|word| word.split_once('=')).unwrap_or_default();
    if name.starts_with(|letter: char| !letter.is_ascii_digit()) && name.chars().all(of_name) {
        return Ok((name.to_owned(), value.to_owned()));
    }
    Err(Failure::Usage("`--env` wants NAME=VALUE".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Verb, Failure> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Verb::parse(&words)
    }

    #[track_caller]
    fn check(line: &str, verb: Verb) {
        assert_eq!(parse(line).expect(line), verb);
    }

    #[track_caller]
    fn refused(line: &str) {
        let failure = parse(line).expect_err(line);
        assert_eq!(failure.exit_code(), 2, "{failure}");
    }

    #[test]
    fn every_verb_reads() {
        check("", Verb::Help);
        check("tidy", Verb::Tidy);
        check("ci", Verb::Test { only: vec![] });
        check("test --only tidy --only gen", Verb::Test { only: vec![Suite::Tidy, Suite::Generated] });
        check("gen", Verb::Generate { check: false });
        check("gen --check", Verb::Generate { check: true });
        check("demo http://h d", Verb::Demo { url: "http://h".to_owned(), data: "d".to_owned() });
        check("up --dev", Verb::Up { rest: vec!["--dev".to_owned()] });
        check("fuzz manifest --seconds 9", Verb::Fuzz { targets: vec!["manifest".to_owned()], seconds: 9 });
        let soak = ["boxes", "--count", "9", "--concurrency", "2"].map(str::to_owned).to_vec();
        check("soak boxes --count 9 --concurrency 2", Verb::Soak { rest: soak });
        check("soak boxes", Verb::Soak { rest: vec!["boxes".to_owned()] });
        check("frameworks", Verb::Frameworks);
        check("fuzz", Verb::Fuzz { targets: vec![], seconds: FUZZ_SECONDS });
        check("v2", Verb::V2(Errand { program: vec![], variables: vec![], seconds: v2::SECONDS }));
        let (program, variables) = (vec!["a".to_owned(), "--env".to_owned()], vec![("K".to_owned(), "v=w".to_owned())]);
        check("v2 --seconds 9 --env K=v=w -- a --env", Verb::V2(Errand { program, variables, seconds: 9 }));
    }

    #[test]
    fn what_is_not_understood_is_refused_not_ignored() {
        refused("tiddy");
        refused("tidy now");
        refused("test tidy");
        refused("test --only");
        refused("test --only nothing");
        refused("gen --chek");
        refused("fuzz x --seconds");
        refused("fuzz x --seconds 0");
        refused("soak");
        refused("soak shoes");
        refused("soak boxes 9");
        refused("soak boxes --count");
        refused("soak boxes --count 0");
        refused("frameworks fastapi");
        refused("v2 true");
        refused("v2 --seconds -- true");
        refused("v2 --env K -- true");
        refused("v2 --env 1K=v");
        refused("v2 --env");
    }

    #[test]
    fn the_help_names_every_suite() {
        for suite in Suite::ALL {
            assert!(HELP.contains(suite.name()), "{}", suite.name());
        }
    }
}
