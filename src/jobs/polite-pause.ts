/** Lets a job wait between its steps while the server is writing replies; bounded, so that it never stops for good. */
import { setTimeout as sleepFor } from 'node:timers/promises'

/** While the server is busy, a job works this share of the time, unless told otherwise. */
export const defaultBusyShare = 0.5
/** The longest single pause. */
export const maxPauseMs = 5_000

export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>

const sleepUntil: Sleep = (ms, signal) => sleepFor(ms, undefined, { signal }).catch(() => undefined)

export interface PolitePause {
  setBusy(busy: boolean): void
  /** Waits as long as makes the time worked the share of the whole, or until the server is no longer busy. */
  pause(workedMs: number): Promise<void>
}

export interface PoliteOptions {
  /** Above 0, at most 1. */
  readonly busyShare?: number
  readonly sleep?: Sleep
}

export function createPolitePause(options: PoliteOptions = {}): PolitePause {
  const { busyShare = defaultBusyShare, sleep = sleepUntil } = options
  let calm = new AbortController()
  let isBusy = false
  return {
    setBusy(busy) {
      if (isBusy === busy) return
      isBusy = busy
      if (busy) calm = new AbortController()
      else calm.abort()
    },
    async pause(workedMs) {
      if (isBusy) await sleep(Math.min(maxPauseMs, workedMs * (1 / busyShare - 1)), calm.signal)
    },
  }
}
