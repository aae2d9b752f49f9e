//! Cookies: which are sent, where they are read from and written to.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use turbohttp::header::{COOKIE, HeaderMap, HeaderValue};
use turbohttp::{ClientBuilder, CookieStore, Jar, Origin};

use crate::args::CookieArgs;
use crate::exit::Told;
use crate::target::Target;

/// Origins that typed cookies are sent to beside those of a jar.
const ORIGINS_MAX: usize = 65_536;

/// What was typed of cookies.
#[derive(Clone, Default)]
pub(crate) struct Cookies {
    /// `None` where nothing is kept.
    jar: Option<Arc<Jar>>,
    /// Sent as they are.
    typed: Option<HeaderValue>,
    /// Where to, if the jar goes there as well.
    origins: Arc<Mutex<HashSet<String>>>,
    /// Where the jar is written at the end.
    file: Option<PathBuf>,
}

impl fmt::Debug for Cookies {
    /// Values are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookies")
            .field("jar", &self.jar)
            .field("typed", &self.typed.is_some())
            .finish_non_exhaustive()
    }
}

impl Cookies {
    pub(crate) fn read(args: &CookieArgs) -> anyhow::Result<Cookies> {
        let (typed, files): (Vec<&String>, Vec<&String>) =
            args.cookies.iter().partition(|given| given.contains('='));
        let jar = match files.is_empty() && args.cookie_jar.is_none() {
            true => None,
            false => Some(Arc::new(load(&files, args.junk_session_cookies)?)),
        };
        let typed = match typed.is_empty() {
            true => None,
            false => {
                let typed: Vec<&str> = typed.iter().map(|pairs| pairs.trim()).collect();
                let value = HeaderValue::try_from(typed.join("; "));
                let mut value = value.ok().context("--cookie holds a control character")?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Cookies {
            jar,
            typed,
            origins: Arc::default(),
            file: args.cookie_jar.clone(),
        })
    }

    /// Has the client keep cookies, if that is wanted. What was typed goes along to the origins that
    /// [`begin_at`](Cookies::begin_at) names.
    pub(super) fn keep(&self, builder: ClientBuilder) -> ClientBuilder {
        match (&self.jar, &self.typed) {
            (Some(jar), Some(typed)) => builder.cookies(Both {
                jar: jar.clone(),
                typed: typed.clone(),
                origins: self.origins.clone(),
            }),
            (Some(jar), None) => builder.cookies(jar.clone()),
            (None, _) => builder,
        }
    }

    /// Names an origin that a request was typed for.
    pub(super) fn begin_at(&self, origin: &Origin) -> anyhow::Result<()> {
        if self.jar.is_none() || self.typed.is_none() {
            return Ok(());
        }
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        if origins.len() >= ORIGINS_MAX && !origins.contains(origin.as_str()) {
            bail!("--cookie with a jar: more than {ORIGINS_MAX} hosts");
        }
        origins.insert(origin.as_str().to_owned());
        Ok(())
    }

    /// Adds what was typed to the fields of a request, with what the jar has for its URL.
    pub(crate) fn add(&self, headers: &mut HeaderMap, url: &str) {
        if let Some(typed) = &self.typed
            && !headers.contains_key(COOKIE)
        {
            let kept = self.jar.as_ref().and_then(|jar| jar.cookies(url));
            headers.insert(COOKIE, joined(kept, typed));
        }
    }

    /// Whether the client adds what was typed.
    pub(super) fn are_kept(&self) -> bool {
        self.jar.is_some()
    }

    /// Whether both keep their cookies in one jar, or keep none.
    pub(crate) fn shares_jar(&self, other: &Cookies) -> bool {
        self.jar.as_ref().map(Arc::as_ptr) == other.jar.as_ref().map(Arc::as_ptr)
    }

    /// Writes the jar to its file, which only its owner may read.
    pub(crate) async fn write(&self) -> anyhow::Result<()> {
        let (Some(jar), Some(path)) = (&self.jar, &self.file) else {
            return Ok(());
        };
        let mut text = Vec::new();
        jar.write_netscape(&mut text)?;
        if path == Path::new("-") {
            let written = io::stdout().write_all(&text);
            return written
                .with_context(|| Told::unwritten("--cookie-jar: stdout cannot be written"));
        }
        let named = || Told::unwritten("--cookie-jar");
        let mut target = Target::open_private(path).await.with_context(named)?;
        target.write_all(&text).await.with_context(named)?;
        target.finish().await.map(drop).with_context(named)
    }
}

/// A jar, and cookies that are sent to some origins besides.
struct Both {
    jar: Arc<Jar>,
    typed: HeaderValue,
    origins: Arc<Mutex<HashSet<String>>>,
}

impl CookieStore for Both {
    fn store(&self, url: &str, fields: &mut dyn Iterator<Item = &[u8]>) {
        self.jar.store(url, fields);
    }

    fn cookies(&self, url: &str) -> Option<HeaderValue> {
        let kept = self.jar.cookies(url);
        let host = url.find("://").map_or(0, |at| at + "://".len());
        let end = url[host..]
            .find(['/', '?'])
            .map_or(url.len(), |at| host + at);
        let origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        match origins.contains(&url[..end]) {
            true => Some(joined(kept, &self.typed)),
            false => kept,
        }
    }
}

fn joined(kept: Option<HeaderValue>, typed: &HeaderValue) -> HeaderValue {
    let both = kept.and_then(|kept| {
        let both = [kept.as_bytes(), b"; ", typed.as_bytes()].concat();
        HeaderValue::from_bytes(&both).ok()
    });
    let mut value = both.unwrap_or_else(|| typed.clone());
    value.set_sensitive(true);
    value
}

fn load(files: &[&String], junks_session: bool) -> anyhow::Result<Jar> {
    let jar = Jar::new();
    for path in files.iter().filter(|path| !path.is_empty()) {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(error).with_context(|| format!("--cookie {path} cannot be read"));
            }
        };
        let read = Jar::read_netscape(BufReader::new(file));
        let read = read.with_context(|| format!("--cookie {path}"))?;
        let read = read.to_vec().into_iter();
        jar.extend(read.filter(|cookie| !junks_session || cookie.expires().is_some()));
    }
    Ok(jar)
}
