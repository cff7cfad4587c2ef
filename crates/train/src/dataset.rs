//! From folders of pictures to pixels of the sizes that training uses.
//!
//! [`scan`](scan::scan) finds pictures and captions, [`reads::PictureReads`] decodes each once, [`bucket::Buckets`]
//! chooses its size, [`resize::resize`] and [`crop`] bring it there, [`steps`] counts epochs.
pub mod augment;
pub mod bucket;
pub mod config;
pub mod crop;
pub mod faces;
pub mod image;
pub mod mask;
pub mod metadata;
pub mod options;
pub mod pixels;
pub mod reads;
pub mod resize;
pub mod scan;
pub mod steps;

pub use self::bucket::{BucketAssignment, Buckets};
pub use self::pixels::Pixels;
pub use self::resize::Filter;
