//! What the processor can do, checked once: an [`Isa`] cannot be made without the check.

/// Instruction sets, each containing those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every target of this build has; loops are left to the compiler.
    Portable,
    /// AVX2, FMA and F16C: x86 desktops since 2013.
    Avx2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with products of bf16 pairs.
    Avx512Bf16,
}

/// The instruction sets in use. Its existence proves that the processor has them, because
/// [`Isa::detect`] is the only source and [`Isa::cap`] only takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Level);

impl Isa {
    /// The best that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
            if bf16 {
                return Self(Level::Avx512Bf16);
            } else if avx512 {
                return Self(Level::Avx512);
            } else if avx2 {
                return Self(Level::Avx2);
            }
        }
        Self(Level::Portable)
    }

    /// At most `level`: for tests of the other paths and for comparisons.
    #[must_use]
    pub fn cap(self, level: Level) -> Self {
        Self(self.0.min(level))
    }

    /// What is in use.
    #[must_use]
    pub const fn level(self) -> Level {
        self.0
    }

    /// Whether there is an instruction for products of bf16 pairs.
    #[must_use]
    pub fn bf16_products(self) -> bool {
        self.0 >= Level::Avx512Bf16
    }

    /// Name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Level::Portable => "portable",
            Level::Avx2 => "AVX2",
            Level::Avx512 => "AVX-512",
            Level::Avx512Bf16 => "AVX-512 bf16",
        }
    }
}

impl Level {
    /// All of them, the weakest first.
    pub const ALL: &[Self] = &[Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16];

    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        self <= Isa::detect().level()
    }
}

/// Defines a function whose plain loops are compiled once per instruction set; the first argument
/// of a call is the [`Isa`] that chooses. `[X, Y]` are type parameters, all [`crate::Element`].
/// With `unsafe fn` the contract is the one that its `# Safety` section states.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident [$($g:ident),*]
        ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        vectorized! { @ [] $(#[$meta])* $vis $name [$($g),*] [$($arg: $ty),*] [$($ret)?] $body }
    };
    ($(#[$meta:meta])* $vis:vis unsafe fn $name:ident [$($g:ident),*]
        ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        vectorized! { @ [unsafe] $(#[$meta])* $vis $name [$($g),*] [$($arg: $ty),*] [$($ret)?] $body }
    };
    (@ [$($unsafe:ident)?] $(#[$meta:meta])* $vis:vis $name:ident [$($g:ident),*]
        [$($arg:ident: $ty:ty),*] [$($ret:ty)?] $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "one more than the definition has")]
        $vis $($unsafe)? fn $name<$($g: $crate::Element),*>(
            isa: $crate::Isa, $($arg: $ty),*
        ) $(-> $ret)? {
            #[inline(always)]
            $($unsafe)? fn body<$($g: $crate::Element),*>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
            $($unsafe)? fn avx512<$($g: $crate::Element),*>($($arg: $ty),*) $(-> $ret)? {
                vectorized!(@call [$($unsafe)?] body($($arg),*))
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma,f16c")]
            $($unsafe)? fn avx2<$($g: $crate::Element),*>($($arg: $ty),*) $(-> $ret)? {
                vectorized!(@call [$($unsafe)?] body($($arg),*))
            }
            match isa.level() {
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx512Bf16 | $crate::Level::Avx512 => {
                    // SAFETY: an Isa of this level exists only where the processor has AVX-512;
                    // an unsafe function's own contract is the caller's.
                    unsafe { avx512($($arg),*) }
                }
                #[cfg(target_arch = "x86_64")]
                $crate::Level::Avx2 => {
                    // SAFETY: an Isa of this level exists only where the processor has AVX2; as
                    // above.
                    unsafe { avx2($($arg),*) }
                }
                _ => vectorized!(@call [$($unsafe)?] body($($arg),*)),
            }
        }
    };
    (@call [] $call:expr) => { $call };
    (@call [unsafe] $call:expr) => {
        // SAFETY: the contract of the function, which its caller keeps.
        unsafe { $call }
    };
}
