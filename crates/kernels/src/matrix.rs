//! Products of f32 matrices with any strides, by the `gemm` crate, on the calling thread.
use gemm::Parallelism;

/// A matrix in a slice: element (i, j) is `data[i * strides.0 + j * strides.1]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    /// Of a row, of a column.
    pub(crate) strides: (usize, usize),
}

impl<'a> Matrix<'a> {
    /// Rows `stride` apart, columns side by side.
    pub(crate) fn rows(data: &'a [f32], stride: usize) -> Self {
        Self { data, strides: (stride, 1) }
    }

    pub(crate) fn transposed(self) -> Self {
        Self { strides: (self.strides.1, self.strides.0), ..self }
    }

    fn covers(len: usize, strides: (usize, usize), rows: usize, columns: usize) -> bool {
        (rows - 1) * strides.0 + (columns - 1) * strides.1 < len
    }
}

/// C (m x n, rows `stride` apart) = factor A (m x k) B (k x n), or C += that.
pub(crate) fn product(
    c: &mut [f32],
    stride: usize,
    a: Matrix<'_>,
    b: Matrix<'_>,
    (m, n, k): (usize, usize, usize),
    factor: f32,
    add: bool,
) {
    assert!(m > 0 && n > 0 && k > 0 && n <= stride, "a product of nothing");
    assert!(Matrix::covers(c.len(), (stride, 1), m, n), "C is too small");
    assert!(Matrix::covers(a.data.len(), a.strides, m, k), "A is too small");
    assert!(Matrix::covers(b.data.len(), b.strides, k, n), "B is too small");
    let signed = |s: usize| s as isize;
    // SAFETY: the three matrices lie in their slices by the assertions above, and C is exclusive.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            signed(stride),
            add,
            a.data.as_ptr(),
            signed(a.strides.1),
            signed(a.strides.0),
            b.data.as_ptr(),
            signed(b.strides.1),
            signed(b.strides.0),
            1.0,
            factor,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}
