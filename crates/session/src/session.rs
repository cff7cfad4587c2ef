//! A session: the bases that are loaded, the machine, and the queue of jobs.
use crate::commands::{self, base};
use crate::event::Progress;
use crate::{Environment, Event, Failure, Folders, Job, Library, Request};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use wayword_diffusion::{Base, BaseOptions, DeviceInfo, Prediction};
use wayword_interface::Events;

/// Where requests become jobs. Heavy jobs run one after the other, in the order of their
/// submission; light ones (explain, inspect, convert, devices) run at once.
#[derive(Debug)]
pub struct Session {
    core: Arc<Core>,
    heavy: Sender<(Request, Job)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What jobs share.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) environment: Environment,
    /// What can compute, the one that is used by itself first.
    pub(crate) devices: Vec<DeviceInfo>,
    folders: Mutex<Folders>,
    library: Mutex<Option<Arc<Library>>>,
    bases: Mutex<Vec<(BaseKey, Arc<Base>)>>,
}

/// What decides whether a loaded base can be used again.
#[derive(Debug, PartialEq)]
struct BaseKey {
    path: PathBuf,
    /// When the files were changed, and their sizes.
    stamps: Vec<Option<(SystemTime, u64)>>,
    vae: Option<PathBuf>,
    prediction: Option<Prediction>,
    device: String,
}

impl BaseKey {
    fn of(options: &BaseOptions, device: &str) -> Self {
        let stamp = |path: &PathBuf| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.modified().ok()?, about.len()))
        };
        Self {
            path: options.path.clone(),
            stamps: [Some(&options.path), options.vae.as_ref()]
                .into_iter()
                .flatten()
                .map(stamp)
                .collect(),
            vae: options.vae.clone(),
            prediction: options.prediction,
            device: device.to_owned(),
        }
    }
}

impl Core {
    /// The base of these options, loaded or as it is kept. `device` says threads and precision.
    ///
    /// A base that nobody uses goes before another comes, so that at most one is held in vain.
    pub(crate) fn base(
        &self,
        options: &BaseOptions,
        device: &str,
        events: &dyn Events<wayword_diffusion::Event>,
    ) -> Result<Arc<Base>, Failure> {
        let key = BaseKey::of(options, device);
        // Held while loading: a second job that wants the same base waits for it.
        let mut bases = lock(&self.bases);
        if let Some((_, base)) = bases.iter().find(|(known, _)| *known == key) {
            return Ok(Arc::clone(base));
        }
        bases.retain(|(_, base)| Arc::strong_count(base) > 1);
        let base = Arc::new(Base::load(options, events)?);
        bases.push((key, Arc::clone(&base)));
        Ok(base)
    }

    /// Whether a base is kept.
    pub(crate) fn is_loaded(&self, place: &base::BaseLocation) -> bool {
        let key = BaseKey::of(&place.options, &place.device);
        lock(&self.bases).iter().any(|(known, _)| *known == key)
    }

    /// The folders beside those of a request.
    pub(crate) fn folders(&self) -> Folders {
        lock(&self.folders).clone()
    }

    /// Bases that are loaded.
    fn loaded(&self) -> Vec<PathBuf> {
        let bases = lock(&self.bases);
        bases.iter().map(|(key, _)| key.path.clone()).collect()
    }
}

/// What a command works with.
pub(crate) struct Context<'a> {
    pub(crate) core: &'a Core,
    pub(crate) progress: Progress<'a>,
}

impl Context<'_> {
    /// Loads a base, or takes it as it is kept.
    pub(crate) fn base(&self, place: &base::BaseLocation) -> Result<Arc<Base>, Failure> {
        self.core.base(&place.options, &place.device, &self.progress)
    }

    /// The same, once the hashes of its files are known too.
    pub(crate) fn hashed_base(&self, place: &base::BaseLocation) -> Result<Arc<Base>, Failure> {
        let base = self.base(place)?;
        if !base.is_hashed_unless_stopped(self.progress.stop) {
            return Err(wayword_diffusion::Error::Stopped.into());
        }
        Ok(base)
    }
}

impl Session {
    /// A session without a loaded base.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self::with_devices(environment, wayword_diffusion::devices())
    }

    /// The same with other devices than the processor; the first is used where none is named.
    #[must_use]
    pub fn with_devices(environment: Environment, devices: Vec<DeviceInfo>) -> Self {
        let core = Arc::new(Core {
            environment,
            devices,
            folders: Mutex::default(),
            library: Mutex::default(),
            bases: Mutex::default(),
        });
        let (heavy, waiting) = channel::<(Request, Job)>();
        let worker = Arc::clone(&core);
        // It ends when the session, which holds the other end of the channel, does.
        std::thread::spawn(move || {
            for (request, job) in waiting {
                run(&worker, request, &job);
            }
        });
        Self { core, heavy }
    }

    /// Puts a request into the queue.
    pub fn submit(&self, request: impl Into<Request>) -> Job {
        let (request, job) = (request.into(), Job::new());
        if request.is_light() {
            let (core, job) = (Arc::clone(&self.core), job.clone());
            std::thread::spawn(move || run(&core, request, &job));
        } else if self.heavy.send((request, job.clone())).is_err() {
            job.end(Err(Failure::user("the session's worker has ended")));
        }
        job
    }

    /// Sets the folders that jobs look through after those of their requests.
    pub fn set_folders(&self, folders: Folders) {
        *lock(&self.core.folders) = folders;
        self.rescan();
    }

    /// What lies in the usual folders of checkpoints and in those that were set, as it was found
    /// when this was first asked for. Jobs always look anew.
    #[must_use]
    pub fn library(&self) -> Arc<Library> {
        let folders = self.core.folders();
        let mut library = lock(&self.core.library);
        let scan = || Arc::new(Library::scan(&self.core.environment, &folders));
        Arc::clone(library.get_or_insert_with(scan))
    }

    /// Forgets what was found: the next [`Session::library`] looks again.
    pub fn rescan(&self) {
        *lock(&self.core.library) = None;
    }

    /// The checkpoints that are loaded and kept.
    #[must_use]
    pub fn loaded_bases(&self) -> Vec<PathBuf> {
        self.core.loaded()
    }
}

/// Does a job's work. A panic is the job's failure, not the session's.
fn run(core: &Core, request: Request, job: &Job) {
    if !job.begin() {
        return;
    }
    let tell = |event: Event| job.push(event);
    let progress = Progress { tell: &tell, stop: job.stop_flag() };
    let context = Context { core, progress };
    let done = catch_unwind(AssertUnwindSafe(|| commands::run(&context, request)));
    job.end(done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
        Err(Failure::user(format!("a fault of this program: {text}")).hint("please report it"))
    }));
}
