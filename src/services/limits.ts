/**
 * Requests and tokens a minute of each key, as buckets that refill evenly: a minute's worth may come at once. Counted in
 * this process; several servers over one database each allow as much.
 */
import { fail } from '../errors.ts'
import type { Caller } from './keys.ts'

export interface Limits {
  /** Counts one request. Fails RATE_LIMITED when there is none left, or when the tokens are used up. */
  takeRequest(caller: Caller): void
  /** Counts tokens after they were used: what a reply costs is known at its end, so the bucket may go below zero. */
  spendTokens(caller: Caller, tokens: number): void
}

interface Bucket {
  level: number
  atMs: number
}

/** Buckets kept; a full one is as good as none. */
const sweepAbove = 10_000
const minuteMs = 60_000

export function createLimits(now: () => number = Date.now): Limits {
  const requests = new Map<string, Bucket>()
  const tokens = new Map<string, Bucket>()

  const filled = (buckets: Map<string, Bucket>, id: string, perMinute: number): Bucket => {
    const atMs = now()
    const bucket = buckets.get(id) ?? { level: perMinute, atMs }
    const gained = ((atMs - bucket.atMs) * perMinute) / minuteMs
    bucket.level = Math.min(perMinute, bucket.level + gained)
    bucket.atMs = atMs
    if (buckets.size > sweepAbove) sweep(buckets, atMs)
    buckets.set(id, bucket)
    return bucket
  }

  return {
    takeRequest({ id, requestsPerMinute, tokensPerMinute }) {
      if (tokensPerMinute !== null) {
        const { level } = filled(tokens, id, tokensPerMinute)
        if (level <= 0) refuse(`${tokensPerMinute} tokens`, -level, tokensPerMinute)
      }
      if (requestsPerMinute !== null) {
        const bucket = filled(requests, id, requestsPerMinute)
        if (bucket.level < 1) {
          refuse(`${requestsPerMinute} requests`, 1 - bucket.level, requestsPerMinute)
        }
        bucket.level -= 1
      }
    },
    spendTokens({ id, tokensPerMinute }, count) {
      if (tokensPerMinute !== null) filled(tokens, id, tokensPerMinute).level -= count
    },
  }
}

function refuse(what: string, missing: number, perMinute: number): never {
  const seconds = Math.max(1, Math.ceil((missing * 60) / perMinute))
  return fail('RATE_LIMITED', `${what} a minute for this key; try again in ${seconds} s`, {
    retryAfterSeconds: seconds,
  })
}

/** Keys that were idle for a minute after they came out of debt. */
function sweep(buckets: Map<string, Bucket>, atMs: number): void {
  for (const [id, bucket] of buckets) {
    if (bucket.level >= 0 && atMs - bucket.atMs > minuteMs) buckets.delete(id)
  }
}
