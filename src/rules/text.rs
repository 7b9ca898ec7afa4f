//! Text for people in the programme's two languages.

use serde::{Deserialize, Serialize};

/// A name or a description in English and Simplified Chinese. A plain string in a file stands for
/// both languages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "TextForm", into = "TextForm")]
pub struct Text {
    /// English, and what stands where no Chinese is given.
    pub en: String,
    /// Simplified Chinese.
    pub zh: Option<String>,
}

impl Text {
    /// The text for a reader of Chinese (`zh`), else English.
    pub fn get(&self, chinese: bool) -> &str {
        match &self.zh {
            Some(zh) if chinese => zh,
            _ => &self.en,
        }
    }
}

impl From<&str> for Text {
    fn from(en: &str) -> Self {
        Self { en: en.to_owned(), zh: None }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(untagged, expecting = "expected a string or {en, zh}")]
enum TextForm {
    Plain(String),
    Both(Translations),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Translations {
    en: String,
    zh: String,
}

impl From<TextForm> for Text {
    fn from(form: TextForm) -> Self {
        match form {
            TextForm::Plain(en) => Self { en, zh: None },
            TextForm::Both(Translations { en, zh }) => Self { en, zh: Some(zh) },
        }
    }
}

impl From<Text> for TextForm {
    fn from(text: Text) -> Self {
        match text.zh {
            None => Self::Plain(text.en),
            Some(zh) => Self::Both(Translations { en: text.en, zh }),
        }
    }
}
