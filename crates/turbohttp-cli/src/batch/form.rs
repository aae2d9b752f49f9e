//! The form of a line: texts, and files that are read when the line is sent.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use turbohttp::multipart::{self, Part};

/// Entries in the order of the line.
#[derive(Debug, Default)]
pub(crate) struct Form(Vec<(String, Entry)>);

/// A text, or a file with what is said of it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    File(FileEntry),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    file: PathBuf,
    filename: Option<String>,
    #[serde(rename = "type")]
    media_type: Option<String>,
}

impl Form {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Opens the files.
    pub(crate) async fn open(&self) -> turbohttp::Result<multipart::Form> {
        let mut form = multipart::Form::new();
        for (name, entry) in &self.0 {
            form = match entry {
                Entry::Text(text) => form.text(name.clone(), text.clone()),
                Entry::File(entry) => form.part(name.clone(), entry.open().await?),
            };
        }
        Ok(form)
    }
}

impl FileEntry {
    async fn open(&self) -> turbohttp::Result<Part> {
        let mut part = Part::file(&self.file).await?;
        if let Some(name) = &self.filename {
            part = part.file_name(name.clone());
        }
        match &self.media_type {
            Some(media_type) => part.mime_str(media_type),
            None => Ok(part),
        }
    }
}

impl<'de> Deserialize<'de> for Form {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Form, D::Error> {
        deserializer.deserialize_map(ReadForm)
    }
}

struct ReadForm;

impl<'de> Visitor<'de> for ReadForm {
    type Value = Form;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts and of files, as {\"name\": {\"file\": \"path\"}}")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Form, M::Error> {
        let mut form = Form::default();
        let mut names = HashSet::new();
        // As many as fit into a line.
        while let Some((name, entry)) = map.next_entry::<String, Entry>()? {
            if !names.insert(name.clone()) {
                return Err(M::Error::custom(format!("duplicate form entry {name}")));
            }
            form.0.push((name, entry));
        }
        Ok(form)
    }
}
