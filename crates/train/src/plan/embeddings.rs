//! The embeddings of a plan: which are asked for, where each starts.
use super::check::{absolute, required, warn};
use super::find::FoundPictures;
use super::{TrainOptions, WordOptions};
use crate::embedding::{Init, PlannedEmbedding, check_name};
use crate::run_folder::kept::KeptVectors;
use crate::run_folder::steps::StepChoice;
use crate::{Error, Result};
use wayword_diffusion::BaseInfo;
use wayword_diffusion::tokenizer::Tokenizer;
use wayword_formats::embedding::{self, MOST_VECTORS};
use wayword_interface::Warning;

/// The embeddings that are asked for: those of the tables, or the one of the options.
pub(super) fn requested(options: &TrainOptions) -> Result<Vec<WordOptions>> {
    if options.words.is_empty() {
        let name = required(options.name.as_deref(), "{train.name}", "evagreen-ti")?;
        return Ok(vec![WordOptions {
            name: name.into(),
            token: options.token.clone(),
            init: options.init.clone(),
            vectors: options.vectors,
            lr: None,
        }]);
    }
    let alone = [
        ("{train.token}", options.token.is_some()),
        ("{train.init}", options.init.is_some()),
        ("{train.vectors}", options.vectors.is_some()),
    ];
    if let Some((option, _)) = alone.iter().find(|(_, given)| *given) {
        return Err(Error::option(option, "it in the tables [[word]]", "it beside them"));
    }
    let several = options.words.len() > 1;
    for embedding in &options.words {
        required(Some(&embedding.name), "name in [[word]]", "evagreen-ti")?;
        check_name("name in [[word]]", embedding.name.trim())?;
        if several && embedding.init.is_none() && options.from.is_none() {
            let what = format!("nothing for `{}`", embedding.name);
            return Err(Error::option("init in [[word]]", "a word to start from", what));
        }
        if embedding.lr.is_some_and(|lr| !(lr > 0.0 && lr.is_finite())) {
            let found = embedding.lr.map(|lr| lr.to_string()).unwrap_or_default();
            return Err(Error::option("lr in [[word]]", "a number above 0", found));
        }
    }
    Ok(options.words.clone())
}

impl TrainOptions {
    /// What the training's files are called.
    ///
    /// # Errors
    /// If there is no name, or it cannot be a file's.
    pub fn checked_name(&self) -> Result<String> {
        let asked = requested(self)?;
        let name = self.name.as_deref().unwrap_or(&asked[0].name).trim();
        check_name("{train.name}", name)?;
        Ok(name.to_owned())
    }
}

/// Words that share a name or a token could not be told apart.
pub(super) fn different(embeddings: &[PlannedEmbedding]) -> Result<()> {
    for (i, embedding) in embeddings.iter().enumerate() {
        let same = |other: &&PlannedEmbedding| {
            other.name.eq_ignore_ascii_case(&embedding.name)
                || other.token.eq_ignore_ascii_case(&embedding.token)
        };
        if let Some(other) = embeddings[..i].iter().find(same) {
            let found = format!("`{}` and `{}`", other.name, embedding.name);
            return Err(Error::option("[[word]]", "words of different names and tokens", found));
        }
    }
    Ok(())
}

/// An embedding's start, vectors and names, checked.
pub(super) fn planned(
    options: &WordOptions,
    train_options: &TrainOptions,
    found: &FoundPictures,
    base: &BaseInfo,
    warnings: &mut Vec<Warning>,
) -> Result<PlannedEmbedding> {
    let name = options.name.trim();
    let token = options.token.as_deref().unwrap_or(name).trim();
    if token.is_empty() {
        return Err(Error::option("train.token", "a word", "nothing"));
    }
    let tokenizer = Tokenizer::new();
    if let Some(known) = [name, token].into_iter().find(|t| tokenizer.whole_word(t).is_some()) {
        let text = format!("`{known}` is already a word");
        let hint = format!(
            "where the file is loaded, `{known}` loses its usual meaning; use {known}-ti instead"
        );
        warnings.push(warn(&text, Some(&hint)).with_field("train.name"));
    }
    let mark = |c: Option<char>| c.is_some_and(|c| !c.is_alphanumeric());
    if mark(name.chars().next()) || mark(name.chars().next_back()) {
        let text = format!("`{name}` begins or ends with a mark");
        let hint = "A1111 reads it together with a comma beside it, and the embedding is not found; use letters, digits, `-` and `_` for {train.name}";
        warnings.push(warn(&text, Some(hint)).with_field("train.name"));
    }
    let init = match options.init.as_deref().map(str::trim).filter(|t| !t.is_empty()) {
        _ if train_options.from.is_some() => of_run(train_options, name)?,
        Some(text) => Init::parse(text),
        None => Init::Words(class_word(found)?),
    };
    let vectors = match &init {
        Init::File(path) => {
            let file = embedding::read(path)?;
            let count = options.vectors.unwrap_or(file.count);
            let shape = (file.count, file.width);
            let named = path.display().to_string();
            crate::vectors::from_embedding(
                &named,
                &file.vectors,
                shape,
                (count, base.token_width),
            )?;
            count
        }
        Init::Words(words) => {
            let count = options.vectors.unwrap_or(1);
            let ids = tokenizer.encode(words);
            if ids.is_empty() {
                let found = format!("`{words}`, which holds no word");
                return Err(Error::option(
                    "train.init",
                    "a word to start from, as woman or dog",
                    found,
                ));
            }
            if ids.len() > 1 && ids.len() != count {
                let s = if count == 1 { "" } else { "s" };
                let text = format!("`{words}` has {} tokens for {count} vector{s}", ids.len());
                let hint = if ids.len() > count {
                    format!("only the first are used: `{}`", tokenizer.decode(&ids[..count]))
                } else {
                    "they are repeated".into()
                };
                warnings.push(warn(&text, Some(&hint)).with_field("train.init"));
            }
            count
        }
        Init::Mean => options.vectors.unwrap_or(1),
        Init::Vectors { values, .. } => {
            let count = values.len() / base.token_width.max(1);
            if options.vectors.is_some_and(|wanted| wanted != count)
                || values.len() != count * base.token_width
            {
                let expected = format!("{count} of {} values", base.token_width);
                let found = format!("{} values in {init}", values.len());
                return Err(Error::option("train.vectors", expected, found)
                    .with_hint("leave {train.vectors} out; the run must be of such a base"));
            }
            count
        }
    };
    if vectors == 0 || vectors > MOST_VECTORS {
        return Err(Error::option(
            "train.vectors",
            format!("1 to {MOST_VECTORS}"),
            vectors.to_string(),
        ));
    }
    let init_sha256 = match &init {
        Init::File(path) => Some(wayword_formats::hash::sha256(path)?),
        _ => None,
    };
    let init = match init {
        Init::File(path) => Init::File(absolute(&path)),
        embeddings => embeddings,
    };
    Ok(PlannedEmbedding {
        token: token.into(),
        name: name.into(),
        vectors,
        init,
        init_sha256,
        lr: options.lr,
    })
}

/// The class word of kohya's `N_token class`: the last embedding of the folders' names.
fn class_word(found: &FoundPictures) -> Result<String> {
    let class = found.class.as_deref().and_then(|c| c.split_whitespace().next_back());
    class.map(str::to_owned).ok_or_else(|| {
        Error::option("train.init", "a word close to what the images show", "nothing")
            .with_hint("say what it is, such as {train.init} woman; `*` starts from no meaning")
    })
}

/// The vectors of another run's step: of the embedding of this name, or of its only one.
fn of_run(options: &TrainOptions, name: &str) -> Result<Init> {
    let Some(run) = &options.from else { return Ok(Init::Mean) };
    let run_vectors = KeptVectors::open(run)?;
    let choice = options.step.unwrap_or(StepChoice::One(run_vectors.last()));
    let names: Vec<&str> = run_vectors.names().collect();
    let embedding = match names.as_slice() {
        [only] => only,
        _ => name,
    };
    let values = run_vectors.of(embedding, choice)?;
    Ok(Init::Vectors { of: format!("{embedding}, step {choice}"), values })
}
