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
    /// The same, and tiles with products of bf16: AMX, where the system permits it.
    Amx,
}

/// The instruction sets in use. Its existence proves that the processor has them, because
/// [`Isa::detect`] is the only source and [`Isa::cap`] only takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa {
    level: Level,
    /// Whether bf16 products go through the model of the tile unit.
    #[cfg(test)]
    model: bool,
}

impl Isa {
    const fn of(level: Level) -> Self {
        Self {
            level,
            #[cfg(test)]
            model: false,
        }
    }

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
            if bf16 && crate::amx::permitted() {
                return Self::of(Level::Amx);
            } else if bf16 {
                return Self::of(Level::Avx512Bf16);
            } else if avx512 {
                return Self::of(Level::Avx512);
            } else if avx2 {
                return Self::of(Level::Avx2);
            }
        }
        Self::of(Level::Portable)
    }

    /// At most `level`: for tests of the other paths and for comparisons.
    #[must_use]
    pub fn cap(mut self, level: Level) -> Self {
        self.level = self.level.min(level);
        self
    }

    /// The same with the model of the tile unit for bf16 products.
    #[cfg(test)]
    pub(crate) fn modeled(self) -> Self {
        Self { model: true, ..self }
    }

    /// The model of the tile unit, in tests that chose it.
    #[cfg(test)]
    pub(crate) fn model(self) -> Option<crate::tile::Model> {
        self.model.then_some(crate::tile::Model)
    }

    /// What is in use.
    #[must_use]
    pub const fn level(self) -> Level {
        self.level
    }

    /// Whether there are products of bf16 pairs.
    #[must_use]
    pub fn bf16_products(self) -> bool {
        #[cfg(test)]
        if self.model {
            return true;
        }
        self.level >= Level::Avx512Bf16
    }

    /// Whether bf16 products go through a tile unit.
    pub(crate) fn tiles(self) -> bool {
        #[cfg(test)]
        if self.model {
            return true;
        }
        self.level >= Level::Amx
    }

    /// Name for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.level {
            Level::Portable => "portable",
            Level::Avx2 => "AVX2",
            Level::Avx512 => "AVX-512",
            Level::Avx512Bf16 => "AVX-512 bf16",
            Level::Amx => "AMX",
        }
    }
}

impl Level {
    /// All of them, the weakest first.
    pub const ALL: &[Self] =
        &[Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::Amx];

    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        self <= Isa::detect().level()
    }
}

/// Calls `$call` with `$kernel` bound to the kernel of this [`Isa`] for bf16 products: the tile
/// unit, or the vector instruction.
macro_rules! with_bf16_kernel {
    ($isa:expr, $kernel:ident => $call:expr) => {{
        let isa: $crate::Isa = $isa;
        #[cfg(test)]
        if let Some(unit) = isa.model() {
            let $kernel = $crate::tile::Tiled(unit);
            return $call;
        }
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(unit) = isa.amx() {
                let $kernel = $crate::tile::Tiled(unit);
                return $call;
            }
            if let Some($kernel) = isa.bf16() {
                return $call;
            }
        }
        let _ = isa;
        panic!("bf16 products need the instruction")
    }};
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
                $crate::Level::Amx | $crate::Level::Avx512Bf16 | $crate::Level::Avx512 => {
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
