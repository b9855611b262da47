/** Log-probabilities from raw logits: log-softmax in f64, with the likeliest alternatives. */

import type { TokenLogprob } from './engine-types.ts'
import { largestInOrder } from './selection.ts'

/** log Σ exp(logits), shifted by the maximum so that it cannot overflow. */
export function logSumExp(logits: Float32Array): number {
  let max = -Infinity
  for (let i = 0; i < logits.length; i += 1) if (logits[i]! > max) max = logits[i]!
  let sum = 0
  for (let i = 0; i < logits.length; i += 1) sum += Math.exp(logits[i]! - max)
  return max + Math.log(sum)
}

/** `logits` [V] of one position, `token` the one that follows it, `topCount` alternatives. */
export function tokenLogprob(logits: Float32Array, token: number, topCount: number): TokenLogprob {
  const normaliser = logSumExp(logits)
  return {
    token,
    logprob: logits[token]! - normaliser,
    top: largestInOrder(logits, topCount).map((candidate) => ({
      token: candidate,
      logprob: logits[candidate]! - normaliser,
    })),
  }
}
