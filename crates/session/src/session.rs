//! A session: the bases that are loaded, the machine, and the queue of jobs.
use crate::commands::{self, base};
use crate::event::Progress;
use crate::queue::{Queue, small_drawing};
use crate::request::Draw;
use crate::{Environment, Event, Failure, Folders, Job, Library, Request};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use wayword_diffusion::{Base, BaseOptions, DeviceInfo, JobSize, Prediction};
use wayword_formats::hash::HashCache;
use wayword_interface::{Events, Stop};
use wayword_train::lora::PlannedLora;

/// Where requests become jobs. Heavy jobs run one after the other, in the order of their
/// submission, but a training gives way between its steps to small drawings on its own base with its
/// own adapters. Light ones (prepare, explain, inspect, convert, devices) run at once.
#[derive(Debug)]
pub struct Session {
    core: Arc<Core>,
}

impl Drop for Session {
    /// Jobs that wait are done all the same.
    fn drop(&mut self) {
        self.core.queue.close();
    }
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
    queue: Queue,
    /// Whether a small drawing runs beside a training.
    is_giving_way: AtomicBool,
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

    /// Begins the first small drawing that waits for this base with these LoRAs, one at a time; the
    /// training, which uses both, lets it finish between two steps.
    pub(crate) fn give_way(self: &Arc<Self>, base: &Arc<Base>, loras: &[PlannedLora]) {
        if self.is_giving_way.load(Ordering::Acquire) {
            return;
        }
        let fits = |request: &Request| {
            let Some(draw) = small_drawing(request, loras) else { return false };
            // What must be searched for first takes its time, and waits.
            let is_named = draw.base.base.as_ref().is_some_and(|path| path.exists());
            is_named && self.is_base(base, draw)
        };
        let Some((request, job)) = self.queue.take(fits) else { return };
        self.is_giving_way.store(true, Ordering::Release);
        let core = Arc::clone(self);
        // On a thread of its own: where its adapters turn out to be others, it waits and the training
        // goes on.
        std::thread::spawn(move || {
            run(&core, request, &job, JobSize::Small);
            core.is_giving_way.store(false, Ordering::Release);
        });
    }

    /// Whether a drawing is on this base.
    fn is_base(self: &Arc<Self>, base: &Arc<Base>, draw: &Draw) -> bool {
        let (stop, tell) = (Stop::default(), |_: Event| {});
        let progress = Progress { tell: &tell, stop: &stop };
        let context = Context { core: self, progress, size: JobSize::Small };
        let place = base::for_drawing(&draw.base, &draw.machine, &context);
        place.is_ok_and(|place| {
            let key = BaseKey::of(&place.options, &place.device);
            lock(&self.bases).iter().any(|(known, kept)| *known == key && Arc::ptr_eq(kept, base))
        })
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
    pub(crate) core: &'a Arc<Core>,
    pub(crate) progress: Progress<'a>,
    /// How much of the device's time the job takes.
    pub(crate) size: JobSize,
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
            queue: Queue::default(),
            is_giving_way: AtomicBool::default(),
        });
        let worker = Arc::clone(&core);
        std::thread::spawn(move || {
            while let Some((request, job)) = worker.queue.next() {
                run(&worker, request, &job, JobSize::Heavy);
            }
        });
        Self { core }
    }

    /// Puts a request into the queue.
    pub fn submit(&self, request: impl Into<Request>) -> Job {
        let (request, job) = (request.into(), Job::new());
        if request.is_light() {
            let (core, job) = (Arc::clone(&self.core), job.clone());
            std::thread::spawn(move || run(&core, request, &job, JobSize::Heavy));
        } else {
            self.core.queue.push(request, job.clone());
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

    /// Forgets the bases that no job uses, so that their memory is free; gives their number.
    pub fn unload(&self) -> usize {
        let mut bases = lock(&self.core.bases);
        let before = bases.len();
        bases.retain(|(_, base)| Arc::strong_count(base) > 1);
        before - bases.len()
    }

    /// What a checkpoint's SHA-256 is, where an earlier job has computed it.
    #[must_use]
    pub fn known_hash(&self, checkpoint: &Path) -> Option<String> {
        HashCache::open(&self.core.environment.hash_cache()?).known(checkpoint)
    }

    /// The checkpoints that are loaded and kept.
    #[must_use]
    pub fn loaded_bases(&self) -> Vec<PathBuf> {
        self.core.loaded()
    }
}

/// Does a job's work. A panic is the job's failure, not the session's.
fn run(core: &Arc<Core>, request: Request, job: &Job, size: JobSize) {
    if !job.begin() {
        return;
    }
    let tell = |event: Event| job.push(event);
    let progress = Progress { tell: &tell, stop: job.stop_flag() };
    let context = Context { core, progress, size };
    let done = catch_unwind(AssertUnwindSafe(|| commands::run(&context, request)));
    job.end(done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason");
        Err(Failure::user(format!("a fault of this program: {text}")).hint("please report it"))
    }));
}
