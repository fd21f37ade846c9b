//! The known callers while they are edited: found by words, and read from pasted lines.

use std::fmt::Write as _;

use cordboard_shared::id::AgentId;
use cordboard_shared::phone::E164;
use cordboard_shared::policy::Contact;

/// Priorities go up to this.
pub const PRIORITY_MOST: u8 = 9;

/// The places of the contacts that fit a search, in their order: number, name, tag or the assigned person's name.
pub fn found(contacts: &[Contact], wanted: &str, person: &dyn Fn(AgentId) -> String) -> Vec<usize> {
    let wanted = wanted.trim().to_lowercase();
    let digits: String = wanted.chars().filter(|letter| !letter.is_whitespace()).collect();
    let fits = |contact: &Contact| {
        let has = |text: &str| text.to_lowercase().contains(&wanted);
        wanted.is_empty()
            || contact.number.as_str().contains(&digits)
            || has(&contact.name)
            || contact.tags.iter().any(|tag| has(tag))
            || contact.agent.is_some_and(|agent| has(&person(agent)))
    };
    contacts.iter().enumerate().filter(|(_, contact)| fits(contact)).map(|(index, _)| index).collect()
}

/// A pasted line, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which, counted from 1.
    pub number: usize,
    /// The contact, or what is wrong with the line.
    pub contact: Result<Contact, String>,
}

/// What an import would do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Import {
    /// Contacts of numbers not known so far.
    pub new: Vec<Contact>,
    /// Contacts whose number is known, and who would be replaced.
    pub changed: Vec<Contact>,
    /// How many are there already just so.
    pub same: usize,
    /// Lines that cannot be read: which, and why.
    pub wrong: Vec<(usize, String)>,
}

impl Import {
    /// Compares lines with the contacts there are. Of two lines with one number the later counts.
    pub fn of(lines: Vec<Line>, known: &[Contact]) -> Self {
        let mut import = Self::default();
        for line in lines {
            let contact = match line.contact {
                Ok(contact) => contact,
                Err(why) => {
                    import.wrong.push((line.number, why));
                    continue;
                }
            };
            for list in [&mut import.new, &mut import.changed] {
                list.retain(|one| one.number != contact.number);
            }
            match known.iter().find(|one| one.number == contact.number) {
                None => import.new.push(contact),
                Some(one) if *one == contact => import.same += 1,
                Some(_) => import.changed.push(contact),
            }
        }
        import
    }

    /// `2 new, 1 changed, 3 as they are, 1 line cannot be read`
    pub fn summary(&self) -> String {
        let mut text = format!("{} new, {} changed, {} as they are", self.new.len(), self.changed.len(), self.same);
        match self.wrong.len() {
            0 => {}
            1 => text.push_str(", 1 line cannot be read"),
            more => {
                let _ = write!(text, ", {more} lines cannot be read");
            }
        }
        text
    }

    /// Puts it into the contacts.
    pub fn apply(self, contacts: &mut Vec<Contact>) {
        for contact in self.changed {
            if let Some(known) = contacts.iter_mut().find(|known| known.number == contact.number) {
                *known = contact;
            }
        }
        contacts.extend(self.new);
    }
}

/// Reads pasted lines: number, name, tags (separated by semicolons), priority, person. Only the number is needed; a
/// first line without a number in its first cell is taken for headings.
pub fn lines(text: &str, person: &dyn Fn(&str) -> Option<AgentId>) -> Vec<Line> {
    let text = text.trim_start_matches('\u{feff}');
    let mut read = Vec::new();
    for (row, number) in text.lines().zip(1..) {
        if row.trim().is_empty() {
            continue;
        }
        let cells = cells(row);
        let first = cells.first().map(String::as_str).unwrap_or_default();
        let is_heading = number == 1 && !first.chars().any(|letter| letter.is_ascii_digit());
        if !is_heading {
            read.push(Line { number, contact: contact(&cells, person) });
        }
    }
    read
}

/// Words separated by commas or semicolons.
pub fn tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split([',', ';']).map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// A number as people write it: with spaces, hyphens, brackets.
pub fn number(text: &str) -> Result<E164, String> {
    let bare: String = text.chars().filter(|letter| letter.is_ascii_digit() || *letter == '+').collect();
    if bare.starts_with('+') { bare.parse().map_err(|_| refused(text)) } else { Err(refused(text)) }
}

fn refused(text: &str) -> String {
    format!("“{}” is no number with its country, such as +442079460199.", text.trim())
}

fn contact(cells: &[String], person: &dyn Fn(&str) -> Option<AgentId>) -> Result<Contact, String> {
    let cell = |index: usize| cells.get(index).map(|cell| cell.trim()).unwrap_or_default();
    let priority = match cell(3) {
        "" => 0,
        text => text
            .parse()
            .ok()
            .filter(|priority| *priority <= PRIORITY_MOST)
            .ok_or_else(|| format!("The priority “{text}” is none of 0 to {PRIORITY_MOST}."))?,
    };
    let agent = match cell(4) {
        "" => None,
        name => Some(person(name).ok_or_else(|| format!("Nobody here is called “{name}”."))?),
    };
    Ok(Contact { number: number(cell(0))?, name: cell(1).to_owned(), agent, priority, tags: tags(cell(2)) })
}

/// The cells of a line, separated by the first of tab, semicolon or comma that is there; quotes hold a cell together.
fn cells(row: &str) -> Vec<String> {
    let bare: String = row.split('"').step_by(2).collect();
    // Semicolons stand inside the tags of lines with commas.
    let separator = ['\t', ',', ';'].into_iter().find(|mark| bare.contains(*mark)).unwrap_or(',');
    let mut cells = vec![String::new()];
    let mut letters = row.chars().peekable();
    let mut quoted = false;
    while let Some(letter) = letters.next() {
        let Some(cell) = cells.last_mut() else { break };
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            _ if letter == separator && !quoted => cells.push(String::new()),
            _ => cell.push(letter),
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASHA: AgentId = AgentId::demo(1);

    fn person(name: &str) -> Option<AgentId> {
        (name == "Asha Rao").then_some(ASHA)
    }

    fn contact(number: &str, name: &str) -> Contact {
        Contact { number: number.parse().unwrap(), name: name.to_owned(), agent: None, priority: 0, tags: Vec::new() }
    }

    #[test]
    fn contacts_are_found_by_number_name_tag_and_person() {
        let mut contacts = vec![contact("+442079460100", "Priya Shah"), contact("+12025550100", "Sam Lee")];
        contacts[0].tags = vec!["gold".to_owned()];
        contacts[1].agent = Some(ASHA);
        let name = |_| "Asha Rao".to_owned();
        let search = |wanted| found(&contacts, wanted, &name);
        assert_eq!(search(""), [0, 1]);
        assert_eq!(search("+44 20"), [0]);
        assert_eq!(search("PRIYA"), [0]);
        assert_eq!(search("gold"), [0]);
        assert_eq!(search("asha"), [1]);
        assert!(search("nobody").is_empty());
    }

    #[test]
    fn pasted_lines_become_contacts_or_say_what_is_wrong() {
        let text = "\u{feff}Number,Name,Tags,Priority,Person\n\
                    +44 20 7946 0100,\"Shah, Priya\",gold;vip,7,Asha Rao\n\
                    \n\
                    02079460100,No country\n\
                    +12025550100,Sam,,12\n\
                    +12025550101,Sam,,,Nobody Known\n\
                    +12025550102";
        let lines = lines(text, &person);
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 4, 5, 6, 7]);
        let priya = Contact {
            agent: Some(ASHA),
            priority: 7,
            tags: vec!["gold".to_owned(), "vip".to_owned()],
            ..contact("+442079460100", "Shah, Priya")
        };
        assert_eq!(lines[0].contact, Ok(priya));
        for (line, part) in [(1, "02079460100"), (2, "12"), (3, "Nobody Known")] {
            assert!(lines[line].contact.as_ref().unwrap_err().contains(part), "{:?}", lines[line]);
        }
        assert_eq!(lines[4].contact, Ok(contact("+12025550102", "")));
    }

    #[test]
    fn tabs_and_semicolons_separate_as_well() {
        assert_eq!(cells("+1\tSam\tgold;vip"), ["+1", "Sam", "gold;vip"]);
        assert_eq!(cells("+1;Sam"), ["+1", "Sam"]);
        assert_eq!(cells(r#"+1,"say ""hi"", all""#), ["+1", r#"say "hi", all"#]);
    }

    #[test]
    fn an_import_adds_replaces_and_leaves_alone() {
        let mut known = vec![contact("+442079460100", "Priya Shah"), contact("+12025550100", "Sam Lee")];
        let pasted = "+442079460100,Priya Shah\n+12025550100,Samuel Lee\n+12025550199,New\n+12025550199,Newer\nx";
        let import = Import::of(lines(pasted, &person), &known);
        assert_eq!(import.summary(), "1 new, 1 changed, 1 as they are, 1 line cannot be read");
        import.apply(&mut known);
        let names: Vec<_> = known.iter().map(|contact| contact.name.as_str()).collect();
        assert_eq!(names, ["Priya Shah", "Samuel Lee", "Newer"]);
    }
}
