//! What a row of the table says.

/// Arguments for curl and for `turbohttp get`, and what is to come of them.
///
/// The same exit code, stdout, files and requests are expected of both, apart from what the row names
/// with its reason. An exception that is no longer needed fails like a difference that is not named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Divided at blanks outside of `'`; `;` alone begins a further command. `{NAME}` is replaced.
    pub(crate) arguments: &'static str,
    /// `NAME=VALUE`, divided at blanks.
    pub(crate) environment: &'static str,
    /// Name and content of files in the folder that both find as `{dir}`.
    pub(crate) files: &'static [(&'static str, &'static str)],
    pub(crate) input: &'static str,
    pub(crate) needs_ipv6: bool,
    /// The exit code of curl.
    pub(crate) code: i32,
    /// That of turbohttp where it is another.
    pub(crate) own_code: Option<(i32, &'static str)>,
    /// What stands in the output of curl or in the lines of its requests.
    pub(crate) shows: &'static [&'static str],
    /// Why turbohttp prints or writes something else.
    pub(crate) own_output: Option<&'static str>,
    /// Why turbohttp sends something else.
    pub(crate) own_requests: Option<&'static str>,
}

pub(crate) const fn row(name: &'static str, arguments: &'static str) -> Row {
    Row {
        name,
        arguments,
        environment: "",
        files: &[],
        input: "",
        needs_ipv6: false,
        code: 0,
        own_code: None,
        shows: &[],
        own_output: None,
        own_requests: None,
    }
}

impl Row {
    pub(crate) const fn environment(mut self, variables: &'static str) -> Row {
        self.environment = variables;
        self
    }

    pub(crate) const fn files(mut self, files: &'static [(&'static str, &'static str)]) -> Row {
        self.files = files;
        self
    }

    pub(crate) const fn input(mut self, input: &'static str) -> Row {
        self.input = input;
        self
    }

    pub(crate) const fn needs_ipv6(mut self) -> Row {
        self.needs_ipv6 = true;
        self
    }

    pub(crate) const fn code(mut self, code: i32) -> Row {
        self.code = code;
        self
    }

    pub(crate) const fn own_code(mut self, code: i32, reason: &'static str) -> Row {
        self.own_code = Some((code, reason));
        self
    }

    pub(crate) const fn shows(mut self, texts: &'static [&'static str]) -> Row {
        self.shows = texts;
        self
    }

    pub(crate) const fn own_output(mut self, reason: &'static str) -> Row {
        self.own_output = Some(reason);
        self
    }

    pub(crate) const fn own_requests(mut self, reason: &'static str) -> Row {
        self.own_requests = Some(reason);
        self
    }

    /// The words of each command.
    pub(crate) fn commands(&self) -> Vec<Vec<String>> {
        let words = words(self.arguments);
        let commands = words.split(|word| word == ";");
        commands.map(<[String]>::to_vec).collect()
    }

    /// Whether heads are among what is printed.
    pub(crate) fn shows_heads(&self) -> bool {
        let words = words(self.arguments);
        let shows = ["-i", "-I", "-D"];
        words.iter().any(|word| shows.contains(&&**word))
    }

    /// Whether the times of files are among what is compared.
    pub(crate) fn dates_files(&self) -> bool {
        words(self.arguments).iter().any(|word| word == "-R")
    }

    /// The reasons of all exceptions.
    pub(crate) fn reasons(&self) -> Vec<&'static str> {
        let code = self.own_code.map(|(_, reason)| reason);
        let reasons = [code, self.own_output, self.own_requests];
        reasons.into_iter().flatten().collect()
    }
}

/// Divides at blanks outside of `'`.
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut is_quoted = false;
    for c in text.chars() {
        match c {
            '\'' => {
                is_quoted = !is_quoted;
                word.get_or_insert_default();
            }
            ' ' | '\n' if !is_quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn arguments_are_divided_as_by_a_shell() {
    let row = row("", "-H 'X: 1'  -b '' ; -L\n {plain}/x");
    assert_eq!(
        row.commands(),
        [vec!["-H", "X: 1", "-b", ""], vec!["-L", "{plain}/x"]]
    );
}
