/**
 * Ridge regression of ratings on frozen features: the closed form (XᵀWX + λ·ΣW·I)⁻¹XᵀWy on standardised features with
 * an unpenalised bias, λ chosen for each attribute by cross-validation over prompts. What ArmoRM (2406.12845) does with
 * a large model's states; here the fast way to an attribute model on a CPU.
 */
import { createRandom } from '../util/random.ts'
import { cholesky, choleskySolve } from '../util/cholesky.ts'

export interface RidgeRow {
  /** [H] */
  readonly features: Float32Array
  /** One an attribute, NaN where not rated. */
  readonly labels: readonly number[]
  /** How much each label counts; 1 unless given. */
  readonly weights?: readonly number[]
  /** Rows of one prompt are never in two folds. */
  readonly prompt: string
}

export interface RidgeFit {
  /** [A, H] row by row: for the features as they are, not standardised. */
  readonly weight: Float32Array
  /** [A] */
  readonly bias: Float32Array
  /** Per attribute: the penalty per unit of weight, its squared error in the cross-validation, and that of the mean. */
  readonly chosen: readonly { lambda: number; error: number; errorOfMean: number }[]
  /** Rows that are rated for it, per attribute. */
  readonly counts: readonly number[]
}

/** Penalties that are tried, on features of variance 1: from nearly none to nearly the mean alone. */
const triedLambdas = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10, 100, 1e4]
const folds = 5

/** Rows may be rated in part; an attribute that no row is rated for gets the bias 0 and no weights. */
export function fitRidge(
  rows: readonly RidgeRow[],
  attributes: number,
  { seed, lambdas = triedLambdas }: { seed: number; lambdas?: readonly number[] },
): RidgeFit {
  const size = rows[0]?.features.length ?? 0
  const foldOf = foldsByPrompt(rows, seed)
  const weight = new Float32Array(attributes * size)
  const bias = new Float32Array(attributes)
  const fits = Array.from({ length: attributes }, (_, a) => {
    const known = rows.flatMap(({ features, labels, weights, prompt }) => {
      const [label, weight] = [labels[a]!, weights?.[a] ?? 1]
      const counts = !Number.isNaN(label) && weight > 0
      return counts ? [{ features, label, weight, fold: foldOf.get(prompt)! }] : []
    })
    if (known.length === 0) return { count: 0, lambda: NaN, error: NaN, errorOfMean: NaN }
    const fit = fitAttribute(known, size, lambdas)
    weight.set(fit.weight, a * size)
    bias[a] = fit.bias
    return { ...fit, count: known.length }
  })
  return {
    weight,
    bias,
    chosen: fits.map(({ lambda, error, errorOfMean }) => ({ lambda, error, errorOfMean })),
    counts: fits.map(({ count }) => count),
  }
}

/** A fold for each prompt: equally many prompts, by seed. */
function foldsByPrompt(rows: readonly RidgeRow[], seed: number): Map<string, number> {
  const prompts = [...new Set(rows.map(({ prompt }) => prompt))]
  createRandom(seed).fork('ridge folds').shuffle(prompts)
  return new Map(prompts.map((prompt, i) => [prompt, i % folds]))
}

interface Known {
  features: Float32Array
  label: number
  weight: number
  fold: number
}

function fitAttribute(rows: readonly Known[], size: number, lambdas: readonly number[]) {
  const scale = standardScale(rows, size)
  const parts = Array.from({ length: folds }, (_, fold) =>
    momentsOf(
      rows.filter((row) => row.fold === fold),
      scale,
    ),
  )
  const whole = sumOf(parts, size)
  const errors = lambdas.map(() => 0)
  let errorOfMean = 0
  parts.forEach((held, fold) => {
    const rest = sumOf(
      parts.filter((_, other) => other !== fold),
      size,
    )
    if (held.n === 0 || rest.n === 0) return
    errorOfMean += squaredErrorOf(held, { w: new Float64Array(size), b: rest.y / rest.n }, size)
    lambdas.forEach(
      (lambda, i) => (errors[i]! += squaredErrorOf(held, solve(rest, lambda, size), size)),
    )
  })
  // With one prompt there is nothing to choose by: the strongest penalty is the safest.
  const isChosen = errorOfMean > 0
  const best = isChosen ? errors.indexOf(Math.min(...errors)) : lambdas.length - 1
  const { w, b } = solve(whole, lambdas[best]!, size)
  const weight = w.map((value, j) => value / scale.sd[j]!)
  const shift = weight.reduce((sum, value, j) => sum + value * scale.mean[j]!, 0)
  return {
    weight,
    bias: b - shift,
    lambda: lambdas[best]!,
    error: isChosen ? errors[best]! / whole.n : NaN,
    errorOfMean: isChosen ? errorOfMean / whole.n : NaN,
  }
}

interface Scale {
  mean: Float64Array
  sd: Float64Array
}

/** A feature that does not vary keeps its size. */
function standardScale(rows: readonly Known[], size: number): Scale {
  const [mean, square] = [new Float64Array(size), new Float64Array(size)]
  for (const { features } of rows) features.forEach((v, j) => (mean[j]! += v / rows.length))
  for (const { features } of rows)
    features.forEach((v, j) => (square[j]! += (v - mean[j]!) ** 2 / rows.length))
  return { mean, sd: square.map((v) => (v > 1e-12 ? Math.sqrt(v) : 1)) }
}

/** Weighted sums over rows: of 1, x, y, x·xᵀ (lower half), x·y, y². Sums of parts are the sums of the whole. */
interface Moments {
  n: number
  y: number
  yy: number
  x: Float64Array
  xy: Float64Array
  xx: Float64Array
}

const noMoments = (size: number): Moments => ({
  n: 0,
  y: 0,
  yy: 0,
  x: new Float64Array(size),
  xy: new Float64Array(size),
  xx: new Float64Array(size * size),
})

function momentsOf(rows: readonly Known[], { mean, sd }: Scale): Moments {
  const size = mean.length
  const sums = noMoments(size)
  const x = new Float64Array(size)
  for (const { features, label, weight } of rows) {
    for (let j = 0; j < size; j++) x[j] = (features[j]! - mean[j]!) / sd[j]!
    sums.n += weight
    sums.y += weight * label
    sums.yy += weight * label * label
    for (let i = 0; i < size; i++) {
      const xi = weight * x[i]!
      sums.x[i]! += xi
      sums.xy[i]! += xi * label
      for (let j = 0; j <= i; j++) sums.xx[i * size + j]! += xi * x[j]!
    }
  }
  return sums
}

function sumOf(parts: readonly Moments[], size: number): Moments {
  const sum = noMoments(size)
  for (const part of parts) {
    sum.n += part.n
    sum.y += part.y
    sum.yy += part.yy
    part.x.forEach((v, i) => (sum.x[i]! += v))
    part.xy.forEach((v, i) => (sum.xy[i]! += v))
    part.xx.forEach((v, i) => (sum.xx[i]! += v))
  }
  return sum
}

interface Line {
  w: Float64Array
  b: number
}

/** The centred normal equations: the bias is not penalised. */
function solve({ n, x, y, xx, xy }: Moments, lambda: number, size: number): Line {
  const A = new Float64Array(size * size)
  const right = new Float64Array(size)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) A[i * size + j] = xx[i * size + j]! - (x[i]! * x[j]!) / n
    A[i * size + i]! += lambda * n
    right[i] = xy[i]! - (x[i]! * y) / n
  }
  const w = choleskySolve(cholesky(A, size), right, size)
  return { w, b: (y - w.reduce((sum, v, i) => sum + v * x[i]!, 0)) / n }
}

/** Σ weight·(w·x + b − y)² from the sums alone. */
function squaredErrorOf(of: Moments, { w, b }: Line, size: number): number {
  let quadratic = 0
  for (let i = 0; i < size; i++) {
    let row = 0
    for (let j = 0; j < i; j++) row += of.xx[i * size + j]! * w[j]!
    quadratic += w[i]! * (2 * row + of.xx[i * size + i]! * w[i]!)
  }
  const wx = w.reduce((sum, v, i) => sum + v * of.x[i]!, 0)
  const wxy = w.reduce((sum, v, i) => sum + v * of.xy[i]!, 0)
  return quadratic + of.n * b * b + of.yy + 2 * b * wx - 2 * wxy - 2 * b * of.y
}
