//! `exports [ ]` and `imports [ ]` of accounts: what they offer each other, and what they take.

use std::time::Duration;

use super::{Block, Key, Report, Takes};
use crate::config::authorization::Account;
use crate::config::exchange::{Answers, Export, ExportKind, ServiceImport, StreamImport};
use crate::config::lang::{Data, Entry, Place};
use crate::config::value::{Kind, Value};
use crate::log::Quoted;
use crate::wire::subject;
use crate::wire::transform::{self, Transform};

/// What is said about one export.
#[derive(Default)]
pub struct ExportDraft {
    stream: Option<String>,
    service: Option<String>,
    accounts: Option<Vec<String>>,
    is_single: Option<bool>,
    time: Option<Duration>,
}

/// The keys of an export.
pub const EXPORT: Block<ExportDraft> = Block {
    keys: &[
        Key {
            names: &["stream"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                let subject = value.text()?;
                if draft.service.is_some() {
                    return Err(format!("Detected stream {} but already saw a service", Quoted(subject.as_bytes())));
                }
                draft.stream = Some(subject);
                Ok(())
            }),
        },
        Key {
            names: &["service"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                let subject = value.text()?;
                if draft.stream.is_some() {
                    return Err(format!("Detected service {} but already saw a stream", Quoted(subject.as_bytes())));
                }
                draft.service = Some(subject);
                Ok(())
            }),
        },
        Key {
            names: &["accounts"],
            takes: Takes::Data("Array of strings", |draft, entry, report| {
                draft.accounts = Some(names(entry, report));
            }),
        },
        Key { names: &["response_type", "response"], takes: Takes::Value(Kind::Text, set_response) },
        Key {
            names: &["response_threshold", "threshold", "response_time", "response_max_time"],
            takes: Takes::Value(Kind::Duration, |draft, value| {
                draft.time = Some(value.duration()?);
                Ok(())
            }),
        },
        Key { names: &["latency"], takes: Takes::Data("Anything", ignore) },
        Key { names: &["allow_trace"], takes: Takes::Data("Anything", ignore) },
        Key {
            names: &["account_token_position"],
            takes: Takes::Value(Kind::Integer, |_, _| {
                Err("account_token_position is not supported: every account could import all of it".to_owned())
            }),
        },
    ],
    unknown: super::unknown_field,
};

/// What is said about one import.
#[derive(Default)]
pub struct ImportDraft {
    stream: Option<Source>,
    service: Option<Source>,
    prefix: Option<String>,
    to: Option<String>,
    is_shared: bool,
}

/// The keys of an import.
pub const IMPORT: Block<ImportDraft> = Block {
    keys: &[
        Key {
            names: &["stream"],
            takes: Takes::Data("Map", |draft, entry, report| draft.stream = read_source(entry, "Stream", report)),
        },
        Key {
            names: &["service"],
            takes: Takes::Data("Map", |draft, entry, report| draft.service = read_source(entry, "Service", report)),
        },
        Key {
            names: &["prefix"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                draft.prefix = Some(value.text()?);
                check_one_place(draft)
            }),
        },
        Key {
            names: &["to"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                draft.to = Some(value.text()?);
                check_one_place(draft)
            }),
        },
        Key {
            names: &["share"],
            takes: Takes::Value(Kind::Switch, |draft, value| {
                draft.is_shared = value.switch()?;
                Ok(())
            }),
        },
        Key { names: &["allow_trace"], takes: Takes::Data("Anything", ignore) },
    ],
    unknown: super::unknown_field,
};

/// Where an import comes from.
#[derive(Default)]
pub struct Source {
    account: String,
    subject: String,
}

/// The keys of where an import comes from.
pub const SOURCE: Block<Source> = Block {
    keys: &[
        Key {
            names: &["account"],
            takes: Takes::Value(Kind::Text, |source, value| {
                source.account = value.text()?;
                Ok(())
            }),
        },
        Key {
            names: &["subject"],
            takes: Takes::Value(Kind::Text, |source, value| {
                source.subject = value.text()?;
                Ok(())
            }),
        },
    ],
    unknown: super::unknown_field,
};

/// Exports and imports of an account with their places, before all accounts are known.
#[derive(Default)]
pub struct Drafts {
    exports: Vec<(Export, Place)>,
    imports: Vec<(ImportDraft, Place)>,
}

impl Drafts {
    /// Reads the list of exports.
    pub fn read_exports(&mut self, entry: &Entry, report: &mut Report) {
        let Data::List(items) = &entry.data else {
            return report.error(&entry.place, format!("Exports should be an array, got {}", entry.data.kind()));
        };
        for item in items {
            let mut draft = ExportDraft::default();
            let before = report.errors.len();
            EXPORT.read_data(&item.place, &item.data, &mut draft, report);
            if report.errors.len() > before {
                continue;
            }
            match draft.finish() {
                Ok(export) => self.exports.push((export, item.place.clone())),
                Err(reason) => report.error(&item.place, reason),
            }
        }
    }

    /// Reads the list of imports.
    pub fn read_imports(&mut self, entry: &Entry, report: &mut Report) {
        let Data::List(items) = &entry.data else {
            return report.error(&entry.place, format!("Imports should be an array, got {}", entry.data.kind()));
        };
        for item in items {
            let mut draft = ImportDraft::default();
            let before = report.errors.len();
            IMPORT.read_data(&item.place, &item.data, &mut draft, report);
            if report.errors.len() > before {
                continue;
            }
            match (&draft.stream, &draft.service) {
                (Some(_), None) | (None, Some(_)) => self.imports.push((draft, item.place.clone())),
                _ => report.error(&item.place, "import entry should be either a stream or a service"),
            }
        }
    }
}

impl ExportDraft {
    fn finish(self) -> Result<Export, String> {
        let Self { stream, service, accounts, is_single, time } = self;
        let has_answers = is_single.is_some() || time.is_some();
        let usual = Answers::default();
        let answers = Answers {
            is_single: is_single.unwrap_or(usual.is_single),
            time: time.filter(|time| !time.is_zero()).unwrap_or(usual.time),
        };
        let (subject, kind) = match (stream, service) {
            (Some(_), None) if has_answers => return Err("Detected response directive on non-service".to_owned()),
            (Some(subject), None) => (subject, ExportKind::Stream),
            (None, Some(subject)) => (subject, ExportKind::Service(answers)),
            _ => return Err("export entry should be either a stream or a service".to_owned()),
        };
        transform::check_source(&subject)?;
        Ok(Export { subject, kind, accounts })
    }
}

fn set_response(draft: &mut ExportDraft, value: Value) -> Result<(), String> {
    let text = value.text()?;
    draft.is_single = Some(match text.to_lowercase().as_str() {
        "single" | "singleton" => true,
        "stream" | "chunk" | "chunked" => false,
        _ => return Err(format!("Unknown response type: {}", Quoted(text.as_bytes()))),
    });
    Ok(())
}

fn check_one_place(draft: &mut ImportDraft) -> Result<(), String> {
    match draft.stream.is_some() && draft.prefix.is_some() && draft.to.is_some() {
        true => Err("Stream import can not have a 'prefix' and a 'to' property".to_owned()),
        false => Ok(()),
    }
}

fn ignore<T>(_: &mut T, entry: &Entry, report: &mut Report) {
    let key = Quoted(entry.key.as_bytes());
    report.warning(&entry.place, format!("{key} is not supported and is ignored"));
}

/// A single name is no list for the official server.
fn names(entry: &Entry, report: &mut Report) -> Vec<String> {
    let mut names = Vec::new();
    for item in super::list(entry, report) {
        match &item.data {
            Data::Text(name) => names.push(name.clone()),
            other => report.error(&item.place, format!("expected the name of an account, got {}", other.kind())),
        }
    }
    names
}

fn read_source(entry: &Entry, what: &str, report: &mut Report) -> Option<Source> {
    let mut source = Source::default();
    match &entry.data {
        Data::Map(map) => SOURCE.read_map(map, &mut source, report),
        other => {
            report.error(&entry.place, format!("{what} entry should be an account map, got {}", other.kind()));
            return None;
        }
    }
    if source.account.is_empty() || source.subject.is_empty() {
        report.error(&entry.place, "Expect an account name and a subject");
        return None;
    }
    Some(source)
}

/// Gives the accounts what their drafts say, in the same order, and looks whether it goes together.
pub fn finish(accounts: &mut [Account], drafts: Vec<Drafts>, report: &mut Report) {
    let names: Vec<String> = accounts.iter().map(|account| account.name.clone()).collect();
    let mut all_imports = Vec::new();
    for (account, Drafts { exports, imports }) in accounts.iter_mut().zip(drafts) {
        for (export, place) in &exports {
            let kind = if export.kind == ExportKind::Stream { "stream" } else { "service" };
            for name in export.accounts.iter().flatten().filter(|name| !names.contains(name)) {
                let name = Quoted(name.as_bytes());
                report.error(place, format!("{name} account not defined for {kind} export"));
            }
        }
        account.exports = exports.into_iter().map(|(export, _)| export).collect();
        all_imports.push(imports);
    }
    let mut places = Vec::new();
    for (at, imports) in all_imports.into_iter().enumerate() {
        for (draft, place) in imports {
            match add_import(accounts, at, draft) {
                Ok(()) => places.push((at, place)),
                Err(reason) => report.error(&place, reason),
            }
        }
    }
    if report.errors.is_empty() {
        cycles::check(accounts, &places, report);
    }
}

fn add_import(accounts: &mut [Account], importer: usize, draft: ImportDraft) -> Result<(), String> {
    let ImportDraft { stream, service, prefix, to, is_shared } = draft;
    let name = accounts[importer].name.clone();
    let (kind, Source { account, subject }, is_stream) = match (stream, service) {
        (Some(source), _) => ("stream", source, true),
        (None, Some(source)) => ("service", source, false),
        (None, None) => return Ok(()),
    };
    let Some(exporter) = accounts.iter().find(|known| known.name == account) else {
        return Err(format!("{} account not defined for {kind} import", Quoted(account.as_bytes())));
    };
    let shown = Quoted(subject.as_bytes()).to_string();
    let failed = |reason: String| format!("Error adding {kind} import {shown}: {reason}");
    let pattern = transform::pattern(&subject).map_err(&failed)?.0;
    transform::check_source(&pattern).map_err(|_| failed("sublist: invalid subject".to_owned()))?;
    let is_offered = |export: &&Export| {
        (export.kind == ExportKind::Stream) == is_stream
            && export.accounts.as_ref().is_none_or(|accounts| accounts.contains(&name))
            && subject::is_subset(pattern.as_bytes(), export.subject.as_bytes())
    };
    let Some(export) = exporter.exports.iter().find(is_offered) else {
        return Err(failed(format!("{kind} import not authorized")));
    };
    let kind_of_export = export.kind;
    let importer = &mut accounts[importer];
    match kind_of_export {
        ExportKind::Stream => {
            let import = stream_import(account, subject, prefix, to).map_err(&failed)?;
            if importer.streams.contains(&import) {
                return Err(failed("stream import already exists".to_owned()));
            }
            importer.streams.push(import);
        }
        ExportKind::Service(answers) => {
            let import = service_import(account, subject, to, is_shared, answers).map_err(&failed)?;
            let is_same = |known: &&ServiceImport| known.account == import.account && known.source == import.source;
            if let Some(known) = importer.services.iter().find(is_same) {
                let [source, account, subject] =
                    [&known.source, &known.account, &known.destination].map(|text| Quoted(text.as_bytes()));
                return Err(format!(
                    "Duplicate service import subject {source}, previously used in import for account {account}, \
                     subject {subject}"
                ));
            }
            importer.services.push(import);
        }
    }
    Ok(())
}

fn stream_import(
    account: String,
    source: String,
    prefix: Option<String>,
    to: Option<String>,
) -> Result<StreamImport, String> {
    transform::check_source(&source)?;
    let same = transform::numbered(&source);
    let destination = match (prefix, to) {
        (Some(prefix), _) if subject::has_wildcard(prefix.as_bytes()) => {
            return Err("stream import prefix can not contain wildcard tokens".to_owned());
        }
        (Some(prefix), _) if !prefix.is_empty() => format!("{}.{same}", prefix.trim_end_matches('.')),
        (_, Some(to)) if !to.is_empty() => transform::numbered(&to),
        _ => same,
    };
    let shown = [&source, &destination].map(|text| Quoted(text.as_bytes()).to_string());
    Transform::complete(&source, &destination).map_err(|reason| {
        let [source, destination] = shown;
        format!("failed to create mapping transform for stream import subject from {source} to {destination}: {reason}")
    })?;
    Ok(StreamImport { account, source, destination })
}

fn service_import(
    account: String,
    subject: String,
    to: Option<String>,
    is_shared: bool,
    answers: Answers,
) -> Result<ServiceImport, String> {
    let to = match to.filter(|to| !to.is_empty()) {
        Some(to) => to,
        None => transform::pattern(&subject)?.0,
    };
    let shown = [&to, &subject].map(|text| Quoted(text.as_bytes()).to_string());
    let failed = |reason: String| {
        let [to, subject] = &shown;
        format!("failed to create mapping transform for service import subject from {to} to {subject}: {reason}")
    };
    let (source, numbers) = transform::pattern(&to).map_err(&failed)?;
    transform::check_source(&source)?;
    let destination = transform::renumbered(&transform::numbered(&subject), &numbers).ok_or_else(|| {
        failed(format!("invalid mapping destination: not using all of the token wildcard(s) in {to}"))
    })?;
    Transform::complete(&source, &destination).map_err(&failed)?;
    Ok(ServiceImport { account, source, destination, is_shared, answers })
}

#[path = "cycles.rs"]
mod cycles;
