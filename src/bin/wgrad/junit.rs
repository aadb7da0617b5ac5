//! Reports in JUnit XML, of which CI servers make a page: the dialect of Maven's Surefire, which
//! Jenkins, GitLab and GitHub's actions read.

use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};
use wgrad::Device;

/// The cases of an operation.
pub struct Suite {
    pub name: String,
    pub cases: Vec<Case>,
}

/// A sample and an order of derivative, on a device.
pub struct Case {
    pub name: String,
    pub seconds: f64,
    pub verdict: Verdict,
}

/// The outcome of a case.
pub enum Verdict {
    Passed,
    /// Not run, and why.
    Skipped(&'static str),
    /// The text that the command prints.
    Failed(String),
}

/// The device, for the properties of suites.
pub fn properties(device: &Device) -> Vec<(&'static str, String)> {
    let version = ("wgrad", env!("CARGO_PKG_VERSION").to_owned());
    let about = [version, ("device", device.name()), ("kind", device.kind().to_owned())];
    let of_gpu = match device {
        Device::Gpu(gpu) => vec![("api", gpu.backend()), ("driver", gpu.driver())],
        _ => vec![],
    };
    about.into_iter().chain(of_gpu).collect()
}

/// The file.
pub fn report(suites: &[Suite], properties: &[(&str, String)]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string does not fail.
    let _ = write_report(&mut xml, suites, properties);
    xml
}

fn write_report(xml: &mut String, suites: &[Suite], properties: &[(&str, String)]) -> fmt::Result {
    let all = suites.iter().flat_map(|suite| &suite.cases);
    writeln!(xml, "<testsuites name=\"wgrad verify\"{}>", Counts::of(all))?;
    for Suite { name, cases } in suites {
        let name = escaped(name);
        writeln!(xml, "  <testsuite name=\"{name}\"{}>\n    <properties>", Counts::of(cases))?;
        for (key, value) in properties {
            writeln!(xml, "      <property name=\"{key}\" value=\"{}\"/>", escaped(value))?;
        }
        writeln!(xml, "    </properties>")?;
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for case in cases {
            // Readers take cases of one name for one case.
            let count = seen.entry(&case.name).or_default();
            *count += 1;
            let again = if *count > 1 { format!(" #{count}") } else { String::new() };
            let (case_name, seconds) = (escaped(&case.name), case.seconds);
            write!(
                xml,
                "    <testcase classname=\"wgrad.verify.{name}\" name=\"{case_name}{again}\" \
                 time=\"{seconds:.6}\""
            )?;
            match &case.verdict {
                Verdict::Passed => writeln!(xml, "/>")?,
                Verdict::Skipped(why) => writeln!(
                    xml,
                    ">\n      <skipped message=\"{}\"/>\n    </testcase>",
                    escaped(why)
                )?,
                Verdict::Failed(text) => {
                    let mut lines = text.lines();
                    let message = [lines.next(), lines.next()].map(Option::unwrap_or_default);
                    let message = message.map(str::trim).join(": ");
                    let (message, text) = (escaped(&message), content(text));
                    writeln!(
                        xml,
                        ">\n      <failure message=\"{message}\" type=\"wrong\">{text}</failure>\n    \
                         </testcase>"
                    )?;
                }
            }
        }
        writeln!(xml, "  </testsuite>")?;
    }
    writeln!(xml, "</testsuites>")
}

/// The attributes that count cases.
#[derive(Default)]
struct Counts {
    tests: usize,
    failures: usize,
    skipped: usize,
    seconds: f64,
}

impl Counts {
    fn of<'a>(cases: impl IntoIterator<Item = &'a Case>) -> Self {
        cases.into_iter().fold(Counts::default(), |counts, case| Counts {
            tests: counts.tests + 1,
            failures: counts.failures + usize::from(matches!(case.verdict, Verdict::Failed(_))),
            skipped: counts.skipped + usize::from(matches!(case.verdict, Verdict::Skipped(_))),
            seconds: counts.seconds + case.seconds,
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { tests, failures, skipped, seconds } = self;
        write!(f, " tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\"")?;
        write!(f, " time=\"{seconds:.6}\"")
    }
}

/// Text between tags, where line breaks last.
fn content(text: &str) -> String {
    escaped(text).replace("&#10;", "\n")
}

/// Text for an attribute. Characters that XML 1.0 has not, even as references, are
/// written as Rust escapes them; line breaks as references, since attributes would lose them.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml += "&amp;",
            '<' => xml += "&lt;",
            '>' => xml += "&gt;",
            '"' => xml += "&quot;",
            '\t' | '\n' | '\r' => xml += &format!("&#{};", u32::from(c)),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => xml.extend(c.escape_default()),
            c => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;
    use roxmltree::{Document, Node};

    fn case(name: &str, seconds: f64, verdict: Verdict) -> Case {
        Case { name: name.to_owned(), seconds, verdict }
    }

    fn tags<'a>(node: Node<'a, 'a>, name: &'static str) -> Vec<Node<'a, 'a>> {
        node.children().filter(|child| child.has_tag_name(name)).collect()
    }

    fn counts(node: Node) -> [Option<String>; 5] {
        ["tests", "failures", "errors", "skipped", "time"]
            .map(|name| node.attribute(name).map(str::to_owned))
    }

    #[test]
    fn a_parser_reads_what_was_written() {
        let text =
            "FAILED <result> & \"more\"\n  element 0 is NaN\r\n  ]]> \u{1b}[31m\u{0}\u{ffff}é 猫";
        let suites = [
            Suite {
                name: "add".into(),
                cases: vec![
                    case("add [2] f32, result", 0.25, Verdict::Passed),
                    case("add [2] f32, result", 0.5, Verdict::Failed(text.into())),
                    case("add [2] f16, result", 0.0, Verdict::Skipped("it lacks <f16>")),
                ],
            },
            Suite { name: "none".into(), cases: vec![] },
        ];
        let properties = [("device", "Tesla \"T4\" & <more>\u{7}".to_owned())];
        let xml = report(&suites, &properties);
        let document = Document::parse(&xml).expect("it is XML");
        let root = document.root_element();
        assert!(root.has_tag_name("testsuites"));
        let five = |all: [&str; 5]| all.map(|text| Some(text.to_owned()));
        assert_eq!(counts(root), five(["3", "1", "0", "1", "0.750000"]));
        let [add, none] = tags(root, "testsuite")[..] else { unreachable!("{xml}") };
        assert_eq!(counts(add), five(["3", "1", "0", "1", "0.750000"]));
        assert_eq!(counts(none), five(["0", "0", "0", "0", "0.000000"]));
        let properties = tags(add, "properties")[0];
        let device = tags(properties, "property")[0];
        let device = ["name", "value"].map(|name| device.attribute(name));
        assert_eq!(device, [Some("device"), Some("Tesla \"T4\" & <more>\\u{7}")]);
        let [passed, failed, skipped] = tags(add, "testcase")[..] else { unreachable!("{xml}") };
        assert!(passed.children().next().is_none());
        assert_eq!(passed.attribute("name"), Some("add [2] f32, result"));
        assert_eq!(failed.attribute("name"), Some("add [2] f32, result #2"));
        assert_eq!(failed.attribute("classname"), Some("wgrad.verify.add"));
        assert_eq!(failed.attribute("time"), Some("0.500000"));
        let failure = tags(failed, "failure")[0];
        assert_eq!(failure.attribute("type"), Some("wrong"));
        let message = "FAILED <result> & \"more\": element 0 is NaN";
        assert_eq!(failure.attribute("message"), Some(message));
        let shown = text.replace('\u{1b}', "\\u{1b}").replace('\0', "\\u{0}");
        assert_eq!(failure.text(), Some(&*shown.replace('\u{ffff}', "\\u{ffff}")));
        let skipped = tags(skipped, "skipped")[0];
        assert_eq!(skipped.attribute("message"), Some("it lacks <f16>"));
    }
}
