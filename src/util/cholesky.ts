/** Symmetric positive definite systems in double precision, for the closed forms of least squares. */
import { fail } from '../errors.ts'

/** The lower factor L of A = L·Lᵀ, both [n, n] row by row. Fails where A is not positive definite. */
export function cholesky(matrix: Float64Array, n: number): Float64Array {
  const L = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * n + j]!
      for (let k = 0; k < j; k++) sum -= L[i * n + k]! * L[j * n + k]!
      if (i > j) L[i * n + j] = sum / L[j * n + j]!
      else if (sum > 0) L[i * n + i] = Math.sqrt(sum)
      else fail('INTERNAL', `internal: the matrix is not positive definite (row ${i})`)
    }
  }
  return L
}

/** x of L·Lᵀ·x = b. */
export function choleskySolve(L: Float64Array, b: Float64Array, n: number): Float64Array {
  const x = Float64Array.from(b)
  for (let i = 0; i < n; i++) {
    let sum = x[i]!
    for (let k = 0; k < i; k++) sum -= L[i * n + k]! * x[k]!
    x[i] = sum / L[i * n + i]!
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = x[i]!
    for (let k = i + 1; k < n; k++) sum -= L[k * n + i]! * x[k]!
    x[i] = sum / L[i * n + i]!
  }
  return x
}
